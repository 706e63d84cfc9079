// What a client sees of another language's application, and does to it.

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';

import { equal, thrown, until } from './peer.mjs';

export async function steps(peer) {
  const handle = await peer.enqueue('ship', [1, 'ann']);
  await peer.send(handle.workflowID, 'by train');
  await peer.result(handle);
  const steps = await peer.client.listWorkflowSteps(handle.workflowID);
  equal(
    steps.map((step) => [step.functionID, step.name]),
    [[1, 'DBOS.writeStream'], [2, 'DBOS.setEvent'], [3, 'DBOS.recv'], [4, 'DBOS.sleep'], [5, 'DBOS.writeStream']],
  );
  equal(steps[2].output, 'by train');
  assert(steps.every((step) => step.startedAtEpochMs <= step.completedAtEpochMs));
}

export async function stepsOfAFunction(peer) {
  const handle = await peer.enqueue('draw_three', []);
  const drawn = await peer.result(handle);
  const steps = await peer.client.listWorkflowSteps(handle.workflowID);
  equal(steps.map((step) => [step.name, step.output]), drawn.map((value) => ['draw', value]));
}

export async function aRow(peer) {
  const handle = await peer.enqueue('echo', [{ a: 1 }], { priority: 5 });
  await peer.result(handle);
  const row = await handle.getStatus();
  equal([row.status, row.workflowName, row.queueName, row.priority], ['SUCCESS', 'echo', 'letters', 5]);
  equal([row.input, row.output, row.error], [[{ a: 1 }], { a: 1 }, undefined]);
  equal([row.applicationName, row.workflowClassName], ['neighbour', '']);
  assert(row.applicationVersion && row.executorId, 'it ran somewhere');
  assert(row.createdAt <= row.dequeuedAt && row.dequeuedAt <= row.completedAt);
}

export async function listFilters(peer) {
  const before = new Date().toISOString();
  const ids = [0, 1, 2, 3].map((number) => `typescript-list-${number}`);
  for (const [number, workflowID] of ids.entries()) {
    const options = { workflowID, authenticatedUser: `user-${number % 2}`, attributes: { n: number } };
    await peer.enqueue('echo', [number], options);
  }
  const refused = await peer.enqueue('refuse', [2000], { workflowID: 'typescript-list-refused' });
  await Promise.all(ids.map((id) => peer.result(id)));
  await thrown(peer.result(refused));
  const after = new Date(Date.now() + 1).toISOString();

  const listed = async (filters) => {
    const rows = await peer.client.listWorkflows({ workflow_id_prefix: 'typescript-list-', ...filters });
    return rows.map((row) => row.workflowID);
  };
  const everything = [...ids, refused.workflowID];
  equal(await listed({}), everything);
  equal(await listed({ sortDesc: true }), everything.toReversed());
  equal(await listed({ limit: 2, offset: 1 }), ids.slice(1, 3));
  equal(await listed({ status: 'ERROR' }), [refused.workflowID]);
  equal(await listed({ workflowName: 'refuse' }), [refused.workflowID]);
  equal(await listed({ authenticatedUser: 'user-1' }), [ids[1], ids[3]]);
  equal(await listed({ attributes: { n: 2 } }), [ids[2]]);
  equal(await listed({ queueName: 'letters' }), everything);
  equal(await listed({ queueName: 'single' }), []);
  equal(await listed({ applicationName: 'neighbour' }), everything);
  equal(await listed({ applicationName: 'another' }), []);
  equal(await listed({ startTime: before, endTime: after }), everything);
  equal(await listed({ startTime: after }), []);
  equal(await listed({ completedAfter: before, completedBefore: after }), everything);
  equal(await listed({ hasParent: true }), []);
  const { applicationVersion, executorId } = await peer.client.getWorkflow(ids[0]);
  equal(await listed({ applicationVersion }), everything);
  equal(await listed({ executorId }), everything);
}

export async function queuedWorkflows(peer) {
  const queueName = 'typescript-closed';
  await peer.client.registerQueue(queueName, { applicationName: 'nobody' });
  const handle = await peer.enqueue('echo', [1], { queueName });
  const queued = await peer.client.listQueuedWorkflows({ queueName });
  equal(queued.map((row) => row.workflowID), [handle.workflowID]);
}

