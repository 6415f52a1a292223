/** Two ThingsBoards at once, one with a gateway and one with a device for each meter: neither waits for the other. */
import { expect, test } from 'vitest';
import { newBench } from '../support/cli.ts';
import { TOKEN } from '../support/scene.ts';
import { Scene, type SideOptions } from './scene.ts';
import { startDouble, tokenOf } from './servers.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const AWAY_MS = 15 * MINUTE;
const METERS = ['house1', 'house2', 'house3'];

const GATEWAY: SideOptions = { protocol: '5', mode: 'gateway', start: startDouble };
const DEVICES: SideOptions = {
  protocol: '3.1.1',
  mode: 'device',
  start: (bench, clock) =>
    startDouble(bench, clock, {
      tokens: [
        { token: TOKEN, device: 'bridge', gateway: false },
        ...METERS.map((device) => ({ token: tokenOf(device), device, gateway: false })),
      ],
    }),
};

/** How long readings were on their way to a server since a moment (monotonic), the longest, milliseconds. */
function longestWay({ sides, clock }: Scene, side: number, since: number): number {
  const epoch = clock.now() - clock.monotonic();
  const late = (sides[side]?.relay.published ?? [])
    .filter(({ at, packet }) => at > since && packet.includes('/telemetry'))
    .flatMap(({ at, packet }) => [...packet.matchAll(/\{"ts":(\d+)/g)].map(([, ts]) => epoch + at - Number(ts)));
  expect(late.length).toBeGreaterThan(100);
  return Math.max(...late);
}

test.for([
  ['the gateway', 0],
  ['that of the devices', 1],
] as const)('one is away for a quarter of an hour: %s', async ([, away], { onTestFinished }) => {
  const bench = newBench(onTestFinished);
  const scene = await Scene.begin(bench, { sides: [GATEWAY, DEVICES] });
  const connections = scene.database.sql
    .prepare<[], { id: number; side: number; meter: number | null }>(
      'SELECT id, target_id - 1 AS side, meter_id AS meter FROM connection ORDER BY id',
    )
    .all();
  const isOfMeters = ({ side, meter }: (typeof connections)[number]): boolean => side === 0 || meter !== null;
  expect(connections.map(({ side, meter }) => [side, meter])).toEqual([
    [0, null],
    [1, null],
    ...METERS.map((_, index) => [1, index + 1]),
  ]);
  await scene.pass(MINUTE);
  const since = scene.clock.monotonic();
  scene.sides[away]?.relay.shut();
  await scene.pass(AWAY_MS);

  // A row for each connection that wants the cycle: those of the one wait, those of the other are gone.
  const cycles = AWAY_MS / (5 * SECOND);
  for (const connection of connections.filter(isOfMeters)) {
    const { id, side, meter } = connection;
    const waiting = scene.outbox.depthOf(id);
    if (side !== away) expect(waiting).toBeLessThanOrEqual(METERS.length);
    else expect(Math.abs(waiting - cycles * (meter === null ? METERS.length : 1))).toBeLessThanOrEqual(METERS.length);
  }
  expect(longestWay(scene, 1 - away, since)).toBeLessThan(2 * SECOND);

  // Nor does the backlog of the one hold the other up.
  const before = scene.clock.monotonic();
  scene.sides[away]?.relay.open();
  await scene.passUntil('it has caught up', () => scene.depth().rows <= 2 * METERS.length);
  await scene.pass(5 * MINUTE);
  expect(longestWay(scene, 1 - away, before)).toBeLessThan(2 * SECOND);
  await scene.nothingLost(3 * cycles);
});
