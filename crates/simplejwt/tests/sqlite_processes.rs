//! Several processes on one SQLite file: races between them, and the death of one.
//!
//! The program starts itself as the other process, with the role as its argument.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};

use rusqlite::Connection;
use simplejwt::event::{Act, Cause};
use simplejwt::sql::table::UserTable;
use simplejwt::sqlite::{SqliteDatabase, SqliteOptions, SqliteStore, migrate};
use simplejwt::store::{Blacklisting, OutstandingToken, Rotation};
use simplejwt::{Timestamp, TokenStore as _};

const NOW: Timestamp = Timestamp::from_secs(1_767_323_045);
const TASKS: usize = 16;
/// Tokens that both processes try to rotate.
const RACED: usize = 300;
/// Processes that are killed.
const KILLED: usize = 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "race", path] => runtime.block_on(race(path.into())),
        [_, "write", path, round] => runtime.block_on(write(path.into(), round.to_owned())),
        // What a test harness would list: there is one thing to run.
        [_, "--list", ..] => println!("sqlite_processes: test"),
        _ => {
            runtime.block_on(processes_that_race());
            println!("test processes_that_race ... ok");
            runtime.block_on(processes_that_are_killed());
            println!("test processes_that_are_killed ... ok");
        }
    }
    ExitCode::SUCCESS
}

fn token(jti: String) -> OutstandingToken {
    OutstandingToken {
        token: format!("header.{jti}.signature"),
        jti,
        user_id: None,
        created_at: NOW,
        expires_at: Timestamp::from_secs(1_767_323_105),
    }
}

fn open(path: &Path) -> SqliteStore {
    let database = SqliteDatabase::open(path, SqliteOptions::default()).unwrap();
    SqliteStore::open(&database, &UserTable::default()).unwrap()
}

async fn made(directory: &Path) -> PathBuf {
    let path = directory.join("db.sqlite3");
    let database = SqliteDatabase::open_or_create(&path, SqliteOptions::default()).unwrap();
    migrate::apply(&database, &UserTable::default(), NOW).await.unwrap();
    path
}

fn started(role: &str, path: &Path, more: &[String]) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg(role)
        .arg(path)
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    (child, lines)
}

fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    // One write: what arrives is whole.
    out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()).unwrap();
}

/// In another process: for each round that it is told of, rotates the round's token with many
/// tasks, and tells how many of them won.
async fn race(path: PathBuf) {
    let store = open(&path);
    tell("ready");
    for round in std::io::stdin().lines() {
        let round = round.unwrap();
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let (store, spent) = (store.clone(), token(format!("spent {round}")));
                let next = token(format!("next {round} of {} {task}", std::process::id()));
                tokio::spawn(async move {
                    store.rotate(&spent, &next, &Cause::at(NOW)).await.unwrap().outcome
                })
            })
            .collect();
        let mut won = 0;
        for task in tasks {
            won += usize::from(task.await.unwrap() == Rotation::Rotated);
        }
        tell(&won.to_string());
    }
}

async fn processes_that_race() {
    let directory = tempfile::tempdir().unwrap();
    let path = made(directory.path()).await;
    let mut children: Vec<_> = (0..2).map(|_| started("race", &path, &[])).collect();
    let mut line = String::new();
    for (_, lines) in &mut children {
        line.clear();
        lines.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
    }
    let mut won_by_each = [0, 0];
    for round in 0..RACED {
        // The other one is told first in the next round.
        children.reverse();
        won_by_each.reverse();
        for (child, _) in &mut children {
            let mut orders = child.stdin.as_ref().unwrap();
            orders.write_all(format!("{round}\n").as_bytes()).unwrap();
        }
        let mut won_in_round = 0;
        for ((_, lines), won_by_this) in children.iter_mut().zip(&mut won_by_each) {
            line.clear();
            lines.read_line(&mut line).unwrap();
            let won: usize = line.trim().parse().unwrap();
            won_in_round += won;
            *won_by_this += won;
        }
        assert_eq!(won_in_round, 1, "winners of round {round}");
    }
    for (mut child, _) in children {
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }
    println!("rounds won by each process: {won_by_each:?}");
    assert!(won_by_each.iter().all(|won| *won > 0), "one process won them all: no race");
    let count = |sql: &str| -> u32 {
        Connection::open(&path).unwrap().query_row(sql, (), |row| row.get(0)).unwrap()
    };
    assert_eq!(count("SELECT count(*) FROM token_blacklist_outstandingtoken"), 2 * RACED as u32);
    assert_eq!(count("SELECT count(*) FROM token_blacklist_blacklistedtoken"), RACED as u32);
}

/// In another process: rotates and blacklists without end, and tells what was acknowledged.
async fn write(path: PathBuf, round: String) {
    let store = open(&path);
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (store, round) = (store.clone(), round.clone());
            tokio::spawn(async move {
                let jti = |step: u64| format!("{round}-{task}-{step}");
                for step in 0.. {
                    let (spent, next) = (token(jti(step)), token(jti(step + 1)));
                    if step % 5 == 4 {
                        let outcome = store.blacklist(&spent, &Act::at(NOW)).await.unwrap().outcome;
                        assert_eq!(outcome, Blacklisting::Blacklisted);
                        tell(&format!("blacklisted {}", spent.jti));
                    } else {
                        let outcome =
                            store.rotate(&spent, &next, &Cause::at(NOW)).await.unwrap().outcome;
                        assert_eq!(outcome, Rotation::Rotated);
                        tell(&format!("rotated {} {}", spent.jti, next.jti));
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn processes_that_are_killed() {
    let directory = tempfile::tempdir().unwrap();
    let path = made(directory.path()).await;
    // Never empty and never the last connection: each process finds what the last one left.
    let watching = Connection::open(&path).unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..KILLED {
        let (mut child, mut lines) = started("write", &path, &[round.to_string()]);
        // Between 1 and a few hundred acknowledgements, another number each time.
        let enough = 1 + round * 37 % 401;
        let mut line = String::new();
        let mut read = 0;
        loop {
            line.clear();
            if lines.read_line(&mut line).unwrap() == 0 {
                break;
            }
            // The last line may be cut.
            if let Some(whole) = line.strip_suffix('\n') {
                acknowledged.push(whole.to_owned());
            }
            read += 1;
            if read == enough {
                child.kill().unwrap();
            }
        }
        assert!(read >= enough, "process {round} ended by itself after {read}");
        assert!(!child.wait().unwrap().success());
    }

    let blacklisted: HashMap<String, bool> = watching
        .prepare(
            "SELECT jti, b.id IS NOT NULL FROM token_blacklist_outstandingtoken AS o \
             LEFT JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id",
        )
        .unwrap()
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for line in &acknowledged {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["blacklisted", jti] => assert_eq!(blacklisted.get(jti), Some(&true), "{line}"),
            ["rotated", spent, next] => {
                assert_eq!(blacklisted.get(spent), Some(&true), "{line}");
                assert!(blacklisted.contains_key(next), "{line}");
            }
            _ => panic!("{line:?}"),
        }
    }
    println!("{} writes were acknowledged before {KILLED} kills", acknowledged.len());
    let sound: String =
        watching.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    // And the store goes on where they ended: what is spent stays spent.
    let spent = acknowledged[0].split(' ').nth(1).unwrap().to_owned();
    let rotation = open(&path)
        .rotate(&token(spent), &token("next".into()), &Cause::at(NOW))
        .await
        .unwrap()
        .outcome;
    assert_eq!(rotation, Rotation::Replayed);
}
