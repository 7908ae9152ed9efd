"""The project of the tests, set up as for production: its connections stay open, and SQLite is as
fast as it gets without losing what was answered."""

from settings import *

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"
DATABASES["default"]["CONN_MAX_AGE"] = None
