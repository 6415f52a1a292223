/** A serial line over a real pair of pseudo-terminals. Needs socat: skipped without it, except in CI, where it fails. */
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/core/bytes.ts';
import type { BridgeError } from '../../src/core/errors.ts';
import { HdlcClientLink } from '../../src/dlms/hdlc/client-link.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { serialTransport } from '../../src/transport/serial.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { eventsOf, frame } from '../support/links.ts';
import { Recorder, rejection } from '../support/recorder.ts';
import { hasSocat, type PtyPair, ptyPair } from '../support/socat.ts';

const serial = (path: string): Transport =>
  serialTransport({ path, baudRate: 9600, format: { dataBits: 8, parity: 'N', stopBits: 1 }, clock: systemClock });

describe.skipIf(!hasSocat)('over a pair of pseudo-terminals (needs socat)', () => {
  let ports: PtyPair;
  let open: Transport[];
  const opened = async (path: string): Promise<{ transport: Transport; recorder: Recorder }> => {
    const transport = serial(path);
    const recorder = new Recorder();
    await transport.open(recorder);
    open.push(transport);
    return { transport, recorder };
  };
  beforeEach(async () => {
    ports = await ptyPair();
    open = [];
  });
  afterEach(async () => {
    for (const transport of open) await transport.close();
    await ports.unplug();
  });

  test('carries octets both ways, one by one', async () => {
    const a = await opened(ports.a);
    const b = await opened(ports.b);
    const all = Uint8Array.from({ length: 256 }, (_, octet) => octet);
    await a.transport.write(all);
    expect(await b.recorder.octets(256)).toBe(toHex(all));
    expect(b.recorder.portions.every(({ length }) => length === 1)).toBe(true);
    await b.transport.write(fromHex('7e7e'));
    expect(await a.recorder.octets(2)).toBe('7e7e');
    expect(a.transport.description).toBe(`serial ${ports.a} 9600 8N1`);
  });
  test('an HDLC link is made over it', async () => {
    const a = await opened(ports.a);
    const b = await opened(ports.b);
    const link = new HdlcClientLink({
      client: 16,
      server: 1,
      physical: 17,
      addressSize: null,
      window: 1,
      infoLength: 128,
    });
    const [snrm] = link.connect().send as [Uint8Array];
    await a.transport.write(snrm);
    expect(await b.recorder.octets(snrm.length)).toBe(toHex(snrm));
    const ua = frame.ua();
    await b.transport.write(ua);
    await a.recorder.octets(ua.length);
    expect(a.recorder.portions.flatMap((octet) => eventsOf(link.receive(octet)))).toEqual(['connected']);
  });
  test('a port in use is locked', async () => {
    await opened(ports.a);
    const refused = await serial(ports.a)
      .open(new Recorder())
      .catch((error: BridgeError) => error);
    expect(refused).toMatchObject({
      code: 'SERIAL_PORT_BUSY',
      message: expect.stringContaining(`held by process ${process.pid} (`),
      hint: expect.stringContaining('another line of ours'),
    });
  });
  test('is free again after close, and may be opened again', async () => {
    const { transport } = await opened(ports.a);
    await transport.close();
    await transport.close();
    expect(await rejection(transport.write(Uint8Array.of(1)))).toBe('LINE_CLOSED');
    await transport.open(new Recorder());
    const b = await opened(ports.b);
    await transport.write(Uint8Array.of(5));
    expect(await b.recorder.octets(1)).toBe('05');
  });
  test('is not opened twice at once', async () => {
    const { transport } = await opened(ports.a);
    expect(await rejection(transport.open(new Recorder()))).toBe('INTERNAL');
  });
  test('an adapter that is pulled out is noticed without a write, once', async () => {
    const { transport, recorder } = await opened(ports.a);
    const b = await opened(ports.b);
    await b.transport.write(Uint8Array.of(1));
    await recorder.octets(1);
    await ports.unplug();
    expect(await recorder.gone()).toBe('LINE_CLOSED');
    expect(await rejection(transport.write(Uint8Array.of(1)))).toBe('LINE_CLOSED');
    await transport.close();
    expect(recorder.reasons).toHaveLength(1);
  });
  test('pulled out before the first read: the library reads 0 octets for ever, we notice', async () => {
    const { recorder } = await opened(ports.a);
    await ports.unplug();
    expect(await recorder.gone()).toBe('LINE_CLOSED');
    expect(recorder.reasons).toHaveLength(1);
  });
  test('closing while opening', async () => {
    const transport = serial(ports.a);
    const outcome = rejection(transport.open(new Recorder()));
    await transport.close();
    expect(await outcome).toBe('LINE_CLOSED');
    await opened(ports.a);
  });
});

test('a port that is not there', async () => {
  expect(await rejection(serial('/dev/no-such-port').open(new Recorder()))).toBe('SERIAL_PORT_MISSING');
});

/** The user of that name on every Linux. */
const NOBODY = 65_534;

test('a port without permission', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'dlms-serial-'));
  const path = join(directory, 'port');
  writeFileSync(path, '');
  chmodSync(directory, 0o755);
  chmodSync(path, 0);
  // Root has every permission: it looks as somebody who has none.
  const wasRoot = process.geteuid?.() === 0;
  if (wasRoot) process.seteuid?.(NOBODY);
  try {
    expect(await rejection(serial(path).open(new Recorder()))).toBe('SERIAL_PORT_DENIED');
  } finally {
    if (wasRoot) process.seteuid?.(0);
  }
});
