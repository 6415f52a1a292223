/** What a meter is asked at a new association, what is made of it, and its clock being set; the clock is moved by hand. */
import { expect, test } from 'vitest';
import { decimal } from '../../src/core/decimal.ts';
import { BridgeError } from '../../src/core/errors.ts';
import type { Data } from '../../src/dlms/axdr/data.ts';
import { cosemDateTimeOf, dateTimeBytes, dateTimeOf, utcOf } from '../../src/dlms/axdr/date-time.ts';
import type { AttributeValue } from '../../src/dlms/exchange/set-exchange.ts';
import { NO_QUIRKS } from '../../src/dlms/quirks.ts';
import { dataAccessResult } from '../../src/dlms/xdlms/data-access-result.ts';
import type { AttributeReference } from '../../src/dlms/xdlms/services.ts';
import type { MeterJob } from '../../src/line/worker-types.ts';
import { knowledgeOf } from '../../src/meter/knowledge.ts';
import type { MeterSession } from '../../src/meter/session.ts';
import type { ClockDrift, PollingEvents } from '../../src/polling/events.ts';
import { MeterReader, type ReadMeter } from '../../src/polling/meter-reader.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { EventBus } from '../../src/runtime/events.ts';
import { HostTime } from '../../src/runtime/host-time.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { CycleCommit, Writer } from '../../src/store/local/types.ts';
import { VOLTAGE } from './bench.ts';

const BEGIN = Date.UTC(2026, 5, 1, 12, 2);

function scene(changes: Partial<ReadMeter> = {}, begin = BEGIN) {
  const clock = new VirtualClock(begin);
  const state = { offset: 0, serial: '1', refuses: false, setResult: 0 };
  const asked: string[][] = [];
  const sets: number[] = [];
  const time = (): Data => ({
    type: 'octet-string',
    value: dateTimeBytes(cosemDateTimeOf(clock.now() + state.offset, -60)),
  });
  const text = (value: string): Data => ({ type: 'visible-string', value });
  const answer = ({ classId, instanceId, attributeId }: AttributeReference) => {
    if (classId === 8) return attributeId === 2 ? { data: time() } : { dataAccessResult: dataAccessResult(3) };
    if (classId === 1 && state.refuses) return { dataAccessResult: dataAccessResult(4) };
    if (classId === 1) return { data: text(instanceId === '0.0.42.0.0.255' ? `ABC${state.serial}` : state.serial) };
    if (attributeId === 2) return { data: { type: 'long-unsigned', value: 2305 } };
    const scaler = { type: 'integer', value: -1 };
    return { data: { type: 'structure', value: [scaler, { type: 'enum', value: 35 }] } };
  };
  const session = {
    counts: { roundTrips: 0, bytesSent: 0, bytesReceived: 0 },
    ...{ isAssociated: true, longestList: 255, shortNames: null, quirks: NO_QUIRKS, timeZone: null, associations: 1 },
    async get(attributes: readonly AttributeReference[]) {
      asked.push(attributes.map(({ classId, instanceId, attributeId }) => `${classId}:${instanceId}:${attributeId}`));
      session.counts.roundTrips += 1;
      return attributes.map(answer);
    },
    async set([one]: readonly AttributeValue[]) {
      if (state.setResult !== 0) return [dataAccessResult(state.setResult)];
      const written = one === undefined ? null : dateTimeOf(one.value);
      const utc = written === null ? null : utcOf(written);
      sets.push(clock.now());
      if (utc !== null) state.offset = utc - clock.now();
      return [dataAccessResult(0)];
    },
  };
  const events = new EventBus<PollingEvents>((error) => {
    throw error;
  });
  const commits: CycleCommit[] = [];
  const drifts: ClockDrift[] = [];
  const strangers: (string | null)[] = [];
  events.on('drift', (drift) => void drifts.push(drift));
  events.on('identified', ({ identity }) => void strangers.push(identity.stranger?.serialNumber ?? null));
  const learned = new Map<string, string>();
  const writer = {
    async commitCycle(commit: CycleCommit) {
      commits.push(commit);
      for (const { kind, json } of commit.learned ?? []) learned.set(kind, json);
      return [];
    },
  } as unknown as Writer;
  const line = {
    restMs: () => 0,
    submit: <T>(job: MeterJob<T>): Promise<T> => job.run(session as unknown as MeterSession),
  };
  const meter: ReadMeter = {
    ...{ id: 1, name: 'house1', groups: [VOLTAGE], profiles: [], connectionIds: [7] },
    ...{ followsClock: true, clockLimits: { limitMs: 60_000, setWithinMs: 0 }, ...changes },
  };
  const hostTime = new HostTime(clock, () => null, 'p');
  const deps = { line, knowledge: knowledgeOf(learned), learned, writer, clock, hostTime, events, log: silentLogger };
  const reader = new MeterReader(meter, deps);
  const readings = () => commits.flatMap((commit) => commit.readings);
  return { clock, state, session, asked, sets, commits, drifts, strangers, reader, readings, learned };
}

