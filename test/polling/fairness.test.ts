/** 40 meters on one RS-485 line at 9600 baud, three of them dead: what the others lose by it. */
import { expect, test } from 'vitest';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../src/dlms/settings.ts';
import { DeviceManager } from '../../src/line/device-manager.ts';
import { LineWorker } from '../../src/line/worker.ts';
import { unkeptCounters } from '../../src/meter/counters.ts';
import { knowledgeOf } from '../../src/meter/knowledge.ts';
import type { PollingEvents } from '../../src/polling/events.ts';
import { MeterPoller } from '../../src/polling/poller.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { EventBus } from '../../src/runtime/events.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { startVirtualMeters } from '../../src/simulator/meter/fleet.ts';
import type { Writer } from '../../src/store/local/types.ts';
import { pacedPair } from '../support/paced.ts';

const METERS = 40;
const INTERVAL_MS = 60_000;
const TIMEOUT_MS = 1000;
/** SNRM and its two repetitions. */
const PROBE_MS = 3 * TIMEOUT_MS;
/** More than one meter takes on such a line, from SNRM to DISC. */
const CYCLE_MS = 1000;
const MINUTES = 30;

async function halfAnHour(dead: readonly number[]) {
  const clock = new VirtualClock(Date.UTC(2026, 5, 1, 12));
  const { ours, theirs, busyMs } = pacedPair(clock, 9600);
  const meters = await startVirtualMeters({
    count: METERS,
    port: 0,
    auth: 'none',
    framing: 'hdlc',
    clock,
    transport: theirs,
  });
  const throwIt = (error: unknown): never => {
    throw error;
  };
  const devices = new DeviceManager(clock, throwIt);
  const line = new LineWorker({ transport: ours, framing: 'hdlc', signsOn: false, clock, devices, log: silentLogger });
  const events = new EventBus<PollingEvents>(throwIt);
  const readAt = new Map<number, number[]>();
  const failures = new Map<number, number>();
  let late = 0;
  events.on('committed', ({ meterId, createdAt }) => {
    readAt.set(meterId, [...(readAt.get(meterId) ?? []), createdAt]);
  });
  events.on('failed', ({ meterId }) => void failures.set(meterId, (failures.get(meterId) ?? 0) + 1));
  events.on('late', ({ meterId }) => {
    if (!dead.includes(meterId)) late += 1;
  });
  const writer = { commitCycle: async () => [1] } as unknown as Writer;
  const pollers = meters.addresses.map(({ server, physical }, index) => {
    const id = index + 1;
    line.setMeter({
      id,
      name: `house${id}`,
      settings: {
        ...DEFAULT_METER_SETTINGS,
        server: dead.includes(id) ? server + 500 : server,
        physical: dead.includes(id) ? (physical ?? 0) + 1000 : physical,
        timeoutMs: TIMEOUT_MS,
      },
      secrets: NO_SECRETS,
      security: { systemTitle: new Uint8Array(8), counters: unkeptCounters() },
    });
    const points = [{ classId: 3, obis: '1.0.1.8.0.255', attribute: 2, key: 'energy' }];
    return new MeterPoller(
      {
        id,
        name: `house${id}`,
        groups: [{ groupId: id, intervalMs: INTERVAL_MS, points }],
        connectionIds: [1],
      },
      { line, knowledge: knowledgeOf(new Map()), writer, clock, events, log: silentLogger },
    );
  });
  for (const poller of pollers) poller.start();
  await clock.advance(MINUTES * 60_000);
  const stopped = Promise.all([...pollers.map((poller) => poller.stop()), line.stop()]);
  await clock.advance(10_000);
  await stopped;
  const live = [...readAt].filter(([id]) => !dead.includes(id));
  const gaps = live.flatMap(([, times]) => times.slice(1).map((time, index) => time - times[index]!));
  return { live, late, failures, devices, busyMs: busyMs(), longestGap: Math.max(...gaps) };
}

test('the others are read at every due, never later than the probes of the dead ones take', async () => {
  const well = await halfAnHour([]);
  const dead = [7, 20, 33];
  const ill = await halfAnHour(dead);
  expect(well.live).toHaveLength(METERS);
  expect(ill.live).toHaveLength(METERS - dead.length);
  for (const [, times] of [...well.live, ...ill.live]) expect(times.length).toBeGreaterThanOrEqual(MINUTES - 1);
  expect([well.late, ill.late]).toEqual([0, 0]);
  // Each dead meter stands in the way with one probe at a time; a cycle that is under way ends first.
  expect(ill.longestGap).toBeLessThanOrEqual(well.longestGap + dead.length * PROBE_MS + CYCLE_MS);
  for (const id of dead) {
    // Eight quick attempts, then probes after 1, 2, 4, 8 minutes.
    expect(ill.failures.get(id)).toBeGreaterThanOrEqual(9);
    expect(ill.failures.get(id)).toBeLessThanOrEqual(16);
    expect(ill.devices.get('meter', id)?.statistics()).toMatchObject({ state: 'suspended', suspendedBy: 'breaker' });
  }
  expect(ill.devices.totals('meter')).toMatchObject({ total: METERS, suspended: dead.length });
});
