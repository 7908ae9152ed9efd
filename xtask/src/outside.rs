//! The library as others see it: its features, as the table in its README describes them.
//!
//! For each row of the table, a crate outside the workspace with a few lines that use the feature
//! (`xtask/outside/FEATURE.rs`) is compiled, and the feature's dependencies are compared with the
//! row. Then come the programs in the READMEs (`programs.rs`), and the library in one program with
//! other users of SQLite (`beside.rs`).

mod beside;
mod programs;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::process::{announce, cargo, output, root, run};

/// The table's name for the library without features.
const NONE: &str = "none";

/// Dependencies that must be named in the table.
const WEIGHTY: &[&str] = &[
    "axum",
    "hyper",
    "mysql_async",
    "rusqlite",
    "rustls",
    "tokio",
    "tokio-postgres",
    "tower",
    "tower-layer",
    "tower-service",
];

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    feature: String,
    /// The names in the last column: crates, and implied features.
    names: BTreeSet<String>,
}

/// Checks that the manifest has the features of the table, with the dependencies in the table.
///
/// # Errors
/// The features that are in only one of them, and the crates that differ.
pub(crate) fn table() -> Result<()> {
    announce("the features in README.md are the library's, with the right dependencies");
    let rows = rows()?;
    let described: BTreeSet<&str> = rows.iter().map(|row| row.feature.as_str()).collect();
    let manifest = fs::read_to_string(library().join("Cargo.toml"))?;
    let mut there: BTreeSet<&str> = features(&manifest).collect();
    there.insert(NONE);
    if described != there {
        let differing: Vec<_> = described.symmetric_difference(&there).collect();
        bail!("crates/simplejwt: only README.md or only Cargo.toml has {differing:?}");
    }
    for row in &rows {
        let expected = with_implied(row, &rows);
        let tree = tree(&row.feature)?;
        for name in WEIGHTY {
            match (expected.contains(*name), tree.contains(*name)) {
                (false, true) => bail!(
                    "simplejwt with the feature {} depends on {name}: put the dependency behind \
                     another feature, or name it in README.md",
                    row.feature
                ),
                (true, false) => bail!(
                    "simplejwt with the feature {} doesn't depend on {name}, but README.md says \
                     it does",
                    row.feature
                ),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Compiles the programs in the READMEs, outside the workspace.
///
/// # Errors
/// One doesn't compile without warnings, also of the library.
pub(crate) fn programs() -> Result<()> {
    programs::compile(&Folder::new()?)
}

/// Compiles a crate outside the workspace for each feature, and the programs in the READMEs. CI
/// leaves out the former, because each feature alone has other dependencies to compile.
///
/// # Errors
/// One doesn't compile without warnings, also of the library, or a feature has none.
pub(crate) fn compile() -> Result<()> {
    let folder = Folder::new()?;
    for row in rows()? {
        announce(&format!("a crate outside the workspace, with the feature {}", row.feature));
        folder.write_feature(&row.feature)?;
        folder.check().with_context(|| format!("with the feature {} alone", row.feature))?;
    }
    programs::compile(&folder)
}

/// Does all of that, tests the library without features, and runs it in one program with each
/// supported version of sqlx.
///
/// # Errors
/// One doesn't compile or run, or a test failed.
pub(crate) fn all() -> Result<()> {
    table()?;
    compile()?;
    run(cargo(&["test", "-p", "simplejwt", "--no-default-features"]))?;
    let folder = Folder::new()?;
    beside::choose(&folder)?;
    beside::run(&folder)
}

fn library() -> PathBuf {
    root().join("crates/simplejwt")
}

/// Returns the workspace's target directory, so that nothing is compiled twice.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The crate's directory, removed when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("simplejwt-outside-{}", std::process::id()));
        fs::create_dir_all(path.join("src"))
            .with_context(|| format!("can't make {}", path.display()))?;
        Ok(Self(path))
    }

    /// Compiles the crate, which must not cause warnings.
    fn check(&self) -> Result<()> {
        // Offline, because all versions are in the workspace's Cargo.lock.
        let mut check = cargo(&["check", "--quiet", "--offline"]);
        check.current_dir(&self.0).env("CARGO_TARGET_DIR", target());
        // RUSTFLAGS would recompile every dependency.
        let output = check.output().context("can't start cargo")?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() || !said.is_empty() {
            bail!("there are errors or warnings:\n{said}");
        }
        Ok(())
    }

    /// Chooses versions of crates that aren't in the workspace's Cargo.lock, and fetches them.
    fn resolve(&self) -> Result<()> {
        let mut metadata = cargo(&["metadata", "--quiet", "--format-version", "1"]);
        metadata.current_dir(&self.0);
        output(metadata).map(drop)
    }

    /// Writes another crate, beginning with the workspace's Cargo.lock.
    fn write(&self, manifest: &str, file: &str, source: &str) -> Result<()> {
        for old in ["src/lib.rs", "src/main.rs"] {
            let path = self.0.join(old);
            if path.exists() {
                fs::remove_file(path)?;
            }
        }
        fs::copy(root().join("Cargo.lock"), self.0.join("Cargo.lock"))?;
        fs::write(self.0.join(file), source)?;
        fs::write(self.0.join("Cargo.toml"), manifest)?;
        Ok(())
    }

    fn write_feature(&self, feature: &str) -> Result<()> {
        let path = root().join(format!("xtask/outside/{feature}.rs"));
        let source = fs::read_to_string(&path).with_context(|| {
            format!("README.md has the feature {feature}: write {}, which uses it", path.display())
        })?;
        let workspace = fs::read_to_string(root().join("Cargo.toml"))?;
        let manifest = manifest(feature, &library(), &source, &workspace);
        self.write(&manifest, "src/lib.rs", &source)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("can't remove {}: {error}", self.0.display());
        }
    }
}

/// Returns a manifest with the profiles of the workspace, so that its compiled crates are reused.
fn manifest(feature: &str, library: &Path, source: &str, workspace: &str) -> String {
    let features = if feature == NONE { String::new() } else { format!("{feature:?}") };
    let dependencies: String = source
        .lines()
        .filter_map(|line| line.strip_prefix("// dependency: "))
        .map(|name| {
            let version = version(workspace, name);
            format!("{name} = {{ version = {version:?}, default-features = false }}\n")
        })
        .collect();
    format!(
        "{PACKAGE}[dependencies]\n{dependencies}\
         simplejwt = {{ path = {library:?}, features = [{features}] }}\n\n{}",
        profiles(workspace)
    )
}

/// Returns the workspace's version of a crate, of which the lock file may have two.
fn version<'a>(workspace: &'a str, name: &str) -> &'a str {
    let line = |line: &'a str| line.strip_prefix(name)?.strip_prefix(" = ");
    let found = workspace.lines().find_map(line);
    found.and_then(|line| line.split('"').nth(1)).unwrap_or("*")
}

