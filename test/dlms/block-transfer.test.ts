/** General block transfer: joining with loss, disorder and repetition; splitting; both against each other on a bad line. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, fromHex, toHex } from '../../src/core/bytes.ts';
import { decodeApdu, encodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import { BlockReceiver, type ReceivedBlock } from '../../src/dlms/xdlms/block-receiver.ts';
import {
  acknowledgementBlock,
  blockBurst,
  splitIntoBlocks,
  unconfirmedBlocks,
} from '../../src/dlms/xdlms/block-sender.ts';
import type { GeneralBlockTransfer } from '../../src/dlms/xdlms/block-transfer.ts';
import { codeOf } from '../support/error-code.ts';

const receiver = (limit = 1000): BlockReceiver => new BlockReceiver({ limit, window: 5 });

function blockOf(hex: string): GeneralBlockTransfer {
  const apdu = decodeApdu(fromHex(hex));
  if (apdu.apdu !== 'general-block-transfer') throw new Error(apdu.apdu);
  return apdu;
}
const block = (blockNumber: number, fields: Partial<GeneralBlockTransfer> = {}): GeneralBlockTransfer => ({
  apdu: 'general-block-transfer',
  lastBlock: false,
  streaming: true,
  window: 5,
  blockNumber,
  blockNumberAck: 0,
  blockData: Uint8Array.of(blockNumber),
  ...fields,
});
const kinds = (received: readonly ReceivedBlock[]): string[] => received.map(({ outcome }) => outcome.kind);
const wholeOf = (received: readonly ReceivedBlock[]): string | undefined => {
  const outcome = received.at(-1)?.outcome;
  return outcome?.kind === 'whole' ? toHex(outcome.octets) : undefined;
};

describe('receiving from a meter with windows of five', () => {
  /** `e0 | control | number | number acknowledged | 82 0002 data`. */
  const FIRST = 'e00500010000820002c402';
  const SECOND = ['e045000200018200020102', 'e045000300018200020304', 'e045000400018200020506'];
  const WINDOW_END = ['e045000500018200020708', 'e00500060001820002090a'];
  const LAST = ['e045000700028200020b0c', 'e045000800028200020d0e', 'e085000900028200010f'];
  const WHOLE = 'c4020102030405060708090a0b0c0d0e0f';

  test('all blocks come', () => {
    const blocks = receiver();
    const take = (...hex: string[]): ReceivedBlock[] => hex.map((one) => blocks.accept(blockOf(one)));
    const [first] = take(FIRST);
    expect(first).toEqual({ outcome: { kind: 'block' }, acknowledge: { blockNumberAck: 1, window: 5 } });
    const acknowledged = take(...SECOND, ...WINDOW_END).map(({ acknowledge }) => acknowledge);
    expect(acknowledged).toEqual([null, null, null, null, { blockNumberAck: 6, window: 5 }]);
    const last = take(...LAST);
    expect(wholeOf(last)).toBe(WHOLE);
    expect(last.at(-1)?.acknowledge).toBeNull();
  });
  test('block 4 is lost: asked for alone, and what came behind it is kept', () => {
    const blocks = receiver();
    const take = (...hex: string[]): ReceivedBlock[] => hex.map((one) => blocks.accept(blockOf(one)));
    take(FIRST, ...SECOND.slice(0, 2));
    const behind = take(...WINDOW_END);
    expect(behind[0]).toEqual({ outcome: { kind: 'gap', missing: 4 }, acknowledge: null });
    expect(behind[1]).toEqual({ outcome: { kind: 'gap', missing: 4 }, acknowledge: { blockNumberAck: 3, window: 1 } });
    const filled = take('e001000400028200020506');
    expect(filled[0]).toEqual({ outcome: { kind: 'block' }, acknowledge: { blockNumberAck: 6, window: 5 } });
    expect(wholeOf(take(...LAST))).toBe(WHOLE);
  });
  test('the end of a window is lost: the time-out asks from there on', () => {
    const blocks = receiver();
    const take = (...hex: string[]): ReceivedBlock[] => hex.map((one) => blocks.accept(blockOf(one)));
    take(FIRST, ...SECOND);
    expect(blocks.acknowledgement()).toEqual({ blockNumberAck: 4, window: 5 });
    expect(wholeOf(take(...WINDOW_END, ...LAST))).toBe(WHOLE);
  });
  test('a sender that repeats everything from the gap on', () => {
    const blocks = receiver();
    const take = (...hex: string[]): ReceivedBlock[] => hex.map((one) => blocks.accept(blockOf(one)));
    take(FIRST, ...SECOND.slice(0, 2), ...WINDOW_END);
    const again = take(SECOND[2] as string, ...WINDOW_END);
    expect(kinds(again)).toEqual(['block', 'duplicate', 'duplicate']);
    expect(again.at(-1)?.acknowledge).toEqual({ blockNumberAck: 6, window: 5 });
  });
});

