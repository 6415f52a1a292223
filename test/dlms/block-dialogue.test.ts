/** Both parties of general block transfer against each other: octets, loss, repetition, disorder, and that it ends. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import { decodeApdu, encodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import { BlockDialogue, MOST_SILENCES } from '../../src/dlms/xdlms/block-dialogue.ts';
import type { GeneralBlockTransfer } from '../../src/dlms/xdlms/block-transfer.ts';
import { codeOf } from '../support/error-code.ts';

const SETTINGS = { limit: 100_000, window: 3 };

function block(hex: string): GeneralBlockTransfer {
  const apdu = decodeApdu(fromHex(hex));
  if (apdu.apdu !== 'general-block-transfer') throw new Error(apdu.apdu);
  return apdu;
}
const shown = (blocks: readonly GeneralBlockTransfer[]): string[] => blocks.map((one) => toHex(encodeApdu(one)));

/** `e0 | control: 80 last, 40 streaming, window | number | number acknowledged | length data`. */
describe('octet by octet', () => {
  test('an answer in four blocks: the first alone, then a window', () => {
    const client = new BlockDialogue(SETTINGS);
    const take = (hex: string) => client.receive(block(hex));
    expect(shown(take('e005 0001 0000 02 c401'.replaceAll(' ', '')).send)).toEqual(['e08300010001' + '00']);
    expect(take('e0450002000102c100')).toEqual({ send: [], whole: null });
    expect(take('e045000300010209 02'.replaceAll(' ', ''))).toEqual({ send: [], whole: null });
    const { whole, send } = take('e08500040001020a0b');
    expect([toHex(whole ?? new Uint8Array()), send]).toEqual(['c401c10009020a0b', []]);
  });
  test('block 3 is lost: the one before is acknowledged with a window as large as the gap', () => {
    const client = new BlockDialogue(SETTINGS);
    for (const hex of ['e0450001000001aa', 'e0450002000001bb']) client.receive(block(hex));
    expect(shown(client.receive(block('e0050004000001dd')).send)).toEqual(['e0810001000200']);
    expect(shown(client.receive(block('e0050003000101cc')).send)).toEqual(['e0830002000400']);
    expect(toHex(client.receive(block('e0850005000201ee')).whole ?? new Uint8Array())).toBe('aabbccddee');
  });
  test('the end of a window is lost: silence asks, a bounded number of times', () => {
    const client = new BlockDialogue(SETTINGS);
    client.receive(block('e0450001000001aa'));
    const asked = Array.from({ length: 5 }, () => shown(client.silence()));
    expect(asked).toEqual([...Array(MOST_SILENCES).fill(['e0830001000100']), [], []]);
    client.receive(block('e0450002000001bb'));
    expect(shown(client.silence())).toEqual(['e0830002000200']);
  });
  test('a request in blocks: one, then the window that the meter told; its answer counts on from its acknowledgements', () => {
    const client = new BlockDialogue(SETTINGS);
    expect(shown(client.send(fromHex('010203040506'), 9))).toEqual(['e003000100000201' + '02']);
    expect(shown(client.receive(block('e0020001000100')).send)).toEqual(['e04300020001020304', 'e08300030001020506']);
    const { whole } = client.receive(block('e0820002000301ff'));
    expect(toHex(whole ?? new Uint8Array())).toBe('ff');
  });
  test('a meter that does not number what has no data', () => {
    const client = new BlockDialogue(SETTINGS);
    client.send(fromHex('01020304'), 9);
    client.receive(block('e0020001000100'));
    expect(toHex(client.receive(block('e0820001000201ff')).whole ?? new Uint8Array())).toBe('ff');
  });
  test('a late copy of an earlier answer is not taken for a part of this one', () => {
    const client = new BlockDialogue(SETTINGS);
    expect(client.receive(block('e0850002000604c501c100'))).toEqual({ send: [], whole: null });
    expect(toHex(client.receive(block('e0850001000001aa')).whole ?? new Uint8Array())).toBe('aa');
  });
  test('nothing is asked where nothing is under way', () => {
    const client = new BlockDialogue(SETTINGS);
    expect(client.silence()).toEqual([]);
    client.receive(block('e0850001000001aa'));
    expect(client.silence()).toEqual([]);
  });
});

