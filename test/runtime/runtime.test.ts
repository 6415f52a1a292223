import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BridgeError, fail } from '../../src/core/errors.ts';
import { sleep, VirtualClock } from '../../src/runtime/clock.ts';
import { EventBus } from '../../src/runtime/events.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { delays, type RetryPolicy, retrying } from '../../src/runtime/retry.ts';

describe('VirtualClock', () => {
  test('fires timers in order of time, then of setting', async () => {
    const clock = new VirtualClock(1000);
    const fired: string[] = [];
    clock.setTimer(20, () => fired.push(`b@${clock.monotonic()}`));
    clock.setTimer(10, () => {
      fired.push(`a@${clock.monotonic()}`);
      clock.setTimer(10, () => fired.push(`c@${clock.monotonic()}`));
    });
    clock.setTimer(15, () => fired.push('cancelled')).cancel();
    await clock.advance(25);
    expect(fired).toEqual(['a@10', 'b@20', 'c@20']);
    expect([clock.monotonic(), clock.now(), clock.pendingTimers]).toEqual([25, 1025, 0]);
  });

  test('a stepped wall clock leaves monotonic time alone', () => {
    const clock = new VirtualClock(1000);
    clock.stepWall(-500);
    expect([clock.now(), clock.monotonic()]).toEqual([500, 0]);
  });

  test('sleep ends with the signal', async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    const sleeping = sleep(clock, 1000, stop.signal);
    stop.abort();
    await expect(sleeping).rejects.toMatchObject({ code: 'STOPPING' });
    await expect(sleep(clock, 1, stop.signal)).rejects.toMatchObject({ code: 'STOPPING' });
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('delays', () => {
  const policy = (shape: RetryPolicy['shape'], jitter: RetryPolicy['jitter'] = 'none'): RetryPolicy => ({
    shape,
    base: 100,
    max: 1000,
    attempts: 6,
    jitter,
  });
  test.each([
    ['fixed', [100, 100, 100, 100, 100, 100]],
    ['linear', [100, 200, 300, 400, 500, 600]],
    ['exponential', [100, 200, 400, 800, 1000, 1000]],
  ] as const)('%s', (shape, expected) => {
    expect([...delays(policy(shape))]).toEqual(expected);
  });
  test('full jitter stays between nothing and the delay', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999_999, noNaN: true }), (random) => {
        const plain = [...delays(policy('exponential'))];
        [...delays(policy('exponential', 'full'), () => random)].forEach((delay, index) => {
          expect(delay).toBeGreaterThanOrEqual(0);
          expect(delay).toBeLessThanOrEqual(plain[index]!);
        });
      }),
    );
  });
  test('never overflows', () => {
    const forever = delays({
      shape: 'exponential',
      base: 1,
      max: 60_000,
      attempts: Number.POSITIVE_INFINITY,
      jitter: 'none',
    });
    for (let attempt = 0; attempt < 5000; attempt += 1) expect(forever.next().value).toBeLessThanOrEqual(60_000);
  });
});

describe('retrying', () => {
  const policy: RetryPolicy = { shape: 'fixed', base: 100, max: 100, attempts: 3, jitter: 'none' };
  const passing = new BridgeError('METER_TIMEOUT', 'silence');
  const lasting = new BridgeError('ASSOCIATION_REJECTED', 'no', { retryable: false });

  function run(
    failures: readonly BridgeError[],
    more: { readonly withinMs?: number; readonly signal?: AbortSignal } = {},
  ) {
    const clock = new VirtualClock();
    const at: number[] = [];
    const result = retrying(
      async () => {
        at.push(clock.monotonic());
        const failure = failures[at.length - 1];
        if (failure !== undefined) throw failure;
        return 'done';
      },
      { policy, clock, ...more },
    ).catch((error: BridgeError) => error.code);
    return { clock, at, result };
  }

  test('until it succeeds', async () => {
    const { clock, at, result } = run([passing, passing]);
    await clock.advance(1000);
    expect([await result, at]).toEqual(['done', [0, 100, 200]]);
  });
  test('no more often than the policy has it', async () => {
    const { clock, at, result } = run([passing, passing, passing, passing, passing]);
    await clock.advance(1000);
    expect([await result, at]).toEqual(['METER_TIMEOUT', [0, 100, 200, 300]]);
  });
  test('not when it cannot help', async () => {
    const { at, result } = run([lasting]);
    expect([await result, at]).toEqual(['ASSOCIATION_REJECTED', [0]]);
  });
  test('not past the deadline', async () => {
    const { clock, at, result } = run([passing, passing, passing], { withinMs: 150 });
    await clock.advance(1000);
    expect([await result, at]).toEqual(['METER_TIMEOUT', [0, 100]]);
  });
  test('an abort ends the wait with one last attempt', async () => {
    const stop = new AbortController();
    const { clock, at, result } = run([passing, passing, passing], { signal: stop.signal });
    await clock.advance(50);
    stop.abort();
    expect([await result, at]).toEqual(['METER_TIMEOUT', [0, 50]]);
  });
});

test('a listener that throws does not stop the others', () => {
  const errors: unknown[] = [];
  const heard: number[] = [];
  const bus = new EventBus<{ tick: number }>((error) => errors.push(error));
  bus.on('tick', () => {
    throw new Error('broken listener');
  });
  const off = bus.on('tick', (value) => heard.push(value));
  bus.emit('tick', 1);
  off();
  bus.emit('tick', 2);
  expect(heard).toEqual([1]);
  expect(errors).toHaveLength(2);
});

describe('createLogger', () => {
  const logged = (journal: boolean): string[] => {
    const lines: string[] = [];
    const log = createLogger({ level: 'info', destination: { write: (line) => void lines.push(line) }, journal });
    log.debug({}, 'hidden');
    log.info({ meter: 'house1' }, 'MQTT Connected (client_id: x)');
    log.child({ line: 'tcp://a:1' }).error({ code: 'METER_TIMEOUT' }, 'ALERT');
    return lines;
  };
  test('writes one JSON line for each event, with its fields', () => {
    const lines = logged(false).map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { level: 30, meter: 'house1', msg: 'MQTT Connected (client_id: x)' },
      { level: 50, line: 'tcp://a:1', code: 'METER_TIMEOUT', msg: 'ALERT' },
    ]);
  });
  test('prefixes journal priorities', () => {
    expect(logged(true).map((line) => line.slice(0, 3))).toEqual(['<6>', '<3>']);
  });
  test('never prints what is named a secret', () => {
    const lines: string[] = [];
    createLogger({ level: 'info', destination: { write: (line) => void lines.push(line) }, journal: false }).info(
      { token: 'T0KEN', connection: { token: 'T0KEN', password: 'PW' } },
      'x',
    );
    expect(lines.join()).not.toMatch(/T0KEN|PW/);
  });
  test('errors are bridge errors', () => expect(() => fail('USAGE', 'x')).toThrow(BridgeError));
});
