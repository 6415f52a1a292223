/**
 * ThingsBoard is away for 72 hours and comes back with limits. The first 71 hours are laid into the outbox as pollers
 * would have done it, with the values that the meters had; in the last one they are polled while the publisher knocks in
 * vain.
 */
import { expect, test } from 'vitest';
import { parseDecimal } from '../../src/core/decimal.ts';
import type { Reading } from '../../src/reading/reading.ts';
import type { MeterModel } from '../../src/simulator/meter/meter-model.ts';
import type { Said } from '../../src/simulator/meter/truth.ts';
import { model } from '../simulator/meter-support.ts';
import { newBench } from '../support/cli.ts';
import { DEFAULT_KEYS } from '../support/scene.ts';
import { Scene } from './scene.ts';
import { type ServerKind, startDouble } from './servers.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const METERS = 10;
const MINUTES = 72 * 60;
const LAID = 71 * 60;
/** Per second, behind this gateway: 80 % of each is kept. */
const LIMITS = { rates: { telemetryDataPoints: '100:1' }, gatewayRates: { messages: '10:1' }, maxPayloadSize: 4096 };

/** What a meter says at a moment, under the keys of its points. */
function cycleAt(meter: MeterModel, ts: number): { readonly said: readonly Said[]; readonly readings: Reading[] } {
  const said = Object.entries(DEFAULT_KEYS).map(([key, obis]): Said & { readonly key: string } => {
    const value = meter.valueAt(3, obis, ts).said;
    return { key, obis, classId: 3, attribute: 2, value, at: ts, intact: true };
  });
  const readings = said.map(({ key, obis, value }): Reading => {
    return { key, ts, value: parseDecimal(value), unit: null, obis, quality: 'good' };
  });
  return { said, readings };
}

/** Cycles of each minute and meter, up to now; each hour in one transaction. */
async function layDown({ clock, writer, earlier }: Scene, minutes: number): Promise<void> {
  const meters = Array.from({ length: METERS }, (_, index) => model({ index, phases: index % 3 === 2 ? 1 : 3 }));
  const said = meters.map((): Said[] => []);
  for (let minute = minutes; minute > 0; minute -= 60) {
    const commits: Promise<unknown>[] = [];
    for (let ago = minute; ago > minute - 60; ago -= 1) {
      const createdAt = clock.now() - ago * MINUTE;
      for (const [index, meter] of meters.entries()) {
        const cycle = cycleAt(meter, createdAt);
        said[index]?.push(...cycle.said);
        const ids = {
          cycleId: `${index}-${ago}`,
          meterId: index + 1,
          device: `house${index + 1}`,
          connectionIds: [1, 2],
        };
        commits.push(writer.commitCycle({ ...ids, createdAt, readings: cycle.readings }));
      }
    }
    await Promise.all(commits);
  }
  earlier.push(...said);
}

interface Arrival {
  readonly device: string;
  readonly times: readonly number[];
  /** Wall clock. */
  readonly at: number;
}

/** Telemetry messages in the order in which they reached the server. */
function arrivals({ clock, sides }: Scene, side: number): Arrival[] {
  const epoch = clock.now() - clock.monotonic();
  return (sides[side]?.relay.published ?? [])
    .filter(({ packet }) => packet.includes('v1/gateway/telemetry'))
    .map(({ packet, at }) => ({
      device: /\{"(house\d+)":\[/.exec(packet)?.[1] ?? '',
      times: [...packet.matchAll(/\{"ts":(\d+)/g)].map(([, ts]) => Number(ts)),
      at: epoch + at,
    }));
}

const isInOrder = (times: readonly number[]): boolean =>
  times.every((ts, index) => index === 0 || ts >= (times[index - 1] ?? 0));

test('a backlog of 43,200 cycles drains over MQTT 5 and 3.1.1: each device in order, live rows first, within the limits', {
  timeout: 240_000,
}, async ({ onTestFinished }) => {
  const bench = newBench(onTestFinished);
  const start: ServerKind['start'] = (...scene) => startDouble(...scene, { limits: LIMITS });
  const sides = [{ protocol: '5', start } as const, { protocol: '3.1.1', start } as const];
  const scene = await Scene.begin(bench, { sides, meters: METERS, intervalMs: MINUTE });
  for (const { relay } of scene.sides) relay.shut();
  await layDown(scene, LAID);
  await scene.pass(HOUR);
  expect(scene.depth().rows).toBe(sides.length * METERS * MINUTES);
  const connectedAt: number[] = [];
  scene.events.on('connected', ({ connectionId }) => {
    connectedAt[connectionId - 1] = scene.clock.now();
  });

  for (const { relay } of scene.sides) relay.open();
  const began = scene.clock.now();
  await scene.passUntil('the backlog is drained', () => (scene.depth().oldest ?? Infinity) > began, HOUR);
  await scene.nothingLost(3 * MINUTES);
  // Nobody met a limit.
  expect([scene.sessionsOf(1), scene.sessionsOf(2)]).toEqual([1, 1]);
  for (const [side, since = 0] of connectedAt.entries()) {
    const all = arrivals(scene, side);
    const isLive = ({ times }: Arrival): boolean => (times[0] ?? 0) > since;
    const backlog = all.filter((message) => !isLive(message));
    for (const lane of [backlog, all.filter(isLive)]) {
      for (const name of new Set(lane.map(({ device }) => device))) {
        expect(isInOrder(lane.filter(({ device }) => device === name).flatMap(({ times }) => times))).toBe(true);
      }
    }
    const liveAmongIt = all.slice(0, all.lastIndexOf(backlog.at(-1) as Arrival)).filter(isLive);
    expect(liveAmongIt.length).toBeGreaterThan(20);
    expect(Math.max(...liveAmongIt.map(({ times, at }) => at - Math.min(...times)))).toBeLessThan(5000);
  }
});
