//! The server's bill of materials as a CycloneDX 1.6 document: the crates that are linked into it
//! on this kind of machine, with their licences and the checksums from `Cargo.lock`.
//!
//! The same `Cargo.lock` gives the same document, because it contains no time and no serial number.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::process::{announce, cargo, command, output, root, run as run_command};
use crate::python;

/// The program that is shipped.
const PROGRAM: &str = "simplejwt-server";
/// A script that validates a file against CycloneDX's own schema.
const VALIDATE: &str = "import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())
sys.exit(error and f'not CycloneDX 1.6: {error}')
";

/// Writes the document to the named file, or to standard output.
///
/// # Errors
/// Cargo doesn't report the dependencies, or the file can't be written.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let text = text()?;
    match words {
        [] => print!("{text}"),
        [file] => fs::write(file, text).with_context(|| format!("can't write {file}"))?,
        _ => bail!("usage: cargo xtask sbom [FILE]"),
    }
    Ok(())
}

/// Checks that the document is valid CycloneDX.
///
/// # Errors
/// It isn't, or a crate has no licence or checksum.
pub(crate) fn check() -> Result<()> {
    announce("the server's bill of materials, as CycloneDX 1.6");
    let folder = root().join(".cache");
    fs::create_dir_all(&folder)?;
    let file = folder.join("simplejwt.cdx.json");
    fs::write(&file, text()?)?;
    let mut validate = command(python::tools()?.join("python"), &["-c", VALIDATE]);
    validate.arg(&file);
    run_command(validate)
}

fn text() -> Result<String> {
    let version = output(command("rustc", &["-vV"]))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc names no host")?;
    let mut metadata = cargo(&["metadata", "--locked", "--format-version", "1"]);
    metadata.args(["--filter-platform", host]);
    let metadata: Value = serde_json::from_str(&output(metadata)?)?;
    let lock = fs::read_to_string(root().join("Cargo.lock"))?;
    let document = document(&metadata, &checksums(&lock))?;
    Ok(format!("{}\n", serde_json::to_string_pretty(&document)?))
}

/// Returns the checksums by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let value = |name: &str| {
            let line =
                |line: &str| Some(line.strip_prefix(name)?.strip_prefix(" = \"")?.to_owned());
            package.lines().find_map(line).map(|rest| rest.trim_end_matches('"').to_owned())
        };
        if let (Some(name), Some(version), Some(sum)) =
            (value("name"), value("version"), value("checksum"))
        {
            found.insert((name, version), sum);
        }
    }
    found
}

fn document(metadata: &Value, checksums: &BTreeMap<(String, String), String>) -> Result<Value> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages: BTreeMap<String, Value> = list(&metadata["packages"])
        .into_iter()
        .filter_map(|package| Some((package["id"].as_str()?.to_owned(), package)))
        .collect();
    let linked: BTreeMap<String, Vec<String>> = list(&metadata["resolve"]["nodes"])
        .iter()
        .filter_map(|node| {
            let is_linked =
                |dep: &&Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            let deps = list(&node["deps"]);
            let deps = deps.iter().filter(is_linked).filter_map(|dep| dep["pkg"].as_str());
            Some((node["id"].as_str()?.to_owned(), deps.map(str::to_owned).collect()))
        })
        .collect();
    let server = packages.iter().find(|(_, package)| package["name"] == PROGRAM);
    let (server, _) = server.with_context(|| format!("there is no {PROGRAM}"))?;

    let mut reached = BTreeSet::new();
    let mut open = vec![server.clone()];
    while let Some(id) = open.pop() {
        if reached.insert(id.clone()) {
            open.extend(linked.get(&id).into_iter().flatten().cloned());
        }
    }
    let (mut components, mut dependencies) = (Vec::new(), Vec::new());
    let reference = |id: &String| purl(packages.get(id).unwrap_or(&Value::Null));
    for id in &reached {
        let package = packages.get(id).with_context(|| format!("{id} has no package"))?;
        let mut on: Vec<String> = linked.get(id).into_iter().flatten().map(reference).collect();
        on.sort();
        on.dedup();
        dependencies.push(json!({ "ref": purl(package), "dependsOn": on }));
        if id != server {
            components.push(component(package, checksums)?);
        }
    }
    let sorted = |values: &mut Vec<Value>, by: &str| {
        values.sort_by_key(|value| value[by].as_str().map(str::to_owned));
    };
    sorted(&mut components, "bom-ref");
    sorted(&mut dependencies, "ref");
    let mut program = component(packages.get(server).unwrap_or(&Value::Null), checksums)?;
    program["type"] = json!("application");
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": program },
        "components": components,
        "dependencies": dependencies,
    }))
}

fn component(package: &Value, checksums: &BTreeMap<(String, String), String>) -> Result<Value> {
    let text = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
    let (name, version) = (text("name"), text("version"));
    let licence = package["license"].as_str();
    let licence = licence.with_context(|| format!("{name} {version} names no licence"))?;
    let mut component = json!({
        "type": "library",
        "bom-ref": purl(package),
        "name": name,
        "version": version,
        // In old manifests, `/` stands for OR.
        "licenses": [{ "expression": licence.replace('/', " OR ") }],
        "purl": purl(package),
    });
    match checksums.get(&(name.clone(), version.clone())) {
        Some(sum) => component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]),
        None if package["source"].is_null() => (),
        None => bail!("Cargo.lock has no checksum of {name} {version}"),
    }
    Ok(component)
}

/// Returns the package's URL (purl), its name in other tools.
fn purl(package: &Value) -> String {
    let text = |name: &str| package[name].as_str().unwrap_or_default();
    format!("pkg:cargo/{}@{}", text("name"), text("version").replace('+', "%2B"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, source: Option<&str>) -> Value {
        json!({ "id": name, "name": name, "version": "1.0.0+x", "license": "MIT/Apache-2.0", "source": source })
    }

    #[test]
    fn what_is_linked_is_in_it_and_nothing_else() {
        let dep =
            |name, kind: Option<&str>| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [
                package(PROGRAM, None), package("a", Some("r")), package("b", Some("r")), package("c", Some("r")),
            ],
            "resolve": { "nodes": [
                { "id": PROGRAM, "deps": [dep("a", None), dep("c", Some("dev"))] },
                { "id": "a", "deps": [dep("b", None), dep("c", Some("build"))] },
                { "id": "b", "deps": [] }, { "id": "c", "deps": [] },
            ] },
        });
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.0.0+x\"\nchecksum = \"aa\"\n\n\
                    [[package]]\nname = \"b\"\nversion = \"1.0.0+x\"\nchecksum = \"bb\"\n";
        let made = document(&metadata, &checksums(lock)).unwrap();
        let names: Vec<_> =
            made["components"].as_array().unwrap().iter().map(|c| c["name"].clone()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(made["metadata"]["component"]["name"], PROGRAM);
        let a = &made["components"][0];
        assert_eq!(a["hashes"][0]["content"], "aa");
        assert_eq!(a["purl"], "pkg:cargo/a@1.0.0%2Bx");
        assert_eq!(a["licenses"][0]["expression"], "MIT OR Apache-2.0");
        let on = json!({ "ref": "pkg:cargo/a@1.0.0%2Bx", "dependsOn": ["pkg:cargo/b@1.0.0%2Bx"] });
        assert_eq!(made["dependencies"][0], on);

        let without = document(&metadata, &BTreeMap::new()).unwrap_err().to_string();
        assert!(without.contains("checksum of a 1.0.0+x"), "{without}");
    }
}
