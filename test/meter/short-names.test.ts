/** A client of short names with virtual meters: every authentication level and policy, both framings, whatever the service. */
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import type { Data } from '../../src/dlms/axdr/data.ts';
import type { AuthenticationLevel, MeterSecrets, MeterSettings } from '../../src/dlms/settings.ts';
import { callMethod, classOf, writeAttribute } from '../../src/meter/changes.ts';
import { readAttributes, readObjectList } from '../../src/meter/client.ts';
import { type CounterStore, unkeptCounters } from '../../src/meter/counters.ts';
import { knowledgeOf } from '../../src/meter/knowledge.ts';
import { readClock, setClock } from '../../src/meter/meter-clock.ts';
import { readPoints } from '../../src/meter/points.ts';
import { readProfile } from '../../src/meter/profile.ts';
import type { MeterSession } from '../../src/meter/session.ts';
import type { VirtualMetersOptions } from '../../src/simulator/meter/fleet.ts';
import { type Conversation, conversation } from '../support/conversation.ts';

const KEYS = {
  blockCipherKey: fromHex('000102030405060708090a0b0c0d0e0f'),
  authenticationKey: fromHex('d0d1d2d3d4d5d6d7d8d9dadbdcdddedf'),
};
const SECRET = 'secret of sixtee';
const ENERGY = { classId: 3, instanceId: '1.0.1.8.0.255', attributeId: 2 };
const NOTES = { classId: 1, instanceId: '0.0.96.50.0.255', attributeId: 2 };
const RELAY = { classId: 70, instanceId: '0.0.96.3.10.255' };
const LOAD = '1.0.99.1.0.255';

/** A meter of short names, and a client that knows it. */
function shortNamed(
  meter: Partial<VirtualMetersOptions> = {},
  settings: Partial<MeterSettings> = {},
  secrets: Partial<MeterSecrets> = {},
  counters: CounterStore = unkeptCounters(),
): Promise<Conversation> {
  return conversation({ referencing: 'sn', ...meter }, { referencing: 'sn', ...settings }, secrets, counters);
}

async function inConversation<T>(line: Conversation, action: (session: MeterSession) => Promise<T>): Promise<T> {
  try {
    return await line.run(action);
  } finally {
    await line.end();
  }
}

async function readEnergy(session: MeterSession): Promise<string> {
  const [result] = await readAttributes(session, [ENERGY]);
  return result !== undefined && 'data' in result ? result.data.type : 'refused';
}

describe.each(['wrapper', 'hdlc'] as const)('%s', (framing) => {
  test.each<AuthenticationLevel>(['none', 'low', 'high', 'md5', 'sha1', 'sha256', 'gmac'])(
    'authentication %s',
    async (auth) => {
      const secrets = { secret: new TextEncoder().encode(SECRET), ...KEYS };
      const line = await shortNamed({ framing, auth, password: SECRET, ...KEYS }, { authentication: auth }, secrets);
      expect(await inConversation(line, readEnergy)).toBe('double-long-unsigned');
    },
  );

  test.each(['authenticated', 'encrypted', 'both'] as const)('security %s', async (security) => {
    const settings = { authentication: 'gmac', security } as const;
    const line = await shortNamed({ framing, auth: 'gmac', security, ...KEYS }, settings, KEYS);
    expect(await inConversation(line, readEnergy)).toBe('double-long-unsigned');
  });

  test('a dedicated key, and answers in blocks', async () => {
    const settings = { authentication: 'gmac', security: 'both', dedicatedKey: true, maxPdu: 200 } as const;
    const line = await shortNamed({ framing, auth: 'gmac', security: 'both', ...KEYS }, settings, KEYS);
    const { objects } = await inConversation(line, readObjectList);
    expect(objects.length).toBeGreaterThan(20);
  });

  test('a profile through small PDUs is what the meter recorded', async () => {
    const line = await shortNamed({ framing, maxPdu: 200 });
    const to = line.clock.now();
    const from = to - 86_400_000;
    const truth = line.meters.profileRows(0, LOAD, from, to);
    const { rows } = await inConversation(line, (session) =>
      readProfile(session, LOAD, { kind: 'range', from, to }, knowledgeOf(new Map())),
    );
    expect(rows.map(({ at }) => at)).toEqual(truth.map(({ at }) => at));
    expect(rows.length).toBeGreaterThan(90);
  });
});

