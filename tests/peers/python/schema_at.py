"""Makes the tables as the library for Python had them at a version of its history: `schema_at.py URL VERSION`."""

import sys

import sqlalchemy
from dbos import _migration

url, version = sys.argv[1], int(sys.argv[2])
engine = sqlalchemy.create_engine(url.replace("postgres://", "postgresql+psycopg://"))
history = _migration.get_dbos_migrations
_migration.get_dbos_migrations = lambda *arguments: history(*arguments)[:version]
_migration.ensure_dbos_schema(engine, "dbos")
_migration.run_dbos_migrations(engine, "dbos", True)