const IDENTITY = ['1:0.0.42.0.0.255:2', '1:0.0.96.1.0.255:2', '8:0.0.1.0.0.255:2'];

test('a new association is asked in the request of the points, a standing one is not asked', async () => {
  const { clock, reader, asked, session, readings, commits } = scene();
  reader.start();
  await clock.advance(30_000);
  session.associations += 1;
  await clock.advance(10_000);
  await reader.stop();
  expect(asked).toEqual([
    ['3:1.0.32.7.0.255:2', '3:1.0.32.7.0.255:3', ...IDENTITY],
    ['3:1.0.32.7.0.255:2'],
    ['3:1.0.32.7.0.255:2'],
    ['3:1.0.32.7.0.255:2', ...IDENTITY],
  ]);
  expect(readings().map(({ key }) => key)).toEqual([
    'voltageL1',
    'clockDrift',
    'voltageL1',
    'voltageL1',
    'voltageL1',
    'clockDrift',
  ]);
  expect(commits[0]?.learned?.map(({ kind }) => kind)).toContain('identity');
  expect(commits.every(({ withheld }) => withheld == null)).toBe(true);
});

test('objects that a meter does not have are asked again slowly, and it is not judged', async () => {
  const { clock, reader, asked, session, state, strangers } = scene({ followsClock: false });
  state.refuses = true;
  reader.start();
  for (let cycle = 0; cycle < 6; cycle += 1) {
    await clock.advance(10_000);
    session.associations += 1;
  }
  await reader.stop();
  expect(asked.filter((attributes) => attributes.length > 2)).toHaveLength(1);
  expect(strangers).toEqual([]);
});

test('a stranger is kept back and said once; the meter that comes back is not', async () => {
  const { clock, reader, session, state, commits, strangers } = scene();
  reader.start();
  const next = async (serial: string): Promise<void> => {
    state.serial = serial;
    session.associations += 1;
    await clock.advance(20_000);
  };
  for (const serial of ['1', '2', '2', '1']) await next(serial);
  await reader.stop();
  expect(commits.map(({ withheld }) => withheld?.reason.startsWith('identity: ') ?? false)).toEqual(
    [0, 0, 1, 1, 1, 1, 0, 0].map(Boolean),
  );
  expect(strangers).toEqual([null, '2', null]);
});

test('a clock that is off is told, and set where that is wanted, once a day', async () => {
  const { clock, reader, session, state, drifts, sets, learned } = scene({
    clockLimits: { limitMs: 60_000, setWithinMs: 300_000 },
  });
  state.offset = 90_000;
  reader.start();
  await clock.advance(10_000);
  expect(sets).toHaveLength(1);
  expect(drifts).toMatchObject([{ driftMs: 90_005, wasSet: true, error: null }]);
  expect(state.offset).toBe(0);
  expect(learned.get('clock-set')).toBe(String(sets[0]));
  state.offset = -90_000;
  session.associations += 1;
  await clock.advance(10_000);
  expect(drifts.at(-1)).toMatchObject({ driftMs: -89_995, wasSet: false });
  await reader.stop();
});

test('one that cannot be set says why, one beyond the most is left', async () => {
  const limits = { clockLimits: { limitMs: 60_000, setWithinMs: 300_000 } };
  const refused = scene(limits);
  refused.state.offset = 90_000;
  refused.state.setResult = 3;
  refused.reader.start();
  await refused.clock.advance(10_000);
  await refused.reader.stop();
  expect(refused.drifts[0]?.error).toBeInstanceOf(BridgeError);
  const far = scene(limits);
  far.state.offset = 301_000;
  far.reader.start();
  await far.clock.advance(10_000);
  await far.reader.stop();
  expect(far.drifts).toMatchObject([{ wasSet: false, error: null }]);
  expect(far.sets).toEqual([]);
});

test('drift is measured against no clock that is not believed, and what it stamps is marked and kept back', async () => {
  const { clock, reader, readings, commits, session } = scene({}, 0);
  reader.start();
  await clock.advance(20_000);
  expect(readings().map(({ key, quality }) => [key, quality])).toEqual([
    ['voltageL1', 'unsynchronised'],
    ['voltageL1', 'unsynchronised'],
  ]);
  expect(commits.every(({ withheld }) => withheld?.reason === 'clock: p.1')).toBe(true);
  clock.stepWall(BEGIN);
  await clock.advance(30_000);
  session.associations += 1;
  await clock.advance(10_000);
  await reader.stop();
  expect(readings().at(-1)).toMatchObject({ key: 'clockDrift', value: decimal(0, -1), unit: 's' });
  expect(commits.at(-1)?.withheld ?? null).toBeNull();
});
