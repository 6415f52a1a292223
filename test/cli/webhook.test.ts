/** The webhook of alerts through the program: a secret address, posted to while the daemon runs. */
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newBench } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { addMeter, init, simulateThingsBoard } from '../support/scene.ts';

const SECRET = 'hK3vT9-secret-path';

test('an alert is posted, and its address stands nowhere in clear', async ({ onTestFinished }) => {
  const bench = newBench(onTestFinished);
  const posted: { readonly code: string; readonly state: string; readonly subject: string; readonly bridge: string }[] =
    [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (octets: Buffer) => {
      body += octets.toString();
    });
    request.on('end', () => {
      if (request.url === `/${SECRET}`) posted.push(JSON.parse(body));
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  bench.atEnd(() => void server.close());
  await init(bench, (await simulateThingsBoard(bench)).url);
  await addMeter(bench, 'house1', `tcp://127.0.0.1:${await freePort()}`, ['--interval', '0.5']);
  const daemon = bench.start(['run', '--log-level', 'debug']);
  const HOOK = `http://127.0.0.1:${(server.address() as AddressInfo).port}/${SECRET}`;
  const set = await bench.run(['settings', 'set', 'alertWebhook', 'env:HOOK'], { env: { HOOK } });
  expect(set).toMatchObject({ status: 0, stdout: expect.not.stringContaining(SECRET) });
  await bench.json(['settings', 'set', 'alertMeterOfflineSeconds', '1']);
  await eventually('it is posted', () => posted.some(({ code }) => code === 'METER_OFFLINE'));
  expect(posted.find(({ code }) => code === 'METER_OFFLINE')).toMatchObject({
    ...{ severity: 'major', state: 'raised', subject: 'house1', detail: expect.stringContaining('ECONNREFUSED') },
    bridge: hostname(),
  });
  const { status, stdout, stderr } = await daemon.stop();
  expect(status).toBe(0);
  expect(stdout + stderr).not.toContain(SECRET);
  for (const file of readdirSync(bench.directory)) {
    expect(readFileSync(join(bench.directory, file)).includes(SECRET), file).toBe(false);
  }
});
