/** A profile poller with a meter that captures quarter hours in local time; both live by a clock that is moved by hand. */
import { BridgeError } from '../../src/core/errors.ts';
import type { Data } from '../../src/dlms/axdr/data.ts';
import { cosemDateTimeOf, dateTimeBytes, dateTimeOf, utcOf } from '../../src/dlms/axdr/date-time.ts';
import { zoneAround } from '../../src/dlms/cosem/meter-time.ts';
import type { CaptureObject } from '../../src/dlms/cosem/profile-generic.ts';
import type { AccessSelection } from '../../src/dlms/xdlms/services.ts';
import type { MeterJob } from '../../src/line/worker-types.ts';
import { knowledgeOf } from '../../src/meter/knowledge.ts';
import { CycleStore } from '../../src/polling/cycle-store.ts';
import type { PollingEvents, ProfileCommitted } from '../../src/polling/events.ts';
import { ProfilePoller } from '../../src/polling/profile-poller.ts';
import { markOf } from '../../src/polling/profile-scan.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { EventBus } from '../../src/runtime/events.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { NewProfile } from '../../src/store/fleet/types.ts';
import type { CycleCommit } from '../../src/store/local/types.ts';
import { profileMeter } from '../support/profile-meter.ts';

export const QUARTER = 900_000;
export const HOUR = 3_600_000;
export const PROFILE = '1.0.99.1.0.255';
const ZONE = { timeZone: 'Europe/Madrid' };
export const CLOCK: CaptureObject = { classId: 8, obis: '0.0.1.0.0.255', attribute: 2, dataIndex: 0 };
export const ENERGY: CaptureObject = { classId: 3, obis: '1.0.1.8.0.255', attribute: 2, dataIndex: 0 };

export interface FollowOptions {
  readonly begin: number;
  /** Rows that the meter has room for. */
  readonly room?: number;
  readonly backfillFrom?: number | 'all';
  /** Selectors that the meter takes. */
  readonly selectors?: readonly number[];
}

/** Local time without deviation and without the daylight saving bit: the least that a meter may tell. */
function localTime(utc: number): Data {
  const local = cosemDateTimeOf(utc, zoneAround(utc, ZONE).now);
  return { type: 'octet-string', value: dateTimeBytes({ ...local, deviation: null, hundredths: null }) };
}

/** A value that tells its row. */
export function energyAt(at: number): number {
  return Math.floor(at / QUARTER) % 1_000_000;
}

export function followBench({ begin, room = 10_000, backfillFrom = 'all', selectors = [1, 2] }: FollowOptions) {
  const clock = new VirtualClock(begin);
  const rows: (readonly Data[])[] = [];
  const captured: number[] = [];
  const state = { failing: 0, captures: true, cut: 0, meterOffset: 0 };

  const capture = (at: number): void => {
    if (!state.captures) return;
    captured.push(at);
    rows.push([localTime(at), { type: 'double-long-unsigned', value: energyAt(at) }]);
    if (rows.length > room) rows.splice(0, rows.length - room);
  };
  const captureNext = (): void => {
    const at = (Math.floor(clock.now() / QUARTER) + 1) * QUARTER;
    clock.setTimer(at - clock.now(), () => {
      capture(at);
      captureNext();
    });
  };
  captureNext();

  const select = ({ selector, parameters }: AccessSelection): readonly (readonly Data[])[] | number => {
    if (!selectors.includes(selector) || parameters.type !== 'structure') return 13;
    if (selector === 2) {
      const [first, last] = parameters.value.map((value) => ('value' in value ? Number(value.value) : 0));
      return rows.slice((first ?? 1) - 1, last === 0 ? undefined : last);
    }
    const [, from, to] = parameters.value.map((value) => {
      const bound = dateTimeOf(value);
      return bound === null ? 0 : (utcOf(bound) ?? 0);
    });
    const kept = captured.slice(-rows.length);
    return rows.filter((_, index) => (from ?? 0) <= kept[index]! && kept[index]! <= (to ?? 0));
  };
  const { session, selections } = profileMeter({
    columns: [CLOCK, ENERGY],
    rows,
    select,
    timeZone: ZONE.timeZone,
    scalers: { '3:1.0.1.8.0.255': { scaler: 0, unit: 30 } },
    attributes: {
      4: { type: 'double-long-unsigned', value: 900 },
      5: { type: 'enum', value: 1 },
      get 7(): Data {
        return { type: 'double-long-unsigned', value: rows.length };
      },
      8: { type: 'double-long-unsigned', value: room },
    },
    clock: {
      get 2(): Data {
        return localTime(clock.now() + state.meterOffset);
      },
    },
  });

  const events = new EventBus<PollingEvents>((error) => {
    throw error;
  });
  const parts: ProfileCommitted[] = [];
  const failed: string[] = [];
  events.on('profile', (part) => void parts.push(part));
  events.on('profileFailed', ({ error }) => void failed.push(error.code));
  const commits: CycleCommit[] = [];
  const learned = new Map<string, string>();
  const writer = {
    async commitCycle(commit: CycleCommit) {
      commits.push(commit);
      for (const { kind, json } of commit.learned ?? []) learned.set(kind, json);
      return [];
    },
  };
  const line = {
    restMs: () => 0,
    async submit<T>(job: MeterJob<T>): Promise<T> {
      if (state.failing > 0) {
        state.failing -= 1;
        throw new BridgeError('METER_TIMEOUT', 'silence');
      }
      return job.run(session);
    },
  };
  const profile: NewProfile = {
    ...{ obis: PROFILE, kind: 'load', intervalMs: HOUR, columns: [], eventNames: {}, backfillFrom },
  };
  const newPoller = (): ProfilePoller => {
    const store = new CycleStore({ writer, clock, events });
    const knowledge = knowledgeOf(learned);
    const mark = markOf(learned, profile);
    const meter = { id: 1, name: 'house1', connectionIds: [1] };
    return new ProfilePoller(meter, profile, { line, knowledge, store, clock, events, log: silentLogger, mark });
  };
  let poller = newPoller();
  return {
    clock,
    state,
    captured,
    rows,
    parts,
    failed,
    commits,
    learned,
    selections,
    start: () => poller.start(),
    stop: () => poller.stop(),
    /** As after kill -9: only what was committed is known. */
    async restart(): Promise<void> {
      await poller.stop();
      poller = newPoller();
      poller.start();
    },
    /** Published readings of a key, in the order of publication. */
    published: (key: string) =>
      commits
        .flatMap(({ readings }) => readings.filter((reading) => reading.key === key))
        .map(({ ts, value }) => ({ ts, value })),
  };
}