export async function cancelAndResume(peer) {
  const handle = await peer.enqueue('ship', [1, 'ann']);
  await peer.client.getEvent(handle.workflowID, 'stage', 30);
  await peer.client.cancelWorkflow(handle.workflowID);
  equal((await thrown(peer.result(handle))).constructor.name, 'DBOSAwaitedWorkflowCancelledError');
  await peer.client.resumeWorkflow(handle.workflowID);
  await peer.send(handle.workflowID, 'by train');
  equal(await peer.result(handle), '1 to ann, "by train"');
  // What it had done before was not done again.
  equal(await peer.read(handle.workflowID, 'news'), ['packed', 'on its way']);
}

export async function cancelWhatWaits(peer) {
  const handles = [];
  for (let times = 0; times < 2; times += 1) handles.push(await peer.enqueue('echo', [1], { delaySeconds: 600 }));
  const ids = handles.map((handle) => handle.workflowID);
  await peer.client.cancelWorkflows(ids);
  equal((await peer.client.listWorkflows({ workflowIDs: ids })).map((row) => row.status), ['CANCELLED', 'CANCELLED']);
  await peer.client.resumeWorkflows(ids, { queueName: 'single' });
  equal(await Promise.all(ids.map((id) => peer.result(id))), [1, 1]);
}

export async function cancelWithChildren(peer) {
  const parent = await peer.enqueue('delegate', ['rest', 'letters', [600]]);
  const child = `${parent.workflowID}-1`;
  await until(() => peer.client.getWorkflow(child));
  await peer.client.cancelWorkflow(parent.workflowID, { cancelChildren: true });
  const rows = await peer.client.listWorkflows({ workflowIDs: [parent.workflowID, child] });
  equal(rows.map((row) => row.status), ['CANCELLED', 'CANCELLED']);
}

export async function fork(peer) {
  const original = await peer.enqueue('draw_three', []);
  const first = await peer.result(original);
  for (const [start, kept] of [[1, 0], [2, 1], [3, 2], [4, 3]]) {
    const forked = await peer.client.forkWorkflow(original.workflowID, start);
    const drawn = await peer.result(forked);
    equal(drawn.map((value, index) => value === first[index]), [0, 1, 2].map((index) => index < kept));
    equal((await peer.client.getWorkflow(forked)).forkedFrom, original.workflowID);
  }
  equal((await original.getStatus()).wasForkedFrom, true);
  const newWorkflowID = `fork-of-${original.workflowID}`;
  equal(await peer.client.forkWorkflow(original.workflowID, 2, { newWorkflowID, queueName: 'single' }), newWorkflowID);
  equal((await peer.result(newWorkflowID))[0], first[0]);
}

export async function rewind(peer) {
  const handle = await peer.enqueue('draw_three', []);
  const first = await peer.result(handle);
  await peer.client.rewindWorkflow(handle.workflowID, { startStep: 3 });
  const second = await peer.result(handle);
  equal([second.slice(0, 2), second[2] === first[2]], [first.slice(0, 2), false]);
}

export async function waitFirst(peer) {
  const [slow, fast] = [await peer.enqueue('rest', [600]), await peer.enqueue('rest', [0])];
  equal((await peer.client.waitFirst([slow, fast])).workflowID, fast.workflowID);
  await peer.client.cancelWorkflow(slow.workflowID);
}

export async function versions(peer) {
  const version = await peer.client.getLatestApplicationVersion();
  equal(version.applicationName, 'neighbour');
  equal(await peer.result(await peer.enqueue('echo', [1], { appVersion: version.versionName })), 1);
  const elsewhere = await peer.enqueue('echo', [1], { appVersion: 'another' });
  await pause(1000);
  equal((await elsewhere.getStatus()).status, 'ENQUEUED');
  await peer.client.setLatestApplicationVersion(version.versionName, { applicationName: 'neighbour' });
  const known = await peer.client.listApplicationVersions();
  assert(known.some((one) => one.versionName === version.versionName));
  await peer.client.cancelWorkflow(elsewhere.workflowID);
}

export async function deleteOne(peer) {
  const handle = await peer.enqueue('ship', [1, 'ann']);
  await peer.send(handle.workflowID, 'by train');
  await peer.result(handle);
  await peer.client.deleteWorkflow(handle.workflowID);
  equal(await peer.client.getWorkflow(handle.workflowID), undefined);
}
