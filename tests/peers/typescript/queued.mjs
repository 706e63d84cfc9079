// What a client puts into the queues of another language's application.

import assert from 'node:assert/strict';

import { DebouncerClient, PortableWorkflowError } from '@dbos-inc/dbos-sdk';
import pg from 'pg';

import { equal, thrown, until } from './peer.mjs';

export async function resultsOfEveryKind(peer) {
  const [texts, lists, objects] = [['', 'text', 'ünï 🦀'], [[], [1, 'two', null, [3.5]]], [{}, { a: { b: [null] } }]];
  const values = [null, true, 0, -7, 2.5, ...texts, ...lists, ...objects];
  const handles = await Promise.all(values.map((value) => peer.enqueue('echo', [value])));
  equal(await Promise.all(handles.map((handle) => peer.result(handle))), values);
}

export async function argumentsByName(peer) {
  const options = { workflowName: 'echo', queueName: 'letters' };
  equal(await peer.result(await peer.client.enqueuePortable(options, [], { value: 7 })), 7);
}

export async function errors(peer) {
  const handle = await peer.enqueue('refuse', [2000]);
  const error = await thrown(peer.result(handle));
  assert(error instanceof PortableWorkflowError, String(error));
  equal([error.name, error.message], ['Refusal', 'nobody can carry order 2000']);
  equal(error.data, { TooLarge: { order: 2000, most: 1000 } });
  const status = await handle.getStatus();
  equal(status.status, 'ERROR');
  assert.match(status.error.message, /nobody can carry order 2000/);
}

export async function wrongArguments(peer) {
  for (const positional of [[], ['seven', 'ann'], [1, 'ann', 3]]) {
    const error = await thrown(peer.result(await peer.enqueue('ship', positional)));
    assert.match(error.message, /argument/);
  }
}

// Without asking for the portable one. It is JSON, with names for what JSON has no words for.
export async function argumentsInItsOwnFormat(peer) {
  const options = { workflowName: 'echo', queueName: 'letters' };
  equal(await peer.result(await peer.client.enqueue(options, { a: [1, 'two'] })), { a: [1, 'two'] });
  const moment = new Date('2026-01-01T00:00:00.000Z');
  equal(await peer.result(await peer.client.enqueue(options, moment)), moment.toISOString());
}

export async function argumentsThatJsonHasNoWordFor(peer) {
  for (const value of [7n, new Map([[1, 2]]), new Set([1]), NaN, /a/, new Uint8Array([1])]) {
    const handle = await peer.client.enqueue({ workflowName: 'echo', queueName: 'letters' }, value);
    const error = await thrown(peer.result(handle));
    assert.match(error.message, /has no form in JSON/);
    equal((await handle.getStatus()).status, 'ERROR');
  }
}

export async function workflowIds(peer) {
  const workflowID = 'typescript-once';
  equal(await peer.result(await peer.enqueue('echo', [1], { workflowID })), 1);
  equal(await peer.result(await peer.enqueue('echo', [2], { workflowID })), 1);
  const error = await thrown(peer.enqueue('echo', [2], { workflowID, workflowIDReusePolicy: 'reject' }));
  equal(error.constructor.name, 'DBOSWorkflowIDInUseError');
}

export async function deduplication(peer) {
  const deduplicationID = 'typescript-bed';
  const first = await peer.enqueue('rest', [600], { deduplicationID });
  const error = await thrown(peer.enqueue('rest', [600], { deduplicationID }));
  equal(error.constructor.name, 'DBOSQueueDuplicatedError');
  const second = await peer.enqueue('rest', [600], { deduplicationID, duplicationPolicy: 'return-existing' });
  equal(second.workflowID, first.workflowID);
  await peer.client.cancelWorkflow(first.workflowID);
  for (let times = 0; times < 2; times += 1) {
    equal(await peer.result(await peer.enqueue('rest', [0], { deduplicationID })), null);
  }
}

export async function delay(peer) {
  const handle = await peer.enqueue('echo', ['late'], { delaySeconds: 600 });
  equal((await handle.getStatus()).status, 'DELAYED');
  await peer.client.setWorkflowDelay(handle.workflowID, { delaySeconds: 1 });
  equal(await peer.result(handle), 'late');
  const status = await handle.getStatus();
  assert(status.dequeuedAt >= status.delayUntilEpochMS, 'it left before its delay was over');
}