/// The beginning of a crate's manifest.
const PACKAGE: &str = "[workspace]\n\n[package]\nname = \"outside\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
                       publish = false\n\n";

fn profiles(workspace: &str) -> &str {
    workspace.find("[profile.").and_then(|at| workspace.get(at..)).unwrap_or_default()
}

fn rows() -> Result<Vec<Row>> {
    let path = library().join("README.md");
    let page =
        fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
    let rows = table_of(&page);
    if rows.is_empty() {
        bail!("{} has no table below `## Features`", path.display());
    }
    Ok(rows)
}

/// Parses the table below `## Features`: name, additions, dependencies.
fn table_of(page: &str) -> Vec<Row> {
    let section = page.split("\n## ").find(|section| section.starts_with("Features\n"));
    let lines = section.unwrap_or_default().lines().filter(|line| line.starts_with('|'));
    lines
        .skip(2)
        .filter_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [name, _, depends] = cells.as_slice() else { return None };
            let names = depends.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            Some(Row { feature: name.trim_matches('`').to_owned(), names })
        })
        .collect()
}

/// Returns the keys of `[features]`, without `default`.
fn features(manifest: &str) -> impl Iterator<Item = &str> {
    let section = manifest.split("\n[").find_map(|section| section.strip_prefix("features]\n"));
    section
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .filter(|name| *name != "default")
}

/// Returns the names in a row and in the rows that it names.
fn with_implied(row: &Row, rows: &[Row]) -> BTreeSet<String> {
    let mut all = row.names.clone();
    // As many steps as there are rows reach every row.
    for _ in rows {
        let implied = rows.iter().filter(|row| all.contains(&row.feature));
        let more: Vec<String> = implied.flat_map(|row| row.names.clone()).collect();
        all.extend(more);
    }
    all
}

/// Returns the crates that the library with this feature is linked with.
fn tree(feature: &str) -> Result<BTreeSet<String>> {
    let mut arguments = vec!["tree", "--package", "simplejwt", "--no-default-features"];
    arguments.extend(["--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    if feature != NONE {
        arguments.extend(["--features", feature]);
    }
    let tree = output(cargo(&arguments))?;
    let names: BTreeSet<String> =
        tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    if !names.contains("simplejwt") {
        bail!("`cargo tree` does not show simplejwt itself:\n{tree}");
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# x\n\n## Features\n\n| feature | adds | and depends on |\n|---|---|---|\n\
        | none | the core | neither `nor` |\n| `sql` | rows | implies `passwords` |\n\
        | `passwords` | hashes | `sha1` |\n\n## Else\n\n| a | b | c |\n";

    #[test]
    fn the_table_is_read_and_implied_names_are_followed() {
        let rows = table_of(PAGE);
        let features: Vec<&str> = rows.iter().map(|row| row.feature.as_str()).collect();
        assert_eq!(features, [NONE, "sql", "passwords"]);
        let [_, sql, _] = rows.as_slice() else { panic!("three rows") };
        assert_eq!(with_implied(sql, &rows), ["passwords", "sha1"].map(str::to_owned).into());
    }

    #[test]
    fn the_manifests_features_are_its_keys() {
        let manifest = "[package]\nname = \"x\"\n\n[features]\ndefault = []\n# a = []\nsql = [\"b\"]\n\n[dependencies]\nc = \"1\"\n";
        assert_eq!(features(manifest).collect::<Vec<_>>(), ["sql"]);
    }

    #[test]
    fn the_crate_has_the_feature_its_dependencies_and_the_profiles() {
        let source = "//! x\n// dependency: http\n";
        let workspace = "[workspace]\nhttp = { version = \"1\" }\n\n[profile.dev]\nopt-level = 1\n";
        let manifest = manifest("web", Path::new("/library"), source, workspace);
        for line in [
            "http = { version = \"1\", default-features = false }\n",
            "simplejwt = { path = \"/library\", features = [\"web\"] }\n",
            "[profile.dev]\nopt-level = 1\n",
        ] {
            assert!(manifest.contains(line), "{line} is missing in:\n{manifest}");
        }
    }
}
