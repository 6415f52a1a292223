/** The line worker on virtual meters over a line in memory, with the clock moved by hand. */
import { describe, expect, test } from 'vitest';
import type { BridgeError } from '../../src/core/errors.ts';
import type { LineWorker } from '../../src/line/worker.ts';
import type { MeterJob } from '../../src/line/worker-types.ts';
import { readAttributes } from '../../src/meter/client.ts';
import type { MeterSession } from '../../src/meter/session.ts';
import { until } from '../support/until.ts';
import { ENERGY, energyJob, line, TIMEOUT_MS } from './bench.ts';

/** Octets before the APDU. */
const WRAPPER_HEADER = 8;

test.each(['hdlc', 'wrapper'] as const)('%s: a standing association makes a poll one round trip', async (framing) => {
  const { worker, settled } = await line({ framing });
  expect(await settled(worker.submit(energyJob(1)))).toBe(1);
  expect(await settled(worker.submit(energyJob(1)))).toBe(1);
  expect(worker.snapshot()).toMatchObject({ status: 'idle', completed: 2, failed: 0, queued: 0 });
});

test('jobs run one at a time, commands before polls before backfill, the oldest due first', async () => {
  const { worker, settled } = await line();
  const order: string[] = [];
  let running = 0;
  const job = (name: string, more: Partial<MeterJob<number>>): Promise<number> =>
    worker.submit(
      energyJob(1, {
        ...more,
        async run(session) {
          running += 1;
          expect(running).toBe(1);
          await readAttributes(session, [ENERGY]);
          order.push(name);
          running -= 1;
          return 0;
        },
      }),
    );
  const jobs = [
    job('first', {}),
    job('backfill', { priority: 'backfill' }),
    job('poll due 9', { due: 9 }),
    job('poll due 5', { due: 5 }),
    job('command', { priority: 'command' }),
  ];
  await settled(Promise.all(jobs));
  expect(order).toEqual(['first', 'command', 'poll due 5', 'poll due 9', 'backfill']);
});

test('over HDLC one association stands at a time; over a wrapper each meter keeps its own', async () => {
  for (const framing of ['hdlc', 'wrapper'] as const) {
    const { worker, settled } = await line({ framing });
    const standing: boolean[] = [];
    const sessions: MeterSession[] = [];
    const look = (meterId: number): MeterJob<number> =>
      energyJob(meterId, {
        async run(session) {
          sessions.push(session);
          return 0;
        },
      });
    await settled(worker.submit(look(1)));
    await settled(worker.submit(look(2)));
    for (const session of sessions) standing.push(session.isAssociated);
    expect(standing).toEqual(framing === 'hdlc' ? [false, true] : [true, true]);
  }
});

test('a dead meter costs its line one attempt and is then left alone; the others are read', async () => {
  const { worker, clock, settled } = await line({}, [2]);
  const began = clock.monotonic();
  expect(await settled(worker.submit(energyJob(2)))).toMatchObject({ code: 'METER_TIMEOUT', fault: 'meter' });
  expect(clock.monotonic() - began).toBeLessThanOrEqual(3 * TIMEOUT_MS + 200);
  expect(worker.restMs(1)).toBe(0);
  expect(await settled(worker.submit(energyJob(1)))).toBe(1);
  expect(await settled(worker.submit(energyJob(3)))).toBe(1);
});

test('a meter that goes on failing is left alone for longer and longer, then suspended and probed', async () => {
  const { worker, clock, settled } = await line({ count: 1 }, [1]);
  const rests: number[] = [];
  for (let failure = 0; failure < 16; failure += 1) {
    await settled(worker.submit(energyJob(1)));
    rests.push(worker.restMs(1));
    await clock.advance(worker.restMs(1));
  }
  expect(Math.min(...rests)).toBeGreaterThanOrEqual(900);
  expect(Math.max(...rests.slice(0, 7))).toBeLessThanOrEqual(60_000);
  for (const [probe, rest] of rests.slice(7).entries()) {
    expect(rest).toBeGreaterThan(Math.min(3_600_000, 60_000 * 2 ** probe) / 2 - 100);
    expect(rest).toBeLessThanOrEqual(Math.min(3_600_000, 60_000 * 2 ** probe));
  }
});

test('an association that died unnoticed is made anew within the same job', async () => {
  const { worker, settled } = await line({ count: 1, faults: ['drop-association:3'] });
  for (let poll = 0; poll < 6; poll += 1) {
    expect(await settled(worker.submit(energyJob(1)))).toEqual(expect.any(Number));
  }
  expect(worker.snapshot()).toMatchObject({ completed: 6, failed: 0 });
});

