//! The claims of `[claims]`, as hooks.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use simplejwt::settings::TokenClass;
use simplejwt::sql::manage::ManageUsers;
use simplejwt::{Claims, HookError, Hooks, User, UserId};

use crate::config::{self, ClaimSource, OnRefresh};
use crate::database::failed;
use crate::failure::Failure;

/// Adds the configured claims at login, and also at refresh if they are to be recomputed.
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
        let wants = |wanted| claims.added.iter().any(|(_, source)| *source == wanted);
        if wants(ClaimSource::Groups) {
            users.groups(&nobody).await.map_err(|error| failed(&error))?;
        }
        if wants(ClaimSource::Permissions) {
            users.permissions(&nobody).await.map_err(|error| failed(&error))?;
        }
        Ok(Self { claims: claims.clone(), users })
    }

    async fn add(&self, user: &User, claims: &mut Claims) -> Result<(), HookError> {
        for (name, source) in &self.claims.added {
            let value = match source {
                ClaimSource::Column(column) => user.fields.get(column).cloned().unwrap_or_default(),
                ClaimSource::Groups => self.users.groups(&user.id).await?.into(),
                ClaimSource::Permissions => {
                    self.users.permissions(&user.id).await?.into_iter().collect()
                }
                ClaimSource::Constant(value) => value.clone(),
            };
            claims.set(name, value)?;
        }
        Ok(())
    }
}

#[async_trait]
impl Hooks for ConfiguredClaims {
    async fn extra_claims(
        &self,
        _kind: TokenClass,
        user: &User,
        claims: &mut Claims,
    ) -> Result<(), HookError> {
        self.add(user, claims).await
    }

    async fn refreshed_claims(
        &self,
        _kind: TokenClass,
        user: &User,
        claims: &mut Claims,
    ) -> Result<(), HookError> {
        match self.claims.on_refresh {
            OnRefresh::Copy => Ok(()),
            OnRefresh::Recompute => self.add(user, claims).await,
        }
    }
}
