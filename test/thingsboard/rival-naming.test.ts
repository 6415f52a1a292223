/** Naming the rival: a real process with a socket to a real listener, and /proc as it looks elsewhere. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { rivalsBeside } from '../../src/cli/rivals.ts';
import { rivalsAt } from '../../src/thingsboard/conduct/rival.ts';

async function broker(): Promise<{ readonly url: string; readonly port: number; connections(): Promise<void> }> {
  const server = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return {
    url: `mqtt://127.0.0.1:${port}`,
    port,
    async connections() {
      await once(server, 'connection');
    },
  };
}

test.runIf(process.platform === 'linux')(
  'another process with a socket to the broker is named, without its arguments',
  async () => {
    const { url, port, connections } = await broker();
    const connected = connections();
    const script = `require('net').connect(${port}, '127.0.0.1').on('error', () => {}); setInterval(() => {}, 1000)`;
    const rival = spawn(process.execPath, ['-e', script, 'secret-token']);
    onTestFinished(() => void rival.kill('SIGKILL'));
    await connected;
    const found = await rivalsAt(url);
    expect(found).toEqual([{ pid: rival.pid, uid: process.getuid?.(), command: 'node', unit: found[0]?.unit ?? null }]);
    expect(JSON.stringify(found)).not.toContain('secret-token');
  },
);

test.runIf(process.platform === 'linux')('one that was thrown out a moment ago is waited for', async () => {
  const { url, port } = await broker();
  const script = `setTimeout(() => require('net').connect(${port}, '127.0.0.1').on('error', () => {}), 300); setInterval(() => {}, 1000)`;
  const rival = spawn(process.execPath, ['-e', script]);
  onTestFinished(() => void rival.kill('SIGKILL'));
  expect(await rivalsBeside(url, null)).toEqual([expect.stringContaining(`(pid ${rival.pid}, user `)]);
});

test('our own sockets are no rivals, nor are connections elsewhere', async () => {
  const { url, port } = await broker();
  const other = await broker();
  const sockets = [connect(port, '127.0.0.1'), connect(other.port, '127.0.0.1')];
  onTestFinished(() => sockets.forEach((socket) => void socket.destroy()));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  expect(await rivalsAt(url)).toEqual([]);
});

/** A /proc with one socket of user 1001 to 192.0.2.7:1883, whose process shows as much as `visible` says. */
function procWith(visible: boolean): string {
  const root = mkdtempSync(join(tmpdir(), 'dlms-proc-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, 'net'));
  const header = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
  const line =
    '   0: 0100000A:D431 070200C0:075B 01 00000000:00000000 00:00000000 00000000  1001        0 4242 1 0 20 4 30 10 -1\n';
  // An older socket of somebody else, and one that is closing.
  const older = line.replace('1001', '1003').replace('4242', '999');
  const closing = line.replace(' 01 ', ' 06 ').replace('4242', '4244');
  const v6 =
    '   1: 00000000000000000000000001000000:D431 B80D0120000000000000000001000000:075B 01 00000000:00000000 00:00000000 00000000  1002        0 4343 1 0\n';
  writeFileSync(join(root, 'net/tcp'), header + older + line + closing);
  writeFileSync(join(root, 'net/tcp6'), header + v6);
  if (visible) {
    mkdirSync(join(root, '77/fd'), { recursive: true });
    symlinkSync('socket:[4242]', join(root, '77/fd/5'));
    symlinkSync('/dev/null', join(root, '77/fd/0'));
    writeFileSync(join(root, '77/cmdline'), '/usr/bin/python3\0/opt/old/bridge.py\0--token\0secret-token\0');
    writeFileSync(join(root, '77/cgroup'), '0::/system.slice/old-bridge.service\n');
  }
  return root;
}

test('the script of an interpreter and its unit are told, who connected last before the others', async () => {
  const rivals = await rivalsAt('mqtt://192.0.2.7', procWith(true));
  expect(rivals).toEqual([
    { pid: 77, uid: 1001, command: 'python3 bridge.py', unit: 'old-bridge.service' },
    { pid: null, uid: 1003, command: null, unit: null },
  ]);
});

test('of a process that we may not look at the user is told', async () => {
  expect(await rivalsAt('mqtt://192.0.2.7:1883', procWith(false))).toEqual([
    { pid: null, uid: 1001, command: null, unit: null },
    { pid: null, uid: 1003, command: null, unit: null },
  ]);
});

test('IPv6 addresses are understood', async () => {
  expect(await rivalsAt('mqtt://[2001:db8::1]:1883', procWith(false))).toEqual([
    { pid: null, uid: 1002, command: null, unit: null },
  ]);
});

test('where there is no /proc nobody is named', async () => {
  expect(await rivalsAt('mqtt://192.0.2.7:1883', join(tmpdir(), 'no-such-proc'))).toEqual([]);
});
