/** Another meter answers at a meter's address: its readings are kept back until somebody decides. */
import { describe, expect, test } from 'vitest';
import { type Bench, newBench } from '../support/cli.ts';
import { addMeter, eventualStatus, init, meterOf, ownMeters, simulateThingsBoard, TOKEN } from '../support/scene.ts';

interface Strange {
  readonly identity: { readonly serialNumber: string } | null;
  readonly stranger: { readonly serialNumber: string } | null;
}

async function withStranger(bench: Bench) {
  const double = await simulateThingsBoard(bench);
  const { virtual: first, links } = await ownMeters(bench);
  await init(bench, double.url, [], TOKEN);
  await addMeter(bench, 'm1', links[0] ?? '');
  const daemon = bench.start(['run']);
  const known = await eventualStatus(bench, 'it is known', (now) => identityOf(now).identity !== null);
  const serial = first.addresses[0]?.serialNumber;
  expect(identityOf(known)).toMatchObject({ identity: { serialNumber: serial }, stranger: null });
  await first.stop();
  const port = first.addresses[0]?.port ?? 0;
  const { virtual: other } = await ownMeters(bench, { port, seed: 77 });
  await eventualStatus(
    bench,
    'the stranger is seen',
    (now) => identityOf(now).stranger !== null && now.outbox.quarantined > 2,
  );
  const stop = other.stop;
  return { double, daemon, port, serial, strangerSerial: other.addresses[0]?.serialNumber, stopStranger: stop };
}

function identityOf(report: Parameters<typeof meterOf>[0]): Strange {
  return meterOf(report, 'm1') as unknown as Strange;
}

describe.concurrent('a stranger', { timeout: 120_000 }, () => {
  test('is kept back, and accepted with what it said', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { double, daemon, strangerSerial } = await withStranger(bench);
    const { readings: before } = await double.received();
    expect(daemon.stdout).toMatch(/STRANGER: another meter answers for m1/);
    expect(daemon.stdout.match(/STRANGER: /g)).toHaveLength(1);
    const report = await bench.json<{ released: number; dropped: number }>(['meter', 'accept', 'm1']);
    expect(report).toMatchObject({
      meter: 'm1',
      result: 'accepted',
      identity: { serialNumber: strangerSerial },
      dropped: 0,
    });
    expect(report.released).toBeGreaterThan(2);
    await eventualStatus(bench, 'nothing is kept back', ({ outbox }) => outbox.quarantined === 0 && outbox.rows < 3);
    const now = await eventualStatus(bench, 'it is the meter', (status) => identityOf(status).stranger === null);
    expect(identityOf(now).identity?.serialNumber).toBe(strangerSerial);
    expect((await double.received()).readings).toBeGreaterThan(before + report.released * 3);
    await daemon.stop();
  });

  test('is rejected: what it said goes, and the meter comes back by itself', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { daemon, port, serial, stopStranger } = await withStranger(bench);
    await stopStranger();
    await ownMeters(bench, { port });
    await eventualStatus(bench, 'the meter is back', (now) => identityOf(now).stranger === null);
    const report = await bench.json<{ dropped: number }>(['meter', 'reject', 'm1']);
    expect(report).toMatchObject({ meter: 'm1', result: 'rejected', identity: { serialNumber: serial }, released: 0 });
    expect(report.dropped).toBeGreaterThan(2);
    expect(await bench.failure(['meter', 'accept', 'm1'])).toMatchObject({ code: 'NOT_FOUND', status: 2 });
    const { outbox } = await eventualStatus(bench, 'all is delivered', ({ outbox: { rows } }) => rows < 3);
    expect(outbox.quarantined).toBe(0);
    await daemon.stop();
  });
});
