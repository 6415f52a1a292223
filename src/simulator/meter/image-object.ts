/** Image transfer, class 18 (Blue Book 4.4.6), of a virtual meter: takes an image in blocks, verifies it, runs it. */
import type { Data } from '../../dlms/axdr/data.ts';
import {
  DEFAULT_IMAGE_OBJECT,
  IMAGE_METHOD,
  IMAGE_STATUS,
  IMAGE_TRANSFER,
  type ImageStatus,
} from '../../dlms/cosem/image-transfer.ts';
import {
  DONE,
  logicalName,
  type MeterContext,
  type MethodOutcome,
  type ObjectDefinition,
  RESULT,
  type ResultCode,
  refused,
} from './object-model.ts';

/** Octets of a block. */
const BLOCK_SIZE = 200;
const LARGEST_IMAGE = 16 * 1024 * 1024;
/** An image that begins so does not verify. */
const SPOILED = 'spoiled';

/** What a meter keeps of a transfer. */
export class ImageState {
  enabled = false;
  status: ImageStatus = IMAGE_STATUS.notInitiated;
  identifier: Uint8Array = new Uint8Array(0);
  size = 0;
  private blocks: (Uint8Array | null)[] = [];

  initiate(identifier: Uint8Array, size: number): void {
    this.identifier = identifier.slice();
    this.size = size;
    this.blocks = Array.from({ length: Math.ceil(size / BLOCK_SIZE) }, () => null);
    this.status = IMAGE_STATUS.initiated;
  }

  /** False for a block that is none of the image's. */
  take(number: number, octets: Uint8Array): boolean {
    const length = Math.min(BLOCK_SIZE, this.size - number * BLOCK_SIZE);
    if (number >= this.blocks.length || octets.length !== length) return false;
    this.blocks[number] = octets.slice();
    return true;
  }

  get firstMissing(): number {
    const missing = this.blocks.indexOf(null);
    return missing < 0 ? this.blocks.length : missing;
  }

  get transferred(): string {
    return this.blocks.map((block) => (block === null ? '0' : '1')).join('');
  }

  get image(): Buffer {
    return Buffer.concat(this.blocks.map((block) => block ?? new Uint8Array(0)));
  }

  get isComplete(): boolean {
    return this.firstMissing === this.blocks.length;
  }
}

export const IMAGE_OBJECT: ObjectDefinition = {
  classId: IMAGE_TRANSFER,
  version: 0,
  obis: DEFAULT_IMAGE_OBJECT,
  attributes: [
    logicalName(DEFAULT_IMAGE_OBJECT),
    () => ({ type: 'double-long-unsigned', value: BLOCK_SIZE }),
    ({ state: { image } }) => ({ type: 'bit-string', value: image.transferred }),
    ({ state: { image } }) => ({ type: 'double-long-unsigned', value: image.firstMissing }),
    ({ state: { image } }) => ({ type: 'boolean', value: image.enabled }),
    ({ state: { image } }) => ({ type: 'enum', value: image.status }),
    toActivate,
  ],
  writes: { 5: enable },
  methods: 4,
  calls: {
    [IMAGE_METHOD.initiate]: whenEnabled(initiate),
    [IMAGE_METHOD.transferBlock]: whenEnabled(takeBlock),
    [IMAGE_METHOD.verify]: whenEnabled(verify),
    [IMAGE_METHOD.activate]: whenEnabled(activate),
  },
  isPublic: false,
  scaler: null,
};

function toActivate({ state: { image } }: MeterContext): Data {
  if (image.status !== IMAGE_STATUS.verified) return { type: 'array', value: [] };
  const value: readonly Data[] = [
    { type: 'double-long-unsigned', value: image.size },
    { type: 'octet-string', value: image.identifier },
    { type: 'octet-string', value: new Uint8Array(0) },
  ];
  return { type: 'array', value: [{ type: 'structure', value }] };
}

function enable({ state: { image } }: MeterContext, value: Data): ResultCode {
  if (value.type !== 'boolean') return RESULT.typeUnmatched;
  image.enabled = value.value;
  return RESULT.success;
}

type Call = (context: MeterContext, parameters: Data | null) => MethodOutcome;

function whenEnabled(call: Call): Call {
  return (context, parameters) =>
    context.state.image.enabled ? call(context, parameters) : refused(RESULT.otherReason);
}

function initiate({ state: { image } }: MeterContext, parameters: Data | null): MethodOutcome {
  const [identifier, size] = parameters?.type === 'structure' ? parameters.value : [];
  if (identifier?.type !== 'octet-string' || size?.type !== 'double-long-unsigned')
    return refused(RESULT.typeUnmatched);
  if (size.value < 1 || size.value > LARGEST_IMAGE) return refused(RESULT.otherReason);
  image.initiate(identifier.value, size.value);
  return DONE;
}

function takeBlock({ state: { image } }: MeterContext, parameters: Data | null): MethodOutcome {
  const [number, octets] = parameters?.type === 'structure' ? parameters.value : [];
  if (number?.type !== 'double-long-unsigned' || octets?.type !== 'octet-string') return refused(RESULT.typeUnmatched);
  const isTaken = image.status === IMAGE_STATUS.initiated && image.take(number.value, octets.value);
  return isTaken ? DONE : refused(RESULT.otherReason);
}

function verify({ state: { image } }: MeterContext): MethodOutcome {
  if (!image.isComplete || image.size === 0) return refused(RESULT.otherReason);
  const isGood = image.image.subarray(0, SPOILED.length).toString('latin1') !== SPOILED;
  image.status = isGood ? IMAGE_STATUS.verified : IMAGE_STATUS.verificationFailed;
  return isGood ? DONE : refused(RESULT.otherReason);
}

/** From then on the meter runs what the identifier names. */
function activate({ state }: MeterContext): MethodOutcome {
  const { image } = state;
  if (image.status !== IMAGE_STATUS.verified) return refused(RESULT.otherReason);
  image.status = IMAGE_STATUS.activated;
  state.firmware = Buffer.from(image.identifier).toString('latin1');
  return DONE;
}