export async function timeouts(peer) {
  const handle = await peer.enqueue('rest', [600], { workflowTimeoutMS: 500 });
  equal((await thrown(peer.result(handle))).constructor.name, 'DBOSAwaitedWorkflowCancelledError');
  const status = await handle.getStatus();
  equal([status.status, status.timeoutMS], ['CANCELLED', 500]);
  equal(status.deadlineEpochMS, status.dequeuedAt + 500);
}

export async function priority(peer) {
  const queueName = 'typescript-sorted';
  await peer.client.registerQueue(queueName, { applicationName: 'neighbour', globalConcurrency: 1 });
  const blocker = await peer.enqueue('ship', [1, 'ann'], { queueName });
  await until(async () => (await blocker.getStatus()).status === 'PENDING');
  const handles = [];
  for (const number of [3, 1, 2]) {
    handles.push(await peer.enqueue('echo', [number], { queueName, priority: number }));
  }
  await peer.send(blocker.workflowID, 'by train');
  equal(await Promise.all(handles.map((handle) => peer.result(handle))), [3, 1, 2]);
  const rows = await Promise.all(handles.map((handle) => handle.getStatus()));
  const left = rows.sort((one, other) => one.dequeuedAt - other.dequeuedAt);
  equal(left.map((row) => row.priority), [1, 2, 3]);
}

export async function debounce(peer) {
  const debouncer = new DebouncerClient(peer.client, {
    workflowName: 'echo',
    startWorkflowParams: { queueName: 'letters' },
    debounceTimeoutMs: 60_000,
    serializationType: 'portable',
    applicationName: 'neighbour',
  });
  const handles = [];
  for (let number = 0; number < 3; number += 1) handles.push(await debouncer.debounce('key', 3000, number));
  equal(new Set(handles.map((handle) => handle.workflowID)).size, 1);
  equal(await peer.result(handles[0].workflowID), 2);
  assert.notEqual((await debouncer.debounce('key', 100, 9)).workflowID, handles[0].workflowID);
}

export async function aQueueOfAClient(peer) {
  const queueName = `made-${crypto.randomUUID()}`;
  const waiting = await peer.enqueue('echo', [5], { queueName });
  equal((await waiting.getStatus()).status, 'ENQUEUED');
  await peer.client.registerQueue(queueName, { workerConcurrency: 3, applicationName: 'neighbour' });
  equal(await peer.result(waiting), 5);
  equal((await peer.client.retrieveQueue(queueName)).name, queueName);
  const names = (await peer.client.listQueues()).map((queue) => queue.name);
  for (const name of ['letters', 'single', queueName]) assert(names.includes(name), name);
  await peer.client.deleteQueue(queueName);
  equal(await peer.client.retrieveQueue(queueName), null);
}

export async function aQueueWithPartitions(peer) {
  const queueName = `parts-${crypto.randomUUID()}`;
  await peer.client.registerQueue(queueName, { partitionConcurrency: 1, applicationName: 'neighbour' });
  const handles = [];
  for (const part of ['a', 'b', 'a']) {
    handles.push(await peer.enqueue('echo', [part], { queueName, queuePartitionKey: part }));
  }
  equal(await Promise.all(handles.map((handle) => peer.result(handle))), ['a', 'b', 'a']);
  equal((await handles[1].getStatus()).queuePartitionKey, 'b');
}

export async function usersAndAttributes(peer) {
  const handle = await peer.enqueue('echo', [1], {
    authenticatedUser: 'ann',
    authenticatedRoles: ['clerk'],
    attributes: { team: 'north' },
  });
  await peer.result(handle);
  const status = await handle.getStatus();
  equal([status.authenticatedUser, status.authenticatedRoles], ['ann', ['clerk']]);
  equal(status.attributes, { team: 'north' });
}

export async function inATransaction(peer) {
  const connection = new pg.Client({ connectionString: peer.url });
  await connection.connect();
  const options = { workflowName: 'echo', queueName: 'letters' };
  await connection.query('BEGIN');
  const gone = await peer.client.enqueuePortableInTransaction(connection, options, [1]);
  await connection.query('ROLLBACK');
  await connection.query('BEGIN');
  const kept = await peer.client.enqueuePortableInTransaction(connection, options, [2]);
  await connection.query('COMMIT');
  await connection.end();
  equal(await peer.result(kept), 2);
  equal(await peer.client.getWorkflow(gone.workflowID), undefined);
}
