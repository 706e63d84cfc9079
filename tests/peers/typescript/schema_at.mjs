// Makes the tables as the library for TypeScript had them at a version of its history: `schema_at.mjs URL VERSION`.

import { createRequire } from 'node:module';

import pg from 'pg';

const inside = createRequire(import.meta.resolve('@dbos-inc/dbos-sdk'));
const { allMigrations } = inside('./sysdb_migrations/internal/migrations.js');
const { runSysMigrationsPg } = inside('./sysdb_migrations/migration_runner.js');

const [url, version] = process.argv.slice(2);
const client = new pg.Client({ connectionString: url });
await client.connect();
await runSysMigrationsPg(client, allMigrations('dbos').slice(0, Number(version)), 'dbos', { onWarn() {} });
await client.end();
