//! The files that hold secrets, and who else on this machine can open them.

use std::path::{Path, PathBuf};

use super::finding::{Finding, quoted};

/// A file, and the rights of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileSeen {
    pub(super) path: PathBuf,
    /// What it is, in a sentence.
    pub(super) what: &'static str,
    /// `true` if whoever reads it knows a secret.
    pub(super) is_secret: bool,
    /// The rights of its group and of everybody else, as in the last six bits of a mode. Rights that
    /// a directory above takes away are left out.
    pub(super) rights: u32,
}

const READ: u32 = 0o44;
const WRITE: u32 = 0o22;
const ALL: u32 = 0o07;
const GROUP: u32 = 0o70;

impl FileSeen {
    /// Looks at a file; `None` if it isn't there, or this system has no such rights.
    #[cfg(unix)]
    pub(super) fn look(path: &Path, what: &'static str, is_secret: bool) -> Option<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let path = path.canonicalize().ok()?;
        let mode = |path: &Path| path.metadata().ok().map(|file| file.permissions().mode());
        let mut rights = mode(&path)? & 0o66;
        for directory in path.ancestors().skip(1) {
            let above = mode(directory)?;
            if above & 0o001 == 0 {
                rights &= !ALL;
            }
            // The directory's group may be another one, whose members are among all.
            if above & 0o011 == 0 {
                rights &= !GROUP;
            }
        }
        Some(Self { path, what, is_secret, rights })
    }

    #[cfg(not(unix))]
    pub(super) fn look(_: &Path, _: &'static str, _: bool) -> Option<Self> {
        None
    }

    /// Returns the rights that matter.
    fn excess(&self) -> u32 {
        self.rights & if self.is_secret { READ | WRITE } else { WRITE }
    }
}

pub(super) fn findings(files: &[FileSeen]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = files.iter().filter_map(of_file).collect();
    if findings.is_empty() && !files.is_empty() {
        let count = files.len();
        findings.push(Finding::ok(
            "files",
            format!(
                "nobody else on this machine can read a secret or change a setting ({count} files)"
            ),
        ));
    }
    findings
}

fn of_file(file: &FileSeen) -> Option<Finding> {
    let excess = file.excess();
    let (path, what) = (file.path.display(), file.what);
    let verb = if excess & WRITE == 0 { "read" } else { "change" };
    let shown = quoted(&file.path.to_string_lossy());
    let finding = if excess & ALL != 0 {
        Finding::warning(
            "file_open_to_all",
            format!("every user of this machine can {verb} {path} ({what})"),
            "every program on it can, too, whatever it has been tricked into",
        )
    } else if excess & GROUP & WRITE != 0 && !file.is_secret {
        Finding::note(
            "file_open_to_group",
            format!("the group of {path} can change it ({what})"),
            "its members decide what this server trusts",
        )
    } else if excess & GROUP != 0 {
        Finding::note(
            "file_open_to_group",
            format!("the group of {path} can {verb} it ({what})"),
            "that is right if only this server is in the group",
        )
    } else {
        return None;
    };
    Some(finding.run(match file.is_secret {
        true => format!("chmod go-rwx {shown}"),
        false => format!("chmod go-w {shown}"),
    }))
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Remedy, Severity, told};
    use super::*;

    #[test]
    fn weak_and_strong() {
        let (all, group) =
            (("file_open_to_all", Severity::Warning), ("file_open_to_group", Severity::Note));
        for (is_secret, rights, expected) in [
            (true, 0, None),
            (true, 0o40, Some(group)),
            (true, 0o04, Some(all)),
            (true, 0o44, Some(all)),
            (true, 0o02, Some(all)),
            (false, 0o44, None),
            (false, 0o46, Some(all)),
            (false, 0o64, Some(group)),
        ] {
            let path = PathBuf::from("/srv/my key");
            let file = FileSeen { path, what: "the key", is_secret, rights };
            let found = findings(std::slice::from_ref(&file));
            assert_eq!(told(&found), Vec::from_iter(expected), "{is_secret} {rights:o}");
            if expected.is_some() {
                let rights = if is_secret { "go-rwx" } else { "go-w" };
                let line = format!("chmod {rights} '/srv/my key'");
                assert_eq!(found[0].remedies, [Remedy::Run(line)]);
            }
        }
        assert!(findings(&[]).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn directories_take_rights_away() {
        use std::fs::{Permissions, create_dir, set_permissions, write};
        use std::os::unix::fs::PermissionsExt as _;
        let place = tempfile::tempdir().unwrap();
        let inner = place.path().join("inner");
        create_dir(&inner).unwrap();
        let file = inner.join("key");
        write(&file, "").unwrap();
        let change = |path: &Path, mode| {
            set_permissions(path, Permissions::from_mode(mode)).unwrap();
        };
        change(&file, 0o644);
        for (outer, directory, rights) in [
            (0o755, 0o755, 0o44),
            (0o700, 0o755, 0),
            (0o755, 0o700, 0),
            (0o755, 0o750, 0o40),
            (0o750, 0o755, 0o40),
        ] {
            change(place.path(), outer);
            change(&inner, directory);
            let seen = FileSeen::look(&file, "a key", true).unwrap();
            assert_eq!(seen.rights, rights, "{outer:o} {directory:o}");
        }
        assert_eq!(FileSeen::look(&inner.join("none"), "a key", true), None);
    }
}
