import { test } from 'vitest';
import { serialTransport } from '../../src/transport/serial.ts';
import { ptyPair } from '../support/socat.ts';
test('x', async () => {
  const ports = await ptyPair();
  const t = serialTransport({ path: ports.a, baudRate: 9600, format: { dataBits: 8, parity: 'N', stopBits: 1 } });
  const t0 = Date.now();
  const log = (...a: unknown[]) => process.stderr.write(`${Date.now() - t0} ${a.join(' ')}\n`);
  await t.open({ data: () => log('data'), closed: (r) => log('closed', r.code, r.message) });
  log('opened');
  await ports.unplug();
  log('unplugged');
  const c = process.cpuUsage();
  await new Promise((r) => setTimeout(r, 1500));
  const d = process.cpuUsage(c);
  log('cpu', (d.user + d.system) / 1000);
  await t.close();
  log('done');
});
