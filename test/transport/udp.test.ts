/** UDP on loopback: datagrams there and back, strangers unheard, a closed port noticed. */
import { createSocket, type Socket } from 'node:dgram';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { toHex } from '../../src/core/bytes.ts';
import type { BridgeError } from '../../src/core/errors.ts';
import { udpTransport } from '../../src/transport/udp.ts';
import { until } from '../support/until.ts';

const open: (Socket | { close(): unknown })[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

async function echoServer(): Promise<{ socket: Socket; port: number }> {
  const socket = createSocket('udp4');
  open.push(socket);
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  socket.on('message', (message, { port, address }) => socket.send(message, port, address));
  return { socket, port: (socket.address() as AddressInfo).port };
}

async function opened(port: number) {
  const heard: string[] = [];
  const closed: BridgeError[] = [];
  const transport = udpTransport({ host: '127.0.0.1', port });
  open.push(transport);
  await transport.open({ data: (bytes) => heard.push(toHex(bytes)), closed: (reason) => closed.push(reason) });
  return { transport, heard, closed };
}

test('datagrams go there and come back whole', async () => {
  const { port } = await echoServer();
  const { transport, heard } = await opened(port);
  await transport.write(Uint8Array.of(1, 2, 3));
  await until('the first came back', () => heard.length === 1);
  await transport.write(Uint8Array.of(4));
  await until('both came back', () => heard.length === 2);
  expect(heard).toEqual(['010203', '04']);
});

test('who is not the meter is not heard', async () => {
  const meter = await echoServer();
  const stranger = await echoServer();
  const { transport, heard } = await opened(meter.port);
  await transport.write(Uint8Array.of(1));
  await until('our port is known', () => heard.length === 1);
  const ours = await new Promise<number>((resolve) => {
    meter.socket.once('message', (_, { port }) => resolve(port));
    void transport.write(Uint8Array.of(2));
  });
  stranger.socket.send(Uint8Array.of(0xff), ours, '127.0.0.1');
  await transport.write(Uint8Array.of(3));
  await until('the meter answered again', () => heard.includes('03'));
  expect(heard).not.toContain('ff');
});

test('a port that nobody has is noticed once it is written to', async () => {
  const { socket, port } = await echoServer();
  socket.close();
  open.splice(open.indexOf(socket), 1);
  const { transport, closed } = await opened(port);
  await transport.write(Uint8Array.of(1));
  await until('the system says so', () => closed.length === 1);
  expect(closed[0]).toMatchObject({ code: 'LINE_REFUSED', layer: 'transport' });
  await expect(transport.write(Uint8Array.of(1))).rejects.toMatchObject({ code: 'LINE_CLOSED' });
});

test('closing is quiet and may be done twice; it opens again', async () => {
  const { port } = await echoServer();
  const { transport, closed } = await opened(port);
  await transport.close();
  await transport.close();
  expect(closed).toEqual([]);
  await transport.open({ data: () => undefined, closed: () => undefined });
});

test('a host that does not resolve', async () => {
  const transport = udpTransport({ host: 'no-such-host.invalid', port: 4059 });
  await expect(transport.open({ data: () => undefined, closed: () => undefined })).rejects.toMatchObject({
    code: 'LINE_UNREACHABLE',
  });
});