test('the object list has what a list of logical names has, rights included', async () => {
  const inShort = async (referencing: 'ln' | 'sn') => {
    const line = await conversation({ referencing }, { referencing });
    const { objects, warnings } = await inConversation(line, readObjectList);
    expect(warnings).toEqual([]);
    return objects.filter(({ classId }) => classId !== 12 && classId !== 15);
  };
  expect(await inShort('sn')).toEqual(await inShort('ln'));
});

test('in the steady state a poll is one round trip; the names are read once and kept', async () => {
  const points = [1, 2, 3, 4, 15].map((c) => ({ classId: null, obis: `1.0.${c}.8.0.255`, attribute: 2 }));
  const line = await shortNamed();
  const knowledge = knowledgeOf(new Map());
  const [first, second] = await inConversation(line, async (session) => {
    const read = await readPoints(session, points, knowledge);
    const before = session.counts.roundTrips;
    await readPoints(session, points, knowledge);
    return [read, session.counts.roundTrips - before] as const;
  });
  expect(second).toBe(1);
  const kept = new Map(first.learned.map(({ kind, json }) => [kind, json]));
  expect([...kept.keys()]).toContain('short-names');

  const later = await shortNamed();
  const outcome = await inConversation(later, async (session) => {
    const known = knowledgeOf(kept);
    const before = session.counts.roundTrips;
    const { results, learned } = await readPoints(session, points, known);
    return { errors: results.map(({ error }) => error), learned, roundTrips: session.counts.roundTrips - before };
  });
  // One to look whether the objects are still what they were.
  expect(outcome).toEqual({ errors: points.map(() => null), learned: [], roundTrips: 2 });
});

test('names that no longer fit are noticed before they give a wrong value', async () => {
  const names = await inConversation(await shortNamed(), async (session) => {
    await readObjectList(session);
    return session.shortNames?.objects ?? [];
  });
  const at = (obis: string): number => names.findIndex((one) => one.obis === obis);
  const [energy, voltage] = [at('1.0.1.8.0.255'), at('1.0.32.7.0.255')];
  const swapped = names.map((one, index) => {
    const other = index === energy ? names[voltage] : index === voltage ? names[energy] : undefined;
    return { ...one, baseName: other?.baseName ?? one.baseName };
  });
  const stale = knowledgeOf(new Map([['short-names', JSON.stringify(swapped)]]));
  const point = { classId: 3, obis: '1.0.32.7.0.255', attribute: 2 };
  const { results, learned } = await inConversation(await shortNamed(), (session) =>
    readPoints(session, [point], stale),
  );
  expect(results[0]?.data?.type).toBe('long-unsigned');
  expect(learned.map(({ kind }) => kind)).toContain('short-names');
});

const octets = (length: number): Data => ({
  type: 'octet-string',
  value: Uint8Array.from({ length }, (_, index) => index & 0xff),
});

test.each([20, 6000])('what is written can be read, %i octets', async (length) => {
  const line = await shortNamed({ maxPdu: 256 });
  const [result] = await inConversation(line, async (session) => {
    await writeAttribute(session, NOTES, octets(length));
    return readAttributes(session, [NOTES]);
  });
  expect(result).toEqual({ data: octets(length) });
});

test('methods: those that return something are read, the others are written to', async () => {
  const line = await shortNamed();
  const all = await inConversation(line, async (session) => {
    const disconnected = await callMethod(session, { ...RELAY, methodId: 1 }, { type: 'integer', value: 0 });
    const [state] = await readAttributes(session, [{ ...RELAY, attributeId: 2 }]);
    const entries: Data = {
      type: 'structure',
      value: [
        { type: 'double-long-unsigned', value: 1 },
        { type: 'double-long-unsigned', value: 2 },
        { type: 'long-unsigned', value: 1 },
        { type: 'long-unsigned', value: 0 },
      ],
    };
    const rows = await callMethod(session, { classId: 7, instanceId: '1.0.98.1.0.255', methodId: 4 }, entries);
    return { disconnected, state, rows: rows?.type };
  });
  expect(all).toEqual({ disconnected: null, state: { data: { type: 'boolean', value: false } }, rows: 'array' });
});

