//! The steps of a batch: one look, and then everything that is written, with the COMMIT.

use std::collections::{BTreeSet, HashMap, HashSet};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row};

use super::literals::{NULL, key, list, optional, row, text, time};
use super::rotating::{InSession, Rotating, Spent};
use super::statements::{JOIN, OPEN, REGISTER_ALL, SESSIONS, SPEND, STATES};
use crate::clock::Timestamp;
use crate::mysql::database::{Failure, column, rollback};
use crate::mysql::statements::Sql;
use crate::store::OutstandingToken;
use crate::store::session::verdict::{self, Found, TokenState, Verdict, verdict};
use crate::users::UserId;

/// Rotates those about which nothing is unusual. Returns `None` for the others, to which nothing is
/// done.
///
/// After a failure, nothing is done to any of them, unless it is that of the connection: then the
/// COMMIT may have succeeded.
pub(super) async fn rotate(
    sql: &Sql,
    conn: &mut Conn,
    items: &[Rotating],
) -> Result<Vec<Option<Spent>>, Failure> {
    let mut looked = Look::take(sql, conn, items).await?;
    let mut plan: Vec<Step<'_>> =
        items.iter().enumerate().filter_map(|(at, item)| looked.step(sql, at, item)).collect();
    if plan.is_empty() {
        rollback(conn).await?;
        return Ok(vec![None; items.len()]);
    }
    // Whoever has several to wait for takes them in the same order.
    plan.sort_unstable_by_key(|step| &step.item.spent.jti);
    register(sql, conn, &mut plan).await?;
    plan.sort_unstable_by_key(|step| step.id);
    finish(conn, &plan).await?;
    let mut answers = vec![None; items.len()];
    for step in plan {
        if let Some(answer) = answers.get_mut(step.at) {
            *answer = Some(Spent { session_id: step.session_id });
        }
    }
    Ok(answers)
}

/// A rotation that is going to be carried out.
struct Step<'a> {
    at: usize,
    item: &'a Rotating,
    /// The registered token; 0 until it is registered.
    id: u64,
    session_id: Option<String>,
    /// `true` if the token opens its session.
    opens: bool,
    /// The owners of both tokens, as literals.
    spent_user: String,
    next_user: String,
}

/// What was found of the tokens of a batch.
#[derive(Default)]
struct Look {
    /// Registered tokens, locked: their row, and whether they are blacklisted.
    registered: HashMap<String, (u64, bool)>,
    /// The tokens that are in sessions.
    states: HashMap<String, TokenState>,
    /// The primary keys of users, by their ids; `None` if it is better not to wait for one.
    users: HashMap<String, Option<String>>,
    /// The sessions and tokens that somebody else has, or is about to have.
    taken: HashSet<String>,
}

impl Look {
    /// Begins a transaction, and looks.
    async fn take(sql: &Sql, conn: &mut Conn, items: &[Rotating]) -> Result<Self, Failure> {
        let rotations = &sql.rotations;
        let spent = || items.iter().map(|item| item.spent.jti.as_str());
        let in_sessions: Vec<String> = items
            .iter()
            .filter(|item| item.in_session.is_some())
            .map(|item| text(&item.spent.jti))
            .collect();
        let wanted: BTreeSet<String> = items
            .iter()
            .flat_map(|item| [&item.spent, &item.next])
            .filter_map(|token| owner(sql, token))
            .collect();
        let mut asked = vec!["START TRANSACTION".to_owned(), rotations.tokens(spent())];
        if !in_sessions.is_empty() {
            asked.push(STATES.replace("{}", &list(in_sessions.iter().cloned())));
        }
        if !wanted.is_empty() {
            asked.push(rotations.held_users(&list(wanted.iter().cloned())));
        }
        let mut sets = sets(conn, &asked.join("; ")).await?.into_iter().skip(1);
        let mut look = Self::default();
        for row in sets.next().unwrap_or_default() {
            look.registered.insert(column(&row, 1)?, (column(&row, 0)?, column(&row, 2)?));
        }
        if !in_sessions.is_empty() {
            for row in sets.next().unwrap_or_default() {
                look.states.insert(column(&row, 0)?, state(&row)?);
            }
        }
        if !wanted.is_empty() {
            look.hold(sql, sets.next().unwrap_or_default())?;
        }
        look.again(sql, conn, items, &wanted).await?;
        Ok(look)
    }

