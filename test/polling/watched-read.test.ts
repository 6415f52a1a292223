/** Polls that notice that a meter is not what it was: another scaler, another firmware, an energy that jumped. */
import { expect, test } from 'vitest';
import { decimal, decimalText, scaled } from '../../src/core/decimal.ts';
import { BridgeError } from '../../src/core/errors.ts';
import { NO_QUIRKS } from '../../src/dlms/quirks.ts';
import type { AttributeReference, GetResult } from '../../src/dlms/xdlms/services.ts';
import { type Knowledge, knowledgeOf, type LearnedFact } from '../../src/meter/knowledge.ts';
import type { MeterSession } from '../../src/meter/session.ts';
import { ValueWatch, type WatchedRead } from '../../src/polling/watched-read.ts';

const ENERGY = { key: 'energy', classId: 3, obis: '1.0.1.8.0.255', attribute: 2 };
const POWER = { key: 'power', classId: 3, obis: '1.0.1.7.0.255', attribute: 2 };
const FIRMWARE = { key: 'firmware', classId: 1, obis: '1.0.0.2.0.255', attribute: 2 };
const POINTS = [ENERGY, POWER, FIRMWARE];
const HOUR = 3_600_000;

/** A meter whose registers are to be changed, and the facts that a database would have of it. */
function bench() {
  const meter = { energy: 1000, power: 50, scaler: 0, firmware: 'V1', listLimit: Number.POSITIVE_INFINITY };
  const asked: string[][] = [];
  const facts = new Map<string, string>();
  let knowledge: Knowledge = knowledgeOf(facts);
  const answer = ({ instanceId, attributeId }: AttributeReference): GetResult => {
    if (instanceId === FIRMWARE.obis) return { data: { type: 'visible-string', value: meter.firmware } };
    const value = instanceId === ENERGY.obis ? meter.energy : meter.power;
    if (attributeId === 2) return { data: { type: 'double-long-unsigned', value } };
    return {
      data: {
        type: 'structure',
        value: [
          { type: 'integer', value: meter.scaler },
          { type: 'enum', value: 30 },
        ],
      },
    };
  };
  const session = {
    isAssociated: true,
    listLimit: Number.POSITIVE_INFINITY,
    quirks: NO_QUIRKS,
    shortNames: null,
    timeZone: null,
    get longestList() {
      return Math.min(100, session.listLimit);
    },
    async get(attributes: readonly AttributeReference[]) {
      asked.push(attributes.map(({ instanceId, attributeId }) => `${instanceId.split('.')[3]}:${attributeId}`));
      if (attributes.length > meter.listLimit) throw new BridgeError('EXCEPTION_RESPONSE', 'too long');
      return attributes.map(answer);
    },
  };
  const watch = new ValueWatch();
  return {
    meter,
    session,
    asked,
    facts,
    restart() {
      knowledge = knowledgeOf(facts);
      session.listLimit = Number.POSITIVE_INFINITY;
    },
    async poll(at: number, points = POINTS): Promise<WatchedRead> {
      asked.length = 0;
      const read = await watch.read(session as unknown as MeterSession, points, knowledge, at);
      for (const { kind, json } of read.learned as readonly LearnedFact[]) facts.set(kind, json);
      return read;
    },
  };
}

const energyOf = ({ results }: WatchedRead): string => {
  const [result] = results;
  const raw =
    result?.data !== null && result?.data !== undefined && 'value' in result.data ? Number(result.data.value) : NaN;
  return decimalText(scaled(decimal(raw), result?.scalerUnit?.scaler ?? 0));
};

test('steady state: values only, one request, nothing noticed', async () => {
  const { poll, asked, meter, restart } = bench();
  await poll(0);
  expect(asked).toEqual([['8:2', '8:3', '7:2', '7:3', '2:2']]);
  restart();
  meter.energy = 1100;
  expect((await poll(1)).noticed).toEqual([]);
  expect(asked).toEqual([['8:2', '7:2', '2:2']]);
});

