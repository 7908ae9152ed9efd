//! Flags for the linker, by which an optimized server needs less memory. A linker that doesn't know
//! them makes the same program without.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Relocations in a few kB instead of a megabyte, all of which is read at each start.
const RELOCATIONS: &[&str] = &["-Wl,-z,pack-relative-relocs"];
/// A flag that only LLVM's linker knows. Others take minutes with so many patterns.
const ONLY_LLD: &str = "-Wl,--no-warn-symbol-ordering";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=layout.ld");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    // A program for another machine can't be tried here.
    let is_here = env::var("HOST").ok() == env::var("TARGET").ok();
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") || !is_here {
        return;
    }
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut layout = OsString::from("-Wl,-T,");
    layout.push(here.join("layout.ld"));
    // The functions that run, beside each other (`cargo xtask layout`).
    let layout = layout.into_string().ok().map(|layout| vec![ONLY_LLD.to_owned(), layout]);
    let relocations = RELOCATIONS.iter().map(|&flag| flag.to_owned()).collect();
    for flags in [Some(relocations), layout].into_iter().flatten() {
        if works(&flags).is_some() {
            for flag in flags {
                println!("cargo::rustc-link-arg-bins={flag}");
            }
        }
    }
}

/// Tries the flags on a program that does nothing: it has to be linked, and to run.
fn works(flags: &[String]) -> Option<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR")?);
    let (source, program) = (out.join("nothing.rs"), out.join("nothing"));
    fs::write(&source, "fn main() {}\n").ok()?;
    let mut rustc = Command::new(env::var_os("RUSTC")?);
    if let Ok(given) = env::var("CARGO_ENCODED_RUSTFLAGS") {
        rustc.args(given.split('\x1f').filter(|flag| !flag.is_empty()));
    }
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut flag = OsString::from("-Clinker=");
        flag.push(linker);
        rustc.arg(flag);
    }
    rustc.args(flags.iter().map(|flag| format!("-Clink-arg={flag}")));
    rustc.arg("-o").arg(&program).arg(&source);
    [rustc, Command::new(&program)].iter_mut().try_for_each(|command| {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().ok()?.success().then_some(())
    })
}
