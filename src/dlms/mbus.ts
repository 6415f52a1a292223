/**
 * DLMS over wired M-Bus (EN 13757-2 and -3, as the customer interfaces of Austrian meters have it): long frames
 * `68 L L 68 | C A CI STSAP DTSAP data | CS 16`. L counts from C to the last octet of data, CS is the sum of those octets.
 * The CI field carries the segmentation: bits 0 to 3 number the segments of an APDU, bit 4 marks the last one.
 */
import { concat } from '../core/bytes.ts';
import { fail } from '../core/errors.ts';
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
  const reading = readMbus(bytes);
  if (reading.kind === 'frame') return reading.frame;
  return fail(reading.code, reading.reason, {
    layer: 'mbus',
    ...(reading.code === 'UNSUPPORTED' && { hint: 'this device speaks the M-Bus application layer, not DLMS' }),
  });
}

type MbusReading =
  | { readonly kind: 'frame'; readonly frame: MbusFrame }
  | { readonly kind: 'fault'; readonly code: 'MALFORMED' | 'CHECKSUM_WRONG' | 'UNSUPPORTED'; readonly reason: string };

/** Reads octets that have the header and the length of a long frame. Faults are values: a disturbed line makes many. */
function readMbus(bytes: Uint8Array): MbusReading {
  const fields = bytes.subarray(HEADER_OCTETS, -2);
  const checksum = bytes[bytes.length - 2] as number;
  if (bytes[bytes.length - 1] !== STOP) {
    return { kind: 'fault', code: 'MALFORMED', reason: 'an M-Bus frame ends with 16' };
  }
  if (checksum !== sumOf(fields)) {
    return { kind: 'fault', code: 'CHECKSUM_WRONG', reason: 'the check sum of an M-Bus frame is wrong' };
  }
  const [c = 0, a = 0, ci = -1, stsap = 0, dtsap = 0] = fields;
  const { length } = fields;
  if (length < FIELDS || ci > LAST_DLMS_CI) {
    return { kind: 'fault', code: 'UNSUPPORTED', reason: 'an M-Bus frame that carries no DLMS' };
  }
  const data = fields.subarray(FIELDS);
  const fin = (ci & FINAL) !== 0;
  return { kind: 'frame', frame: { length, c, a, ci, fin, segment: ci & SEGMENT, stsap, dtsap, checksum, data } };
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

function probeMbus(octets: Uint8Array, at: number, end: number): Probe<MbusFrame> {
  if (octets[at] !== START) {
    const start = octets.indexOf(START, at);
    const next = start < 0 || start > end ? end : start;
    return { kind: 'skip', length: next - at, reason: 'octets outside an M-Bus frame' };
  }
  if (end - at < HEADER_OCTETS) return { kind: 'need', octets: HEADER_OCTETS, idle: false };
  const fault = (reason: string): Probe<MbusFrame> => ({ kind: 'skip', length: 1, reason });
  const length = octets[at + 1]!;
  if (octets[at + 3] !== START || octets[at + 2] !== length)
    return fault('no header of an M-Bus long frame (68 L L 68)');
  const whole = length + FRAMING_OCTETS;
  if (end - at < whole) return { kind: 'need', octets: whole, idle: false };
  const reading = readMbus(octets.subarray(at, at + whole));
  if (reading.kind === 'frame') return { kind: 'frame', frame: reading.frame, length: whole };
  return { kind: 'skip', length: reading.code === 'UNSUPPORTED' ? whole : 1, reason: reading.reason };
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
