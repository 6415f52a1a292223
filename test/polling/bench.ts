/** A poller with a line and a writer that are told what to do; the clock is moved by hand. */
import type { BridgeError } from '../../src/core/errors.ts';
import { NO_QUIRKS } from '../../src/dlms/quirks.ts';
import type { MeterJob } from '../../src/line/worker-types.ts';
import { knowledgeOf } from '../../src/meter/knowledge.ts';
import type { MeterSession } from '../../src/meter/session.ts';
import type { CycleCommitted, PollingEvents } from '../../src/polling/events.ts';
import { MeterPoller, type PolledGroup } from '../../src/polling/poller.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { EventBus } from '../../src/runtime/events.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { CycleCommit, Writer } from '../../src/store/local/types.ts';

export const NOON = Date.UTC(2026, 5, 1, 12);
export const VOLTAGE: PolledGroup = {
  groupId: 1,
  intervalMs: 10_000,
  points: [{ classId: 3, obis: '1.0.32.7.0.255', attribute: 2, key: 'voltageL1' }],
};
export const ENERGY: PolledGroup = {
  groupId: 2,
  intervalMs: 60_000,
  points: [{ classId: 3, obis: '1.0.1.8.0.255', attribute: 2, key: 'energy' }],
};

/** A session that answers every attribute: value 2305, scaler -1, V. */
function fakeSession(
  asked: string[][],
  state: { readonly refuseScalers: boolean; readonly busy: boolean[] },
): MeterSession {
  return {
    counts: { roundTrips: 0, bytesSent: 0, bytesReceived: 0 },
    isAssociated: true,
    longestList: 255,
    shortNames: null,
    quirks: NO_QUIRKS,
    async get(attributes: readonly { instanceId: string; attributeId: number }[]) {
      asked.push(attributes.map(({ instanceId, attributeId }) => `${instanceId}:${attributeId}`));
      return attributes.map(({ instanceId, attributeId }) => {
        if (instanceId === '8.8.8.8.8.8' && state.busy.shift() === true)
          return { dataAccessResult: { code: 2, name: 'temporary-failure' } };
        if (instanceId === '9.9.9.9.9.9') return { dataAccessResult: { code: 4, name: 'object-undefined' } };
        if (attributeId === 3 && state.refuseScalers)
          return { dataAccessResult: { code: 3, name: 'read-write-denied' } };
        if (attributeId === 2) return { data: { type: 'long-unsigned', value: 2305 } };
        return {
          data: {
            type: 'structure',
            value: [
              { type: 'integer', value: -1 },
              { type: 'enum', value: 35 },
            ],
          },
        };
      });
    },
  } as unknown as MeterSession;
}

export function bench(groups: readonly PolledGroup[] = [VOLTAGE, ENERGY]) {
  const clock = new VirtualClock(NOON);
  const events = new EventBus<PollingEvents>((error) => {
    throw error;
  });
  const asked: string[][] = [];
  const state = {
    refuseScalers: false,
    /** Whether the object 8.8.8.8.8.8 is busy when it is asked next, and then. */
    busy: [] as boolean[],
    failWith: null as BridgeError | null,
    restMs: 0,
    /** The meter rests for so long from each failure on. */
    restAfterFailure: 0,
    restsUntil: 0,
    pollMs: 0,
    commitMs: 0,
    commitFails: [] as BridgeError[],
    jobs: 0,
  };
  const session = fakeSession(asked, state);
  const commits: CycleCommit[] = [];
  const line = {
    restMs: () => Math.max(state.restMs, state.restsUntil - clock.monotonic()),
    async submit<T>(job: MeterJob<T>): Promise<T> {
      state.jobs += 1;
      if (state.pollMs > 0) await new Promise<void>((resolve) => void clock.setTimer(state.pollMs, resolve));
      if (state.failWith !== null) {
        state.restsUntil = clock.monotonic() + state.restAfterFailure;
        throw state.failWith;
      }
      return job.run(session);
    },
  };
  const writer = {
    async commitCycle(commit: CycleCommit) {
      if (state.commitMs > 0) await new Promise<void>((resolve) => void clock.setTimer(state.commitMs, resolve));
      const failure = state.commitFails.shift();
      if (failure !== undefined) throw failure;
      commits.push(commit);
      return [commits.length];
    },
  } as unknown as Writer;
  const committed: CycleCommitted[] = [];
  const failed: string[] = [];
  let late = 0;
  events.on('committed', (cycle) => void committed.push(cycle));
  events.on('failed', ({ error }) => void failed.push(error.code));
  const unstored: string[] = [];
  events.on('unstored', ({ error }) => void unstored.push(error.code));
  events.on('late', () => {
    late += 1;
  });
  const poller = new MeterPoller(
    { id: 1, name: 'house1', groups, connectionIds: [7] },
    { line, knowledge: knowledgeOf(new Map()), writer, clock, events, log: silentLogger },
  );
  return { clock, poller, state, asked, commits, committed, failed, unstored, late: () => late };
}