describe('what ends a transfer', () => {
  test('more octets than allowed', () => {
    const small = new BlockDialogue({ limit: 3, window: 1 });
    expect(codeOf(() => small.receive(block('e0450001000004aabbccdd')))).toBe('LIMIT_EXCEEDED');
  });
  test('a block with other data than before, a block far ahead, an acknowledgement of what was not sent', () => {
    const client = new BlockDialogue(SETTINGS);
    client.receive(block('e0450001000001aa'));
    expect(codeOf(() => client.receive(block('e0450001000001bb')))).toBe('UNEXPECTED_RESPONSE');
    expect(codeOf(() => client.receive(block('e04500ff000001bb')))).toBe('UNEXPECTED_RESPONSE');
    const sender = new BlockDialogue(SETTINGS);
    sender.send(fromHex('01020304'), 9);
    expect(codeOf(() => sender.receive(block('e0020001000900')))).toBe('UNEXPECTED_RESPONSE');
  });
  test('blocks that bring nothing new, without end', () => {
    const client = new BlockDialogue(SETTINGS);
    const again = (): string => {
      for (let count = 0; count < 1000; count += 1) client.receive(block('e0450001000001aa'));
      return 'no end';
    };
    expect(codeOf(again)).toBe('UNEXPECTED_RESPONSE');
  });
});

type Fate = 'arrives' | 'lost' | 'twice' | 'late';

/** A request one way and its answer the other, over a line that treats each block as fate has it. */
function conversation(
  request: Uint8Array,
  answer: Uint8Array,
  options: { readonly maxPdu: number; readonly windows: readonly [number, number]; next(): Fate },
): string {
  const client = new BlockDialogue({ limit: 100_000, window: options.windows[0] });
  const server = new BlockDialogue({ limit: 100_000, window: options.windows[1] });
  const onLine = (blocks: readonly GeneralBlockTransfer[]): GeneralBlockTransfer[] => {
    const late: GeneralBlockTransfer[] = [];
    const inTime = blocks.flatMap((one) => {
      const fate = options.next();
      if (fate === 'late') late.push(one);
      return fate === 'arrives' ? [one] : fate === 'twice' ? [one, one] : [];
    });
    return [...inTime, ...late];
  };
  let answered = false;
  let toServer = onLine(client.send(request, options.maxPdu));
  try {
    for (let turn = 0; turn < 20_000; turn += 1) {
      const toClient = toServer.flatMap((one) => {
        const { send, whole } = server.receive(one);
        if (whole === null) return send;
        expect(answered, 'the request came once').toBe(false);
        expect(toHex(whole)).toBe(toHex(request));
        answered = true;
        return server.send(answer, options.maxPdu);
      });
      toServer = [];
      for (const one of onLine(toClient)) {
        const { send, whole } = client.receive(one);
        if (whole !== null) return toHex(whole) === toHex(answer) ? 'identical' : 'another answer';
        toServer.push(...send);
      }
      if (toServer.length === 0) toServer.push(...client.silence());
      if (toServer.length === 0) return 'METER_TIMEOUT';
      toServer = onLine(toServer);
    }
  } catch (error) {
    if (error instanceof BridgeError && error.code !== 'INTERNAL') return error.code;
    throw error;
  }
  return 'it never ended';
}

const line = fc.record({
  request: fc.uint8Array({ minLength: 1, maxLength: 200 }),
  answer: fc.uint8Array({ minLength: 1, maxLength: 300 }),
  maxPdu: fc.integer({ min: 10, max: 60 }),
  windows: fc.tuple(fc.integer({ min: 1, max: 63 }), fc.integer({ min: 1, max: 63 })),
});

test('over a line that loses nothing every request and every answer arrive', () => {
  fc.assert(
    fc.property(line, ({ request, answer, ...options }) => {
      expect(conversation(request, answer, { ...options, next: () => 'arrives' })).toBe('identical');
    }),
    { numRuns: 300 },
  );
});

test('over a line that repeats and loses now and then they arrive', () => {
  fc.assert(
    fc.property(line, fc.integer({ min: 4, max: 20 }), ({ request, answer, ...options }, every) => {
      let count = 0;
      const next = (): Fate => {
        count += 1;
        return count % every === 0 ? 'lost' : count % 3 === 0 ? 'twice' : 'arrives';
      };
      expect(conversation(request, answer, { ...options, next })).toBe('identical');
    }),
    { numRuns: 300 },
  );
});

test('whatever the line does, what arrives is identical, or there is a typed error, and it ends', () => {
  const fates = fc.infiniteStream(fc.constantFrom<Fate>('arrives', 'arrives', 'arrives', 'lost', 'twice', 'late'));
  const outcomes = new Map<string, number>();
  fc.assert(
    fc.property(line, fates, ({ request, answer, ...options }, stream) => {
      const outcome = conversation(request, answer, { ...options, next: () => stream.next().value as Fate });
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      expect(['identical', 'METER_TIMEOUT', 'UNEXPECTED_RESPONSE']).toContain(outcome);
    }),
    { numRuns: 500 },
  );
  expect(outcomes.get('identical')).toBeGreaterThan(400);
});
