// What the default client of DBOS for TypeScript does with an application in Rust: `client.mjs URL [NAME…]`.

import * as managed from './managed.mjs';
import { Peer, run } from './peer.mjs';
import * as queued from './queued.mjs';
import * as schedules from './schedules.mjs';
import * as talk from './talk.mjs';

const [url, ...names] = process.argv.slice(2);
await run({ queued, talk, managed, schedules }, names, await Peer.open(url));
