// An application in TypeScript for programs of other languages: `app.mjs URL NAME`. It says `ready` when it serves.
//
// It is what `neighbour` is in Rust, in `tests/src/bin/neighbour.rs`.

import { DBOS } from '@dbos-inc/dbos-sdk';

const [url, name] = process.argv.slice(2);
DBOS.setConfig({ name, systemDatabaseUrl: url, applicationVersion: `${name}-1`, executorID: name, logLevel: 'error' });

const portable = (workflow) => DBOS.registerWorkflow(workflow, { name: workflow.name, serialization: 'portable' });

portable(async function echo(value) {
  await DBOS.setEvent('stage', value);
  await DBOS.writeStream('news', value);
  await DBOS.closeStream('news');
  return value;
});

portable(async function ship(order, to) {
  await DBOS.setEvent('stage', { packed: order });
  const label = await DBOS.recv('label', 60);
  return `${order} to ${to}, ${label}`;
});

portable(async function refuse(order) {
  throw new RangeError(`nobody can carry order ${order}`);
});

// Steps before and after, so that a kill may come between.
portable(async function work(number) {
  await DBOS.runStep(async () => 'begun', { name: 'note' });
  await DBOS.runStep(async () => 'done', { name: 'note' });
  return number;
});

// Three values that no other run would draw.
portable(async function draw_three() {
  const draw = (name) => DBOS.runStep(async () => `${name}: ${crypto.randomUUID()}`, { name: 'draw' });
  return [await draw('first'), await draw('second'), await draw('third')];
});

portable(async function rest(seconds) {
  await DBOS.sleep(seconds * 1000);
});

// Has the work done by a child in another application.
portable(async function delegate(workflowName, applicationName, queueName, given) {
  const child = await DBOS.enqueueWorkflowWithOptionsPortable({ workflowName, applicationName, queueName }, given);
  const stage = await DBOS.getEvent(child.workflowID, 'stage', 60);
  await DBOS.send(child.workflowID, 'by train', 'label', undefined, { serializationType: 'portable' });
  return { stage, result: await child.getResult() };
});

await DBOS.launch();
await DBOS.registerQueue(`${name}-letters`, { minPollingIntervalMs: 100, workerConcurrency: 20 });
console.log('ready');
