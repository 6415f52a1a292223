/** Quirks of the session: what goes over the line to a virtual meter with them, and without. */
import { afterEach, describe, expect, test } from 'vitest';

import type { Quirks } from '../../src/dlms/quirks.ts';
import { DEFAULT_METER_SETTINGS, type MeterSecrets, type MeterSettings } from '../../src/dlms/settings.ts';
import { readAttributes } from '../../src/meter/client.ts';
import { CounterPool, type CounterStore, unkeptCounters } from '../../src/meter/counters.ts';
import type { VirtualMetersOptions } from '../../src/simulator/meter/fleet.ts';
import { defaultKeys } from '../../src/simulator/meter/meter-security.ts';
import { type Conversation, conversation } from '../support/conversation.ts';

const ENERGY = { classId: 3, instanceId: '1.0.1.8.0.255', attributeId: 2 };
const UNIT = { ...ENERGY, attributeId: 3 };
const HEADER = 8;
const RLRQ = 0x62;
const GET = 0xc0;
const WITH_LIST = 3;

let open: Conversation | null = null;
afterEach(async () => {
  await open?.end();
  open = null;
});

interface Case {
  readonly meter?: Partial<VirtualMetersOptions>;
  readonly settings?: Partial<MeterSettings>;
  readonly secrets?: Partial<MeterSecrets>;
  readonly counters?: CounterStore;
}

async function talk(quirks: Partial<Quirks>, { meter, settings, secrets, counters }: Case = {}): Promise<Conversation> {
  open = await conversation(meter, { ...settings, quirks }, secrets, counters);
  return open;
}

/** APDUs in wrapper framing, as they were written. */
const apdus = ({ sent }: Conversation): Uint8Array[] => sent.map(({ octets }) => octets.subarray(HEADER));

test('no-release: nothing is sent when the association ends', async () => {
  const tags = async (quirks: Partial<Quirks>): Promise<number[]> => {
    const talking = await talk(quirks);
    await talking.run(async (session) => {
      await readAttributes(session, [ENERGY]);
      await session.release();
      expect(session.isAssociated).toBe(false);
    });
    const sent = apdus(talking).map(([tag]) => tag ?? 0);
    await talking.end();
    open = null;
    return sent;
  };
  expect(await tags({})).toContain(RLRQ);
  expect(await tags({ noRelease: true })).not.toContain(RLRQ);
});

test('no-release over HDLC: the link is disconnected all the same', async () => {
  const talking = await talk({ noRelease: true }, { meter: { framing: 'hdlc' } });
  await talking.run((session) => session.release());
  const DISC = 0x53;
  expect(talking.sent.at(-1)?.octets).toContain(DISC);
});

describe('lists', () => {
  const forms = (talking: Conversation): number[][] =>
    apdus(talking)
      .filter(([tag]) => tag === GET)
      .map((apdu) => (apdu[1] === WITH_LIST ? [apdu[1], apdu[3] ?? 0] : [apdu[1] ?? 0]));
  const attributes = [ENERGY, UNIT, ENERGY, UNIT, ENERGY];

  test.each<[Partial<Quirks>, number[][]]>([
    [{}, [[3, 5]]],
    [{ listLimit: 2 }, [[3, 2], [3, 2], [1]]],
    [{ listLimit: 1 }, [[1], [1], [1], [1], [1]]],
    [{ noList: true }, [[1], [1], [1], [1], [1]]],
  ])('%o', async (quirks, expected) => {
    const talking = await talk(quirks);
    const results = await talking.run((session) => readAttributes(session, attributes));
    expect(results).toHaveLength(5);
    expect(forms(talking)).toEqual(expected);
  });
});

const KEYS = defaultKeys(0);
const CIPHERED: Case = {
  meter: { auth: 'low', password: 'secret', security: 'both', ...KEYS },
  settings: { authentication: 'low', security: 'both' },
  secrets: { secret: Buffer.from('secret'), ...KEYS },
};