test('what a meter refuses, or has not, comes as its error; the association stands', async () => {
  const codes = await inConversation(await shortNamed(), async (session) => {
    const codeOf = (action: Promise<unknown>): Promise<string> =>
      action.then(
        () => 'done',
        (error: { code: string }) => error.code,
      );
    const five: Data = { type: 'unsigned', value: 5 };
    const all = [
      await codeOf(writeAttribute(session, ENERGY, five)),
      await codeOf(writeAttribute(session, NOTES, five)),
      await codeOf(writeAttribute(session, { ...NOTES, instanceId: '9.9.9.9.9.9' }, five)),
      await codeOf(writeAttribute(session, { ...NOTES, classId: 3 }, five)),
      await codeOf(callMethod(session, { classId: 1, instanceId: NOTES.instanceId, methodId: 1 }, null)),
      await codeOf(classOf(session, { classId: null, obis: '9.9.9.9.9.9' }, knowledgeOf(new Map()))),
    ];
    expect(session.isAssociated).toBe(true);
    return all;
  });
  expect(codes).toEqual([
    'DATA_ACCESS_READ_WRITE_DENIED',
    'DATA_ACCESS_TYPE_UNMATCHED',
    'DATA_ACCESS_OBJECT_UNDEFINED',
    'DATA_ACCESS_OBJECT_CLASS_INCONSISTENT',
    'UNSUPPORTED',
    'DATA_ACCESS_OBJECT_UNDEFINED',
  ]);
});

test.each([
  ['no-list', 200],
  ['block0', 200],
  ['one-byte', 200],
  ['drop-association:6', 1024],
  ['no-list,block0,one-byte', 200],
] as const)('with the fault %s everything is read all the same', async (faults, maxPdu) => {
  const line = await shortNamed({ faults: faults.split(','), maxPdu });
  const points = ['1.0.1.8.0.255', '1.0.32.7.0.255'].map((obis) => ({ classId: null, obis, attribute: 2 }));
  const knowledge = knowledgeOf(new Map());
  const values: unknown[] = [];
  // A dropped association costs the attempt that finds it out.
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const read = await line.run((session) => readPoints(session, points, knowledge)).catch(() => null);
    values.push(...(read?.results.map(({ data }) => data?.type) ?? []));
  }
  await line.end();
  expect(values.length).toBeGreaterThanOrEqual(4);
  expect(new Set(values)).toEqual(new Set(['double-long-unsigned', 'long-unsigned']));
});

test('what the meter says, its truth has', async () => {
  const line = await shortNamed();
  await inConversation(line, readEnergy);
  expect(line.meters.truth()[0]?.said.map(({ obis }) => obis)).toEqual(['1.0.1.8.0.255']);
});

test('the invocation counter is asked for as the public client, in short names too', async () => {
  const raised: number[] = [];
  const kept = unkeptCounters();
  const counters = {
    ...kept,
    async raise(atLeast: number) {
      raised.push(atLeast);
      await kept.raise(atLeast);
    },
  };
  const settings = { authentication: 'gmac', security: 'both' } as const;
  const meter = { auth: 'gmac', security: 'both', invocationCounter: 77_000, ...KEYS } as const;
  const line = await shortNamed(meter, settings, KEYS, counters);
  expect(await inConversation(line, readEnergy)).toBe('double-long-unsigned');
  expect(raised).toEqual([77_001]);
});

test('the clock is read and set', async () => {
  const line = await shortNamed({ clockOffsetMs: 60_000 });
  const drift = await inConversation(line, async (session) => {
    const before = await readClock(session);
    await setClock(session, before, line.clock.now());
    const after = await readClock(session);
    return [before, after].map(({ at }) => Math.round(((at ?? 0) - line.clock.now()) / 1000));
  });
  expect(drift).toEqual([60, 0]);
});

test.each([
  ['a meter of short names asked by logical names', 'sn', 'ln'],
  ['a meter of logical names asked by short names', 'ln', 'sn'],
] as const)('%s says so', async (_, spoken, asked) => {
  const line = await conversation({ referencing: spoken }, { referencing: asked });
  await expect(inConversation(line, readEnergy)).rejects.toMatchObject({
    code: 'CONTEXT_NOT_SUPPORTED',
    hint: expect.stringContaining(`--referencing ${spoken}`),
  });
});
