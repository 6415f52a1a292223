/** The sign-on of mode E over a serial line of memory, with the clock moved by hand. */
import { expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import { addEvenParity, stripParity } from '../../src/dlms/mode-e/parity.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { modeETransport } from '../../src/transport/mode-e.ts';
import type { SerialTransport } from '../../src/transport/serial.ts';
import type { SignOnStyle, TransportEvents } from '../../src/transport/transport.ts';
import { until } from '../support/until.ts';

const ascii = (text: string): Uint8Array => addEvenParity(Buffer.from(text, 'latin1'));

/** A meter behind an optical head: answers what `answer` gives to each line it hears, and remembers what happened. */
function bench(answer: (heard: string) => Uint8Array | null) {
  const clock = new VirtualClock();
  const happened: string[] = [];
  let events: TransportEvents | null = null;
  const serial: SerialTransport = {
    description: 'serial /dev/head 300 8N1',
    async open(given) {
      events = given;
      happened.push('open');
    },
    async write(bytes) {
      const heard = Buffer.from(stripParity(bytes)).toString('latin1');
      happened.push(`wrote ${JSON.stringify(heard)} at ${clock.monotonic()}`);
      const reply = answer(heard);
      if (reply !== null) clock.setTimer(300, () => events?.data(reply));
    },
    async setBaudRate(rate) {
      happened.push(`${rate} baud at ${clock.monotonic()}`);
    },
    async close() {
      events = null;
      happened.push('close');
    },
  };
  const received: number[] = [];
  const transport = modeETransport({ serial, clock });
  const open = async (style?: SignOnStyle): Promise<string> => {
    let outcome: string | undefined;
    transport.open({ data: (bytes) => received.push(...bytes), closed: () => received.push(-1) }, style).then(
      () => {
        outcome = 'open';
      },
      (error: BridgeError) => {
        outcome = error.code;
      },
    );
    await until('the sign-on is over', () => outcome !== undefined, { clock, stepMs: 20 });
    return outcome!;
  };
  return {
    clock,
    happened,
    received,
    transport,
    open,
    deliver: (bytes: Uint8Array) => events?.data(bytes),
    lose: () => events?.closed(new BridgeError('LINE_CLOSED', 'pulled out')),
  };
}

const withHdlc = (heard: string): Uint8Array | null =>
  heard.startsWith('/?') ? ascii('/LGZ5\\2ZMF100AC.M29\r\n') : null;

test('call, identification, acknowledgement, change of rate; then the line belongs to HDLC', async () => {
  const { open, happened, received, deliver } = bench(withHdlc);
  expect(await open()).toBe('open');
  expect(happened[0]).toBe('open');
  expect(happened[1]).toBe('wrote "/?!\\r\\n" at 0');
  expect(happened[2]).toMatch(/^wrote "\\u0006252\\r\\n" at \d+$/);
  expect(happened[3]).toMatch(/^9600 baud at \d+$/);
  // The rate changes only when the acknowledgement is out: 6 characters at 300 baud, and the meter's own time.
  const at = (line: string | undefined): number => Number(/at (\d+)$/.exec(line ?? '')?.[1]);
  expect(at(happened[3]) - at(happened[2])).toBeGreaterThanOrEqual(200 + 400);
  deliver(Uint8Array.of(0x7e, 0xa0));
  expect(received).toEqual([0x7e, 0xa0]);
});

test('a meter that does not offer HDLC says so, and the port is closed again', async () => {
  const { open, happened } = bench((heard) => (heard.startsWith('/?') ? ascii('/ABB5ENERGY\r\n') : null));
  expect(await open()).toBe('MODE_E_NOT_OFFERED');
  expect(happened.at(-1)).toBe('close');
});

test('silence: called again, then given up', async () => {
  const { open, happened } = bench(() => null);
  expect(await open()).toBe('METER_TIMEOUT');
  expect(happened.filter((line) => line.startsWith('wrote'))).toHaveLength(3);
});

test('an adapter that is pulled out during the sign-on', async () => {
  const { open, clock, lose } = bench(() => null);
  clock.setTimer(100, lose);
  expect(await open()).toBe('LINE_CLOSED');
});

test('no timer is left behind', async () => {
  const { open, clock, transport } = bench(withHdlc);
  await open();
  await transport.close();
  expect(clock.pendingTimers).toBe(0);
});

test('the pause before the new rate is that of the meter', async () => {
  const pauseOf = async (switchWaitMs: number): Promise<number> => {
    const { open, happened } = bench(withHdlc);
    expect(await open({ switchWaitMs, switchBaud: true })).toBe('open');
    const at = (line: string | undefined): number => Number(/at (\d+)$/.exec(line ?? '')?.[1]);
    return at(happened[3]) - at(happened[2]);
  };
  expect((await pauseOf(2000)) - (await pauseOf(0))).toBe(2000);
});

test('a meter that does not change its rate is left at that of the sign-on', async () => {
  const { open, happened } = bench(withHdlc);
  expect(await open({ switchWaitMs: 400, switchBaud: false })).toBe('open');
  expect(happened[2]).toMatch(/^wrote "\\u0006202\\r\\n"/);
  expect(happened[3]).toMatch(/^300 baud/);
});
