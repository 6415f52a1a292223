/** TCP in both directions, over the loopback. */
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { type Clock, systemClock, VirtualClock } from '../../src/runtime/clock.ts';
import { tcpTransport } from '../../src/transport/tcp.ts';
import { listenTcp, type TcpListener } from '../../src/transport/tcp-listener.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { Recorder, rejection } from '../support/recorder.ts';

const host = '127.0.0.1';
const toClose: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of toClose.splice(0)) await close();
});

/** A listener, and the transports and recorders of those who connected, opened at once. */
const listening = async (): Promise<{ listener: TcpListener; accepted: Transport[]; recorders: Recorder[] }> => {
  const accepted: Transport[] = [];
  const recorders: Recorder[] = [];
  const listener = await listenTcp({
    host,
    port: 0,
    onConnection(transport) {
      const recorder = new Recorder();
      accepted.push(transport);
      recorders.push(recorder);
      void transport.open(recorder);
    },
  });
  toClose.push(() => listener.close());
  return { listener, accepted, recorders };
};

const client = (port: number, clock: Clock = systemClock): Transport => tcpTransport({ host, port, clock });

/** A plain server of Node, to do what a well-behaved listener does not. */
const plainServer = async (onSocket: (socket: Socket) => void): Promise<{ port: number; server: Server }> => {
  const server = createServer(onSocket);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  toClose.push(async () => void server.close());
  return { port: (server.address() as { port: number }).port, server };
};

describe('a connection', () => {
  test('carries octets both ways', async () => {
    const { listener, accepted, recorders } = await listening();
    const here = new Recorder();
    const transport = client(listener.port);
    await transport.open(here);
    await transport.write(fromHex('00ff7e'));
    while (recorders.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(await recorders[0]?.octets(3)).toBe('00ff7e');
    await accepted[0]?.write(fromHex('0102'));
    expect(await here.octets(2)).toBe('0102');
    expect(here.portions[0]?.constructor).toBe(Uint8Array);
    await transport.close();
    expect(await recorders[0]?.gone()).toBe('LINE_CLOSED');
    expect(here.reasons).toEqual([]);
  });
  test('octet by octet', async () => {
    const { port } = await plainServer(async (socket) => {
      socket.setNoDelay(true);
      for (const octet of fromHex('7ea00801020110378d7e')) {
        await new Promise((resolve) => socket.write(Uint8Array.of(octet), resolve));
      }
    });
    const here = new Recorder();
    const transport = client(port);
    await transport.open(here);
    expect(await here.octets(10)).toBe('7ea00801020110378d7e');
    await transport.close();
  });
  test('the other side closes: told once, and writing fails', async () => {
    const { port } = await plainServer((socket) => socket.end());
    const here = new Recorder();
    const transport = client(port);
    await transport.open(here);
    expect(await here.gone()).toBe('LINE_CLOSED');
    expect(await rejection(transport.write(Uint8Array.of(1)))).toBe('LINE_CLOSED');
    await transport.close();
    expect(here.reasons).toHaveLength(1);
  });
  test('the other side resets', async () => {
    const { port } = await plainServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const here = new Recorder();
    const transport = client(port);
    await transport.open(here);
    await transport.write(Uint8Array.of(1));
    expect(await here.gone()).toBe('LINE_CLOSED');
  });
  test('may be opened again after close and after closed', async () => {
    const { listener, recorders } = await listening();
    const transport = client(listener.port);
    for (let count = 1; count <= 3; count += 1) {
      await transport.open(new Recorder());
      await transport.write(Uint8Array.of(count));
      while (recorders.length < count) await new Promise((resolve) => setImmediate(resolve));
      expect(await recorders.at(-1)?.octets(1)).toBe(`0${count}`);
      await transport.close();
      await transport.close();
    }
  });
  test('cannot be opened twice at once', async () => {
    const { listener } = await listening();
    const transport = client(listener.port);
    await transport.open(new Recorder());
    expect(await rejection(transport.open(new Recorder()))).toBe('INTERNAL');
    await transport.close();
  });
});

describe('opening', () => {
  test('nothing listens there', async () => {
    const { listener } = await listening();
    const { port } = listener;
    await listener.close();
    expect(await rejection(client(port).open(new Recorder()))).toBe('LINE_REFUSED');
  });
  test('the name does not exist', async () => {
    const transport = tcpTransport({ host: 'meter.invalid', port: 4059, clock: systemClock });
    expect(await rejection(transport.open(new Recorder()))).toBe('LINE_UNREACHABLE');
  });
  test('nobody answers: bounded by the clock', async () => {
    const { listener } = await listening();
    // A clock on which the time is up before the system can answer.
    const hasty: Clock = {
      ...systemClock,
      setTimer(_, callback) {
        queueMicrotask(callback);
        return { cancel: () => undefined };
      },
    };
    expect(await rejection(client(listener.port, hasty).open(new Recorder()))).toBe('LINE_OPEN_TIMEOUT');
  });
  test('no timer is left', async () => {
    const { listener } = await listening();
    const clock = new VirtualClock();
    const transport = client(listener.port, clock);
    await transport.open(new Recorder());
    expect(clock.pendingTimers).toBe(0);
    await transport.close();
  });
  test('closed meanwhile', async () => {
    const { listener } = await listening();
    const transport = client(listener.port);
    const outcome = rejection(transport.open(new Recorder()));
    await transport.close();
    expect(await outcome).toBe('LINE_CLOSED');
    await transport.open(new Recorder());
    await transport.close();
  });
  test('writing before', async () => {
    expect(await rejection(client(1).write(Uint8Array.of(1)))).toBe('LINE_CLOSED');
  });
});

describe('listener', () => {
  test('a port that is taken', async () => {
    const { listener } = await listening();
    expect(await rejection(listenTcp({ host, port: listener.port, onConnection: () => undefined }))).toBe(
      'INVALID_VALUE',
    );
  });
  test('closing breaks what stands', async () => {
    const { listener } = await listening();
    const here = new Recorder();
    await client(listener.port).open(here);
    await listener.close();
    await listener.close();
    expect(await here.gone()).toBe('LINE_CLOSED');
  });
  test('what came before somebody listened is not lost', async () => {
    let accepted: Transport | undefined;
    const listener = await listenTcp({
      host,
      port: 0,
      onConnection(transport) {
        accepted = transport;
      },
    });
    toClose.push(() => listener.close());
    const transport = client(listener.port);
    await transport.open(new Recorder());
    await transport.write(fromHex('c0ffee'));
    while (accepted === undefined) await new Promise((resolve) => setImmediate(resolve));
    const there = new Recorder();
    await accepted.open(there);
    expect(await there.octets(3)).toBe('c0ffee');
    expect(accepted.description).toMatch(/^tcp from 127\.0\.0\.1:\d+$/);
    await transport.close();
  });
  test('a connection that is broken before somebody listened says so', async () => {
    let accepted: Transport | undefined;
    const listener = await listenTcp({
      host,
      port: 0,
      onConnection(transport) {
        accepted = transport;
      },
    });
    toClose.push(() => listener.close());
    await client(listener.port).open(new Recorder());
    while (accepted === undefined) await new Promise((resolve) => setImmediate(resolve));
    await accepted.close();
    expect(await rejection(accepted.open(new Recorder()))).toBe('LINE_CLOSED');
  });
});
