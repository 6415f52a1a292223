/**
 * HDLC addresses (Green Book 8.4.2.2 to 8.4.2.4). Each octet carries seven bits; its least significant bit is 1 in the
 * last octet only. A client address has one octet. A server address has one (upper: the logical device), two (upper and
 * lower, seven bits each) or four (fourteen bits each); the lower one is the physical device on a multi-drop line.
 */
import { fail } from '../../core/errors.ts';
import type { MeterSettings } from '../settings.ts';

export type AddressLength = 1 | 2 | 4;

export interface HdlcAddress {
  /** Client SAP, or logical device of a server. */
  readonly upper: number;
  /** Physical device; null in a one-octet address. */
  readonly lower: number | null;
  /** Octets. */
  readonly length: AddressLength;
}

const SEVEN_BITS = 0x7f;
const FOURTEEN_BITS = 0x3fff;

/** All-station (broadcast) and calling-device addresses: the answer comes from another address than the one called. */
const ANYBODY: ReadonlySet<number> = new Set([0x7e, 0x7f, 0x3ffe, 0x3fff]);

/** A client address. Throws INVALID_VALUE beyond seven bits. */
export function clientAddress(sap: number): HdlcAddress {
  if (!fits(sap, SEVEN_BITS)) fail('INVALID_VALUE', `a client address is 0 to 127, not ${sap}`, { layer: 'hdlc' });
  return { upper: sap, lower: null, length: 1 };
}

/**
 * A server address; `size` null takes the shortest form that holds both parts.
 * Two and four octets without a lower address carry 0, "no station". Throws INVALID_VALUE when the size is too small.
 */
export function serverAddress(upper: number, lower: number | null, size: AddressLength | null): HdlcAddress {
  if (!fits(upper, FOURTEEN_BITS) || (lower !== null && !fits(lower, FOURTEEN_BITS))) {
    fail('INVALID_VALUE', `server addresses are 0 to 16383, not ${upper}/${lower}`, { layer: 'hdlc' });
  }
  const long = upper > SEVEN_BITS || (lower ?? 0) > SEVEN_BITS;
  const shortest: AddressLength = long ? 4 : lower === null ? 1 : 2;
  const length = size ?? shortest;
  if (length < shortest) {
    fail('INVALID_VALUE', `server address ${addressName({ upper, lower })} needs ${shortest} octets, not ${length}`, {
      layer: 'hdlc',
    });
  }
  return { upper, lower: length === 1 ? null : (lower ?? 0), length };
}

/** The server address that a meter's settings ask for. */
export function serverAddressOf(settings: Pick<MeterSettings, 'server' | 'physical' | 'addressSize'>): HdlcAddress {
  return serverAddress(settings.server, settings.physical, settings.addressSize);
}

/** The lower address that many makes derive from the serial number: its last four digits plus 1000. */
export function physicalFromSerialNumber(serialNumber: number): number {
  return (serialNumber % 10_000) + 1000;
}

export function encodeAddress({ upper, lower, length }: HdlcAddress): Uint8Array {
  if (length === 1) return Uint8Array.of((upper << 1) | 1);
  if (length === 2) return Uint8Array.of(upper << 1, ((lower ?? 0) << 1) | 1);
  const low = lower ?? 0;
  return Uint8Array.of((upper >> 7) << 1, (upper & 0x7f) << 1, (low >> 7) << 1, ((low & 0x7f) << 1) | 1);
}

/**
 * How many octets the address that begins at `at` has; 0 when its last octet is not below `end`, and a negative number when
 * no address begins there: three octets, or more than four, do not exist.
 */
export function addressLengthAt(bytes: Uint8Array, at: number, end: number): AddressLength | 0 | -1 {
  for (let length = 1; length <= 4; length += 1) {
    if (at + length > end) return 0;
    if ((bytes[at + length - 1]! & 1) !== 0) return length === 3 ? -1 : (length as AddressLength);
  }
  return -1;
}

/** Most frames carry one-octet addresses; each is made once. */
const ONE_OCTET: readonly HdlcAddress[] = Array.from({ length: 128 }, (_, upper) => ({
  upper,
  lower: null,
  length: 1,
}));

/** The address of `length` octets at `at`. */
export function addressAt(bytes: Uint8Array, at: number, length: AddressLength): HdlcAddress {
  const seven = (index: number): number => bytes[at + index]! >> 1;
  if (length === 1) return ONE_OCTET[seven(0)] as HdlcAddress;
  if (length === 2) return { upper: seven(0), lower: seven(1), length };
  return { upper: (seven(0) << 7) | seven(1), lower: (seven(2) << 7) | seven(3), length };
}

/** Decodes the address that is exactly these octets. Throws TRUNCATED, TRAILING_BYTES or MALFORMED. */
export function decodeAddress(octets: Uint8Array): HdlcAddress {
  const length = addressLengthAt(octets, 0, octets.length);
  if (length === -1) return fail('MALFORMED', 'an address has one, two or four octets', { layer: 'hdlc' });
  if (length === 0) return fail('TRUNCATED', 'the address has no last octet', { layer: 'hdlc' });
  if (length !== octets.length) fail('TRAILING_BYTES', 'octets follow the address', { layer: 'hdlc' });
  return addressAt(octets, 0, length);
}

/** Whether both name the same station, in whatever number of octets: meters may answer in a longer form than asked. */
export function sameStation(a: HdlcAddress, b: HdlcAddress): boolean {
  return a.upper === b.upper && (a.lower ?? 0) === (b.lower ?? 0);
}

/** Whether an answer from `actual` can be meant when `called` was asked. All-station and calling addresses match any. */
export function answersFor(called: HdlcAddress, actual: HdlcAddress): boolean {
  const part = (want: number, got: number): boolean => want === got || ANYBODY.has(want);
  return part(called.upper, actual.upper) && part(called.lower ?? 0, actual.lower ?? 0);
}

/** Whether it calls all stations, or whoever is there: nobody has this address. */
export function isForAnybody({ upper }: Pick<HdlcAddress, 'upper'>): boolean {
  return ANYBODY.has(upper);
}

/** For people: `1`, or `1/17` with a lower address. */
export function addressName({ upper, lower }: Pick<HdlcAddress, 'upper' | 'lower'>): string {
  return lower === null ? `${upper}` : `${upper}/${lower}`;
}

function fits(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}
