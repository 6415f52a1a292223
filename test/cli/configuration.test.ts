/** The daemon takes configuration changes up by itself, and what they do not touch goes on undisturbed. */
import { describe, expect, test } from 'vitest';
import { documentOf, newBench } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import {
  addMeter,
  connectionOf,
  eventualStatus,
  init,
  meterOf,
  ownMeters,
  type RunReport,
  simulateThingsBoard,
  status,
  TOKEN,
  valuesOf,
} from '../support/scene.ts';

const OFTEN = ['--interval', '0.2'];
/** How soon a change must show in the daemon. */
const TAKEN_UP = { withinMs: 3000 };

describe.concurrent('configuration', { timeout: 180_000 }, () => {
  test('meters are added, disabled, enabled and removed while it runs', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const double = await simulateThingsBoard(bench);
    const { virtual, links } = await ownMeters(bench, { count: 2 });
    const said = (index: number): number => virtual.truth()[index]?.said.length ?? 0;
    /** The daemon has read the first meter three times more. */
    const untouched = async (): Promise<void> => {
      const before = said(0);
      await eventually('the other meter goes on', () => said(0) >= before + 9);
    };
    await init(bench, double.url);
    const daemon = bench.start(['run', '--json', '--log-level', 'info']);
    await eventualStatus(bench, 'it runs without meters', (report) => connectionOf(report).state === 'connected');

    await addMeter(bench, 'house0', links[0] ?? '', OFTEN);
    await eventually('the first meter is polled', () => said(0) > 0, TAKEN_UP);
    await addMeter(bench, 'house1', links[1] ?? '', OFTEN);
    await eventually('the second meter is polled', () => said(1) > 0, TAKEN_UP);

    await bench.json(['meter', 'disable', 'house1']);
    await eventually('it is left alone', async () => {
      const before = said(1);
      await untouched();
      return said(1) === before;
    });
    expect(meterOf(await status(bench), 'house1')).toMatchObject({ state: 'disabled' });

    await bench.json(['meter', 'enable', 'house1']);
    const disabledAt = said(1);
    await eventually('it is polled again', () => said(1) > disabledAt, TAKEN_UP);

    await bench.json(['meter', 'remove', 'house1']);
    await eventually('it is left alone', async () => {
      const before = said(1);
      await untouched();
      return said(1) === before;
    });
    expect((await status(bench)).meters.map(({ name }) => name)).toEqual(['house0']);

    const finished = documentOf<RunReport>(await daemon.stop());
    expect(finished).toMatchObject({ drained: true, publishRate: 1 });
    // Neither a session nor a reading was lost on the way.
    expect(daemon.stderr.match(/MQTT Connected/g)).toHaveLength(1);
    const received = await double.received();
    expect(received).toMatchObject({ readings: finished.readings, duplicates: 0 });
    expect(valuesOf(received, 'house0').length).toBe(said(0));
    expect(valuesOf(received, 'house1').length).toBe(said(1));
  });

  test('a meter that hangs is removed, and the one that comes with it need not wait', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const [{ links: silent }, { links, virtual }] = await Promise.all([
      ownMeters(bench, { faults: ['silent'] }),
      ownMeters(bench),
    ]);
    await init(bench, 'mqtt://127.0.0.1:1');
    await addMeter(bench, 'hangs', silent[0] ?? '', ['--timeout', '600000']);
    const daemon = bench.start(['run']);
    await eventualStatus(bench, 'it waits for the answer', ({ lines }) => lines[0]?.status === 'busy');
    await bench.json(['meter', 'disable', 'hangs']);
    await addMeter(bench, 'house0', links[0] ?? '');
    await eventually('the new meter is polled', () => (virtual.truth()[0]?.said.length ?? 0) > 0, TAKEN_UP);
    await daemon.kill();
  });

  test('a meter on a link that cannot be used does not keep the others', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links, virtual } = await ownMeters(bench);
    const said = (): number => virtual.truth()[0]?.said.length ?? 0;
    await init(bench, 'mqtt://127.0.0.1:1');
    await addMeter(bench, 'mode-e', 'serial+e:///dev/dlms-there-is-none');
    await addMeter(bench, 'no-port', 'serial:///dev/dlms-there-is-none');
    await addMeter(bench, 'house0', links[0] ?? '');
    const daemon = bench.start(['run']);
    await eventually('the meter that is well is polled', () => said() > 0);
    const report = await eventualStatus(
      bench,
      'the others say what is wrong',
      ({ meters }) => meters.filter(({ state }) => state === 'error').length === 2,
    );
    expect(meterOf(report, 'no-port').error).toMatchObject({ code: 'SERIAL_PORT_MISSING', fault: 'line' });
    await daemon.kill();
  });

  test('a token that ThingsBoard refuses shows, readings are kept, and come when it is right', async ({
    onTestFinished,
  }) => {
    const bench = newBench(onTestFinished);
    const double = await simulateThingsBoard(bench, { tokens: ['another'] });
    const { links, virtual } = await ownMeters(bench);
    await init(bench, double.url);
    await addMeter(bench, 'house0', links[0] ?? '');
    const daemon = bench.start(['run', '--log-level', 'info']);
    const report = await eventualStatus(
      bench,
      'the refusal shows',
      (now) => connectionOf(now).error?.code === 'MQTT_CREDENTIALS' && now.outbox.rows > 2,
    );
    expect(connectionOf(report)).toMatchObject({ state: 'waiting', error: { fault: 'credentials', retryable: false } });
    expect(meterOf(report, 'house0')).toMatchObject({ state: 'connected', failures: 0 });
    expect(daemon.stdout).toContain('MQTT not connected');
    await daemon.kill();
    await double.process.kill();
    const right = await simulateThingsBoard(bench, { tokens: [TOKEN], port: double.port });
    expect(await bench.run(['run', '--for', '1'])).toMatchObject({ status: 0 });
    expect(valuesOf(await right.received(), 'house0').length).toBe(virtual.truth()[0]?.said.length);
  });
});
