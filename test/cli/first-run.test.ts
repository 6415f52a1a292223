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
