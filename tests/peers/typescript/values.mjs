// Values between TypeScript and Rust: each arrives equal, or is refused with an error that says why:
// `values.mjs URL VALUES`. The file lists those that are JSON, as text.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { equal, Peer, run } from './peer.mjs';

const [url, list] = process.argv.slice(2);
const texts = JSON.parse(readFileSync(list, 'utf8'));

// With a word of the reason; everything else is equal.
// Streams alone refuse what marks their end.
const end = { '"__DBOS_STREAM_CLOSED__"': 'marks the end of a stream' };
const refused = { '"\\u0000"': 'NUL character', '"\\ud800"': 'cannot be read' };

// JavaScript has no other numbers than floats, so these are others before they are sent.
const bent = ['9007199254740993', '-9007199254740993', '9223372036854775807', '-9223372036854775808',
  '18446744073709551615', '18446744073709551616', '18446744073709551617', '1e400'];

const keysInOrder = (_, value) =>
  value?.constructor === Object ? Object.fromEntries(Object.entries(value).sort()) : value;

const nested = (depth) => (depth === 1 ? [] : [nested(depth - 1)]);

const numbers = Array.from({ length: 100_000 }, (_, number) => number);

const typescriptsOwn = {
  'a date': [new Date('2025-06-15T14:30:00.000Z'), '2025-06-15T14:30:00.000Z'],
  'a bigint': [9007199254740993n, '9007199254740993'],
  'a map': [new Map([['a', 1]]), { a: 1 }],
  'a set': [new Set([7]), [7]],
  'a member that is undefined': [{ a: undefined, b: 1 }, { b: 1 }],
  'undefined': [undefined, null],
  'a hole': [[1, undefined, 2], [1, null, 2]],
  'NaN, which JSON.stringify makes null': [NaN, null],
  'a megabyte of text': ['x'.repeat(1_000_000), 'x'.repeat(1_000_000)],
  'a hundred thousand numbers': [numbers, numbers],
  'a hundred lists in each other': [nested(100), nested(100)],
};

const notPortable = {
  'a map with numbers for keys': [new Map([[1, 2]]), 'non-string keys'],
  'three hundred lists in each other': [nested(300), 'recursion limit'],
  'more than 16 MB': ['x'.repeat(17 << 20), '16777216 is the most'],
};

// What comes back as the result, as an event and through a stream; or why it does not.
async function echoed(peer, value) {
  let handle, result;
  try {
    handle = await peer.enqueue('echo', [value]);
    result = await peer.result(handle);
  } catch (error) {
    return { refusal: error.message };
  }
  equal(await peer.client.getEvent(handle.workflowID, 'stage', 5), result);
  const streamed = await peer.client.readStreamOffset(handle.workflowID, 'news', 0);
  equal(streamed, result);
  return { result };
}

async function jsonThereAndBack(peer) {
  for (const text of texts.filter((text) => text !== '1e400')) {
    const { result, refusal } = await echoed(peer, JSON.parse(text));
    const reason = { ...refused, ...end }[text];
    if (reason) assert(refusal?.includes(reason), `${text}: ${result}, ${refusal}`);
    else equal([text, refusal, result], [text, undefined, JSON.parse(text)]);
  }
}

async function jsonToRust(peer) {
  for (const text of texts.filter((text) => !(text in refused) && !bent.includes(text))) {
    equal([text, await peer.result(await peer.enqueue('weigh', [text, JSON.parse(text)]))], [text, true]);
  }
}

async function jsonFromRust(peer) {
  for (const text of texts.filter((text) => !(text in refused) && text !== '1e400')) {
    equal([text, await peer.result(await peer.enqueue('parse', [text]))], [text, JSON.parse(text)]);
  }
}

async function messages(peer) {
  const sent = texts.filter((text) => !(text in refused) && text !== '1e400');
  const handle = await peer.enqueue('hear', [sent.length]);
  for (const text of sent) await peer.send(handle.workflowID, JSON.parse(text), 'word');
  const sorted = (values) => values.map((value) => JSON.stringify(value, keysInOrder)).sort();
  // Those that were sent within a millisecond may be heard in another order.
  equal(sorted(await peer.result(handle)), sorted(sent.map((text) => JSON.parse(text))));
}

async function whatIsTypescriptsOwn(peer) {
  for (const [name, [value, expected]] of Object.entries(typescriptsOwn)) {
    const { result, refusal } = await echoed(peer, value);
    equal([name, refusal, result], [name, undefined, expected]);
  }
}

async function whatIsNotPortable(peer) {
  for (const [name, [value, reason]] of Object.entries(notPortable)) {
    const { refusal } = await echoed(peer, value);
    assert(refusal?.includes(reason), `${name}: ${refusal}`);
  }
}

const checks = { jsonThereAndBack, jsonToRust, jsonFromRust, messages, whatIsTypescriptsOwn, whatIsNotPortable };
await run({ values: checks }, [], await Peer.open(url));
