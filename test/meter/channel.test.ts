/** The channel between a link and a wire: one operation at a time, and none that waits for ever. */
import { describe, expect, test } from 'vitest';
import { concat, fromHex, toHex } from '../../src/core/bytes.ts';
import { asBridgeError } from '../../src/core/errors.ts';
import { HdlcClientLink } from '../../src/dlms/hdlc/client-link.ts';
import { encodeWrapper, WrapperClientLink } from '../../src/dlms/wrapper.ts';
import { MeterChannel, type Wire, type WireReceiver } from '../../src/meter/channel.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { frame, sentFrames } from '../support/links.ts';

const TIMEOUT_MS = 1000;
const SETTINGS = { client: 16, server: 1, physical: 17, addressSize: null, window: 1, infoLength: 128 } as const;
const REQUEST = [fromHex('c001c100')];

/** A wire whose other end is the test. */
class TestWire implements Wire {
  readonly written: Uint8Array[] = [];
  private receiver: WireReceiver | null = null;

  attach(receiver: WireReceiver): void {
    this.receiver = receiver;
  }
  async write(bytes: Uint8Array): Promise<void> {
    this.written.push(bytes);
  }
  hears(...parts: readonly Uint8Array[]): void {
    this.receiver?.data(concat(parts));
  }
}

const answer = (hex: string): Uint8Array => encodeWrapper(1, 16, fromHex(hex));

function channelOver(framing: 'hdlc' | 'wrapper') {
  const clock = new VirtualClock();
  const wire = new TestWire();
  const unsolicited: string[] = [];
  const channel = new MeterChannel({
    link: framing === 'hdlc' ? new HdlcClientLink(SETTINGS) : new WrapperClientLink(SETTINGS),
    wire,
    clock,
    timeoutMs: TIMEOUT_MS,
    log: silentLogger,
    counts: { roundTrips: 0, bytesSent: 0, bytesReceived: 0 },
    onUnsolicited: (apdu) => unsolicited.push(toHex(apdu)),
  });
  /** What a promise comes to in so much time: hex, an error code, `done`, or `nothing yet`. */
  const outcome = async (
    promise: Promise<Uint8Array | undefined> | Promise<void>,
    withinMs = 20 * TIMEOUT_MS,
  ): Promise<string> => {
    let text = 'nothing yet';
    promise.then(
      (value) => {
        text = value === undefined ? 'done' : toHex(value);
      },
      (error: unknown) => {
        text = asBridgeError(error).code;
      },
    );
    for (let waited = 0; waited < withinMs && text === 'nothing yet'; waited += 100) await clock.advance(100);
    return text;
  };
  const connected = async (): Promise<void> => {
    const connecting = channel.connect();
    if (framing === 'hdlc') wire.hears(frame.ua());
    await connecting;
    wire.written.length = 0;
  };
  return { channel, wire, unsolicited, outcome, connected, clock };
}

describe.each(['wrapper', 'hdlc'] as const)('%s', (framing) => {
  /** The `count`-th answer of the meter. */
  const reply = (count: number, hex: string): Uint8Array =>
    framing === 'hdlc' ? frame.i(count, 1, `e6e700${hex}`) : answer(hex);

  test('an answer that was not the one is followed by another', async () => {
    const { channel, wire, outcome, connected } = channelOver(framing);
    await connected();
    const first = channel.exchange(REQUEST);
    wire.hears(reply(0, 'c401'));
    expect(await outcome(first)).toBe('c401');
    const second = channel.next();
    wire.hears(reply(1, 'c402'));
    expect(await outcome(second)).toBe('c402');
  });

  test('waiting for one that never comes ends', async () => {
    const { channel, wire, outcome, connected } = channelOver(framing);
    await connected();
    const first = channel.exchange(REQUEST);
    wire.hears(reply(0, 'c401'));
    await first;
    expect(await outcome(channel.next())).toBe('METER_TIMEOUT');
  });

  test('answers that come in one portion wait for their turn, in order', async () => {
    const { channel, wire, outcome, connected, unsolicited } = channelOver(framing);
    await connected();
    const first = channel.exchange(REQUEST);
    wire.hears(reply(0, 'c401'), reply(1, 'c402'), reply(2, '0f00'), reply(3, 'c403'));
    const further = [await outcome(channel.next()), await outcome(channel.next()), await outcome(channel.next())];
    expect([await outcome(first), ...further]).toEqual(['c401', 'c402', '0f00', 'c403']);
    expect(unsolicited).toEqual([]);
  });

  test('what nobody asked for before the next request is not its answer', async () => {
    const { channel, wire, outcome, connected, unsolicited } = channelOver(framing);
    await connected();
    const first = channel.exchange(REQUEST);
    wire.hears(reply(0, 'c401'), reply(1, 'c402'));
    await first;
    const second = channel.exchange(REQUEST);
    expect(unsolicited).toEqual(['c402']);
    wire.hears(framing === 'hdlc' ? frame.i(2, 2, 'e6e700c403') : answer('c403'));
    expect(await outcome(second)).toBe('c403');
  });
});

test('an answer that is there when the deadline passes, and is only not read yet, is no time-out', async () => {
  const { channel, wire, clock, outcome, connected } = channelOver('wrapper');
  await connected();
  const asked = channel.exchange(REQUEST);
  clock.setTimer(TIMEOUT_MS, () => wire.hears(answer('c401c1000601')));
  expect(await outcome(asked)).toBe('c401c1000601');
});

describe('keep-alive', () => {
  test('over HDLC an RR goes out, and its answer comes', async () => {
    const { channel, wire, outcome, connected } = channelOver('hdlc');
    await connected();
    const alive = channel.keepAlive();
    expect(sentFrames({ send: wire.written, events: [] })).toEqual(['RR 0 P']);
    wire.hears(frame.rr(0));
    expect(await outcome(alive)).toBe('done');
  });
  test('a meter that is gone is noticed', async () => {
    const { channel, outcome, connected } = channelOver('hdlc');
    await connected();
    expect(await outcome(channel.keepAlive())).toBe('METER_TIMEOUT');
  });
  test('over the wrapper nothing is sent', async () => {
    const { channel, wire, outcome, connected } = channelOver('wrapper');
    await connected();
    expect(await outcome(channel.keepAlive())).toBe('done');
    expect(wire.written).toEqual([]);
  });
});
