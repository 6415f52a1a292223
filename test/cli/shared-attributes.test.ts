/** Settings by shared attributes, from the server to what an operator sees here, and back as client attributes. */
import { describe, expect, test } from 'vitest';
import { newBench } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import {
  addMeter,
  type Double,
  eventualStatus,
  init,
  ownMeters,
  simulateThingsBoard,
  TOKEN,
} from '../support/scene.ts';

async function attributeOf(double: Double, device: string, key: string): Promise<unknown> {
  const { devices } = await double.received();
  return devices[device]?.attributes[key]?.value;
}

describe.concurrent('shared attributes', { timeout: 120_000 }, () => {
  test.for([
    ['gateway', '5'],
    ['gateway', '3.1.1'],
    ['device', '5'],
    ['device', '3.1.1'],
  ])('%s mode, MQTT %s', async ([mode = '', protocol = ''], { onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links } = await ownMeters(bench);
    const isGateway = mode === 'gateway';
    const double = await simulateThingsBoard(bench, { gateway: isGateway, tokens: isGateway ? [TOKEN] : [TOKEN, 'M'] });
    await init(bench, double.url, ['--mode', mode, '--protocol', protocol]);
    await addMeter(bench, 'house1', links[0] ?? '', isGateway ? [] : ['--token', 'M']);
    const [bridge, meter] = isGateway ? ['gateway-1', 'house1'] : ['device-1', 'device-2'];
    // Set before the bridge has ever connected.
    await double.tenant('POST', `/devices/${bridge}/shared`, { logLevel: 'debug', connecting: 100, address: 'here' });
    const daemon = bench.start(['run']);
    await eventually('the bridge answers', async () => (await attributeOf(double, bridge, 'logLevel')) === 'debug');
    await eventually('a start is needed', async () => await attributeOf(double, bridge, 'restartRequired'));
    const { settings } = await bench.json<{ settings: { name: string; value: unknown }[] }>(['settings']);
    const valueNow = (name: string) => settings.find((one) => one.name === name)?.value;
    expect([valueNow('logLevel'), valueNow('connecting')]).toEqual(['debug', 100]);
    await eventualStatus(bench, 'the meter is read', ({ meters }) => (meters[0]?.cycles ?? 0) > 0);
    await eventually('its device is there', async () => (await attributeOf(double, meter, 'state')) === 'connected');

    await double.tenant('POST', `/devices/${meter}/shared`, { pollInterval: 2 });
    await eventually('the meter answers', async () => (await attributeOf(double, meter, 'pollInterval')) === 2);
    const shown = await bench.json<{ groups: { intervalSeconds: number }[] }>(['meter', 'show', 'house1']);
    expect(shown.groups.map(({ intervalSeconds }) => intervalSeconds)).toEqual([2]);
    expect(await attributeOf(double, meter, 'settingsRefused')).toBe('none');

    await double.tenant('POST', `/devices/${meter}/shared`, { pollInterval: 'soon' });
    const refused = await eventually('it is refused', async () => {
      const text = await attributeOf(double, meter, 'settingsRefused');
      return text === 'none' ? null : text;
    });
    expect(refused).toBe('pollInterval takes 0.1 to 31536000 seconds, not "soon"');
    await double.tenant('DELETE', `/devices/${bridge}/shared?keys=logLevel`);
    await eventually('it is as started', async () => (await attributeOf(double, bridge, 'logLevel')) === 'as-started');
    const ended = await daemon.stop();
    expect(ended.status).toBe(0);
    expect(ended.stdout).toContain('ThingsBoard wants pollInterval to be 2');
    expect(ended.stdout).not.toContain('Disconnected');
  });
});
