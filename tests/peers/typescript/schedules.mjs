// Schedules between a client and another language's application.

import assert from 'node:assert/strict';

import { equal, until } from './peer.mjs';

export async function madeByAClient(peer) {
  const client = await peer.portable();
  const scheduleName = 'typescript-every-second';
  await client.createSchedule({
    scheduleName,
    workflowName: 'count',
    schedule: '* * * * * *',
    context: { who: 'typescript' },
    options: { queueName: 'letters' },
  });
  const ticks = () => client.listWorkflows({ scheduleName, status: 'SUCCESS' });
  await until(async () => (await ticks()).length > 0);
  equal((await ticks())[0].output.context, { who: 'typescript' });
  await client.pauseSchedule(scheduleName);
  equal((await client.getSchedule(scheduleName)).status, 'PAUSED');
  await client.resumeSchedule(scheduleName);
  await client.deleteSchedule(scheduleName);
  equal(await client.getSchedule(scheduleName), null);
}

export async function trigger(peer) {
  const client = await peer.portable();
  const scheduleName = 'typescript-by-hand';
  await client.createSchedule({ scheduleName, workflowName: 'count', schedule: '0 0 1 1 *', context: [7] });
  const handle = await client.triggerSchedule(scheduleName);
  equal((await handle.getResult()).context, [7]);
}

export async function backfill(peer) {
  const client = await peer.portable();
  const scheduleName = 'typescript-hourly';
  await client.createSchedule({ scheduleName, workflowName: 'count', schedule: '0 * * * *', context: 'late' });
  const start = new Date('2026-01-01T00:30:00Z');
  const handles = await client.backfillSchedule(scheduleName, start, new Date(start.getTime() + 3 * 3_600_000));
  const results = await Promise.all(handles.map((handle) => handle.getResult()));
  equal(results.map((result) => result.at), [1, 2, 3].map((hour) => `2026-01-01T0${hour}:00:00Z`));
  assert(results.every((result) => result.context === 'late'));
}

export async function ofTheApplication(peer) {
  const schedule = await peer.client.getSchedule('yearly');
  equal([schedule.workflowName, schedule.status, schedule.context], ['count', 'ACTIVE', { of: 'rust' }]);
  const known = await peer.client.listSchedules({ scheduleNamePrefix: 'year' });
  equal(known.map((one) => one.scheduleName), ['yearly']);
  await peer.client.pauseSchedule('yearly');
  equal((await peer.client.getSchedule('yearly')).status, 'PAUSED');
  await peer.client.resumeSchedule('yearly');
  for (const client of [peer.client, await peer.portable()]) {
    const handle = await client.triggerSchedule('yearly');
    equal((await handle.getResult()).context, { of: 'rust' });
  }
}
