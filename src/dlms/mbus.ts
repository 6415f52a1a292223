/**
 * DLMS over wired M-Bus (EN 13757-2 and -3, as the customer interfaces of Austrian meters have it): long frames
 * `68 L L 68 | C A CI STSAP DTSAP data | CS 16`. L counts from C to the last octet of data, CS is the sum of those octets.
 * The CI field carries the segmentation: bits 0 to 3 number the segments of an APDU, bit 4 marks the last one.
 */
import { concat } from '../core/bytes.ts';
import { asBridgeError, fail } from '../core/errors.ts';
import { Deframer, type DeframerItem, type Probe } from './deframer.ts';

const START = 0x68;
const STOP = 0x16;
/** Start, length twice, start; check sum and stop. */
const HEADER_OCTETS = 4;
const FRAMING_OCTETS = HEADER_OCTETS + 2;
/** C, A, CI, STSAP, DTSAP. */
const FIELDS = 5;
const LONGEST = 0xff;
const FINAL = 0x10;
const SEGMENT = 0x0f;
/** CI above is another application layer than DLMS. */
const LAST_DLMS_CI = 0x1f;

export interface MbusFrame {
  /** L. */
  readonly length: number;
  /** Control, address, control information. */
  readonly c: number;
  readonly a: number;
  readonly ci: number;
  /** The last segment of an APDU. */
  readonly fin: boolean;
  /** Its number, 0 to 15. */
  readonly segment: number;
  readonly stsap: number;
  readonly dtsap: number;
  readonly checksum: number;
  readonly data: Uint8Array;
}

export type MbusFrameContent = Pick<MbusFrame, 'c' | 'a' | 'fin' | 'segment' | 'stsap' | 'dtsap' | 'data'>;

/** Throws LIMIT_EXCEEDED when an octet cannot hold the length. */
export function encodeMbus({ c, a, fin, segment, stsap, dtsap, data }: MbusFrameContent): Uint8Array {
  const length = FIELDS + data.length;
  if (length > LONGEST) {
    fail('LIMIT_EXCEEDED', `an M-Bus frame holds ${LONGEST - FIELDS} octets of data, not ${data.length}`, {
      layer: 'mbus',
    });
  }
  const fields = Uint8Array.of(c, a, (fin ? FINAL : 0) | (segment & SEGMENT), stsap, dtsap, ...data);
  return Uint8Array.of(START, length, length, START, ...fields, sumOf(fields), STOP);
}

/**
 * Decodes exactly one long frame. Throws TRUNCATED, TRAILING_BYTES, MALFORMED, CHECKSUM_WRONG, and UNSUPPORTED for one that
 * carries no DLMS.
 */
export function decodeMbus(bytes: Uint8Array): MbusFrame {
  const [start, length = 0, again, startAgain] = bytes;
  if (bytes.length < HEADER_OCTETS) fail('TRUNCATED', 'an M-Bus frame ends in its header', { layer: 'mbus' });
  if (start !== START || startAgain !== START || length !== again) {
    fail('MALFORMED', 'no header of an M-Bus long frame (68 L L 68)', { layer: 'mbus' });
  }
  const whole = length + FRAMING_OCTETS;
  if (bytes.length < whole) {
    fail('TRUNCATED', `an M-Bus frame of ${whole} octets ends after ${bytes.length}`, { layer: 'mbus' });
  }
  if (bytes.length > whole) fail('TRAILING_BYTES', 'octets follow the M-Bus frame', { layer: 'mbus' });
  if (bytes[whole - 1] !== STOP) fail('MALFORMED', 'an M-Bus frame ends with 16', { layer: 'mbus' });
  const fields = bytes.slice(HEADER_OCTETS, HEADER_OCTETS + length);
  const checksum = bytes[whole - 2] as number;
  if (checksum !== sumOf(fields)) fail('CHECKSUM_WRONG', 'the check sum of an M-Bus frame is wrong', { layer: 'mbus' });
  const [c = 0, a = 0, ci = -1, stsap = 0, dtsap = 0] = fields;
  if (length < FIELDS || ci > LAST_DLMS_CI) {
    fail('UNSUPPORTED', 'an M-Bus frame that carries no DLMS', {
      layer: 'mbus',
      hint: 'this device speaks the M-Bus application layer, not DLMS',
    });
  }
  const data = fields.subarray(FIELDS);
  return { length, c, a, ci, fin: (ci & FINAL) !== 0, segment: ci & SEGMENT, stsap, dtsap, checksum, data };
}

