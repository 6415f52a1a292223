/** Client attributes as they stand in ThingsBoard: who the meters are, and what the bridge is. */
import { describe, expect, test } from 'vitest';
import { newBench } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { addMeter, init, ownMeters, simulateThingsBoard, TOKEN } from '../support/scene.ts';

describe.concurrent('attributes', { timeout: 120_000 }, () => {
  test.for([
    ['gateway', '5'],
    ['gateway', '3.1.1'],
    ['device', '5'],
    ['device', '3.1.1'],
  ])('%s mode, MQTT %s', async ([mode = '', protocol = ''], { onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links, virtual } = await ownMeters(bench);
    const isGateway = mode === 'gateway';
    const tokens = isGateway ? [TOKEN] : [TOKEN, 'METER'];
    const double = await simulateThingsBoard(bench, { gateway: isGateway, tokens });
    await init(bench, double.url, ['--mode', mode, '--protocol', protocol]);
    await addMeter(bench, 'house1', links[0] ?? '', isGateway ? [] : ['--token', 'METER']);
    const daemon = bench.start(['run']);
    const [bridge, meter] = isGateway ? ['gateway-1', 'house1'] : ['device-1', 'device-2'];
    const found = await eventually('both are told', async () => {
      const { devices } = await double.received();
      const [ofBridge, ofMeter] = [devices[bridge]?.attributes ?? {}, devices[meter]?.attributes ?? {}];
      return 'version' in ofBridge && 'serialNumber' in ofMeter ? { ofBridge, ofMeter } : null;
    });
    const serialNumber = virtual.addresses[0]?.serialNumber;
    expect(found.ofBridge).toMatchObject({ meters: { type: 'LONG', value: 1 }, hostname: { type: 'STRING' } });
    expect(found.ofMeter).toMatchObject({
      // Digits stay text.
      serialNumber: { type: 'STRING', value: `#${serialNumber}` },
      state: { type: 'STRING', value: 'connected' },
      pollInterval: { type: 'DOUBLE', value: 0.5 },
    });
    expect(await daemon.stop()).toMatchObject({ status: 0 });
  });
});
