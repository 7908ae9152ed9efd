//! Ending sessions.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Params, Row, Value, params};

use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::Recorded;
use crate::mysql::database::changed;
use crate::mysql::database::{Failure, begin, column, commit};
use crate::mysql::feed;
use crate::mysql::statements::{OWNER_OF_UNENDED, Sql, UNENDED, set_ended, unended};
use crate::mysql::tokens::until_none;
use crate::store::session::{
    EndReason, EndSessions, RetainUntil, Revocation, RevocationSubject, SessionSelector,
};
use crate::users::UserId;

/// The largest number of sessions that one transaction ends.
const BATCH: usize = 1000;

/// The outcome of one transaction.
pub(super) enum Batch {
    /// It ended this many, and there may be more.
    Full(u64),
    /// There are no more; all transactions together ended this many.
    Last(Recorded<u64>),
}

/// Ends those of the sessions that haven't ended, and blacklists their tokens; returns the
/// revocations, which the caller inserts last of all.
pub(super) async fn end(
    sql: &Sql,
    conn: &mut Conn,
    ids: &[String],
    reason: EndReason,
    now: Timestamp,
    retain_until: RetainUntil,
) -> Result<Vec<Revocation>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let marks = vec!["?"; ids.len()].join(", ");
    let with = |first: Vec<Value>| {
        Params::Positional(first.into_iter().chain(ids.iter().map(Value::from)).collect())
    };
    // Sessions that have ended in the meantime aren't ended again.
    let rows: Vec<Row> = conn.exec(unended(&marks), with(Vec::new())).await?;
    let ended = rows.iter().map(|row| column(row, 0)).collect::<Result<Vec<String>, _>>()?;
    if ended.is_empty() {
        return Ok(Vec::new());
    }
    let values = vec![
        now.as_micros().into(),
        reason.as_str().into(),
        retain_until.refresh.as_micros().into(),
    ];
    changed(conn, &set_ended(&marks), with(values)).await?;
    until_none(conn, &sql.of_sessions.replace("{}", &marks), with(Vec::new()), now).await?;
    let revocation = |id| Revocation {
        subject: RevocationSubject::Session(id),
        revoked_at: now,
        expires_at: retain_until.access,
    };
    Ok(ended.into_iter().map(revocation).collect())
}

/// Runs one transaction of [`EndSessions`]; those before it ended `before` sessions.
pub(super) async fn batch(
    sql: &Sql,
    conn: &mut Conn,
    ending: &EndSessions,
    before: u64,
) -> Result<Batch, Failure> {
    let (reason, now, retain_until) = (ending.reason, ending.cause.at, ending.retain_until);
    begin(conn).await?;
    let (mut revoked, last) = match &ending.which {
        SessionSelector::One { id, user_id } => {
            let row: Option<Row> =
                conn.exec_first(OWNER_OF_UNENDED, params! { "id" => id }).await?;
            let owner: Option<String> = row.map(|row| column(&row, 0)).transpose()?;
            let theirs = owner.is_some_and(|owner| {
                user_id.as_ref().is_none_or(|user_id| user_id.as_str() == owner)
            });
            let ids: &[String] = if theirs { std::slice::from_ref(id) } else { &[] };
            (end(sql, conn, ids, reason, now, retain_until).await?, true)
        }
        SessionSelector::All { user_id, except } => {
            let values = params! { "user" => user_id.as_str(), "except" => except };
            let rows: Vec<Row> = conn.exec(UNENDED, values).await?;
            let ids = rows.iter().map(|row| column(row, 0)).collect::<Result<Vec<_>, _>>()?;
            (end(sql, conn, &ids, reason, now, retain_until).await?, ids.len() < BATCH)
        }
    };
    let ended = revoked.len() as u64;
    if let SessionSelector::All { user_id, except } = &ending.which
        && last
    {
        others(sql, conn, user_id, except.as_deref(), now).await?;
        revoked.push(Revocation {
            subject: RevocationSubject::User(user_id.clone()),
            revoked_at: now,
            expires_at: retain_until.refresh,
        });
    }
    feed::insert(conn, &revoked).await?;
    let batch = match last {
        true => Batch::Last(ending.recorded(before + ended)),
        false => Batch::Full(ended),
    };
    commit(conn).await?;
    Ok(batch)
}

/// Returns `true` if it failed because the users' table can't hold the id.
pub(super) fn is_of_nobody(ending: &EndSessions, error: &StoreError) -> bool {
    matches!(&ending.which, SessionSelector::All { user_id, .. } if error.is_of(user_id.as_str()))
}

/// Blacklists the user's tokens that are in no session, too.
async fn others(
    sql: &Sql,
    conn: &mut Conn,
    user_id: &UserId,
    except: Option<&str>,
    now: Timestamp,
) -> Result<(), Failure> {
    let Some(key) = sql.user_id.parse(user_id) else { return Ok(()) };
    let values = params! { "user" => Value::from(&key), "except" => except };
    until_none(conn, &sql.others, values, now).await.map(drop)
}
