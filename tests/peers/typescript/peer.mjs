// What the scripts of this folder stand on: a client of our application, and who runs the checks.

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';

import { DBOSClient } from '@dbos-inc/dbos-sdk';
import { DBOSPortableJSON } from '@dbos-inc/dbos-sdk/internal/serialization';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

// The default client of the library, and the options that it needs for another language.
export class Peer {
  static async open(url) {
    const peer = new Peer();
    peer.url = url;
    peer.client = await DBOSClient.create({ systemDatabaseUrl: url, logger: silent });
    return peer;
  }

  // One that speaks the portable format by default. A schedule has no tag that says which one its context is in.
  portable() {
    return DBOSClient.create({
      systemDatabaseUrl: this.url,
      serializer: DBOSPortableJSON,
      applicationName: 'neighbour',
      logger: silent,
    });
  }

  enqueue(name, positional, options = {}) {
    return this.client.enqueuePortable({ workflowName: name, queueName: 'letters', ...options }, positional);
  }

  result(handle) {
    return (typeof handle === 'string' ? this.client.retrieveWorkflow(handle) : handle).getResult();
  }

  send(workflow, message, topic = 'label', key = undefined) {
    return this.client.send(workflow, message, topic, key, { serializationType: 'portable' });
  }

  async read(workflow, stream) {
    const values = [];
    for await (const value of this.client.readStream(workflow, stream)) values.push(value);
    return values;
  }
}

export async function until(holds) {
  const end = Date.now() + 30_000;
  while (!(await holds())) {
    assert(Date.now() < end, 'it does not come true');
    await pause(50);
  }
}

// What an operation throws that has to fail.
export async function thrown(operation) {
  try {
    await operation;
  } catch (error) {
    return error;
  }
  throw new assert.AssertionError({ message: 'it does not fail' });
}

export const equal = assert.deepEqual;

// Runs the checks side by side, says what passed, and ends with 1 if one did not.
export async function run(modules, names, ...given) {
  const checks = Object.entries(modules).flatMap(([theme, module]) =>
    Object.entries(module).map(([name, check]) => ({ theme, name, check })),
  );
  const chosen = checks.filter(({ name }) => names.length === 0 || names.includes(name));
  const waiting = chosen.values();
  let failures = 0;
  const work = async () => {
    for (const { theme, name, check } of waiting) {
      const sentence = `${theme}: ${name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}`;
      try {
        await check(...given);
        console.log(`ok     ${sentence}`);
      } catch (reason) {
        failures += 1;
        console.log(`FAILED ${sentence}`, reason);
      }
    }
  };
  await Promise.all(Array.from({ length: 6 }, work));
  process.exit(failures > 0 ? 1 : 0);
}
