/** Listening for datagrams on loopback: whole ones from anybody, answers to whoever sent them, a port that is taken. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { toHex } from '../../src/core/bytes.ts';
import { listenUdp, type UdpSender } from '../../src/transport/udp-listener.ts';
import { until } from '../support/until.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

function sender(): Socket {
  const socket = createSocket('udp4');
  open.push(socket);
  return socket;
}

async function listening(port = 0) {
  const heard: { octets: string; from: UdpSender }[] = [];
  const listener = await listenUdp({
    host: '127.0.0.1',
    port,
    onDatagram: (bytes, from) => heard.push({ octets: toHex(bytes), from }),
    onFailed: (error) => expect.unreachable(error.message),
  });
  open.push(listener);
  return { listener, heard };
}

test('datagrams of two senders, each answered', async () => {
  const { listener, heard } = await listening();
  const [one, other] = [sender(), sender()];
  one.send(Uint8Array.of(1, 2), listener.port, '127.0.0.1');
  await until('the first came', () => heard.length === 1);
  other.send(Uint8Array.of(3), listener.port, '127.0.0.1');
  await until('both came', () => heard.length === 2);
  expect(heard.map(({ octets }) => octets)).toEqual(['0102', '03']);
  const [first, second] = heard.map(({ from }) => from);
  expect(first?.description).toMatch(/^udp from 127\.0\.0\.1:\d+$/);
  expect(first?.description).not.toBe(second?.description);
  const answered = once(one, 'message');
  await first?.answer(Uint8Array.of(9));
  expect([...((await answered) as [Buffer])[0]]).toEqual([9]);
});

test('closed twice; nobody is answered afterwards', async () => {
  const { listener, heard } = await listening();
  sender().send(Uint8Array.of(1), listener.port, '127.0.0.1');
  await until('it came', () => heard.length === 1);
  await listener.close();
  await listener.close();
  await expect(heard[0]?.from.answer(Uint8Array.of(9))).rejects.toMatchObject({ code: 'LINE_IO' });
});

test('a port that is taken', async () => {
  const { listener } = await listening();
  await expect(listening(listener.port)).rejects.toMatchObject({ code: 'INVALID_VALUE', layer: 'transport' });
});
