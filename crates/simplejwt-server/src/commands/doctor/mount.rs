//! The kind of file system that a file is on, as Linux lists it (`/proc/self/mountinfo`).

use std::path::{Path, PathBuf};

/// Returns the kind of file system of an existing file or directory, such as `ext4`; `None` where
/// that can't be told.
pub(super) fn file_system(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    kind_of(&std::fs::read_to_string("/proc/self/mountinfo").ok()?, &path)
}

/// Finds the innermost mount that holds the path. Of several in one place, the last one counts.
fn kind_of(mounts: &str, path: &Path) -> Option<String> {
    let mut found: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let Some((before, after)) = line.split_once(" - ") else { continue };
        let Some(place) = before.split(' ').nth(4).map(unescaped) else { continue };
        let Some(kind) = after.split(' ').next() else { continue };
        let depth = place.components().count();
        if path.starts_with(&place) && found.is_none_or(|(other, _)| depth >= other) {
            found = Some((depth, kind));
        }
    }
    found.map(|(_, kind)| kind.to_owned())
}

/// Decodes the octal numbers in place of white space and backslashes.
fn unescaped(text: &str) -> PathBuf {
    let mut plain = text.to_owned();
    for (escaped, character) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
    {
        plain = plain.replace(escaped, character);
    }
    plain.into()
}

/// Returns `true` if the content is gone after a restart of the machine.
pub(super) fn is_volatile(kind: &str) -> bool {
    matches!(kind, "tmpfs" | "ramfs")
}

/// Returns `true` for file systems of another machine, whose locks SQLite can't rely on.
pub(super) fn is_remote(kind: &str) -> bool {
    let kind = kind.strip_prefix("fuse.").unwrap_or(kind);
    matches!(
        kind,
        "nfs" | "nfs4" | "cifs" | "smb3" | "smbfs" | "9p" | "ceph" | "glusterfs" | "sshfs" | "s3fs"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_counts() {
        let mounts = "\
22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
23 22 0:20 / /run rw - tmpfs tmpfs rw
24 22 0:21 / /srv/my\\040data rw shared:2 master:1 - nfs4 host:/ rw
25 22 0:22 / /srv rw - xfs /dev/sdb rw
26 23 0:23 / /run rw - ramfs none rw
nonsense
";
        for (path, kind) in [
            ("/etc/passwd", "ext4"),
            ("/run/db", "ramfs"),
            ("/running/db", "ext4"),
            ("/srv/my data/db", "nfs4"),
            ("/srv/my data", "nfs4"),
            ("/srv/db", "xfs"),
        ] {
            assert_eq!(kind_of(mounts, Path::new(path)).as_deref(), Some(kind), "{path}");
        }
        assert_eq!(kind_of("", Path::new("/")), None);
        for (kind, volatile, remote) in [
            ("tmpfs", true, false),
            ("nfs", false, true),
            ("fuse.sshfs", false, true),
            ("xfs", false, false),
        ] {
            assert_eq!((is_volatile(kind), is_remote(kind)), (volatile, remote), "{kind}");
        }
    }
}