function sumOf(octets: Uint8Array): number {
  return octets.reduce((sum, octet) => (sum + octet) & 0xff, 0);
}

export type MbusItem = DeframerItem<MbusFrame>;

/** Finds long frames in a stream. */
export class MbusDeframer extends Deframer<MbusFrame> {
  constructor() {
    super(probeMbus, LONGEST + FRAMING_OCTETS);
  }
}

function probeMbus(octets: Uint8Array): Probe<MbusFrame> {
  if (octets[0] !== START) {
    const start = octets.indexOf(START);
    return { kind: 'skip', length: start < 0 ? octets.length : start, reason: 'octets outside an M-Bus frame' };
  }
  if (octets.length < HEADER_OCTETS) return { kind: 'need', octets: HEADER_OCTETS, idle: false };
  const isHeader = octets[3] === START && octets[1] === octets[2];
  const whole = isHeader ? (octets[1] as number) + FRAMING_OCTETS : HEADER_OCTETS;
  if (octets.length < whole) return { kind: 'need', octets: whole, idle: false };
  try {
    return { kind: 'frame', frame: decodeMbus(octets.subarray(0, whole)), length: whole };
  } catch (thrown) {
    const error = asBridgeError(thrown);
    if (error.code === 'INTERNAL') throw thrown;
    return { kind: 'skip', length: error.code === 'UNSUPPORTED' ? whole : 1, reason: error.message };
  }
}

export type MbusJoined =
  /** In sequence, more to come. */
  | { readonly kind: 'segment' }
  | { readonly kind: 'whole'; readonly octets: Uint8Array }
  /** Given up, why; `octets` of what was given up. A segment 0 begins anew all the same. */
  | { readonly kind: 'broken'; readonly octets: number; readonly reason: string };

/** Joins the segments of one sender; bounded. */
export class MbusSegments {
  private parts: Uint8Array[] = [];
  private size = 0;
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Whether the first segment of an APDU is here and its last is not. */
  get began(): boolean {
    return this.parts.length > 0;
  }
  /** Octets that await their next segment. */
  get pending(): number {
    return this.size;
  }

  /** At most two things come of one frame: the old APDU is given up, the new one goes on. */
  take({ fin, segment, data }: MbusFrame): MbusJoined[] {
    const joined: MbusJoined[] = [];
    if (segment === 0 && this.expected !== 0) joined.push(this.giveUp('a new APDU begins before the last segment'));
    const missing = this.expected;
    this.parts.push(data);
    this.size += data.length;
    if (segment !== missing) {
      return [...joined, this.giveUp(`segment ${missing} is missing before segment ${segment}`)];
    }
    if (this.size > this.limit) return [...joined, this.giveUp(`an APDU of more than ${this.limit} octets`)];
    if (!fin) return [...joined, { kind: 'segment' }];
    const octets = concat(this.parts);
    this.clear();
    return [...joined, { kind: 'whole', octets }];
  }

  /** Numbers go round after 15. */
  private get expected(): number {
    return this.parts.length % (SEGMENT + 1);
  }

  private giveUp(reason: string): MbusJoined {
    const octets = this.size;
    this.clear();
    return { kind: 'broken', octets, reason };
  }

  private clear(): void {
    this.parts = [];
    this.size = 0;
  }
}
