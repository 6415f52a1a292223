import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { noServiceManager, serviceManagerOf } from '../../src/runtime/service-manager.ts';

function bench(env: NodeJS.ProcessEnv) {
  const sent: { path: string; text: string }[] = [];
  const onError = (error: Error): void => {
    throw error;
  };
  const sender = { send: (path: string, text: string) => void sent.push({ path, text }), close() {} };
  return { sent, manager: serviceManagerOf({ env, pid: 42, onError, sender }) };
}

describe('what systemd is told', () => {
  test('each word of sd_notify(3)', async () => {
    const { sent, manager } = bench({ NOTIFY_SOCKET: '/run/systemd/notify' });
    const systemd = await manager;
    systemd.status('two\nlines');
    systemd.ready();
    systemd.watchdog();
    systemd.stopping();
    systemd.reloading();
    expect(sent.slice(0, 4).map(({ text }) => text)).toEqual([
      'STATUS=two lines',
      'READY=1',
      'WATCHDOG=1',
      'STOPPING=1',
    ]);
    expect(sent[4]?.text).toMatch(/^RELOADING=1\nMONOTONIC_USEC=\d+$/);
    expect(new Set(sent.map(({ path }) => path))).toEqual(new Set(['/run/systemd/notify']));
  });

  test('an abstract socket begins with a zero octet', async () => {
    const { sent, manager } = bench({ NOTIFY_SOCKET: '@notify' });
    (await manager).ready();
    expect(sent).toEqual([{ path: '\0notify', text: 'READY=1' }]);
  });

  test.each([undefined, '', 'vsock:2:1234', '@'])('NOTIFY_SOCKET %s: nothing is sent', async (address) => {
    const { manager } = bench(address === undefined ? {} : { NOTIFY_SOCKET: address });
    expect(await manager).toBe(noServiceManager);
  });

  test.each([
    [{ WATCHDOG_USEC: '60000000' }, 60_000],
    [{ WATCHDOG_USEC: '60000000', WATCHDOG_PID: '42' }, 60_000],
    [{ WATCHDOG_USEC: '60000000', WATCHDOG_PID: '43' }, null],
    [{ WATCHDOG_USEC: '0' }, null],
    [{ WATCHDOG_USEC: 'soon' }, null],
    [{}, null],
  ])('watchdog of %j', async (env, expected) => {
    const { manager } = bench({ NOTIFY_SOCKET: '/run/systemd/notify', ...env });
    expect((await manager).watchdogMs).toBe(expected);
  });

  test('that it cannot be told is said once', async ({ onTestFinished }) => {
    const said: string[] = [];
    const systemd = await serviceManagerOf({
      env: { NOTIFY_SOCKET: join(tmpdir(), 'dlms-no-such-socket') },
      pid: 42,
      onError: ({ message }) => said.push(message),
    });
    onTestFinished(() => systemd.close());
    for (let turn = 0; turn < 3; turn += 1) systemd.status('still here');
    expect(said).toHaveLength(1);
    expect(said[0]).toContain('dlms-no-such-socket');
  });
});
