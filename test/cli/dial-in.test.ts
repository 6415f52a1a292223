/** Meters that dial in to the daemon: known by their name, polled over their own connection; strangers do no harm. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { compareWithTruth } from '../../src/simulator/meter/truth.ts';
import { callers, listenerPort } from '../support/callers.ts';
import { documentOf, newBench } from '../support/cli.ts';
import {
  addMeter,
  DEFAULT_KEYS,
  eventualStatus,
  init,
  meterOf,
  type RunReport,
  type StatusReport,
  simulateThingsBoard,
  valuesOf,
} from '../support/scene.ts';
import { hasSocat } from '../support/socat.ts';

interface Inbound {
  readonly open: number;
  readonly identified: number;
  readonly accepted: number;
  readonly strangers: number;
  readonly refused: number;
}

function inboundOf({ lines }: StatusReport): Inbound {
  const [line] = lines as unknown as readonly { inbound: Inbound | null }[];
  return line?.inbound ?? { open: 0, identified: 0, accepted: 0, strangers: 0, refused: 0 };
}

const MEBIBYTE = 1024 * 1024;

function residentOf(pid: number): number {
  const [, kilobytes = '0'] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

describe.concurrent('dial-in', { timeout: 120_000 }, () => {
  test.for(['tcp', 'tcp+hdlc'] as const)(
    'two meters over one %s listener are told by their names, and polled; one of them pushes as well',
    async (scheme, { onTestFinished }) => {
      const bench = newBench(onTestFinished);
      const double = await simulateThingsBoard(bench);
      const port = await listenerPort();
      const link = `${scheme}://127.0.0.1:${port}`;
      const calls = { stays: true, push: null };
      const quiet = await callers(bench, link, calls, { seed: 1 });
      const pushing = await callers(
        bench,
        link,
        { stays: true, push: { everyMs: 700, shape: 'flat', confirmed: true } },
        { seed: 2 },
      );
      await init(bench, double.url);
      const physical = scheme === 'tcp' ? [] : ['--physical', '17'];
      const named = ({ addresses }: typeof quiet): string => addresses[0]?.logicalDeviceName ?? '';
      await addMeter(bench, 'quiet', `listen+${link}`, [...physical, '--identify', `device-name=${named(quiet)}`]);
      // Without any mark the name of the meter is that of its logical device.
      await addMeter(bench, named(pushing), `listen+${link}`, [
        ...physical,
        '--identify',
        `device-name=${named(pushing)}`,
      ]);
      const daemon = bench.start(['run', '--json']);
      await eventualStatus(
        bench,
        'both are polled',
        (report) => meterOf(report, 'quiet').cycles > 10 && meterOf(report, named(pushing)).cycles > 10,
      );
      await Promise.all([quiet.stop(), pushing.stop()]);
      expect(documentOf<RunReport>(await daemon.stop())).toMatchObject({ drained: true, publishRate: 1 });
      const received = await double.received();
      for (const [name, virtual] of [['quiet', quiet] as const, [named(pushing), pushing] as const]) {
        const said = virtual.truth()[0]?.said ?? [];
        const { wrong, expected, lost } = compareWithTruth(said, valuesOf(received, name), DEFAULT_KEYS);
        expect(wrong).toEqual([]);
        // The last answers may have left a meter that was stopped in the middle.
        expect(lost.length).toBeLessThan(8);
        expect(expected).toBeGreaterThan(25);
      }
    },
  );

  test.skipIf(!hasSocat)('a serial line on which the only meter talks by itself', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const path = `${bench.directory}/pty`;
    const push = ['--push-every', '0.5', '--push-shape', 'flat'];
    const meter = bench.start(['simulate', 'meters', '--pty', path, ...push], { db: false });
    await meter.firstLine();
    await init(bench, 'mqtt://127.0.0.1:1');
    await bench.json(['meter', 'add', 'home', `listen+serial://${path}?baud=2400`]);
    const daemon = bench.start(['run']);
    const report = await eventualStatus(bench, 'pushes are stored', ({ meters }) => {
      const [only] = meters as unknown as readonly { push: { stored: number } | null }[];
      return (only?.push?.stored ?? 0) > 2;
    });
    expect(meterOf(report, 'home').values).toMatchObject({ activeImportEnergy: { unit: 'Wh' } });
    await daemon.kill();
  });

  test('garbage and a thousand connections are bounded, and the meter is polled all the same', async ({
    onTestFinished,
  }) => {
    const bench = newBench(onTestFinished);
    const port = await listenerPort();
    await init(bench, 'mqtt://127.0.0.1:1');
    const daemon = bench.start(['run']);
    const sockets: Socket[] = [];
    bench.atEnd(() => {
      for (const socket of sockets) socket.destroy();
    });
    const link = `tcp://127.0.0.1:${port}`;
    const meter = await callers(bench, link, { stays: true, push: null });
    const name = meter.addresses[0]?.logicalDeviceName ?? '';
    await addMeter(bench, name, `listen+${link}`);
    const before = await eventualStatus(bench, 'the meter is polled', (report) => meterOf(report, name).cycles > 3);
    const resident = residentOf(before.daemon.pid ?? 0);
    for (let opened = 0; opened < 1000; opened += 1) {
      const socket = connect({ host: '127.0.0.1', port });
      socket.on('error', () => undefined);
      sockets.push(socket);
      if (opened % 100 === 0) await once(socket, 'connect');
      // A flood, an endless frame that is never complete, and silence.
      if (opened % 3 === 0) socket.write(Buffer.alloc(256 * 1024, opened));
      if (opened % 3 === 1) socket.write(Buffer.from('000100010001ffff0f', 'hex'));
    }
    const meanwhile = await eventualStatus(
      bench,
      'all of them were seen, and the meter goes on',
      (report) =>
        inboundOf(report).refused + inboundOf(report).accepted > 1000 &&
        meterOf(report, name).cycles > meterOf(before, name).cycles + 5,
    );
    expect(meterOf(meanwhile, name).failures).toBe(0);
    expect(inboundOf(meanwhile).open).toBeLessThanOrEqual(257);
    expect(inboundOf(meanwhile).identified).toBe(1);
    expect(residentOf(before.daemon.pid ?? 0) - resident).toBeLessThan(128 * MEBIBYTE);
    await daemon.kill();
  });
});