test.each([
  [false, '08444d4d0000000001'],
  [true, '00'],
])('empty-system-title %s', async (emptySystemTitle, title) => {
  const settings = { ...CIPHERED.settings, systemTitle: '444d4d0000000001' };
  const talking = await talk({ emptySystemTitle }, { ...CIPHERED, settings });
  const [result] = await talking.run((session) => readAttributes(session, [ENERGY]));
  expect(result).toHaveProperty('data');
  const get = apdus(talking).find(([tag]) => tag === 0xdb);
  expect(
    Buffer.from(get ?? [])
      .toString('hex')
      .slice(2),
  ).toMatch(new RegExp(`^${title}`));
});

test('public-wait: so long after the public association the other one is opened', async () => {
  const pause = async (publicWait: number): Promise<number> => {
    const talking = await talk({ publicWait }, CIPHERED);
    await talking.run((session) => readAttributes(session, [ENERGY]));
    const tags = apdus(talking).map(([tag]) => tag);
    const released = tags.indexOf(RLRQ);
    expect(tags[released + 1]).toBe(0x60);
    const waited = (talking.sent[released + 1]?.at ?? 0) - (talking.sent[released]?.at ?? 0);
    await talking.end();
    open = null;
    return waited;
  };
  expect(await pause(0)).toBeLessThan(1000);
  expect(await pause(20_000)).toBeGreaterThanOrEqual(20_000);
});

test.each<[Partial<Quirks>, { switchWaitMs: number; switchBaud: boolean }]>([
  [{}, { switchWaitMs: 400, switchBaud: true }],
  [{ baudSwitchWait: 2000 }, { switchWaitMs: 2000, switchBaud: true }],
  [{ noBaudSwitch: true }, { switchWaitMs: 400, switchBaud: false }],
])('%o: the line is opened so for this meter', async (quirks, style) => {
  const talking = await talk(quirks);
  await talking.run((session) => readAttributes(session, [ENERGY]));
  expect(talking.styles).toEqual([style]);
});

describe('first-counter', () => {
  test('no counter below it is taken, and none is wasted for it', async () => {
    const store = unkeptCounters();
    const pool = new CounterPool(store, 1);
    expect(await pool.ensure(2)).toBe(true);
    expect([pool.take(), pool.take()]).toEqual([1, 2]);
  });

  test('one far ahead is reserved first', async () => {
    const pool = new CounterPool(unkeptCounters(), 5000);
    expect(await pool.ensure(2)).toBe(true);
    expect(pool.take()).toBe(5000);
  });

  test('counters beyond it stay as they are', async () => {
    const store = unkeptCounters();
    await store.reserve(7000);
    const pool = new CounterPool(store, 5000);
    expect(await pool.ensure(2)).toBe(false);
    expect(pool.take()).toBe(7000);
  });

  test('the AARQ carries it', async () => {
    const talking = await talk({ firstCounter: 1_000_000 }, CIPHERED);
    await talking.run((session) => readAttributes(session, [ENERGY]));
    const aarq = apdus(talking)
      .filter(([tag]) => tag === 0x60)
      .at(-1);
    // Security control 30, then the counter.
    expect(
      Buffer.from(aarq ?? [])
        .toString('hex')
        .includes('30000f4240'),
    ).toBe(true);
  });
});

test('hls-variant: both sides have to mean the same', async () => {
  const secret = Buffer.from('secret');
  const read = async (ours: Quirks['hlsVariant'], theirs: Quirks['hlsVariant']): Promise<unknown> => {
    const meter = { auth: 'high' as const, password: 'secret', hlsVariant: theirs };
    const talking = await talk(
      { hlsVariant: ours },
      { meter, settings: { authentication: 'high' }, secrets: { secret } },
    );
    const outcome = await talking
      .run((session) => readAttributes(session, [ENERGY]))
      .then(
        ([result]) => 'data' in (result ?? {}),
        (error: { code: string }) => error.code,
      );
    await talking.end();
    open = null;
    return outcome;
  };
  expect(await read('aes-ecb', 'aes-ecb')).toBe(true);
  expect(await read('aes-ecb-reversed', 'aes-ecb-reversed')).toBe(true);
  expect(await read('aes-ecb', 'aes-ecb-reversed')).toBe('AUTHENTICATION_FAILED');
});

test('settings that were stored before there were quirks have none', () => {
  expect(DEFAULT_METER_SETTINGS.quirks).toEqual({});
});
