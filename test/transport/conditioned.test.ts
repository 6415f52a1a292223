/** Pauses, wake-up and echo, with the clock moved by hand: what is written when. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { conditioned, conditionedSerial } from '../../src/transport/conditioned.ts';
import { EchoFilter } from '../../src/transport/echo.ts';
import { DEFAULT_LINE_SETTINGS, type LineSettings } from '../../src/transport/line-settings.ts';
import type { SerialTransport } from '../../src/transport/serial.ts';
import type { Transport, TransportEvents } from '../../src/transport/transport.ts';

const octets = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

function bench(settings: Partial<LineSettings>, baudRate: number | null = null) {
  const clock = new VirtualClock();
  const log: string[] = [];
  const heard: string[] = [];
  let events: TransportEvents | null = null;
  const inner: SerialTransport = {
    description: 'line',
    async open(given) {
      events = given;
      log.push(`${clock.monotonic()} open`);
    },
    async write(bytes) {
      log.push(`${clock.monotonic()} ${toHex(bytes)}`);
    },
    async close() {
      log.push(`${clock.monotonic()} close`);
    },
    async setBaudRate(rate) {
      log.push(`${clock.monotonic()} rate ${rate}`);
    },
  };
  const conditions = { ...DEFAULT_LINE_SETTINGS, ...settings };
  const transport: Transport =
    baudRate === null ? conditioned(inner, conditions, clock) : conditionedSerial(inner, baudRate, conditions, clock);
  const listener: TransportEvents = {
    data: (bytes) => void heard.push(toHex(bytes)),
    closed: ({ code }) => void heard.push(code),
  };
  return {
    clock,
    log,
    heard,
    inner,
    transport,
    listener,
    hear: (hex: string) => events?.data(octets(hex)),
    breaks: (code: 'LINE_CLOSED' | 'LINE_IO') => events?.closed(new BridgeError(code, 'broken')),
  };
}

test('a line of which nothing is wanted is the transport itself', () => {
  const { transport, inner } = bench({});
  expect(transport).toBe(inner);
});

describe('opening', () => {
  test('delay, wake-up, delay; what is heard meanwhile is nobody’s', async () => {
    const { clock, log, heard, transport, listener, hear } = bench({
      connectDelayMs: 500,
      wakeUp: '0000ff',
      wakeUpDelayMs: 200,
    });
    let isOpen = false;
    const opening = transport.open(listener).then(() => {
      isOpen = true;
    });
    await clock.advance(600);
    hear('fe');
    await clock.advance(99);
    expect(isOpen).toBe(false);
    await clock.advance(2);
    await opening;
    hear('aa');
    expect([log, heard]).toEqual([['0 open', '500 0000ff'], ['aa']]);
  });

  test.each(['closed by us', 'broken'])('that is %s while it waits fails, and is told once', async (how) => {
    const { clock, heard, transport, listener, breaks } = bench({ connectDelayMs: 500 });
    const opening = transport.open(listener).catch(({ code }: BridgeError) => code);
    await clock.advance(100);
    if (how === 'broken') breaks('LINE_IO');
    else await transport.close();
    await clock.advance(0);
    expect(await opening).toBe(how === 'broken' ? 'LINE_IO' : 'LINE_CLOSED');
    expect([heard, clock.pendingTimers]).toEqual([[], 0]);
    const again = transport.open(listener);
    await clock.advance(500);
    await again;
  });
});

describe('pauses', () => {
  test('between frames, counted from the end of the one before on the line', async () => {
    // 96 octets at 9600 baud take 100 ms.
    const { clock, log, transport, listener } = bench({ interFrameMs: 20 }, 9600);
    await transport.open(listener);
    const frame = new Uint8Array(96);
    void transport.write(frame);
    void transport.write(octets('01'));
    void transport.write(octets('02'));
    await clock.advance(1000);
    expect(log.map((entry) => Math.round(Number.parseFloat(entry)))).toEqual([0, 0, 120, 141]);
    expect(log.slice(-2).map((entry) => entry.split(' ')[1])).toEqual(['01', '02']);
  });

  test('after what was heard', async () => {
    const { clock, log, transport, listener, hear } = bench({ turnaroundMs: 30 });
    await transport.open(listener);
    await clock.advance(100);
    hear('7e');
    await clock.advance(10);
    void transport.write(octets('01'));
    await clock.advance(100);
    void transport.write(octets('02'));
    await clock.advance(0);
    expect(log.slice(1)).toEqual(['130 01', '210 02']);
  });

  test('a new rate makes octets shorter; opened again it is the old one', async () => {
    const { clock, log, transport, listener } = bench({ interFrameMs: 10 }, 300);
    await transport.open(listener);
    await (transport as SerialTransport).setBaudRate(9600);
    void transport.write(new Uint8Array(96));
    void transport.write(octets('01'));
    await clock.advance(1000);
    expect(log.at(-1)).toBe('110 01');
  });

  test('closed while a frame waits: it fails and is not sent', async () => {
    const { clock, log, transport, listener } = bench({ interFrameMs: 100 });
    await transport.open(listener);
    await transport.write(octets('01'));
    const second = transport.write(octets('02')).catch(({ code }: BridgeError) => code);
    await transport.close();
    await clock.advance(0);
    expect([await second, log.at(-1)]).toEqual(['LINE_CLOSED', '0 close']);
  });
});

describe('echo', () => {
  test('is taken out however it is cut', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        fc.uint8Array({ maxLength: 40 }),
        fc.integer({ min: 1, max: 9 }),
        (written, answer, portion) => {
          const filter = new EchoFilter();
          filter.wrote(written);
          const line = Uint8Array.from([...written, ...answer]);
          const heard: number[] = [];
          for (let at = 0; at < line.length; at += portion)
            heard.push(...filter.received(line.subarray(at, at + portion)));
          expect(heard).toEqual([...answer]);
        },
      ),
    );
  });

  test('a line without echo loses nothing of an answer that begins alike', () => {
    const filter = new EchoFilter();
    filter.wrote(octets('7ea007'));
    expect(toHex(filter.received(octets('7e')))).toBe('');
    expect(toHex(filter.received(octets('a0')))).toBe('');
    expect(toHex(filter.received(octets('1eff')))).toBe('7ea01eff');
    expect(toHex(filter.received(octets('7ea007')))).toBe('7ea007');
  });

  test('over a transport', async () => {
    const { clock, heard, transport, listener, hear } = bench({ echo: true });
    await transport.open(listener);
    await transport.write(octets('0102'));
    hear('01');
    hear('02aa');
    await clock.advance(0);
    expect(heard).toEqual(['aa']);
  });
});
