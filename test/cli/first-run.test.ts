/** `init` up to the first reading, by flags; what fails is told by the exit status and undoes nothing. */
import { expect, test } from 'vitest';
import { newBench } from '../support/cli.ts';
import { freePort } from '../support/free-port.ts';

test('token test, first meter, first reading; a meter that is not there leaves the database', async ({
  onTestFinished,
}) => {
  const bench = newBench(onTestFinished);
  const [meterPort, brokerPort, nobody] = [await freePort(), await freePort(), await freePort()];
  const meters = bench.start(['simulate', 'meters', '--count', '1', '--port', String(meterPort)], { db: false });
  const broker = bench.start(['simulate', 'thingsboard', '--port', String(brokerPort), '--token', 'T', '--gateway'], {
    db: false,
  });
  for (const one of [meters, broker]) await one.firstLine();
  const init = ['init', '--url', `mqtt://127.0.0.1:${brokerPort}`, '--token', 'T', '--yes', '--test'];
  const failed = await bench.run([...init, '--link', `tcp://127.0.0.1:${nobody}`, '--meter', 'nobody']);
  expect(failed.status).toBe(1);
  const meter = ['--link', `tcp://127.0.0.1:${meterPort}`, '--meter', 'house1', '--points', '1.0.32.7.0.255=voltage'];
  const { status, stdout } = await bench.run([...init, ...meter]);
  expect(status).toBe(0);
  expect(stdout).toMatch(/The whole way works/);
  expect(stdout).toMatch(/1\.0\.32\.7\.0\.255 +\d+(?:\.\d+)? +V/);
  const names = (await bench.json<{ name: string }[] | { meters: { name: string }[] }>(['meter', 'list'])) as object;
  expect(JSON.stringify(names)).toContain('house1');
});

test('in device mode, with a password and a token of the meter, by flags', async ({ onTestFinished }) => {
  const bench = newBench(onTestFinished);
  const meterPort = String(await freePort());
  const meters = ['simulate', 'meters', '--port', meterPort, '--auth', 'low', '--secret', 'right-one'];
  await bench.start(meters, { db: false }).firstLine();
  const target = ['init', '--url', 'mqtt://127.0.0.1:1', '--token', 'B', '--mode', 'device', '--yes'];
  const meter = ['--link', `tcp://127.0.0.1:${meterPort}`, '--client', '1', '--auth', 'low', '--meter-token', 'M'];
  const { status, stdout, stderr } = await bench.run([...target, ...meter, '--secret', 'right-one']);
  expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.not.stringMatching(/right-one/) });
  expect(stdout).toMatch(/1\.0\.1\.8\.0\.255 +\d+ +Wh/);
  // In hex it can be kept off the command line, too.
  const asked = ['read', `tcp://127.0.0.1:${meterPort}`, '1.0.1.8.0.255', '--client', '1', '--auth', 'low'];
  const env = { PASSWORD: `hex:${Buffer.from('right-one').toString('hex')}` };
  expect(await bench.run([...asked, '--secret', 'env:PASSWORD'], { env })).toMatchObject({ status: 0 });
});