test.each([
  ['hdlc', 'garbage', ['METER_GARBAGE', 'METER_TIMEOUT', 'WRONG_FRAMING']],
  ['wrapper', 'garbage', ['METER_GARBAGE', 'METER_TIMEOUT', 'WRONG_FRAMING']],
  ['hdlc', 'silent', ['METER_TIMEOUT']],
  ['wrapper', 'silent', ['METER_TIMEOUT']],
  ['hdlc', 'wrong-address:1', ['WRONG_ADDRESS']],
] as const)('%s, %s: the job fails and says so', async (framing, fault, codes) => {
  const { worker, settled } = await line({ framing, count: 1, faults: [fault] });
  const error = await settled(worker.submit(energyJob(1)));
  expect(codes).toContain((error as BridgeError).code);
});

test.each([
  ['hdlc', 'one-byte'],
  ['wrapper', 'one-byte'],
  ['hdlc', 'corrupt-crc:0.2'],
  ['hdlc', 'no-list'],
  ['wrapper', 'no-list'],
  ['hdlc', 'block0'],
  ['wrapper', 'no-invoke-echo'],
] as const)('%s, %s: read all the same', async (framing, fault) => {
  const { worker, settled } = await line({ framing, count: 1, faults: [fault] });
  const attributes = ['1.0.1.8.0.255', '1.0.2.8.0.255', '1.0.32.7.0.255'].map((instanceId) => ({
    ...ENERGY,
    instanceId,
  }));
  const read = energyJob(1, {
    async run(session) {
      const results = await readAttributes(session, attributes);
      return results.filter((result) => 'data' in result).length;
    },
  });
  expect(await settled(worker.submit(read))).toBe(3);
  expect(await settled(worker.submit(read))).toBe(3);
});

test('a meter that is not on the line, and a line that stops', async () => {
  const { worker, settled } = await line();
  expect(await settled(worker.submit(energyJob(77)))).toMatchObject({ code: 'NOT_FOUND' });
  const running = worker.submit(energyJob(1));
  const waiting = worker.submit(energyJob(2));
  const stopped = worker.stop();
  expect(await settled(waiting)).toMatchObject({ code: 'STOPPING' });
  expect(await settled(running)).toBe(1);
  await settled(stopped);
  expect(await settled(worker.submit(energyJob(1)))).toMatchObject({ code: 'STOPPING' });
});

test('stopping takes no longer than its bound, whatever the meter does', async () => {
  const { worker, clock, settled } = await line({ framing: 'wrapper', count: 1, faults: ['slow:60000'] });
  const running = worker.submit({ ...energyJob(1), run: (session) => session.get([ENERGY]).then(() => 0) });
  const outcome = running.catch((error: BridgeError) => error);
  const began = clock.monotonic();
  await settled(worker.stop());
  expect(clock.monotonic() - began).toBeLessThanOrEqual(6000);
  expect(await settled(outcome)).toMatchObject({ name: 'BridgeError' });
});

test('a removed meter is released and gone', async () => {
  const { worker, settled } = await line();
  await settled(worker.submit(energyJob(1)));
  await settled(worker.removeMeter(1));
  expect(await settled(worker.submit(energyJob(1)))).toMatchObject({ code: 'NOT_FOUND' });
  expect(await settled(worker.submit(energyJob(2)))).toBe(1);
});

describe.each([
  ['removed', (worker: LineWorker) => worker.removeMeter(1)],
  ['removed from a line that stops then', (worker: LineWorker) => Promise.all([worker.removeMeter(1), worker.stop()])],
  ['held', async (worker: LineWorker) => worker.holdMeter(1, true)],
])('a meter that is %s', (_, end) => {
  // Of the first job: AARQ, GET.
  test.each([0, 1, 2])('after %i of its frames is released when its job has ended', async (frames) => {
    const { worker, transport, clock, settled } = await line({ framing: 'wrapper', count: 1, faults: ['slow:300'] });
    const running = worker.submit(energyJob(1));
    await until('the frames are out', () => transport.frames.length >= frames, { clock, stepMs: 50 });
    const ended = end(worker);
    expect(await settled(running)).toBe(1);
    await settled<unknown>(ended);
    await until('it is released', () => transport.frames.length > 2, { clock, stepMs: 50 });
    expect(transport.frames.map((frame) => frame[WRAPPER_HEADER])).toEqual([0x60, 0xc0, 0x62]);
  });
});
