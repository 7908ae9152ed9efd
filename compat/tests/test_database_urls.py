"""DATABASE_URL as Django's packages read it, and as `simplejwt` does: one variable for both."""

import os
import subprocess

import dj_database_url
import environ
import psycopg
import pymysql
import pytest

import databases
from servers import binary

KINDS = {"postgres": ("postgresql", "postgis"), "mysql": ("mysql",), "sqlite": ("sqlite3", "spatialite")}
# Other databases that speak, or once spoke, the protocol of one of these.
REFUSED = ("cockroach", "redshift", "oracle", "mssql", "pyodbc", "ldap")


def engines():
    """Every scheme that either package knows, with Django's engine."""
    found = {scheme: engine.backend for scheme, engine in dj_database_url.ENGINE_SCHEMES.items()}
    return sorted({**found, **environ.Env.DB_SCHEMES}.items())


def ours(url, *arguments, **more):
    environment = {"PATH": os.environ["PATH"], "SECRET_KEY": "k" * 40, "DATABASE_URL": url, **more}
    return subprocess.run([binary(), *arguments], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("scheme", "engine"), engines())
def test_every_scheme_of_djangos_packages_is_taken_or_named(scheme, engine):
    place = "/var/lib/app.sqlite3" if "sqlite" in engine or "spatialite" in engine else "u:p@h/d"
    done = ours(f"{scheme}://{'/' if place[0] == '/' else ''}{place}", "config", "print")
    if scheme.startswith(REFUSED):
        assert done.returncode == 3, done.stderr
        assert "isn't supported" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert any(word in engine for words in KINDS.values() for word in words)


def read_by(package, url):
    if package == "dj-database-url":
        return dj_database_url.parse(url)
    return environ.Env.db_url_config(url)


@pytest.mark.parametrize("package", ["dj-database-url", "django-environ"])
def test_both_programs_find_the_same_tables(package):
    database = databases.Postgres()
    try:
        database.run('CREATE SCHEMA "other"')
        # As they have it: a plus sign is a blank; a line feed at the end is none of the URL's.
        url = database.url.replace("postgres://", "postgis://") + "?options=-c+search_path%3Dother&connect_timeout=5"
        assert "created auth_user" in ours(url + "\n", "migrate").stdout
        read = read_by(package, url)
        with psycopg.connect(
            host=read["HOST"], port=read["PORT"], user=read["USER"], password=read["PASSWORD"], dbname=read["NAME"],
            **read["OPTIONS"],
        ) as connection:
            assert connection.execute("SELECT count(*) FROM auth_user").fetchone() == (0,)
        assert database.run("SELECT table_schema FROM information_schema.tables WHERE table_name = 'auth_user'") == [
            ("other",)
        ]
    finally:
        database.drop()


@pytest.mark.parametrize("package", ["dj-database-url", "django-environ"])
def test_mysql_with_the_parameters_that_django_teams_have(package):
    database = databases.Mysql()
    try:
        command = "SET+sql_mode%3D%27STRICT_TRANS_TABLES%27"
        url = f"{database.url}?charset=utf8mb4&connect_timeout=5&read_timeout=5&init_command={command}"
        made = ours(url, "migrate")
        assert "created auth_user" in made.stdout, made.stderr
        assert "read_timeout has no effect" in made.stderr
        read = read_by(package, url)
        with pymysql.connect(
            host=read["HOST"], port=read["PORT"], user=read["USER"], password=read["PASSWORD"], database=read["NAME"],
            **read["OPTIONS"],
        ) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*), @@sql_mode FROM auth_user")
            assert cursor.fetchone() == (0, "STRICT_TRANS_TABLES")
    finally:
        database.drop()
