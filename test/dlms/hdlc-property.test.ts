/**
 * Client and server link over a line that loses, doubles and corrupts frames, adds junk and cuts portions anywhere.
 * Whatever it does, no APDU is delivered that was not sent, none twice, none out of turn.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concat, toHex } from '../../src/core/bytes.ts';
import { clientAddress, serverAddress } from '../../src/dlms/hdlc/address.ts';
import { HdlcClientLink } from '../../src/dlms/hdlc/client-link.ts';
import { HdlcDeframer } from '../../src/dlms/hdlc/deframer.ts';
import { symmetricParameters } from '../../src/dlms/hdlc/parameters.ts';
import { HdlcServerLink } from '../../src/dlms/hdlc/server-link.ts';
import type { LinkOutput } from '../../src/dlms/link.ts';

type Damage = 'none' | 'lose' | 'double' | 'flip' | 'cut' | 'junk' | 'drop-octet';

interface Line {
  readonly infoLength: number;
  readonly window: number;
  /** The meter answers frames out of sequence by REJ. */
  readonly rejects: boolean;
  /** Applied to the frames that pass, in turn; then the line is good. */
  readonly damage: readonly Damage[];
  readonly requests: readonly { readonly request: number; readonly answer: number }[];
  /** Octets of a portion on the way to the client. */
  readonly portion: number;
}

const lines: fc.Arbitrary<Line> = fc.record({
  infoLength: fc.integer({ min: 32, max: 200 }),
  window: fc.integer({ min: 1, max: 7 }),
  rejects: fc.boolean(),
  damage: fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.constant<Damage>('none') },
      { weight: 5, arbitrary: fc.constantFrom<Damage>('lose', 'double', 'flip', 'cut', 'junk', 'drop-octet') },
    ),
    { maxLength: 60 },
  ),
  requests: fc.array(
    fc.record({ request: fc.integer({ min: 3, max: 600 }), answer: fc.integer({ min: 3, max: 1500 }) }),
    {
      minLength: 1,
      maxLength: 12,
    },
  ),
  portion: fc.constantFrom(1, 7, 4096),
});

/** An APDU that no other one equals: its number, then a pattern. */
const apduOf = (number: number, length: number, mark: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => [mark, number >> 8, number & 0xff][index] ?? (number * 31 + index) & 0xff);

function damaged(frame: Uint8Array, damage: Damage, turn: number): Uint8Array[] {
  const at = (turn * 13) % frame.length;
  switch (damage) {
    case 'none':
      return [frame];
    case 'lose':
      return [];
    case 'double':
      return [frame, frame];
    case 'flip':
      return [frame.map((octet, index) => (index === at ? octet ^ (1 << (turn % 8)) : octet))];
    case 'cut':
      return [frame.slice(0, at)];
    case 'junk':
      return [Uint8Array.of(0x7e, 0xa0, turn & 0xff, 0x00), frame];
    case 'drop-octet':
      return [concat([frame.slice(0, at), frame.slice(at + 1)])];
  }
}

function run({ infoLength, window, rejects, damage, requests, portion }: Line): {
  delivered: number;
  failures: number;
} {
  const client = new HdlcClientLink({ client: 16, server: 1, physical: 17, addressSize: null, infoLength, window });
  const server = new HdlcServerLink({
    client: clientAddress(16),
    server: serverAddress(1, 17, null),
    parameters: symmetricParameters(infoLength, window),
    rejects,
  });
  const deframer = new HdlcDeframer();
  let toServer: Uint8Array[] = [];
  let toClient: Uint8Array[] = [];
  let turn = 0;
  const pass = (frames: readonly Uint8Array[]): Uint8Array[] =>
    frames.flatMap((frame) => {
      turn += 1;
      return damaged(frame, damage[turn - 1] ?? 'none', turn);
    });

  let current = -1;
  let asked = false;
  let seenByServer = -1;
  let delivered = 0;
  let failures = 0;

  const serverDid = (output: LinkOutput): void => {
    toClient.push(...pass(output.send));
    for (const event of output.events) {
      if (event.kind !== 'apdu') continue;
      // The server sees the request that is under way, once in a session.
      expect(toHex(event.apdu)).toBe(toHex(apduOf(current, requests[current]?.request ?? 0, 0xc0)));
      expect(seenByServer).not.toBe(current);
      seenByServer = current;
      serverDid(server.send(apduOf(current, requests[current]?.answer ?? 0, 0xc4)));
    }
  };
  const next = (): void => {
    current += 1;
    seenByServer = -1;
    asked = current < requests.length;
    if (asked) clientDid(client.send(apduOf(current, requests[current]?.request ?? 0, 0xc0)));
  };
  const clientDid = (output: LinkOutput): void => {
    toServer.push(...pass(output.send));
    for (const event of output.events) {
      if (event.kind === 'connected') next();
      if (event.kind === 'apdu') {
        expect(event.unsolicited).toBe(false);
        expect(asked).toBe(true);
        expect(toHex(event.apdu)).toBe(toHex(apduOf(current, requests[current]?.answer ?? 0, 0xc4)));
        delivered += 1;
        asked = false;
        next();
      }
      if (event.kind === 'failed') {
        failures += 1;
        asked = false;
        if (current < requests.length) clientDid(client.connect());
      }
    }
  };

  clientDid(client.connect());
  for (let step = 0; current < requests.length; step += 1) {
    expect(step).toBeLessThan(5000);
    const up = concat(toServer);
    const down = concat(toClient);
    toServer = [];
    toClient = [];
    if (up.length === 0 && down.length === 0) {
      clientDid(client.timeout());
      continue;
    }
    for (const item of deframer.push(up)) if (item.kind === 'frame') serverDid(server.receive(item.frame));
    for (let at = 0; at < down.length; at += portion) clientDid(client.receive(down.subarray(at, at + portion)));
  }
  return { delivered, failures };
}

test('no line makes the link deliver a wrong APDU, or one twice', () => {
  fc.assert(
    fc.property(lines, (line) => {
      const { delivered, failures } = run(line);
      expect(delivered + failures).toBeGreaterThanOrEqual(line.requests.length);
    }),
    { numRuns: 300, seed: 20260101 },
  );
});

test('a line that only loses one frame in ten never breaks the link', () => {
  const requests = Array.from({ length: 40 }, (_, index) => ({ request: 20 + index * 7, answer: 900 - index * 20 }));
  const kinds = [1, 3, 7].flatMap((window) => [true, false].map((rejects) => ({ window, rejects })));
  for (const { window, rejects } of kinds) {
    const damage = Array.from({ length: 2000 }, (_, index): Damage => (index % 10 === 7 ? 'lose' : 'none'));
    expect(run({ infoLength: 64, window, rejects, damage, requests, portion: 1 })).toEqual({
      delivered: 40,
      failures: 0,
    });
  }
});
