//! The programs in the READMEs of the libraries, as printed: the lines for `Cargo.toml` and the
//! `main.rs` below them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::{Folder, PACKAGE, profiles};
use crate::process::{announce, root};

/// The pages, and the minimum number of programs in each.
const PAGES: [(&str, usize); 3] =
    [("README.md", 1), ("crates/simplejwt/README.md", 4), ("crates/simplejwt-actix/README.md", 1)];

/// Lines for `Cargo.toml`, and the program that belongs to them.
#[derive(Debug, PartialEq, Eq)]
struct Program {
    section: String,
    manifest: String,
    /// The program; `None` if it is on another page.
    source: Option<String>,
}

/// Compiles each program by itself.
///
/// # Errors
/// One doesn't compile without warnings, or a page lacks its programs.
pub(super) fn compile(folder: &Folder) -> Result<()> {
    let workspace = fs::read_to_string(root().join("Cargo.toml"))?;
    let mut all = Vec::new();
    for (page, least) in PAGES {
        let text = fs::read_to_string(root().join(page)).with_context(|| page.to_owned())?;
        let programs = programs_of(&text);
        let whole = programs.iter().filter(|program| program.source.is_some()).count();
        if whole < least {
            bail!("{page} has {whole} programs with their lines for Cargo.toml, not {least}");
        }
        all.extend(programs.into_iter().map(|program| (page, program)));
    }
    for (page, program) in &all {
        let Some(source) = &program.source else {
            let is_elsewhere = all
                .iter()
                .any(|(_, other)| other.source.is_some() && other.manifest == program.manifest);
            if !is_elsewhere {
                bail!("{page}, {}: no program has these lines for Cargo.toml", program.section);
            }
            continue;
        };
        announce(&format!("{page}: {}", program.section));
        let manifest = manifest(&program.manifest, &root(), &workspace)
            .with_context(|| format!("{page}, {}", program.section))?;
        folder.write(&manifest, "src/main.rs", source)?;
        folder.check().with_context(|| format!("{page}, {}", program.section))?;
    }
    Ok(())
}

/// Returns a manifest with the crates of this workspace in place of the published ones, and with
/// its profiles, so that its compiled crates are reused. Printed profiles must be among them.
fn manifest(printed: &str, root: &Path, workspace: &str) -> Result<String> {
    let (dependencies, printed_profiles) = match printed.find("[profile.") {
        Some(at) => printed.split_at(at),
        None => (printed, ""),
    };
    for profile in printed_profiles.split_inclusive("opt-level = 3\n") {
        if !workspace.contains(profile) {
            bail!("the workspace's Cargo.toml doesn't have\n{profile}");
        }
    }
    let patch =
        |name: &&str| dependencies.lines().any(|line| line.starts_with(&format!("{name} =")));
    let patches: String = ["simplejwt", "simplejwt-actix"]
        .iter()
        .filter(|name| patch(name))
        .map(|name| format!("{name} = {{ path = {:?} }}\n", root.join("crates").join(name)))
        .collect();
    Ok(format!("{PACKAGE}{dependencies}\n[patch.crates-io]\n{patches}\n{}", profiles(workspace)))
}

/// Returns each fenced block of TOML that begins with `[dependencies]`, with the block of Rust
/// below it in the same section.
fn programs_of(page: &str) -> Vec<Program> {
    let mut programs: Vec<Program> = Vec::new();
    let mut section = "";
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading;
        }
        let Some(language) = line.strip_prefix("```").filter(|language| !language.is_empty())
        else {
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let block = block.join("\n") + "\n";
        if language == "toml" && block.starts_with("[dependencies]\n") {
            programs.push(Program { section: section.into(), manifest: block, source: None });
        } else if language.split(',').next() == Some("rust")
            && let Some(program) = programs.last_mut()
            && program.source.is_none()
            && program.section == section
        {
            program.source = Some(block);
        }
    }
    programs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_the_manifest_go_with_the_program_below_them() {
        let page = "# x\n\n## One\n\n```toml\n[dependencies]\na = \"1\"\n```\n\ntext\n\n```rust,no_run\nfn main() {}\n\
                    ```\n\n```rust\nlet more;\n```\n\n## Two\n\n```toml\n[dependencies]\nb = \"1\"\n```\n\n\
                    ## Three\n\n```toml\n[log]\n```\n\n```rust\nfn main() {}\n```\n";
        let program = |section: &str, name: &str, source: Option<&str>| Program {
            section: section.into(),
            manifest: format!("[dependencies]\n{name} = \"1\"\n"),
            source: source.map(str::to_owned),
        };
        let expected = [program("One", "a", Some("fn main() {}\n")), program("Two", "b", None)];
        assert_eq!(programs_of(page), expected);
    }

    #[test]
    fn our_crates_are_the_workspaces_and_printed_profiles_are_its_own() {
        let workspace = "[workspace]\n\n[profile.dev.package.sha2]\nopt-level = 3\n";
        let dependencies = "[dependencies]\naxum = \"0.8\"\nsimplejwt = \"0.1\"\n";
        let printed = format!("{dependencies}\n[profile.dev.package.sha2]\nopt-level = 3\n");
        let made = manifest(&printed, Path::new("/place"), workspace).unwrap();
        for lines in [
            dependencies,
            "[patch.crates-io]\nsimplejwt = { path = \"/place/crates/simplejwt\" }\n\n[profile",
            "\n[profile.dev.package.sha2]\nopt-level = 3\n",
        ] {
            assert!(made.contains(lines), "{lines} is missing in:\n{made}");
        }
        assert_eq!(made.matches("[profile.").count(), 1);
        let other = printed.replace("sha2", "sha1");
        assert!(manifest(&other, Path::new("/place"), workspace).is_err());
    }
}
