/** Lines and meters that fail, are left alone, and come back. */
import { describe, expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import { energyJob, line } from './bench.ts';

const UNPLUGGED = new BridgeError('SERIAL_PORT_MISSING', 'no such device');

describe('a line that cannot be opened', () => {
  test('is not opened once for each meter: jobs fail at once with its error', async () => {
    const { worker, clock, transport, settled, devices } = await line();
    transport.down = UNPLUGGED;
    const began = clock.monotonic();
    const jobs = [1, 2, 3].map((id) => settled(worker.submit(energyJob(id))));
    for (const job of jobs) expect(await job).toMatchObject({ code: 'SERIAL_PORT_MISSING' });
    expect([transport.opens, clock.monotonic() - began]).toEqual([1, expect.any(Number)]);
    expect(worker.snapshot()).toMatchObject({ status: 'down', state: 'error', errors: 1, failed: 3 });
    expect(worker.snapshot().nextAttemptAt).toBeGreaterThan(clock.now());
    for (const id of [1, 2, 3]) {
      expect(worker.restMs(id)).toBeGreaterThan(0);
      // It is the line's failure: no breaker counts it.
      expect(worker.meterRest(id)?.recovery).toBeNull();
      expect(devices.get('meter', id)?.state).toBe('error');
    }
  });

  test('is tried for ever, and taken up again when it is back; a command tries at once', async () => {
    const { worker, clock, transport, settled, told } = await line();
    transport.down = UNPLUGGED;
    for (let failure = 0; failure < 25; failure += 1) {
      await settled(worker.submit(energyJob(1)));
      await clock.advance(worker.restMs(1));
    }
    expect(transport.opens).toBe(25);
    expect(worker.snapshot()).toMatchObject({ state: 'suspended', suspendedBy: 'breaker' });
    expect(told.filter((entry) => entry.startsWith('max-reconnect line'))).toHaveLength(1);
    await settled(worker.submit(energyJob(1)));
    expect(worker.restMs(1)).toBeGreaterThan(30_000);
    transport.down = null;
    expect(await settled(worker.submit(energyJob(2)))).toMatchObject({ code: 'SERIAL_PORT_MISSING' });
    expect(await settled(worker.submit(energyJob(2, { priority: 'command' })))).toBe(1);
    expect(worker.snapshot()).toMatchObject({ state: 'connected', status: 'idle', nextAttemptAt: null });
    expect(worker.restMs(1)).toBe(0);
  });

  test('an adapter that is pulled out and plugged in again', async () => {
    const { worker, clock, transport, settled, told } = await line();
    expect(await settled(worker.submit(energyJob(1)))).toBe(1);
    transport.down = UNPLUGGED;
    transport.break(new BridgeError('LINE_CLOSED', 'gone'));
    expect(worker.snapshot().state).toBe('disconnected');
    expect(await settled(worker.submit(energyJob(1)))).toMatchObject({ code: 'SERIAL_PORT_MISSING' });
    transport.down = null;
    await clock.advance(worker.restMs(1));
    expect(await settled(worker.submit(energyJob(1)))).toBe(1);
    expect(told.filter((entry) => entry.endsWith('line 0'))).toEqual(
      ['connecting', 'connected', 'disconnected', 'connecting', 'error', 'connecting', 'connected'].map(
        (name) => `${name} line 0`,
      ),
    );
    expect(worker.snapshot()).toMatchObject({ connections: 2, reconnections: 1, errors: 1 });
  });
});

test('a line that waits for its leave to connect stops at once, and gives the leave back', async () => {
  let give: (leave: () => void) => void = () => undefined;
  const admit = (): Promise<() => void> =>
    new Promise((resolve) => {
      give = resolve;
    });
  const { worker, clock, transport, settled } = await line({}, [], { admit });
  const job = settled(worker.submit(energyJob(1)));
  await clock.advance(1000);
  await worker.stop();
  expect(await job).toMatchObject({ code: 'STOPPING' });
  let left = 0;
  give(() => {
    left += 1;
  });
  await clock.advance(0);
  expect([left, transport.opens]).toEqual([1, 0]);
});

describe('a connection that died without a word', () => {
  test('is opened anew after two silent jobs when many meters share it', async () => {
    const { worker, transport, settled } = await line({}, [], { network: true });
    for (const id of [1, 2, 3]) expect(await settled(worker.submit(energyJob(id)))).toBe(1);
    transport.dead = true;
    expect(await settled(worker.submit(energyJob(1)))).toMatchObject({ code: 'METER_TIMEOUT' });
    expect(transport.isOpen).toBe(true);
    expect(await settled(worker.submit(energyJob(2)))).toMatchObject({ code: 'METER_TIMEOUT' });
    expect(await settled(worker.submit(energyJob(3)))).toBe(1);
    expect(transport.opens).toBe(2);
  });

  test('five meters behind one converter, one of them dead: one socket, four are read', async () => {
    const { worker, clock, transport, settled } = await line({ count: 5 }, [3], { network: true });
    const read = new Map<number, number>();
    for (let round = 0; round < 5; round += 1) {
      for (const id of [1, 2, 3, 4, 5]) {
        if (worker.restMs(id) > 0) continue;
        if (!((await settled(worker.submit(energyJob(id)))) instanceof BridgeError)) {
          read.set(id, (read.get(id) ?? 0) + 1);
        }
      }
      await clock.advance(10_000);
    }
    expect(Object.fromEntries(read)).toEqual({ 1: 5, 2: 5, 4: 5, 5: 5 });
    expect(transport.opens).toBe(1);
  });
});

describe('the breaker', () => {
  test('suspends a dead meter, probes it, and an answer ends it', async () => {
    const { worker, clock, settled, told, meter } = await line({ count: 1 }, [1]);
    const dead = meter(1);
    while (worker.meterRest(1)?.recovery?.failures !== 8) {
      await clock.advance(worker.restMs(1));
      await settled(worker.submit(energyJob(1)));
    }
    expect(told.slice(-3)).toEqual(['error meter 1', 'max-reconnect meter 1', 'suspended meter 1']);
    const saved = worker.meterRest(1)?.recovery ?? null;
    expect(worker.meterRest(1)?.nextAttemptAt).toBe(saved?.restsUntil);
    // As after a restart, with the meter repaired.
    worker.setMeter({ ...dead, settings: { ...dead.settings, server: dead.settings.server - 500 } }, saved);
    expect(worker.restMs(1)).toBeGreaterThan(29_000);
    await clock.advance(worker.restMs(1));
    expect(await settled(worker.submit(energyJob(1)))).toBe(1);
    expect(told.slice(-2)).toEqual(['resumed meter 1', 'connected meter 1']);
    expect(worker.meterRest(1)).toEqual({ recovery: null, nextAttemptAt: null });
  });

  test('an operator who resumes it has it tried at once', async () => {
    const { worker, settled, meter } = await line();
    worker.setMeter(meter(1), { failures: 12, restMs: 3_600_000, restsUntil: Number.MAX_SAFE_INTEGER });
    expect(worker.restMs(1)).toBe(3_600_000);
    worker.retryMeter(1);
    expect(worker.restMs(1)).toBe(0);
    expect(await settled(worker.submit(energyJob(1)))).toBe(1);
  });
});

describe("an operator's suspension", () => {
  test('refuses everybody until it is ended', async () => {
    const { worker, clock, settled, devices } = await line();
    expect(await settled(worker.submit(energyJob(1)))).toBe(1);
    worker.holdMeter(1, true);
    expect(await settled(worker.submit(energyJob(1, { priority: 'command' })))).toMatchObject({
      code: 'METER_SUSPENDED',
    });
    expect(worker.restMs(1)).toBe(Number.POSITIVE_INFINITY);
    await clock.advance(24 * 3_600_000);
    expect(devices.get('meter', 1)?.statistics()).toMatchObject({ state: 'suspended', suspendedBy: 'operator' });
    worker.retryMeter(1);
    expect(worker.restMs(1)).toBe(Number.POSITIVE_INFINITY);
    expect(await settled(worker.submit(energyJob(2)))).toBe(1);
    worker.holdMeter(1, false);
    expect(await settled(worker.submit(energyJob(1)))).toBe(1);
  });

  test('a job under way ends first, and does not end the suspension', async () => {
    const { worker, settled, devices } = await line();
    const running = worker.submit(energyJob(1));
    worker.holdMeter(1, true);
    await settled(running);
    expect(devices.get('meter', 1)?.state).toBe('suspended');
  });
});

describe('sessions and ports that are not kept', () => {
  test('released after each job, and a network connection closed with the last', async () => {
    const { worker, transport, settled, devices } = await line({ framing: 'wrapper', count: 1 }, [], {
      network: true,
      keepSession: false,
    });
    for (let poll = 0; poll < 3; poll += 1) expect(await settled(worker.submit(energyJob(1)))).toBe(1);
    await settled(worker.submit({ ...energyJob(1), run: async () => 0 }));
    expect(transport.opens).toBe(4);
    expect(transport.isOpen).toBe(false);
    // It answers when it is asked: that is what connected means.
    expect(devices.get('meter', 1)?.statistics()).toMatchObject({ state: 'connected', connections: 1, errors: 0 });
    expect(worker.snapshot()).toMatchObject({ state: 'disconnected', connections: 4, errors: 0 });
  });

  test('a line with nothing to do is closed after its idle time', async () => {
    const { worker, clock, transport, settled } = await line({}, [], { idleCloseMs: 30_000 });
    expect(await settled(worker.submit(energyJob(1)))).toBe(1);
    await clock.advance(29_000);
    expect(transport.isOpen).toBe(true);
    await clock.advance(2_000);
    expect(transport.isOpen).toBe(false);
    expect(await settled(worker.submit(energyJob(1)))).toBe(1);
    expect(worker.snapshot()).toMatchObject({ errors: 0, failed: 0 });
  });
});

describe('signs of life', () => {
  test('an association that is kept is asked while nothing is to do, which is no work', async () => {
    const { worker, clock, transport, settled } = await line({ count: 1 }, [], {
      keepAliveMs: 10_000,
      idleCloseMs: 65_000,
    });
    await settled(worker.submit(energyJob(1)));
    const before = transport.frames.length;
    await clock.advance(60_000);
    expect(transport.frames.length - before).toBe(6);
    expect(await settled(worker.submit(energyJob(1)))).toBe(1);
    expect(worker.snapshot()).toMatchObject({ completed: 2, failed: 0, errors: 0, connections: 1 });
    await clock.advance(66_000);
    expect(transport.isOpen).toBe(false);
  });

  test('one that does not answer is made anew by the next job, and no failure', async () => {
    const { worker, clock, transport, settled, devices } = await line({ count: 1 }, [], { keepAliveMs: 10_000 });
    await settled(worker.submit(energyJob(1)));
    transport.dead = true;
    await clock.advance(20_000);
    transport.dead = false;
    expect(await settled(worker.submit(energyJob(1)))).toBe(1);
    expect(devices.get('meter', 1)?.statistics()).toMatchObject({ errors: 0, state: 'connected' });
    expect(worker.snapshot()).toMatchObject({ completed: 2, failed: 0 });
  });
});

test('an association that died unnoticed counts as no error', async () => {
  const { worker, transport, settled, devices } = await line({ count: 1 });
  await settled(worker.submit(energyJob(1)));
  transport.break(new BridgeError('LINE_CLOSED', 'inactivity time-out'));
  expect(await settled(worker.submit(energyJob(1)))).toBe(1);
  expect(devices.get('meter', 1)?.statistics()).toMatchObject({ errors: 0, reconnections: 1 });
});
