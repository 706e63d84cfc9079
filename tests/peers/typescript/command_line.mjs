// What the command line of DBOS for TypeScript does with an application in Rust: `command_line.mjs URL`.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { equal, Peer, run } from './peer.mjs';

const program = fileURLToPath(new URL('node_modules/.bin/dbos', import.meta.url));

async function dbos(peer, ...given) {
  const { stdout } = await promisify(execFile)(process.execPath, [program, 'workflow', ...given, '-s', peer.url]);
  const start = stdout.search(/[[{]/);
  return start < 0 ? undefined : JSON.parse(stdout.slice(start));
}

async function looks(peer) {
  const handle = await peer.enqueue('ship', [1, 'ann'], { workflowID: 'looked-at' });
  await peer.send(handle.workflowID, 'by train');
  await peer.result(handle);
  const found = (await dbos(peer, 'list', '-l', '100')).find((row) => row.workflowID === 'looked-at');
  equal([found.status, found.workflowName, found.applicationName], ['SUCCESS', 'ship', 'neighbour']);
  assert.match((await dbos(peer, 'get', 'looked-at')).output, /^'?1 to ann, "by train"'?$/);
  const names = (await dbos(peer, 'steps', 'looked-at')).map((step) => step.name);
  equal(names, ['DBOS.writeStream', 'DBOS.setEvent', 'DBOS.recv', 'DBOS.sleep', 'DBOS.writeStream']);
}

async function cancelsAndResumes(peer) {
  const handle = await peer.enqueue('ship', [2, 'ann'], { workflowID: 'stopped' });
  await peer.client.getEvent(handle.workflowID, 'stage', 30);
  await dbos(peer, 'cancel', 'stopped');
  equal((await handle.getStatus()).status, 'CANCELLED');
  await dbos(peer, 'resume', 'stopped');
  await peer.send(handle.workflowID, 'by train');
  equal(await peer.result(handle), '2 to ann, "by train"');
}

async function forks(peer) {
  const original = await peer.enqueue('draw_three', []);
  const first = await peer.result(original);
  await dbos(peer, 'fork', original.workflowID, '-S', '3', '-f', 'branch');
  const drawn = await peer.result('branch');
  equal([drawn.slice(0, 2), drawn[2] === first[2]], [first.slice(0, 2), false]);
}

async function listsAQueue(peer) {
  await peer.client.registerQueue('closed', { applicationName: 'nobody' });
  const handle = await peer.enqueue('echo', [1], { queueName: 'closed' });
  const found = await dbos(peer, 'queue', 'list', '--queue', 'closed');
  equal(found.map((row) => [row.workflowID, row.status]), [[handle.workflowID, 'ENQUEUED']]);
}

const peer = await Peer.open(process.argv[2]);
await run({ commands: { looks, cancelsAndResumes, forks, listsAQueue } }, [], peer);
