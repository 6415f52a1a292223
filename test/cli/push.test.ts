/** Meters that push to the daemon, in every layout: what arrives at ThingsBoard is what they said, once, whatever breaks. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { protectApdu } from '../../src/dlms/security/apdu-protection.ts';
import { securityControlFor } from '../../src/dlms/security/suite.ts';
import { encodeWrapper } from '../../src/dlms/wrapper.ts';
import type { VirtualMeters, VirtualMetersOptions } from '../../src/simulator/meter/fleet.ts';
import type { PushShape } from '../../src/simulator/meter/push-shapes.ts';
import { compareWithTruth } from '../../src/simulator/meter/truth.ts';
import { callers, listenerPort } from '../support/callers.ts';
import { type Bench, documentOf, newBench } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import {
  DEFAULT_KEYS,
  type Double,
  eventualStatus,
  init,
  type RunReport,
  type StatusReport,
  simulateThingsBoard,
  valuesOf,
} from '../support/scene.ts';

const KEY = '000102030405060708090a0b0c0d0e0f';
const AUTHENTICATION_KEY = 'd0d1d2d3d4d5d6d7d8d9dadbdcdddedf';
const TITLE = '4d4d4d0000000001';
const CIPHERED = ['--security', 'both', '--block-cipher-key', 'env:EK', '--authentication-key', 'env:AK'];
const SECRETS = { EK: KEY, AK: AUTHENTICATION_KEY };

const SCALERS: Readonly<Record<string, number>> = { activeEnergyImport: 0, voltageL1: -1, powerFactor: -3 };
const BY_OBJECT = Object.entries(DEFAULT_KEYS).flatMap(([key, obis]) => ['--push', `3:${obis}=${key}`]);
const WITH_SCALER = Object.entries(DEFAULT_KEYS).flatMap(([key, obis]) => [
  '--push',
  `3:${obis}=${key}@scaler:${SCALERS[key]}`,
]);
const BY_PLACE = Object.keys(DEFAULT_KEYS).flatMap((key, index) => [
  '--push',
  `${index + 1}=${key}@scaler:${SCALERS[key]}`,
]);

interface Pushes {
  readonly stored: number;
  readonly repeated: number;
  readonly refused: number;
  readonly unmapped: number;
  readonly lastError: { readonly code: string } | null;
}

function pushesOf({ meters }: StatusReport, name = 'caller'): Pushes {
  const found = meters.find((meter) => meter.name === name) as unknown as { push: Pushes | null } | undefined;
  return found?.push ?? { stored: 0, repeated: 0, refused: 0, unmapped: 0, lastError: null };
}

async function addCaller(bench: Bench, link: string, args: readonly string[], name = 'caller'): Promise<void> {
  await bench.json(['meter', 'add', name, link, ...args], { env: SECRETS });
}

/** What was said in whole came, and nothing else did. */
async function expectTruth(double: Double, virtual: VirtualMeters, device = 'caller'): Promise<void> {
  const received = await double.received();
  const said = virtual.truth()[0]?.said ?? [];
  expect(said.length).toBeGreaterThan(0);
  expect(compareWithTruth(said, valuesOf(received, device), DEFAULT_KEYS)).toMatchObject({
    lost: [],
    wrong: [],
    duplicates: 0,
  });
  for (const entry of said) {
    const times = Object.values(received.devices[device]?.telemetry ?? {})
      .flat()
      .map(({ ts }) => ts);
    expect(times).toContain(entry.at);
  }
  expect(received).toMatchObject({ duplicates: 0, changed: 0 });
}

function push(shape: PushShape, confirmed = false) {
  return { stays: false, push: { everyMs: 300, shape, confirmed } };
}

interface Case {
  readonly name: string;
  readonly shape: PushShape;
  readonly link: (port: number) => readonly [listening: string, called: string];
  readonly args: readonly string[];
  readonly options?: Partial<VirtualMetersOptions>;
  readonly confirmed?: boolean;
}

const TCP: Case['link'] = (port) => [`listen+tcp://127.0.0.1:${port}`, `tcp://127.0.0.1:${port}`];
const HDLC: Case['link'] = (port) => [`listen+tcp+hdlc://127.0.0.1:${port}`, `tcp+hdlc://127.0.0.1:${port}`];
const UDP: Case['link'] = (port) => [`listen+udp://127.0.0.1:${port}`, `udp://127.0.0.1:${port}`];
const SOURCE = ['--identify', 'source=127.0.0.1'];
const CASES: readonly Case[] = [
  { name: 'a list of objects', shape: 'list', link: TCP, args: [...SOURCE, ...WITH_SCALER] },
  { name: 'names, values and scalers', shape: 'flat', link: TCP, args: [...SOURCE, ...BY_OBJECT], confirmed: true },
  { name: 'structures over HDLC', shape: 'structures', link: HDLC, args: [...SOURCE, ...BY_OBJECT], confirmed: true },
  { name: 'values by their place, as datagrams', shape: 'values', link: UDP, args: [...SOURCE, ...BY_PLACE] },
  { name: 'an event notification', shape: 'event', link: TCP, args: [...SOURCE, ...WITH_SCALER] },
  {
    name: 'ciphered, known by its title, confirmed',
    shape: 'flat',
    link: TCP,
    args: ['--identify', `title=${TITLE}`, ...CIPHERED, ...BY_OBJECT],
    options: { security: 'both', systemTitle: TITLE },
    confirmed: true,
  },
];

