// Messages, events and streams between a client and the workflows of another language's application.

import assert from 'node:assert/strict';

import { equal, thrown } from './peer.mjs';

export async function aMessageWithATopic(peer) {
  const handle = await peer.enqueue('ship', [1, 'ann']);
  await peer.send(handle.workflowID, 'not this one', 'elsewhere');
  await peer.send(handle.workflowID, 'by train');
  equal(await peer.result(handle), '1 to ann, "by train"');
}

export async function aMessageOfEveryKind(peer) {
  for (const message of [null, 1.5, [1, { a: null }], { k: 'v' }, '🦀']) {
    const handle = await peer.enqueue('ship', [2, 'bob']);
    await peer.send(handle.workflowID, message);
    equal(JSON.parse((await peer.result(handle)).replace('2 to bob, ', '')), message);
  }
}

export async function aKeySendsOnce(peer) {
  const handle = await peer.enqueue('hear', [2]);
  for (let times = 0; times < 3; times += 1) await peer.send(handle.workflowID, 'once', 'word', 'k-1');
  await peer.send(handle.workflowID, 'twice', 'word', 'k-2');
  equal(await peer.result(handle), ['once', 'twice']);
}

export async function aMessageToNobody(peer) {
  equal((await thrown(peer.send('nobody', 'hello'))).constructor.name, 'DBOSNonExistentWorkflowError');
}

// Without asking for the portable one.
export async function aMessageInItsOwnFormat(peer) {
  const handle = await peer.enqueue('hear', [1]);
  await peer.client.send(handle.workflowID, { by: 'train' }, 'word');
  equal(await peer.result(handle), [{ by: 'train' }]);
}

export async function aMessageThatJsonHasNoWordFor(peer) {
  const handle = await peer.enqueue('hear', [1]);
  await peer.client.send(handle.workflowID, 7n, 'word');
  assert.match((await thrown(peer.result(handle))).message, /has no form in JSON/);
}

export async function events(peer) {
  const handle = await peer.enqueue('ship', [4, 'ann']);
  equal(await peer.client.getEvent(handle.workflowID, 'stage', 30), { packed: 4 });
  equal(await peer.client.getEvent(handle.workflowID, 'another', 0.1), null);
  equal(await peer.client.getEvent('nobody', 'stage', 0.1), null);
  await peer.send(handle.workflowID, 'by train');
}

export async function streams(peer) {
  const handle = await peer.enqueue('ship', [6, 'ann']);
  equal(await peer.client.readStreamOffset(handle.workflowID, 'news', 0), 'packed');
  await peer.send(handle.workflowID, 'by train');
  equal(await peer.read(handle.workflowID, 'news'), ['packed', 'on its way']);
}

export async function aStreamThatIsClosed(peer) {
  const value = { a: [null, 1.5] };
  const handle = await peer.enqueue('echo', [value]);
  equal(await peer.read(handle.workflowID, 'news'), [value]);
}