describe('a receiver', () => {
  test('takes the blocks of a push without acknowledging', () => {
    const blocks = receiver();
    const taken = unconfirmedBlocks([Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)]).map((one) =>
      blocks.accept(one),
    );
    expect(taken.every(({ acknowledge }) => acknowledge === null)).toBe(true);
    expect(wholeOf(taken)).toBe('010203');
  });
  test('puts what is out of order in its place', () => {
    for (const order of [
      [1, 3, 2],
      [3, 2, 1],
      [2, 3, 1],
      [3, 1, 2],
    ]) {
      const blocks = receiver();
      expect(wholeOf(order.map((number) => blocks.accept(block(number, { lastBlock: number === 3, window: 0 }))))).toBe(
        '010203',
      );
    }
  });
  test('counts from 0 with a meter that does', () => {
    const blocks = receiver();
    const taken = [0, 1, 2].map((number) => blocks.accept(block(number, { lastBlock: number === 2 })));
    expect(wholeOf(taken)).toBe('000102');
    expect(wholeOf([receiver().accept(block(0, { lastBlock: true }))])).toBe('00');
  });
  test('takes an empty last block', () => {
    const blocks = receiver();
    expect(
      wholeOf([blocks.accept(block(1)), blocks.accept(block(2, { lastBlock: true, blockData: new Uint8Array(0) }))]),
    ).toBe('01');
  });
  test('knows a block of another message', () => {
    const blocks = receiver();
    blocks.accept(block(1));
    expect(blocks.accept(block(1)).outcome.kind).toBe('duplicate');
    expect(blocks.accept(block(1, { blockData: Uint8Array.of(9) })).outcome.kind).toBe('conflict');
    expect(blocks.accept(block(3, { lastBlock: true })).outcome.kind).toBe('gap');
    expect(blocks.accept(block(3, { blockData: Uint8Array.of(9) })).outcome.kind).toBe('conflict');
    expect(blocks.accept(block(4)).outcome.kind).toBe('conflict');
    expect(blocks.accept(block(0)).outcome.kind).toBe('conflict');
    expect(blocks.accept(block(2)).outcome.kind).toBe('whole');
  });
  test('is bounded: octets, and blocks far ahead', () => {
    const blocks = receiver(3);
    expect(blocks.accept(block(66)).outcome.kind).toBe('conflict');
    expect(kinds([1, 2, 3, 4].map((number) => blocks.accept(block(number))))).toEqual([
      'block',
      'block',
      'block',
      'too-long',
    ]);
  });
  test('keeps copies', () => {
    const blocks = receiver();
    const blockData = Uint8Array.of(1);
    blocks.accept(block(1, { blockData }));
    blockData[0] = 99;
    expect(wholeOf([blocks.accept(block(2, { lastBlock: true }))])).toBe('0102');
  });
});