describe.concurrent('pushes', { timeout: 120_000 }, () => {
  test.for(CASES)('$name', async ({ shape, link, args, options, confirmed }, { onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const double = await simulateThingsBoard(bench);
    const [listening, called] = link(await listenerPort());
    await init(bench, double.url);
    await addCaller(bench, listening, args);
    const daemon = bench.start(['run', '--json']);
    const virtual = await callers(bench, called, push(shape, confirmed), options);
    await eventualStatus(bench, 'pushes are stored', (report) => pushesOf(report).stored > 5);
    await virtual.stop();
    expect(documentOf<RunReport>(await daemon.stop())).toMatchObject({ drained: true, publishRate: 1 });
    if (called.startsWith('tcp')) await expectTruth(double, virtual);
    else {
      const said = virtual.truth()[0]?.said ?? [];
      const compared = compareWithTruth(said, valuesOf(await double.received(), 'caller'), DEFAULT_KEYS);
      expect(compared).toMatchObject({ wrong: [], duplicates: 0 });
      expect(compared.expected - compared.lost.length).toBeGreaterThan(15);
    }
  });

  test('a daemon that is killed loses nothing that was confirmed, and stores nothing twice', async ({
    onTestFinished,
  }) => {
    const bench = newBench(onTestFinished);
    const double = await simulateThingsBoard(bench);
    const port = await listenerPort();
    await init(bench, double.url);
    await addCaller(bench, `listen+tcp://127.0.0.1:${port}`, [
      '--identify',
      `title=${TITLE}`,
      ...CIPHERED,
      ...BY_OBJECT,
    ]);
    const options = { security: 'both', systemTitle: TITLE } as const;
    const calls = { stays: false, push: { everyMs: 50, shape: 'flat', confirmed: true } } as const;
    const virtual = await callers(bench, `tcp://127.0.0.1:${port}`, calls, options);
    for (let kills = 0; kills < 4; kills += 1) {
      const daemon = bench.start(['run']);
      await eventually('pushes arrive', async () => {
        const { readings } = await double.received();
        return readings > 60 * (kills + 1) ? true : null;
      });
      await daemon.kill();
    }
    const last = bench.start(['run', '--json']);
    await eventualStatus(bench, 'it goes on', (report) => pushesOf(report).stored > 20);
    // Everything that was pushed so far is confirmed sooner or later: the meter keeps it until then.
    const until = Date.now();
    await eventually('what was said before is there', async () => {
      const said = (virtual.truth()[0]?.said ?? []).filter(({ at }) => at < until);
      const { lost } = compareWithTruth(said, valuesOf(await double.received(), 'caller'), DEFAULT_KEYS);
      return lost.length === 0 ? true : null;
    });
    // First what came: the meter goes on.
    const values = valuesOf(await double.received(), 'caller');
    const { wrong } = compareWithTruth(virtual.truth()[0]?.said ?? [], values, DEFAULT_KEYS);
    expect(wrong).toEqual([]);
    await last.stop();
    const times = (await double.received()).devices.caller?.telemetry.activeEnergyImport?.map(({ ts }) => ts) ?? [];
    expect(new Set(times).size).toBe(times.length);
  });

  test('a ciphered push that was sent again is refused, after a restart too; a plain one is as well', async ({
    onTestFinished,
  }) => {
    const bench = newBench(onTestFinished);
    const port = await listenerPort();
    await init(bench, 'mqtt://127.0.0.1:1');
    await addCaller(bench, `listen+tcp://127.0.0.1:${port}`, [
      '--identify',
      `title=${TITLE}`,
      ...CIPHERED,
      '--push',
      '1=x',
    ]);
    const first = bench.start(['run']);
    const plain = fromHex('0f00000001000600000007');
    const ciphered = (invocationCounter: number): Uint8Array =>
      protectApdu(plain, 'general-glo', {
        securityControl: securityControlFor(0, 'both'),
        invocationCounter,
        encryptionKey: fromHex(KEY),
        authenticationKey: fromHex(AUTHENTICATION_KEY),
        systemTitle: fromHex(TITLE),
      });
    await send(bench, port, ciphered(7));
    await eventualStatus(bench, 'it is stored', (report) => pushesOf(report).stored === 1);
    await send(bench, port, ciphered(7));
    const replayed = await eventualStatus(bench, 'its copy is refused', (report) => pushesOf(report).refused === 1);
    expect(pushesOf(replayed)).toMatchObject({ stored: 1, lastError: { code: 'REPLAYED' } });
    await first.kill();
    const second = bench.start(['run']);
    await send(bench, port, ciphered(6));
    const again = await eventualStatus(bench, 'an older one is refused', (report) => pushesOf(report).refused === 1);
    expect(pushesOf(again)).toMatchObject({ stored: 0, lastError: { code: 'REPLAYED' } });
    const socket = await send(bench, port, ciphered(8));
    await eventualStatus(bench, 'a newer one is stored', (report) => pushesOf(report).stored === 1);
    socket.write(encodeWrapper(1, 103, plain));
    const stripped = await eventualStatus(bench, 'a plain one is refused', (report) => pushesOf(report).refused === 2);
    expect(pushesOf(stripped)).toMatchObject({ stored: 1, lastError: { code: 'PUSH_NOT_PROTECTED' } });
    await second.kill();
  });
});

/** One message over a connection of its own, as soon as somebody listens. */
function send(bench: Bench, port: number, apdu: Uint8Array): Promise<Socket> {
  return eventually('somebody listens', async () => {
    const socket = connect({ host: '127.0.0.1', port });
    try {
      await once(socket, 'connect');
    } catch {
      return null;
    }
    bench.atEnd(() => void socket.destroy());
    socket.write(encodeWrapper(1, 103, apdu));
    return socket;
  });
}