    /// Looks once more, for what isn't there: it may only be locked.
    async fn again(
        &mut self,
        sql: &Sql,
        conn: &mut Conn,
        items: &[Rotating],
        wanted: &BTreeSet<String>,
    ) -> Result<(), Failure> {
        let opening: Vec<(&Rotating, &InSession)> = items
            .iter()
            .filter(|item| !self.states.contains_key(&item.spent.jti))
            .filter_map(|item| Some((item, item.in_session.as_ref()?)))
            .collect();
        let sessions: Vec<String> =
            opening.iter().map(|(_, of)| text(&of.refresh.session.id)).collect();
        let unregistered: Vec<&str> = opening
            .iter()
            .map(|(item, _)| item.spent.jti.as_str())
            .filter(|jti| !self.registered.contains_key(*jti))
            .collect();
        let missing: Vec<String> =
            wanted.iter().filter(|id| !self.users.contains_key(*id)).cloned().collect();
        let mut asked = Vec::new();
        if !sessions.is_empty() {
            asked.push(SESSIONS.replace("{}", &list(sessions.iter().cloned())));
        }
        if !unregistered.is_empty() {
            asked.push(sql.rotations.registered(unregistered.iter().copied()));
        }
        if !missing.is_empty() {
            asked.push(sql.rotations.users(&list(missing.iter().cloned())));
        }
        if asked.is_empty() {
            return Ok(());
        }
        let mut sets = sets(conn, &asked.join("; ")).await?.into_iter();
        let taken = [(!sessions.is_empty(), 0), (!unregistered.is_empty(), 1)];
        for (_, at) in taken.into_iter().filter(|(is_asked, _)| *is_asked) {
            for row in sets.next().unwrap_or_default() {
                self.taken.insert(column(&row, at)?);
            }
        }
        if !missing.is_empty() {
            // Those who are there after all are locked; of the others, there is nobody.
            let nobody = || Some(NULL.to_owned());
            self.users.extend(missing.into_iter().map(|id| (id, nobody())));
            for row in sets.next().unwrap_or_default() {
                if let Some((id, _)) = user(sql, &row)? {
                    self.users.insert(id, None);
                }
            }
        }
        Ok(())
    }

    /// Notes the users who were found, and are held.
    fn hold(&mut self, sql: &Sql, rows: Vec<Row>) -> Result<(), Failure> {
        for row in rows {
            let Some((id, key)) = user(sql, &row)? else { continue };
            // If several users have the same value, none of them is meant.
            let key = if self.users.contains_key(&id) { None } else { Some(key) };
            self.users.insert(id, key);
        }
        Ok(())
    }

    /// Returns the step for a token about which nothing is unusual.
    fn step<'a>(&mut self, sql: &Sql, at: usize, item: &'a Rotating) -> Option<Step<'a>> {
        let registered = self.registered.get(&item.spent.jti).copied();
        if registered.is_some_and(|(_, is_blacklisted)| is_blacklisted) {
            return None;
        }
        let (id, is_registered) = (registered.map_or(0, |(id, _)| id), registered.is_some());
        let (session_id, opens) = match &item.in_session {
            None => (is_registered.then_some(None)?, false),
            Some(of) => match self.states.remove(&item.spent.jti) {
                Some(state) => {
                    let found = Found::InSession(TokenState { is_registered, ..state });
                    let is_usual = verdict(&of.refresh, &found) == USUAL;
                    (is_usual.then(|| found.session_id().map(str::to_owned))?, false)
                }
                None => (Some(self.opened(of, item, is_registered)?), true),
            },
        };
        let spent_user = self.owner(sql, &item.spent)?;
        let next_user = self.owner(sql, &item.next)?;
        Some(Step { at, item, id, session_id, opens, spent_user, next_user })
    }

    /// Returns the session that a token opens, if nobody else has it.
    fn opened(&mut self, of: &InSession, item: &Rotating, is_registered: bool) -> Option<String> {
        let (refresh, session) = (&of.refresh, &of.refresh.session);
        let joins = Found::NoSession { owner: None, is_registered };
        let joined = Found::InSession(TokenState {
            session_id: session.id.clone(),
            has_ended: false,
            has_just_joined: true,
            opened_at: item.at,
            used_at: item.at,
            password: session.password.clone(),
            is_registered: true,
            spent: verdict::Spent::No,
        });
        let is_usual = !refresh.has_expired()
            && !self.taken.contains(&item.spent.jti)
            && verdict(refresh, &joins) == Verdict::Join
            && verdict(refresh, &joined) == USUAL;
        // Of several that would open the same one, one does.
        (is_usual && self.taken.insert(session.id.clone())).then(|| session.id.clone())
    }

    /// Returns the owner of a token, for its row; `None` if somebody else has locked that user.
    fn owner(&self, sql: &Sql, token: &OutstandingToken) -> Option<String> {
        match owner(sql, token) {
            None => Some(NULL.to_owned()),
            Some(id) => self.users.get(&id).cloned().flatten(),
        }
    }
}

/// The verdict on a token about which nothing is unusual.
const USUAL: Verdict = Verdict::Refresh { register: false };

fn owner(sql: &Sql, token: &OutstandingToken) -> Option<String> {
    token.user_id.as_ref().and_then(|id| sql.user_id.parse(id)).as_ref().map(key)
}

/// Returns a user's id and primary key.
fn user(sql: &Sql, row: &Row) -> Result<Option<(String, String)>, Failure> {
    let (primary, id): (String, String) = (column(row, 0)?, column(row, 1)?);
    let id = sql.user_id.parse(&UserId::from(id)).as_ref().map(key);
    let is_key = sql.rotations.is_key;
    Ok(id.map(|id| (id.clone(), if is_key { id } else { text(&primary) })))
}

