//! A Galera cluster of three MariaDB nodes on this machine.

use std::collections::HashSet;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::load::{Load, Outcome, beside};
use super::pass;
use super::site::{Site, prepare};
use crate::process::{output, succeeds, wait_for};

const PROVIDER: &str = "/usr/lib/galera/libgalera_smm.so";
const ACCOUNT: &str = "simplejwt:simplejwt";

/// The failure of the first server's node.
#[derive(Clone, Copy)]
enum Event {
    Killed,
    Frozen,
    Isolated,
    BackupLock,
    ReadLock,
}

/// A scenario.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    event: Event,
}

/// All scenarios.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "Galera: a node killed, and started again", event: Event::Killed },
    Scenario { name: "Galera: a node frozen for 20 s", event: Event::Frozen },
    Scenario { name: "Galera: a node cut off for 20 s", event: Event::Isolated },
    Scenario { name: "Galera: a node under a backup's lock for 8 s", event: Event::BackupLock },
    Scenario {
        name: "Galera: a node under FLUSH TABLES WITH READ LOCK for 8 s",
        event: Event::ReadLock,
    },
];

struct Node {
    number: u16,
    folder: PathBuf,
    process: Option<Child>,
}

/// A cluster, which is stopped when this is dropped.
struct Cluster {
    folder: PathBuf,
    nodes: Vec<Node>,
}

/// Returns the versions of the programs.
///
/// # Errors
/// They aren't installed.
pub(super) fn version() -> Result<String> {
    if !PathBuf::from(PROVIDER).exists() {
        bail!("there is no Galera: apt-get install galera-4 rsync mariadb-server");
    }
    let server = output(command("mariadbd", &["--no-defaults", "--version"]))?;
    let galera = output(command("dpkg-query", &["-W", "-f=${Version}", "galera-4"]))?;
    let version = server.split_whitespace().nth(2).unwrap_or_default();
    Ok(format!("MariaDB {version} with galera-4 {galera}"))
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin"));
    command
}

impl Node {
    fn port(&self) -> u16 {
        23_300 + self.number
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }

    fn client(&self, sql: &str) -> Command {
        let mut client = command("mariadb", &["--no-defaults", "-h127.0.0.1", "-N"]);
        client.args([&format!("-P{}", self.port()), "-usimplejwt", "-psimplejwt", "-e", sql]);
        client
    }

    fn config(&self) -> String {
        let (folder, number) = (self.folder.display(), self.number);
        let others = if number == 1 { "127.0.0.1:23421" } else { "127.0.0.1:23411" };
        format!(
            "[mariadbd]
datadir = {folder}/data
tmpdir = {folder}/tmp
socket = {folder}/socket
pid-file = {folder}/pid
init-file = {folder}/init.sql
bind-address = 127.0.0.1
port = {port}
skip-name-resolve
max_connections = 300
innodb_buffer_pool_size = 64M
innodb_flush_log_at_trx_commit = 1
innodb_autoinc_lock_mode = 2
binlog_format = ROW
character-set-server = utf8mb4
collation-server = utf8mb4_general_ci
wsrep_on = ON
wsrep_provider = {PROVIDER}
wsrep_cluster_name = simplejwt
wsrep_cluster_address = gcomm://{others},127.0.0.1:23431
wsrep_node_name = node{number}
wsrep_node_address = 127.0.0.1:234{number}1
wsrep_provider_options = \"base_port=234{number}1;\
gmcast.listen_addr=tcp://127.0.0.1:234{number}1;ist.recv_addr=127.0.0.1:234{number}2;\
gcache.size=64M\"
wsrep_sst_method = rsync
wsrep_sst_receive_address = 127.0.0.1:234{number}4
",
            port = self.port()
        )
    }

    fn make(&self) -> Result<()> {
        fs::create_dir_all(self.folder.join("tmp"))?;
        fs::write(self.folder.join("my.cnf"), self.config())?;
        let init = "CREATE USER IF NOT EXISTS 'simplejwt'@'%' IDENTIFIED BY 'simplejwt';\n\
             GRANT ALL PRIVILEGES ON *.* TO 'simplejwt'@'%' WITH GRANT OPTION;\n\
             CREATE DATABASE IF NOT EXISTS simplejwt;\n";
        // The others copy the first one's data.
        fs::write(self.folder.join("init.sql"), if self.number == 1 { init } else { "" })?;
        let data = format!("--datadir={}", self.folder.join("data").display());
        let install = ["--no-defaults", "--user=mysql", "--skip-test-db", &data];
        output(command("mariadb-install-db", &install))?;
        let folder = self.folder.display().to_string();
        output(command("chown", &["-R", "mysql:mysql", &folder])).map(drop)
    }

    fn start(&mut self, is_first: bool) -> Result<()> {
        let log = fs::File::options().create(true).append(true).open(self.folder.join("log"))?;
        let config = format!("--defaults-file={}", self.folder.join("my.cnf").display());
        let mut server = command("mariadbd", &[&config, "--user=mysql"]);
        if is_first {
            server.arg("--wsrep-new-cluster");
        }
        let server = server.stdout(log.try_clone()?).stderr(log).process_group(0).spawn()?;
        self.process = Some(server);
        self.await_synced()
    }

    fn await_synced(&self) -> Result<()> {
        let sql = "SHOW STATUS LIKE 'wsrep_local_state_comment'";
        let synced = || {
            let answer = self.client(sql).stderr(Stdio::null()).output()?;
            Ok(String::from_utf8_lossy(&answer.stdout).contains("Synced").then_some(()))
        };
        wait_for(180, synced)?.with_context(|| format!("node {} isn't synced", self.number))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let process = self.process.as_ref().context("the node doesn't run")?;
        let pid = Pid::from_raw(process.id().try_into()?).context("no process")?;
        Ok(kill_process(pid, signal)?)
    }

