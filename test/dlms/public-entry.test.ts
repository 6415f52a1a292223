/** The example of docs/dlms.md runs as it is printed, against a virtual meter, through the published subpath. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/runtime/clock.ts';
import { startVirtualMeters } from '../../src/simulator/meter/fleet.ts';

const example = fileURLToPath(new URL('../../docs/examples/read-register.mjs', import.meta.url));

test('reads a register and prints it with its unit', async () => {
  const meters = await startVirtualMeters({ count: 1, port: 0, framing: 'wrapper', auth: 'none', clock: systemClock });
  try {
    const port = String(meters.addresses[0]?.port);
    const { stdout } = await promisify(execFile)(process.execPath, [example, '127.0.0.1', port]);
    expect(stdout).toMatch(/^\d+ Wh\n$/);
    const [said] = meters.truth();
    expect(said?.said.map(({ value }) => `${value} Wh\n`)).toContain(stdout);
  } finally {
    await meters.stop();
  }
});
