//! Starts other programs in the workspace's root, and announces every step.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, bail};

/// Returns the workspace's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Returns the path of this program. Cargo may have replaced it by one that was built with the
/// whole workspace; Linux then calls the old one `xtask (deleted)`, and the new one is used.
///
/// # Errors
/// The operating system doesn't report the path.
pub(crate) fn this_program() -> Result<PathBuf> {
    let path = std::env::current_exe().context("can't tell this program's file")?;
    let replaced = path.to_str().and_then(|path| path.strip_suffix(" (deleted)"));
    Ok(replaced.map_or_else(|| path.clone(), PathBuf::from))
}

/// Announces the next step.
pub(crate) fn announce(what: &str) {
    println!("\n==> {what}");
}

/// The compiler that also runs Clippy, once [`lint`] was called.
static LINTING: OnceLock<PathBuf> = OnceLock::new();

/// Makes every cargo that is started from now on run Clippy on the crates of the workspace while it
/// compiles them, and fail at warnings: `cargo clippy` would compile them and all that they depend
/// on a second time.
///
/// # Errors
/// Clippy isn't installed.
pub(crate) fn lint() -> Result<()> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = output(command(rustc, &["--print", "sysroot"]))?;
    let name = format!("clippy-driver{}", std::env::consts::EXE_SUFFIX);
    let driver = Path::new(sysroot.trim()).join("bin").join(name);
    if !driver.exists() {
        bail!("Clippy is not installed: `rustup component add clippy`");
    }
    LINTING.get_or_init(|| driver);
    Ok(())
}

/// Returns a command for the cargo that started this program.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    // As `cargo clippy -- -D warnings` passes it on.
    const DENY_WARNINGS: &str = "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__";
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = command(cargo, arguments);
    if let Some(driver) = LINTING.get() {
        command.env("RUSTC_WORKSPACE_WRAPPER", driver).env("CLIPPY_ARGS", DENY_WARNINGS);
    }
    command
}

/// Returns a command for a program in the workspace's root, without input.
pub(crate) fn command(program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root()).stdin(Stdio::null());
    command
}

/// Formats the command as it would be typed.
pub(crate) fn command_line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Runs a command to its end.
///
/// # Errors
/// It couldn't be started, or didn't succeed.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let shown = command_line(&command);
    announce(&shown);
    let status = command.status().with_context(|| format!("can't start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// Runs a command to its end and returns its standard output; its standard error is shown.
///
/// # Errors
/// As [`run`].
pub(crate) fn output(mut command: Command) -> Result<String> {
    let shown = command_line(&command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("can't start `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` failed ({})", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` printed no UTF-8"))
}

/// Runs a command to its end, shows each line that it prints and passes it to `look`. Returns
/// `true` if it succeeded.
///
/// # Errors
/// It couldn't be started, or its output couldn't be read.
pub(crate) fn watch(mut command: Command, mut look: impl FnMut(&str)) -> Result<bool> {
    let shown = command_line(&command);
    announce(&shown);
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("can't start `{shown}`"))?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.with_context(|| format!("can't read what `{shown}` prints"))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            look(&line);
        }
    }
    Ok(child.wait()?.success())
}

/// Returns `true` if the program exists and succeeds; its output is dropped.
pub(crate) fn quiet(program: impl AsRef<OsStr>, arguments: &[&str]) -> bool {
    succeeds(command(program, arguments))
}

/// As [`quiet`], for a prepared command.
pub(crate) fn succeeds(mut command: Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Calls `ask` every tenth of a second until it returns something; `None` after `seconds`.
///
/// # Errors
/// Errors of `ask`, at once.
pub(crate) fn wait_for<T>(
    seconds: u32,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    for _ in 0..seconds * 10 {
        if let Some(answer) = ask()? {
            return Ok(Some(answer));
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "another program's start has no clock of ours"
        )]
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    Ok(None)
}
