/**
 * Image transfer, class 18 (Blue Book 4.4.6), as a plan: what is to be done next follows from what the meter shows and what
 * is wanted, so that a transfer that broke off anywhere is taken up again by asking once more.
 *
 *   what the meter shows                              next
 *   ------------------------------------------------- ---------------------------------------
 *   not enabled                                       enable
 *   nothing initiated by us                           initiate (identifier and size)
 *   a block is missing                                transfer, from the first one missing
 *   all blocks there, not verified                    verify
 *   verified, activation wanted                       activate
 *   verified (activation not wanted), or activated    done
 */
import { fail } from '../../core/errors.ts';
import type { Data } from '../axdr/data.ts';
import { wholeNumber } from './profile-generic.ts';

export const IMAGE_TRANSFER = 18;
export const DEFAULT_IMAGE_OBJECT = '0.0.44.0.0.255';

/** Attributes of class 18. */
export const IMAGE_ATTRIBUTE = {
  blockSize: 2,
  transferredBlocks: 3,
  firstMissing: 4,
  enabled: 5,
  status: 6,
  toActivate: 7,
} as const;

export const IMAGE_METHOD = { initiate: 1, transferBlock: 2, verify: 3, activate: 4 } as const;

/** image_transfer_status. */
export const IMAGE_STATUS = {
  notInitiated: 0,
  initiated: 1,
  verifying: 2,
  verified: 3,
  verificationFailed: 4,
  activating: 5,
  activated: 6,
  activationFailed: 7,
} as const;
export type ImageStatus = (typeof IMAGE_STATUS)[keyof typeof IMAGE_STATUS];

/** What the meter shows of a transfer. */
export interface ImageView {
  /** Octets of every block but the last. */
  readonly blockSize: number;
  /** For each block whether the meter has it; null when it does not tell. */
  readonly transferred: readonly boolean[] | null;
  /** Number of the first block that the meter has not, counted from 0. */
  readonly firstMissing: number;
  readonly enabled: boolean;
  readonly status: ImageStatus;
}

/** From attributes 2 to 6; what a meter does not show of 3 is null. Throws MALFORMED. */
export function parseImageView([size, blocks, missing, enabled, status]: readonly (Data | null)[]): ImageView {
  const blockSize = wholeNumber(size ?? undefined);
  const firstMissing = wholeNumber(missing ?? undefined);
  const state = wholeNumber(status ?? undefined);
  if (blockSize === null || blockSize < 1) return malformed('image_block_size');
  if (firstMissing === null) return malformed('image_first_not_transferred_block_number');
  if (enabled?.type !== 'boolean') return malformed('image_transfer_enabled');
  if (state === null || state < 0 || state > IMAGE_STATUS.activationFailed) return malformed('image_transfer_status');
  const transferred = blocks?.type === 'bit-string' ? [...blocks.value].map((bit) => bit === '1') : null;
  return { blockSize, transferred, firstMissing, enabled: enabled.value, status: state as ImageStatus };
}

export interface ImageWish {
  /** How many blocks the image has. */
  readonly blocks: number;
  /** What the meter has is of this image: initiated by us just now, or to be resumed. */
  readonly isOurs: boolean;
  readonly activate: boolean;
}

export type ImageStep =
  | { readonly kind: 'enable' | 'initiate' | 'verify' | 'activate' | 'done' }
  | { readonly kind: 'transfer'; readonly blocks: readonly number[] };

/** The next step; see the table above. */
export function nextImageStep(view: ImageView, { blocks, isOurs, activate }: ImageWish): ImageStep {
  if (!view.enabled) return { kind: 'enable' };
  if (!isOurs) return { kind: 'initiate' };
  const { status } = view;
  if (status === IMAGE_STATUS.activated) return { kind: 'done' };
  if (status === IMAGE_STATUS.verified) return { kind: activate ? 'activate' : 'done' };
  if (view.firstMissing < blocks) return { kind: 'transfer', blocks: missingBlocks(view, blocks) };
  return { kind: 'verify' };
}

/** Whether what a meter shows may be a transfer that broke off. Which image it is of the meter does not tell. */
export function canResume({ enabled, status }: ImageView): boolean {
  return enabled && (status === IMAGE_STATUS.initiated || status === IMAGE_STATUS.verified);
}

/** From the first one missing on; those that the meter has already are left out. */
function missingBlocks({ firstMissing, transferred }: ImageView, blocks: number): readonly number[] {
  const numbers = Array.from({ length: blocks - firstMissing }, (_, index) => firstMissing + index);
  return numbers.filter((number) => number === firstMissing || transferred?.[number] !== true);
}

export function blocksOf(size: number, blockSize: number): number {
  return Math.ceil(size / blockSize);
}

/** image_transfer_initiate. */
export function initiateData(identifier: Uint8Array, size: number): Data {
  return structure([
    { type: 'octet-string', value: identifier },
    { type: 'double-long-unsigned', value: size },
  ]);
}

/** image_block_transfer: the block and its octets. */
export function blockData(image: Uint8Array, number: number, blockSize: number): Data {
  return structure([
    { type: 'double-long-unsigned', value: number },
    { type: 'octet-string', value: image.subarray(number * blockSize, (number + 1) * blockSize) },
  ]);
}

function structure(value: readonly Data[]): Data {
  return { type: 'structure', value };
}

function malformed(what: string): never {
  return fail('MALFORMED', `${what} of the image transfer is not what it should be`, { layer: 'cosem' });
}