    fn kill(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        process.kill()?;
        process.wait()?;
        Ok(())
    }

    /// Holds the locks of these statements for this time.
    fn hold(&self, statements: &str, seconds: u32, free: &str) -> Result<()> {
        let sql = format!("{statements}; SELECT SLEEP({seconds}); {free}");
        if !succeeds(self.client(&sql)) {
            bail!("node {} can't be locked", self.number);
        }
        Ok(())
    }
}

impl Cluster {
    fn up() -> Result<Self> {
        let folder = std::env::temp_dir().join("simplejwt-galera");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let mut cluster = Self { folder: folder.clone(), nodes: Vec::new() };
        for number in 1..=3 {
            let folder = folder.join(format!("node{number}"));
            let mut node = Node { number, folder, process: None };
            node.make()?;
            node.start(number == 1)?;
            cluster.nodes.push(node);
        }
        Ok(cluster)
    }

    /// Returns a URL for each server, each beginning with another node.
    fn urls(&self) -> Vec<String> {
        let hosts: Vec<String> = self.nodes.iter().map(Node::host).collect();
        (0..hosts.len())
            .map(|first| {
                let mut hosts = hosts.clone();
                hosts.rotate_left(first);
                format!("mysql://{ACCOUNT}@{}/simplejwt", hosts.join(","))
            })
            .collect()
    }

    fn first(&mut self) -> Result<&mut Node> {
        self.nodes.first_mut().context("no node")
    }

    fn last(&self) -> Result<&Node> {
        self.nodes.last().context("no node")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            let _ = node.signal(Signal::CONT);
            let _ = node.kill();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Runs a scenario on its own cluster.
///
/// # Errors
/// The cluster can't be started.
pub(super) fn run(scenario: &Scenario) -> Result<Outcome> {
    let mut cluster = Cluster::up()?;
    let folder = std::env::temp_dir().join("simplejwt-failover");
    let urls = cluster.urls();
    prepare(urls.first().context("no node")?, &folder)?;
    let site = Site::start(&urls, &[], &folder)?;
    let sql = "SELECT jti FROM simplejwt.simplejwt_session_token";
    let last = cluster.last()?.client(&format!("SET SESSION wsrep_sync_wait = 7; {sql}"));
    let stored = || Ok(output(last)?.lines().map(str::to_owned).collect::<HashSet<_>>());
    beside(&site, true, |load| happen(scenario.event, cluster.first()?, load), stored)
}

fn happen(event: Event, node: &mut Node, load: &Load<'_>) -> Result<()> {
    pass(Duration::from_secs(4));
    match event {
        Event::Killed => {
            node.kill()?;
            pass(Duration::from_secs(12));
            node.start(false)?;
        }
        Event::Frozen => {
            node.signal(Signal::STOP)?;
            pass(Duration::from_secs(20));
            node.signal(Signal::CONT)?;
        }
        Event::Isolated => {
            let isolate =
                |value| format!("SET GLOBAL wsrep_provider_options = 'gmcast.isolate={value}'");
            output(node.client(&isolate(1)))?;
            pass(Duration::from_secs(20));
            output(node.client(&isolate(0)))?;
        }
        Event::BackupLock => node.hold(
            "BACKUP STAGE START; BACKUP STAGE FLUSH; BACKUP STAGE BLOCK_DDL; \
             BACKUP STAGE BLOCK_COMMIT",
            8,
            "BACKUP STAGE END",
        )?,
        Event::ReadLock => node.hold("FLUSH TABLES WITH READ LOCK", 8, "UNLOCK TABLES")?,
    }
    node.await_synced()?;
    if load.begun.elapsed() > Duration::from_secs(180) {
        bail!("the cluster took too long");
    }
    pass(Duration::from_secs(6));
    Ok(())
}

/// Returns the highest number of live sessions after concurrent logins of one user at three nodes,
/// with three sessions allowed.
///
/// # Errors
/// The cluster can't be started.
pub(super) fn most_sessions() -> Result<usize> {
    let cluster = Cluster::up()?;
    let folder = std::env::temp_dir().join("simplejwt-failover");
    let urls = cluster.urls();
    prepare(urls.first().context("no node")?, &folder)?;
    // Each server uses another node.
    let own: Vec<String> = cluster
        .nodes
        .iter()
        .map(|node| format!("mysql://{ACCOUNT}@{}/simplejwt", node.host()))
        .collect();
    let site = Site::start(&own, &[("SIMPLEJWT_MAX_SESSIONS_PER_USER", "3")], &folder)?;
    let login = r#"{"username":"alice","password":"wonderland"}"#;
    let mut most = 0;
    for _ in 0..10 {
        std::thread::scope(|scope| {
            for turn in 0..18 {
                let server = site.addresses.get(turn % 3).copied();
                scope.spawn(move || {
                    server.map(|server| {
                        super::http::request(server, "POST", "/api/token/", None, login)
                    })
                });
            }
        });
        let sql = "SET SESSION wsrep_sync_wait = 7; SELECT count(*) \
                   FROM simplejwt.simplejwt_session WHERE ended_at IS NULL";
        let live: usize = output(cluster.last()?.client(sql))?.trim().parse()?;
        println!("{live} live");
        most = most.max(live);
    }
    Ok(most)
}
