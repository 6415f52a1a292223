/** The plan of an image transfer (class 18): every state a meter may show, and what is next. */
import { describe, expect, test } from 'vitest';
import { toHex } from '../../src/core/bytes.ts';
import { type Data, dataBytes } from '../../src/dlms/axdr/data.ts';
import {
  blockData,
  blocksOf,
  canResume,
  IMAGE_STATUS,
  type ImageStatus,
  type ImageView,
  initiateData,
  nextImageStep,
  parseImageView,
} from '../../src/dlms/cosem/image-transfer.ts';
import { codeOf } from '../support/error-code.ts';

const view = (more: Partial<ImageView> = {}): ImageView => ({
  blockSize: 200,
  transferred: null,
  firstMissing: 0,
  enabled: true,
  status: IMAGE_STATUS.initiated,
  ...more,
});
const wish = { blocks: 3, isOurs: true, activate: true };
const STATUSES = Object.values(IMAGE_STATUS);

describe('the next step', () => {
  test('a transfer that is not enabled is enabled first, one that is not ours initiated, whatever the status', () => {
    for (const status of STATUSES) {
      expect(nextImageStep(view({ status, enabled: false }), wish)).toEqual({ kind: 'enable' });
      expect(nextImageStep(view({ status, firstMissing: 3 }), { ...wish, isOurs: false })).toEqual({
        kind: 'initiate',
      });
    }
  });

  test.each<[ImageStatus, string, string, string]>([
    // status, with blocks missing, with none missing, the same when activation is not wanted
    [IMAGE_STATUS.notInitiated, 'transfer', 'verify', 'verify'],
    [IMAGE_STATUS.initiated, 'transfer', 'verify', 'verify'],
    [IMAGE_STATUS.verifying, 'transfer', 'verify', 'verify'],
    [IMAGE_STATUS.verified, 'activate', 'activate', 'done'],
    [IMAGE_STATUS.verificationFailed, 'transfer', 'verify', 'verify'],
    [IMAGE_STATUS.activating, 'transfer', 'verify', 'verify'],
    [IMAGE_STATUS.activated, 'done', 'done', 'done'],
    [IMAGE_STATUS.activationFailed, 'transfer', 'verify', 'verify'],
  ])('status %i', (status, missing, complete, unwanted) => {
    expect(nextImageStep(view({ status, firstMissing: 1 }), wish).kind).toBe(missing);
    expect(nextImageStep(view({ status, firstMissing: 3 }), wish).kind).toBe(complete);
    expect(nextImageStep(view({ status, firstMissing: 3 }), { ...wish, activate: false }).kind).toBe(unwanted);
  });

  test('blocks that the meter has are not sent again', () => {
    const bits = [true, false, true, false].map(Boolean);
    const next = (more: Partial<ImageView>) =>
      nextImageStep(view({ firstMissing: 1, ...more }), { ...wish, blocks: 4 });
    expect(next({ transferred: bits })).toEqual({ kind: 'transfer', blocks: [1, 3] });
    expect(next({})).toEqual({ kind: 'transfer', blocks: [1, 2, 3] });
    // Bits that contradict the first missing block: that one is sent.
    expect(next({ transferred: [true, true, true, true] })).toEqual({ kind: 'transfer', blocks: [1] });
  });

  test('what can be resumed', () => {
    expect(STATUSES.filter((status) => canResume(view({ status })))).toEqual([
      IMAGE_STATUS.initiated,
      IMAGE_STATUS.verified,
    ]);
    expect(canResume(view({ enabled: false }))).toBe(false);
  });
});

describe('as octets', () => {
  test('initiate: structure of 2: the identifier, the size', () => {
    expect(toHex(dataBytes(initiateData(Buffer.from('FW-2'), 1000)))).toBe('0202' + '090446572d32' + '06000003e8');
  });

  test('a block: structure of 2: its number from 0, its octets; the last one is shorter', () => {
    const image = Uint8Array.of(1, 2, 3, 4, 5);
    expect(blocksOf(image.length, 2)).toBe(3);
    expect(toHex(dataBytes(blockData(image, 1, 2)))).toBe('0202' + '0600000001' + '09020304');
    expect(toHex(dataBytes(blockData(image, 2, 2)))).toBe('0202' + '0600000002' + '090105');
  });
});

describe('what a meter shows', () => {
  const number = (value: number): Data => ({ type: 'double-long-unsigned', value });
  const shown: readonly (Data | null)[] = [
    number(200),
    { type: 'bit-string', value: '101' },
    number(1),
    { type: 'boolean', value: true },
    { type: 'enum', value: 1 },
  ];

  test('in order, and without the blocks', () => {
    expect(parseImageView(shown)).toEqual(view({ firstMissing: 1, transferred: [true, false, true] }));
    expect(parseImageView(shown.with(1, null)).transferred).toBeNull();
  });

  test.each([
    [0, null],
    [0, number(0)],
    [2, null],
    [3, number(1)],
    [4, null],
    [4, { type: 'enum', value: 8 }],
  ] as const)('attribute %i as %o is refused', (index, data) => {
    expect(codeOf(() => parseImageView(shown.with(index, data)))).toBe('MALFORMED');
  });
});
