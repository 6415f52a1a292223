/** `meter add --provision-key`: the meter's token comes from ThingsBoard, and half a meter is never left. */
import { describe, expect, test } from 'vitest';
import { addProvisionedMeter } from '../../src/cli/provisioning/provisioned-meter.ts';
import { asBridgeError } from '../../src/core/errors.ts';
import { startThingsBoardDouble } from '../../src/simulator/thingsboard/double.ts';
import { addMeter } from '../../src/store/fleet/meters.ts';
import { addTarget } from '../../src/store/fleet/targets.ts';
import { newDatabase, newMeter, newTarget } from '../store/support.ts';
import { newBench } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { eventualStatus, init, ownMeters, simulateThingsBoard, status } from '../support/scene.ts';

const FLAGS = ['--provision-key', 'KEY', '--provision-secret', 'env:SECRET', '--points', '1.0.1.8.0.255=energy'];
const SECRET = { env: { SECRET: 'pR0v1510n' } };

describe.concurrent('through the program', { timeout: 120_000 }, () => {
  test.for(['5', '3.1.1'])(
    'MQTT %s: a meter that delivers with the token it got',
    async (protocol, { onTestFinished }) => {
      const bench = newBench(onTestFinished);
      const { links } = await ownMeters(bench);
      const double = await simulateThingsBoard(bench, { gateway: false, args: ['--provision', 'KEY:pR0v1510n'] });
      await init(bench, double.url, ['--mode', 'device', '--protocol', protocol]);
      const add = ['meter', 'add', 'house1', links[0] ?? '', ...FLAGS, '--interval', '1'];
      const wrong = await bench.failure(add, { env: { SECRET: 'wrong' } });
      expect(wrong).toMatchObject({ status: 1, code: 'PROVISION_NOT_FOUND', fault: 'credentials' });
      expect((await status(bench)).meters).toEqual([]);
      expect(await bench.json(add, SECRET)).toMatchObject({ meter: 'house1', result: 'added' });
      const daemon = bench.start(['run']);
      await eventualStatus(bench, 'it is read', ({ meters }) => (meters[0]?.cycles ?? 0) > 0);
      await eventually('its device has readings', async () => {
        const { devices } = await double.received();
        return 'energy' in (devices.house1?.telemetry ?? {});
      });
      await daemon.stop();
    },
  );

  test('a device that is there already is explained, and a name of its own helps', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const double = await simulateThingsBoard(bench, { gateway: false, args: ['--provision', 'KEY:pR0v1510n'] });
    await init(bench, double.url, ['--mode', 'device']);
    const add = (name: string, ...more: string[]): string[] => [
      'meter',
      'add',
      name,
      'tcp://127.0.0.1:1',
      ...FLAGS,
      ...more,
    ];
    await bench.json(add('house1', '--provision-name', 'flat 7'), SECRET);
    const again = await bench.failure(add('house2', '--provision-name', 'flat 7'), SECRET);
    expect(again).toMatchObject({ status: 1, code: 'PROVISION_FAILED', hint: expect.stringContaining('--token') });
    // What cannot be stored makes no device.
    expect(await bench.failure(add('house1', '--provision-name', 'flat 8'), SECRET)).toMatchObject({
      code: 'ALREADY_EXISTS',
    });
    await bench.json(add('house3', '--provision-name', 'flat 8'), SECRET);
    const both = await bench.failure(add('house4', '--token', 'T'), SECRET);
    expect(both).toMatchObject({ status: 2, code: 'USAGE' });
  });

  test('in gateway mode a meter has no token, and no device is made for it', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    await init(bench, 'mqtt://127.0.0.1:1');
    const refused = await bench.failure(['meter', 'add', 'house1', 'tcp://127.0.0.1:1', ...FLAGS], SECRET);
    expect(refused).toMatchObject({ status: 2, code: 'INVALID_VALUE' });
  });
});

test('a meter that cannot be stored any more says which device was made, and not its token', async ({
  onTestFinished,
}) => {
  const double = await startThingsBoardDouble({ tokens: [], provision: { key: 'KEY', secret: 'SECRET' } });
  onTestFinished(() => double.stop());
  const database = newDatabase();
  addTarget(database, newTarget('device', { url: `mqtt://127.0.0.1:${double.port}` }));
  const meter = newMeter('house1');
  const flags = { provisionKey: 'KEY', provisionSecret: 'SECRET' };
  const { signal } = new AbortController();
  const adding = addProvisionedMeter({ databasePath: database.path, signal }, meter, flags);
  // Between the trial and the answer of the server somebody else takes the name.
  addMeter(database, { ...meter, token: 'another' });
  const error = asBridgeError(await adding.catch((thrown: unknown) => thrown));
  expect(error).toMatchObject({ code: 'ALREADY_EXISTS', message: expect.stringContaining('"house1"') });
  expect(error.hint).toContain('--token');
});