describe('a sender', () => {
  test('fits every block in the PDU, to the octet', () => {
    for (const maxPdu of [8, 9, 20, 134, 135, 136, 137, 262, 263, 264, 265, 266, 1000]) {
      const apdu = Uint8Array.from({ length: 3000 }, (_, index) => index & 0xff);
      const parts = splitIntoBlocks(apdu, maxPdu);
      const lengths = unconfirmedBlocks(parts).map((one) => encodeApdu(one).length);
      expect(Math.max(...lengths), `PDU of ${maxPdu}`).toBeLessThanOrEqual(maxPdu);
      expect(Math.max(...lengths), `PDU of ${maxPdu}`).toBeGreaterThanOrEqual(maxPdu - 2);
      expect(toHex(concat(parts))).toBe(toHex(apdu));
    }
  });
  test('no limit: one block; no room: an error; too many blocks: an error', () => {
    expect(splitIntoBlocks(new Uint8Array(5000), 0)).toHaveLength(1);
    expect(splitIntoBlocks(new Uint8Array(0), 10)).toHaveLength(1);
    expect(codeOf(() => splitIntoBlocks(new Uint8Array(1), 7))).toBe('PDU_TOO_SMALL');
    expect(codeOf(() => splitIntoBlocks(new Uint8Array(0x10000), 8))).toBe('LIMIT_EXCEEDED');
  });
  test('sends one block until the peer told its window, then windows', () => {
    const parts = splitIntoBlocks(new Uint8Array(10), 9);
    expect(parts).toHaveLength(5);
    const shown = (acknowledged: number, peerWindow: number): string[] =>
      blockBurst(parts, { acknowledged, peerWindow, window: 3, blockNumberAck: 7 }).map((one) =>
        toHex(encodeApdu(one)).slice(0, 12),
      );
    expect(shown(0, 1)).toEqual(['e00300010007']);
    expect(shown(1, 3)).toEqual(['e04300020007', 'e04300030007', 'e00300040007']);
    expect(shown(4, 3)).toEqual(['e08300050007']);
    expect(shown(5, 3)).toEqual([]);
    expect(codeOf(() => shown(6, 3))).toBe('UNEXPECTED_RESPONSE');
  });
  test('an acknowledgement as meters know it', () => {
    const apdu = encodeApdu(acknowledgementBlock(2, { blockNumberAck: 3, window: 1 }));
    expect(toHex(apdu)).toBe('e0810002000300');
  });
});

test('whatever is lost, repeated or disordered on the way, the APDU arrives as it was', () => {
  const line = fc.record({
    apdu: fc.uint8Array({ minLength: 1, maxLength: 400 }),
    maxPdu: fc.integer({ min: 10, max: 60 }),
    fates: fc.infiniteStream(fc.constantFrom('arrives', 'arrives', 'lost', 'twice', 'late')),
  });
  fc.assert(
    fc.property(line, ({ apdu, maxPdu, fates }) => {
      const parts = splitIntoBlocks(apdu, maxPdu);
      const blocks = receiver();
      let acknowledged = 0;
      let peerWindow = 1;
      for (let round = 0; round < 2000; round += 1) {
        const burst = blockBurst(parts, { acknowledged, peerWindow, window: 1, blockNumberAck: 0 });
        const arriving: GeneralBlockTransfer[] = [];
        const late: GeneralBlockTransfer[] = [];
        for (const one of burst) {
          const { value: fate } = fates.next();
          if (fate === 'late') late.push(one);
          else if (fate !== 'lost') arriving.push(one);
          if (fate === 'twice') arriving.push(one);
        }
        for (const one of [...arriving, ...late]) {
          const { outcome } = blocks.accept(one);
          if (outcome.kind !== 'whole') continue;
          expect(toHex(outcome.octets)).toBe(toHex(apdu));
          return;
        }
        // The time-out, or the end of the window.
        ({ blockNumberAck: acknowledged, window: peerWindow } = blocks.acknowledgement());
      }
      throw new Error('it never arrived');
    }),
  );
});