test('another scaler, seen by its jump: the value published is the right one', async () => {
  const { poll, asked, meter, facts } = bench();
  await poll(0);
  Object.assign(meter, { energy: 1001, power: 50, scaler: 0 });
  await poll(1);
  Object.assign(meter, { energy: 100_200, power: 50, scaler: -2 });
  const read = await poll(2);
  expect(asked).toEqual([['8:2', '7:2', '2:2'], ['8:3'], ['8:2']]);
  expect(energyOf(read)).toBe('1002');
  expect(read.noticed).toEqual([
    { what: 'scaler', key: 'energy', obis: ENERGY.obis, before: '10^0, unit 30', after: '10^-2, unit 30' },
  ]);
  expect(JSON.parse(facts.get('scaler-unit:3:1.0.1.8.0.255') ?? '')).toEqual({ scaler: -2, unit: 30 });
  expect((await poll(3)).noticed).toEqual([]);
  expect(asked).toHaveLength(1);
});

test('an energy that jumps with the scaler that it had is noticed, each time', async () => {
  const { poll, asked, meter } = bench();
  await poll(0);
  meter.energy = 20_000;
  expect((await poll(1)).noticed).toMatchObject([{ what: 'jump', key: 'energy', before: '1000', after: '20000' }]);
  meter.energy = 10;
  expect((await poll(2)).noticed).toMatchObject([{ what: 'jump', before: '20000', after: '10' }]);
  // What was said once is not asked again: it would be a reading that nobody gets.
  expect(asked).toEqual([['8:2', '7:2', '2:2'], ['8:3']]);
});

test('a power may jump: its scaler is asked once an hour at most, and nobody is told', async () => {
  const { poll, asked, meter } = bench();
  await poll(0);
  const requests: number[] = [];
  for (const [at, power] of [
    [1, 5000],
    [2, 50],
    [3, 5000],
    [HOUR + 1, 50],
    [HOUR + 2, 5000],
  ] as const) {
    meter.power = power;
    expect((await poll(at)).noticed).toEqual([]);
    requests.push(asked.length);
  }
  expect(requests).toEqual([2, 1, 1, 2, 1]);
  meter.power = 0;
  await poll(3 * HOUR);
  meter.power = 90_000;
  await poll(4 * HOUR);
  expect(asked).toHaveLength(1);
});

test('another firmware: everything is asked again, over a restart too', async () => {
  const { poll, asked, meter, facts, restart } = bench();
  expect((await poll(0)).noticed).toEqual([]);
  restart();
  Object.assign(meter, { firmware: 'V2', energy: 10_010, scaler: -1 });
  const read = await poll(1);
  expect(asked).toEqual([
    ['8:2', '7:2', '2:2'],
    ['8:2', '8:3', '7:2', '7:3', '2:2'],
  ]);
  expect(energyOf(read)).toBe('1001');
  expect(read.noticed.map(({ what, key }) => [what, key])).toEqual([
    ['firmware', 'firmware'],
    ['scaler', 'energy'],
    ['scaler', 'power'],
  ]);
  expect(facts.get('firmware:1.0.0.2.0.255')).toBe('"V2"');
  // Objects that were not in this poll are asked again when their turn comes, by another process if need be.
  facts.set('scaler-unit:3:1.0.2.8.0.255', '{"scaler":0,"unit":30}');
  restart();
  meter.firmware = 'V3';
  await poll(2);
  restart();
  await poll(3, [{ ...ENERGY, key: 'export', obis: '1.0.2.8.0.255' }]);
  expect(asked).toEqual([['8:2', '8:3']]);
});

test('the length of lists that a meter takes is remembered, until it has another firmware', async () => {
  const { poll, asked, meter, facts, restart } = bench();
  meter.listLimit = 2;
  await poll(0);
  expect(asked.map(({ length }) => length)).toEqual([5, 2, 2, 1]);
  expect(facts.get('list-limit')).toBe('2');
  restart();
  await poll(1);
  expect(asked.map(({ length }) => length)).toEqual([2, 1]);
  restart();
  Object.assign(meter, { firmware: 'V2', listLimit: 100 });
  await poll(2);
  expect(asked.map(({ length }) => length)).toEqual([2, 1, 5]);
  restart();
  await poll(3);
  expect(asked.map(({ length }) => length)).toEqual([3]);
});
