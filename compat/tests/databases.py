"""The databases that both servers work on: one made for each site, and dropped after it."""

import contextlib
import os
import re
import shutil
import sqlite3
import uuid
from urllib.parse import urlsplit

import psycopg
import pymysql

SERVERS = {"postgres": "SIMPLEJWT_TEST_POSTGRES_URL", "mysql": "SIMPLEJWT_TEST_MYSQL_URL"}


def server(kind):
    """The address of the throw-away server of this kind."""
    name = SERVERS[kind]
    if not os.environ.get(name):
        raise RuntimeError(f'{name} is not set: run `cargo xtask services up` and `eval "$(cargo xtask services env)"`')
    return os.environ[name]


class Sqlite:
    """A file."""

    # How a UUID comes out of a row.
    uuid_text = staticmethod(lambda value: value.replace("-", ""))

    def __init__(self, folder):
        self.path = folder / "db.sqlite3"
        self.url = f"sqlite:///{self.path}"

    def copy_to(self, other):
        shutil.copy(self.path, other.path)

    def drop(self):
        """It goes with its folder."""

    def run(self, statement, *values):
        with contextlib.closing(sqlite3.connect(self.path, timeout=20)) as connection:
            rows = connection.execute(statement, values).fetchall()
            connection.commit()
            return rows

    def tables(self):
        return [row[0] for row in self.run("SELECT name FROM sqlite_master WHERE type = 'table'")]

    def described(self, table):
        """All there is to know of a table, by headings."""
        indexes = []
        for _, name, unique, origin, _ in self.run(f"PRAGMA index_list({table})"):
            names = [row[2] for row in self.run(f"PRAGMA index_info({name})")]
            indexes.append((None if name.startswith("sqlite_autoindex") else name, unique, origin, names))
        statement = self.run("SELECT sql FROM sqlite_master WHERE name = ?", table)[0][0]
        return {
            "columns": [row[1:] for row in self.run(f"PRAGMA table_info({table})")],
            "indexes": sorted(indexes, key=str),
            "foreign keys": sorted(row[2:] for row in self.run(f"PRAGMA foreign_key_list({table})")),
            "statement": re.sub(r"\s+", " ", statement),
        }


class Server:
    """A database of a server, with a name that nothing else has."""

    def __init__(self, kind):
        self.name = f"compat_{uuid.uuid4().hex[:16]}"
        self.server = urlsplit(server(kind))
        self.url = self.server._replace(path=f"/{self.name}").geturl()

    def run(self, statement, *values):
        with contextlib.closing(self.connect(self.name)) as connection, connection.cursor() as cursor:
            cursor.execute(statement.replace("?", "%s"), values)
            return list(cursor.fetchall()) if cursor.description else []

    def administer(self, statement):
        with contextlib.closing(self.connect(self.server.path[1:])) as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def address(self):
        url = self.server
        return {"host": url.hostname, "port": url.port, "user": url.username, "password": url.password}


class Postgres(Server):
    uuid_text = staticmethod(uuid.UUID)

    def __init__(self):
        super().__init__("postgres")
        self.administer(f"CREATE DATABASE {self.name}")

    def connect(self, name):
        return psycopg.connect(dbname=name, autocommit=True, **self.address())

    def copy_to(self, other):
        other.drop()
        self.administer(f"CREATE DATABASE {other.name} TEMPLATE {self.name}")

    def drop(self):
        self.administer(f"DROP DATABASE {self.name} WITH (FORCE)")

    def tables(self):
        return [row[0] for row in self.run("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]

    def described(self, table):
        constraints = "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = ?::regclass ORDER BY 1"
        return {
            "columns": self.run(
                "SELECT column_name, data_type, character_maximum_length, is_nullable, column_default,"
                " is_identity, identity_generation FROM information_schema.columns"
                " WHERE table_name = ? ORDER BY ordinal_position",
                table,
            ),
            "indexes": self.run("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ? ORDER BY 1", table),
            "constraints": self.run(constraints, table),
            "sequence": self.run("SELECT pg_get_serial_sequence(?, 'id')", table),
        }


class Mysql(Server):
    # MariaDB has had a type of its own for them since 10.7, and Django uses it.
    uuid_text = staticmethod(str)

    def __init__(self):
        super().__init__("mysql")
        self.administer(f"CREATE DATABASE {self.name}")

    def connect(self, name):
        return pymysql.connect(database=name, autocommit=True, charset="utf8mb4", **self.address())

    def copy_to(self, other):
        with contextlib.closing(other.connect(other.name)) as connection, connection.cursor() as cursor:
            cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
            for table in self.tables():
                cursor.execute(self.run(f"SHOW CREATE TABLE {table}")[0][1])
                cursor.execute(f"INSERT INTO {table} SELECT * FROM {self.name}.{table}")

    def drop(self):
        self.administer(f"DROP DATABASE {self.name}")

    def tables(self):
        return [row[0] for row in self.run("SHOW TABLES")]

    def described(self, table):
        statement = self.run(f"SHOW CREATE TABLE {table}")[0][1]
        lines = re.sub(r" AUTO_INCREMENT=\d+", "", statement).splitlines()
        columns = [line.rstrip(",") for line in lines if line.startswith("  `")]
        return {
            "columns": columns,
            # In no order: a constraint that a later migration added comes last.
            "keys": sorted(line.rstrip(",") for line in lines[1:-1] if not line.startswith("  `")),
            "options": lines[-1],
        }


def make(kind, folder):
    """A database without a table."""
    return {"sqlite": lambda: Sqlite(folder), "postgres": Postgres, "mysql": Mysql}[kind]()
