//! The claims of `[claims]`, as hooks.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use simplejwt::settings::TokenClass;
use simplejwt::sql::manage::ManageUsers;
use simplejwt::{Claims, HookError, Hooks, User, UserId};

use crate::config::{self, ClaimSource, OnRefresh};
use crate::database::failed;
use crate::failure::Failure;

/// Adds the configured claims at login. At refresh, those that are to be recomputed are set again,
/// and those that tell whether there has been one.
pub(crate) struct ConfiguredClaims {
    claims: config::Claims,
    users: Arc<dyn ManageUsers>,
}

impl fmt::Debug for ConfiguredClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfiguredClaims").field("claims", &self.claims).finish_non_exhaustive()
    }
}

impl ConfiguredClaims {
    /// Creates the hooks, after checking that the tables they need exist, so that no login finds
    /// one missing.
    ///
    /// # Errors
    /// The name of the table that is missing.
    pub(crate) async fn new(
        claims: &config::Claims,
        users: Arc<dyn ManageUsers>,
    ) -> Result<Self, Failure> {
        let nobody = UserId::from("");
        let wants = |wanted: fn(&ClaimSource) -> bool| {
            claims.added.iter().any(|(_, source)| wanted(source))
        };
        if wants(|source| matches!(source, ClaimSource::Groups | ClaimSource::Scope(_))) {
            users.groups(&nobody).await.map_err(|error| failed(&error))?;
        }
        if wants(|source| *source == ClaimSource::Permissions) {
            users.permissions(&nobody).await.map_err(|error| failed(&error))?;
        }
        Ok(Self { claims: claims.clone(), users })
    }

    async fn set(&self, at: Occasion, user: &User, claims: &mut Claims) -> Result<(), HookError> {
        let keep = at == Occasion::Refresh && self.claims.on_refresh == OnRefresh::Copy;
        for (name, source) in &self.claims.added {
            match source {
                ClaimSource::Fresh => claims.set(name, at == Occasion::Login)?,
                ClaimSource::AuthTime if at == Occasion::Refresh => {}
                ClaimSource::AuthTime => {
                    if let Some(issued_at) = claims.get::<i64>("iat")? {
                        claims.set(name, issued_at)?;
                    }
                }
                _ if keep => {}
                _ => match self.value(source, user).await? {
                    Some(value) => claims.set(name, value)?,
                    None => drop(claims.remove(name)),
                },
            }
        }
        Ok(())
    }

    /// Returns a value as the database has it; `None` if the claim is to be left out.
    async fn value(&self, source: &ClaimSource, user: &User) -> Result<Option<Value>, HookError> {
        Ok(match source {
            ClaimSource::Column(column) => {
                Some(user.fields.get(column).cloned().unwrap_or_default())
            }
            ClaimSource::Template(template) => {
                Some(template.fill(|column| user.fields.get(column)))
            }
            ClaimSource::Groups => Some(self.users.groups(&user.id).await?.into()),
            ClaimSource::Scope(scopes) => {
                scopes.of(&self.users.groups(&user.id).await?).map(Value::String)
            }
            ClaimSource::Permissions => {
                Some(self.users.permissions(&user.id).await?.into_iter().collect())
            }
            ClaimSource::Constant(value) => Some(value.clone()),
            ClaimSource::Fresh | ClaimSource::AuthTime => None,
        })
    }
}

/// The occasion on which claims are set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Occasion {
    Login,
    Refresh,
}

#[async_trait]
impl Hooks for ConfiguredClaims {
    async fn extra_claims(
        &self,
        _kind: TokenClass,
        user: &User,
        claims: &mut Claims,
    ) -> Result<(), HookError> {
        self.set(Occasion::Login, user, claims).await
    }

    async fn refreshed_claims(
        &self,
        _kind: TokenClass,
        user: &User,
        claims: &mut Claims,
    ) -> Result<(), HookError> {
        self.set(Occasion::Refresh, user, claims).await
    }
}
