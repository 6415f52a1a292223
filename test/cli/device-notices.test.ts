/** Devices renamed and deleted in ThingsBoard, as an operator of the program meets them. */
import { describe, expect, test } from 'vitest';
import { newBench } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { addMeter, type Double, eventualStatus, init, ownMeters, simulateThingsBoard } from '../support/scene.ts';

const KEY = 'activeEnergyImport';

async function countOf(double: Double, device: string): Promise<number> {
  const { devices } = await double.received();
  return devices[device]?.telemetry[KEY]?.length ?? 0;
}

interface ListedAlert {
  readonly code: string;
  readonly subject: string;
  readonly state: string;
  readonly hint: string;
}

describe.concurrent('in gateway mode', { timeout: 120_000 }, () => {
  test.for(['5', '3.1.1'])('MQTT %s: a renamed device is followed', async (protocol, { onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links } = await ownMeters(bench);
    const double = await simulateThingsBoard(bench);
    await init(bench, double.url, ['--protocol', protocol]);
    await addMeter(bench, 'house1', links[0] ?? '');
    const daemon = bench.start(['run']);
    await eventually('it delivers', async () => (await countOf(double, 'house1')) > 2);
    await double.tenant('POST', '/devices/house1/name', { name: 'flat 7' });
    await eventualStatus(bench, 'the meter goes on under its name', ({ meters }) => {
      const [meter] = meters;
      return meter?.name === 'flat 7' && meter.cycles > 3 && meter.state === 'connected';
    });
    const before = await countOf(double, 'flat 7');
    await eventually('it goes on under its name', async () => (await countOf(double, 'flat 7')) > before + 2);
    const { status, stdout } = await daemon.stop();
    expect(status).toBe(0);
    expect(stdout).toContain('the meter house1 is called flat 7 now');
    const { devices } = await double.received();
    expect(Object.keys(devices).toSorted()).toEqual(['flat 7', 'gateway-1']);
  });

  test('a deleted device is not made again until the meter is resumed', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links } = await ownMeters(bench, { count: 2 });
    const double = await simulateThingsBoard(bench);
    await init(bench, double.url);
    for (const [index, link] of links.entries()) await addMeter(bench, `m${index}`, link);
    const daemon = bench.start(['run']);
    await eventually(
      'both deliver',
      async () => (await countOf(double, 'm0')) > 2 && (await countOf(double, 'm1')) > 2,
    );
    await double.tenant('DELETE', '/devices/m0');
    const alert = await eventually('an alert tells', async () => {
      const alerts = await bench.json<readonly ListedAlert[]>(['alerts']);
      return alerts.find(({ code }) => code === 'DEVICE_DELETED') ?? null;
    });
    expect(alert).toMatchObject({ subject: 'm0', hint: expect.stringContaining('meter resume') });
    expect(await bench.json(['meter', 'show', 'm0'])).toMatchObject({ suspended: true, deletedFrom: 'thingsboard' });
    const other = await countOf(double, 'm1');
    await eventually('the other goes on', async () => (await countOf(double, 'm1')) > other + 3);
    expect((await double.received()).devices.m0).toBeUndefined();
    await bench.json(['meter', 'resume', 'm0']);
    await eventually('it is there again', async () => (await countOf(double, 'm0')) > 1);
    await eventually('the alert is over', async () => {
      const alerts = await bench.json<readonly (ListedAlert & { cleared: string | null })[]>(['alerts']);
      return alerts.every(({ cleared }) => cleared !== null);
    });
    expect(await daemon.stop()).toMatchObject({ status: 0 });
  });
});
