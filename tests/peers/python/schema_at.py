"""Makes the tables as the library for Python had them at a version of its history: `schema_at.py URL VERSION`."""

import sys
from types import SimpleNamespace

import sqlalchemy
from dbos import _migration, _sys_db_sqlite


def on_postgres(engine, version):
    history = _migration.get_dbos_migrations
    _migration.get_dbos_migrations = lambda *arguments: history(*arguments)[:version]
    _migration.ensure_dbos_schema(engine, "dbos")
    _migration.run_dbos_migrations(engine, "dbos", True)


def on_sqlite(engine, version):
    _sys_db_sqlite.sqlite_migrations = _migration.sqlite_migrations[:version]
    _sys_db_sqlite.SQLiteSystemDatabase.run_migrations(SimpleNamespace(engine=engine))


url, version = sys.argv[1], int(sys.argv[2])
engine = sqlalchemy.create_engine(url.replace("postgres://", "postgresql+psycopg://"))
make = on_sqlite if engine.dialect.name == "sqlite" else on_postgres
make(engine, version)
