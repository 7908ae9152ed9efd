#!/usr/bin/env bash
# sqlx 0.8.6 and 0.9.0, rusqlite 0.41.1, Cargo 1.95.
#
# A program that has sqlx for PostgreSQL alone, with its features `macros` and `migrate`, can't have
# rusqlite 0.41 beside it: Cargo refuses, because both would link with `sqlite3`. sqlx's SQLite driver isn't
# asked for; but sqlx-macros-core names it as optional, and Cargo keeps `links` unique over all that the lock
# file has to hold. With 0.8.6 the same two crates go together once `migrate` is left out; with 0.9.0
# `macros` alone is too much.
#
# Seen:
#   sqlx 0.8.6, postgres, macros and migrate: refused, links = "sqlite3"
#   sqlx 0.8.6, postgres, macros: resolved, SQLite's driver in the tree: no
#   sqlx 0.9.0, postgres, macros and migrate: refused, links = "sqlite3"
#   sqlx 0.9.0, postgres, macros: refused, links = "sqlite3"
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
: >"$folder/src/lib.rs"

tried() { # VERSION FEATURES
    rm -f "$folder/Cargo.lock"
    cat >"$folder/Cargo.toml" <<TOML
[package]
name = "beside"
version = "0.0.0"
edition = "2021"

[dependencies]
rusqlite = "=0.41.1"
sqlx = { version = "=$1", default-features = false, features = ["postgres", "runtime-tokio", $2] }
TOML
    if said=$(cargo generate-lockfile --manifest-path "$folder/Cargo.toml" 2>&1); then
        tree=$(cargo tree --manifest-path "$folder/Cargo.toml" --prefix none 2>/dev/null)
        case $tree in *sqlx-sqlite*) shown=yes ;; *) shown=no ;; esac
        echo "resolved, SQLite's driver in the tree: $shown"
    else
        case $said in *'links to the native library `sqlite3`'*) echo 'refused, links = "sqlite3"' ;;
        *) printf '%s\n' "$said" ;; esac
    fi
}

seen=$(
    for version in 0.8.6 0.9.0; do
        echo "sqlx $version, postgres, macros and migrate: $(tried "$version" '"macros", "migrate"')"
        echo "sqlx $version, postgres, macros: $(tried "$version" '"macros"')"
    done
)
printf '%s\n' "$seen"
expected=$(sed -n '/^# Seen:/,/^set/s/^#   //p' "$0")
[ "$seen" = "$expected" ]
