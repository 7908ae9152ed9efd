//! nginx and Caddy, with the configurations from docs/several-nodes.md at other ports.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::process::{command, root, wait_for};

/// The addresses of the nodes and the proxy on that page.
const NODES: [&str; 3] = ["127.0.0.1:8001", "127.0.0.1:8002", "127.0.0.1:8003"];
const LISTENS: &str = "8080";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ProxyKind {
    Nginx,
    Caddy,
}

/// A proxy, which is killed when this is dropped.
pub(super) struct Proxy {
    child: Child,
    pub(super) port: u16,
}

/// Ensures that both proxies are installed.
///
/// # Errors
/// One is missing and can't be installed.
pub(super) fn require() -> Result<()> {
    crate::programs::require()
}

impl ProxyKind {
    /// Returns the name and version, as printed by the program.
    ///
    /// # Errors
    /// It can't be started.
    pub(super) fn version(self) -> Result<String> {
        let (program, word) = match self {
            Self::Nginx => ("nginx", "-v"),
            Self::Caddy => ("caddy", "version"),
        };
        let output = command(program, &[word]).output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let words = said.trim().trim_start_matches("nginx version: ");
        let version = words.split(' ').next().unwrap_or_default();
        Ok(if self == Self::Caddy { format!("Caddy {version}") } else { version.to_owned() })
    }

    fn language(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddyfile",
        }
    }
}

impl Proxy {
    /// Starts a proxy in front of these ports.
    ///
    /// # Errors
    /// The page has no such block, or the program refuses it.
    pub(super) fn start(kind: ProxyKind, nodes: &[u16], folder: &Path) -> Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let page = fs::read_to_string(root().join("docs/several-nodes.md"))?;
        let mut block = block(&page, kind.language())?.to_owned();
        for (documented, node) in NODES.iter().zip(nodes) {
            block = replaced(&block, documented, &format!("127.0.0.1:{node}"))?;
        }
        block = replaced(&block, LISTENS, &port.to_string())?;
        let place = folder.display();
        let file = folder.join(kind.language());
        let (text, mut program) = match kind {
            ProxyKind::Nginx => {
                let around = format!(
                    "daemon off; pid {place}/nginx.pid; error_log {place}/nginx.log warn;\n\
                     events {{ worker_connections 1024; }}\nhttp {{ access_log off;\n\
                     client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;\n\
                     fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;\n\
                     {block}\n}}\n"
                );
                let mut program = Command::new("nginx");
                program.arg("-c").arg(&file);
                (around, program)
            }
            ProxyKind::Caddy => {
                let mut program = Command::new("caddy");
                program.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
                program.env("HOME", folder);
                (format!("{{\n\tadmin off\n}}\n{block}"), program)
            }
        };
        fs::write(&file, text)?;
        let log = File::create(folder.join(format!("{}-said.log", kind.language())))?;
        let child = program.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let proxy = Self { child, port };
        wait_for(30, || Ok(TcpStream::connect(("127.0.0.1", port)).ok()))?
            .with_context(|| format!("{} doesn't listen: see {place}", kind.language()))?;
        Ok(proxy)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // nginx's workers end on their master's SIGTERM, but not on its SIGKILL.
        if let Ok(id) = self.child.id().try_into()
            && let Some(id) = rustix::process::Pid::from_raw(id)
        {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

/// Returns the first fenced block of a language.
fn block<'a>(page: &'a str, language: &str) -> Result<&'a str> {
    let fence = format!("```{language}\n");
    let (_, rest) = page.split_once(&fence).with_context(|| format!("no block of {language}"))?;
    rest.split_once("```").map(|(block, _)| block).context("a block without an end")
}

fn replaced(block: &str, old: &str, new: &str) -> Result<String> {
    if !block.contains(old) {
        bail!("docs/several-nodes.md doesn't name {old} any more");
    }
    Ok(block.replace(old, new))
}
