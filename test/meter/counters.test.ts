/** Invocation counters: reserved, passed over, used up; and meters that are asked where they stand. */
import { afterEach, describe, expect, test } from 'vitest';
import type { MeterSettings } from '../../src/dlms/settings.ts';
import { readAttributes } from '../../src/meter/client.ts';
import { CounterPool, type CounterStore, unkeptCounters } from '../../src/meter/counters.ts';
import type { SecurityPorts } from '../../src/meter/session.ts';
import type { Logger } from '../../src/runtime/logger.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { defaultKeys } from '../../src/simulator/meter/meter-security.ts';
import { type Conversation, conversation } from '../support/conversation.ts';

const ENERGY = { classId: 3, instanceId: '1.0.1.8.0.255', attributeId: 2 };
const KEYS = defaultKeys(0);
const METER = { auth: 'low' as const, password: 'secret', security: 'both' as const, ...KEYS };
const SETTINGS: Partial<MeterSettings> = { authentication: 'low', security: 'both', systemTitle: '444d4d0000000001' };
const SECRETS = { secret: Buffer.from('secret'), ...KEYS };

let open: Conversation | null = null;
afterEach(async () => {
  await open?.end();
  open = null;
});

describe('the pool', () => {
  test('what the meter expects within the portion at hand costs no other portion', async () => {
    const store = unkeptCounters();
    const pool = new CounterPool(store);
    await pool.ensure(1);
    await pool.raise(5);
    expect(pool.take()).toBe(5);
    expect(await store.reserve(1)).toBe(16);
  });

  test('what it expects beyond is reserved anew; it never goes back', async () => {
    const pool = new CounterPool(unkeptCounters());
    await pool.ensure(1);
    await pool.raise(1000);
    await pool.ensure(1);
    expect(pool.take()).toBe(1000);
    await pool.raise(3);
    await pool.ensure(1);
    expect(pool.take()).toBe(1001);
  });

  test('the last counters are used, none after them', async () => {
    const store = unkeptCounters();
    const pool = new CounterPool(store);
    await store.raise(2 ** 32 - 16);
    await pool.ensure(16);
    for (let left = 16; left > 0; left -= 1) pool.take();
    await expect(pool.ensure(1)).rejects.toMatchObject({ code: 'COUNTER_EXHAUSTED', fault: 'credentials' });
  });
});

/** A conversation whose counters nobody has kept. */
async function read(
  ports: Partial<SecurityPorts>,
  meter = {},
  counters: CounterStore = unkeptCounters(),
  log = silentLogger,
) {
  open = await conversation({ ...METER, ...meter }, SETTINGS, SECRETS, counters, { ports, log });
  const talking = open;
  const reading = await talking
    .run((session) => readAttributes(session, [ENERGY]))
    .then(
      ([result]) => 'data' in (result ?? {}),
      (error: { code: string }) => error.code,
    );
  const aarqs = talking.sent.filter(({ octets }) => octets[8] === 0x60 && octets.includes(0xa6));
  return { reading, aarqs: aarqs.length };
}

describe('a title whose counters nobody has kept', () => {
  test('is used when the meter shows where they stand', async () => {
    expect(await read({ countersUnknown: true }, { invocationCounter: 5000 })).toEqual({ reading: true, aarqs: 1 });
  });

  test('is refused, with nothing sent under it, when the meter does not', async () => {
    const meter = { auth: 'low', password: 'secret', faults: ['silent'] };
    expect(await read({ countersUnknown: true }, meter)).toEqual({ reading: 'COUNTER_UNKNOWN', aarqs: 0 });
    // It stays so: a portion that is at hand makes no difference.
    const again = await open?.run((session) => readAttributes(session, [ENERGY])).catch((error: unknown) => error);
    expect(again).toMatchObject({ code: 'COUNTER_UNKNOWN', fault: 'config' });
  });

  test('kept counters are used without asking', async () => {
    const counters = unkeptCounters();
    await counters.reserve(1);
    expect(await read({}, {}, counters)).toEqual({ reading: true, aarqs: 1 });
  });
});

test.each([
  [1_999_999_000, 0],
  [2_000_000_000, 1],
  [3_999_999_000, 1],
])('a counter of %i is told of %i times', async (counter, times) => {
  const warned: unknown[] = [];
  const log = {
    ...silentLogger,
    warn: (fields: unknown) => void warned.push(fields),
    child: () => log,
  } as unknown as Logger;
  const counters = unkeptCounters();
  await counters.raise(counter);
  expect(await read({}, { invocationCounter: counter - 1 }, counters, log)).toMatchObject({ reading: true });
  expect(warned.filter((fields) => JSON.stringify(fields).includes('"left"'))).toHaveLength(times);
});