fn state(row: &Row) -> Result<TokenState, Failure> {
    let has_successor: bool = column(row, 6)?;
    Ok(TokenState {
        session_id: column(row, 1)?,
        has_ended: column::<Option<i64>>(row, 2)?.is_some(),
        has_just_joined: false,
        opened_at: Timestamp::from_micros(column(row, 3)?),
        used_at: Timestamp::from_micros(column(row, 4)?),
        password: column(row, 5)?,
        is_registered: false,
        spent: match has_successor {
            true => verdict::Spent::Blacklisted(None),
            false => verdict::Spent::No,
        },
    })
}

/// Registers the tokens that nobody has registered.
async fn register(sql: &Sql, conn: &mut Conn, plan: &mut [Step<'_>]) -> Result<(), Failure> {
    let new: Vec<&Step<'_>> = plan.iter().filter(|step| step.id == 0).collect();
    if new.is_empty() {
        return Ok(());
    }
    let rows = new.iter().map(|step| registration(&step.item.spent, &step.spent_user));
    let spent = new.iter().map(|step| step.item.spent.jti.as_str());
    let asked = [format!("{REGISTER_ALL}{}", list(rows)), sql.rotations.registered(spent)];
    let found = sets(conn, &asked.join("; ")).await?.pop().unwrap_or_default();
    let mut ids = HashMap::new();
    for row in found {
        ids.insert(column::<String>(&row, 1)?, column::<u64>(&row, 0)?);
    }
    for step in plan.iter_mut().filter(|step| step.id == 0) {
        step.id = ids.get(&step.item.spent.jti).copied().ok_or(Failure::Collision)?;
    }
    Ok(())
}

/// Writes everything else, and commits.
async fn finish(conn: &mut Conn, plan: &[Step<'_>]) -> Result<(), Failure> {
    let mut sessions: Vec<(&str, String)> = plan.iter().filter_map(opening).collect();
    sessions.sort_unstable();
    let sessions: Vec<String> = sessions.into_iter().map(|(_, values)| values).collect();
    let joins: Vec<String> = plan.iter().flat_map(joining).collect();
    let spends = plan.iter().map(|step| row(&[time(step.item.at), step.id.to_string()]));
    let nexts = plan.iter().map(|step| registration(&step.item.next, &step.next_user));
    let mut asked = Vec::new();
    for (insert, rows) in [(OPEN, sessions), (JOIN, joins)] {
        if !rows.is_empty() {
            asked.push(format!("{insert}{}", list(rows)));
        }
    }
    asked.push(format!("{SPEND}{}", list(spends)));
    asked.push(format!("{REGISTER_ALL}{}", list(nexts)));
    asked.push("COMMIT".to_owned());
    Ok(conn.query_drop(asked.join("; ")).await?)
}

/// Returns the row of the session that a token opens, with its id.
fn opening<'a>(step: &'a Step<'_>) -> Option<(&'a str, String)> {
    let of = step.item.in_session.as_ref().filter(|_| step.opens)?;
    let (session, client) = (&of.refresh.session, &of.refresh.cause.client);
    let values = [
        text(&session.id),
        text(session.user_id.as_str()),
        step.item.at.as_micros().to_string(),
        step.item.spent.expires_at.as_micros().to_string(),
        optional(session.password.as_ref()),
        optional(client.address.as_ref()),
        optional(client.user_agent.as_ref()),
    ];
    Some((&session.id, row(&values)))
}

/// Returns the rows of the session's tokens: of the one that opens it, and of the successor.
fn joining(step: &Step<'_>) -> Vec<String> {
    let (Some(of), Some(session_id)) = (&step.item.in_session, &step.session_id) else {
        return Vec::new();
    };
    let Rotating { at, spent, next, .. } = step.item;
    let joined = |token: &OutstandingToken, parent: String, access: String| {
        let at = at.as_micros().to_string();
        row(&[
            text(&token.jti),
            text(session_id),
            parent,
            access,
            at.clone(),
            at,
            token.expires_at.as_micros().to_string(),
            optional(of.refresh.cause.client.address.as_ref()),
        ])
    };
    let first = step.opens.then(|| joined(spent, NULL.to_owned(), NULL.to_owned()));
    let successor = joined(next, text(&spent.jti), text(&of.access_jti));
    first.into_iter().chain([successor]).collect()
}

fn registration(token: &OutstandingToken, owner: &str) -> String {
    row(&[
        text(&token.token),
        time(token.created_at),
        time(token.expires_at),
        owner.to_owned(),
        text(&token.jti),
    ])
}

/// Runs several statements, and returns their rows. The last may be missing if it has none.
async fn sets(conn: &mut Conn, statements: &str) -> Result<Vec<Vec<Row>>, Failure> {
    let mut result = conn.query_iter(statements).await?;
    let mut sets = Vec::new();
    while !result.is_empty() {
        sets.push(result.collect().await?);
    }
    result.drop_result().await?;
    Ok(sets)
}
