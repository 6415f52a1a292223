/**
 * Misbehaviours of meters and lines, by name and composable. Each one touches a single place on the way of a request to
 * its answer and knows nothing of the others: what the meter hears, what it says (APDUs), what goes onto the line
 * (octets). All chance is seeded. What a fault does inside of an APDU it cannot do when that is ciphered.
 */
import { fail } from '../../core/errors.ts';
import { decodeFrame, encodeFrame } from '../../dlms/hdlc/frame.ts';
import { decodeApdu, encodeApdu } from '../../dlms/xdlms/apdu.ts';
import { invokeIdAndPriorityOf } from '../../dlms/xdlms/invoke-id.ts';
import type { Framing } from '../../transport/link-address.ts';
import { BLOCK_FAULTS } from './block-faults.ts';
import { OBJECT_FAULTS } from './object-faults.ts';
import { integerBetween, type Random, randomBytes, seededRandom, seedOf } from './random.ts';
import { REFUSALS, refusal } from './refusals.ts';

/** A frame, or what became of it, on its way out. */
export interface Piece {
  readonly bytes: Uint8Array;
  /** To wait before it leaves, milliseconds. */
  readonly delayMs: number;
  /** False once a fault has spoiled it. */
  readonly intact: boolean;
  /** The connection is closed behind it. */
  readonly thenClose: boolean;
}

export type Notifying = 'confirmed' | 'unconfirmed' | null;

/** Where a fault takes hold; what it leaves out is untouched. */
export interface Fault {
  /** Before this request the meter loses its association. */
  readonly forgets?: (request: Uint8Array) => boolean;
  /** The request as the meter hears it. */
  readonly hears?: (request: Uint8Array) => Uint8Array;
  /** An answer that is given in place of the meter's own. */
  readonly refuses?: (request: Uint8Array) => Uint8Array | null;
  /** The answer as the meter gives it. */
  readonly says?: (answer: Uint8Array) => Uint8Array;
  /** The APDUs of one turn as they leave. */
  readonly leaves?: (apdus: readonly Uint8Array[]) => readonly Uint8Array[];
  /** Before this request is answered the meter sends a notification. */
  readonly notifies?: (request: Uint8Array) => Notifying;
  /** What goes onto the line in place of a frame. */
  readonly sends?: (piece: Piece) => readonly Piece[];
}

export interface FaultKind {
  readonly description: string;
  /** What the number behind the name means, and its default; null takes none. */
  readonly parameter: { readonly meaning: string; readonly default: number } | null;
  readonly make: (context: { readonly parameter: number; readonly random: Random; readonly framing: Framing }) => Fault;
}

const CHANCE = { meaning: 'share of frames, 0 to 1', default: 0.25 };
/** Far enough apart that a network does not put them together again. */
const ONE_BYTE_GAP_MS = 1;

const GET_REQUEST = 0xc0;
const GET_RESPONSE = 0xc4;
const READ_REQUEST = 0x05;
const READ_RESPONSE = 0x0c;
/** Choices of Variable-Access-Specification and of a readResponse. */
const BLOCK_NUMBER_ACCESS = 5;
const DATA_BLOCK_RESULT = 2;
/** get-request and readRequest, plain, under a global or dedicated key, and whatever general ciphering holds. */
const GET_REQUESTS: ReadonlySet<number> = new Set([GET_REQUEST, 0xc8, 0xd0, READ_REQUEST, 0x25, 0x45, 0xdb, 0xdc]);
const FORM = { next: 2, withDatablock: 2, withList: 3 } as const;

export const FAULTS = {
  silent: {
    description: 'never answers',
    parameter: null,
    make: () => ({ sends: () => [] }),
  },
  garbage: {
    description: 'answers with random octets',
    parameter: null,
    make: ({ random }) => ({
      sends: (piece) => [{ ...piece, bytes: randomBytes(random, integerBetween(random, 1, 64)), intact: false }],
    }),
  },
  slow: {
    description: 'answers late',
    parameter: { meaning: 'milliseconds', default: 1500 },
    make: ({ parameter }) => ({ sends: (piece) => [{ ...piece, delayMs: piece.delayMs + parameter }] }),
  },
  truncate: {
    description: 'cuts frames short',
    parameter: CHANCE,
    make: ({ parameter, random }) =>
      sometimes(random, parameter, ({ bytes }) => bytes.subarray(0, integerBetween(random, 0, bytes.length - 1))),
  },
  'corrupt-crc': {
    description: 'disturbs the check sequence of HDLC frames; a wrapper has none and stays as it is',
    parameter: CHANCE,
    make: ({ parameter, random, framing }) =>
      framing === 'wrapper'
        ? {}
        : sometimes(random, parameter, ({ bytes }) => {
            const copy = bytes.slice();
            copy[copy.length - 2]! ^= integerBetween(random, 1, 255);
            return copy;
          }),
  },
  'close-after-n': {
    description: 'closes the connection behind the n-th frame',
    parameter: { meaning: 'frames', default: 5 },
    make: ({ parameter }) => {
      let sent = 0;
      return {
        sends: (piece) => {
          sent += 1;
          return [sent >= parameter ? { ...piece, thenClose: true } : piece];
        },
      };
    },
  },
  'wrong-address': {
    description: 'answers from another server address',
    parameter: CHANCE,
    make: ({ parameter, random, framing }) =>
      sometimes(random, parameter, ({ bytes }) => (framing === 'hdlc' ? strangeFrame(bytes) : strangeWrapper(bytes))),
  },
  'drop-association': {
    description: 'loses its association at every n-th request',
    parameter: { meaning: 'requests', default: 5 },
    make: ({ parameter }) => {
      let heard = 0;
      return {
        forgets: (request) => {
          if (!GET_REQUESTS.has(request[0] ?? 0)) return false;
          heard += 1;
          return heard % parameter === 0;
        },
      };
    },
  },
  ...BLOCK_FAULTS,
  'one-byte': {
    description: 'sends every octet by itself',
    parameter: null,
    make: () => ({
      sends: ({ bytes, delayMs, intact, thenClose }) =>
        Array.from(bytes, (octet, index) => ({
          bytes: Uint8Array.of(octet),
          delayMs: index === 0 ? delayMs : ONE_BYTE_GAP_MS,
          intact,
          thenClose: thenClose && index === bytes.length - 1,
        })),
    }),
  },
  'no-list': {
    description: 'grants GET-with-list, or Read of several variables, and refuses it all the same',
    parameter: null,
    make: () => ({
      refuses: (request) => (isList(request) ? refusal(REFUSALS.notSupported) : null),
    }),
  },
  block0: {
    description: 'numbers the blocks of block transfer from 0',
    parameter: null,
    make: () => ({ hears: (request) => shiftRequested(request, 1), says: (answer) => shiftAnswered(answer, -1) }),
  },
  'lose-nth-frame': {
    description: 'sends all frames but the n-th',
    parameter: { meaning: 'frames', default: 5 },
    make: ({ parameter }) => {
      let sent = 0;
      return {
        sends: (piece) => {
          sent += 1;
          return sent === parameter ? [] : [piece];
        },
      };
    },
  },
  ...OBJECT_FAULTS,
  'no-invoke-echo': {
    description: 'answers every request with invoke-id 0',
    parameter: null,
    make: () => ({ says: withoutInvokeId }),
  },
} as const satisfies Record<string, FaultKind>;

export type FaultName = keyof typeof FAULTS;

export interface FaultChoice {
  readonly name: FaultName;
  /** See `FAULTS[name].parameter`; 0 where there is none. */
  readonly parameter: number;
}

/** Reads `NAME` or `NAME:NUMBER`, as `--faults` takes them; throws INVALID_VALUE. */
export function parseFault(text: string): FaultChoice {
  const [name = '', number, ...more] = text.trim().split(':');
  if (!isFaultName(name)) {
    return fail('INVALID_VALUE', `"${name}" is no fault: there are ${Object.keys(FAULTS).join(', ')}`, {
      layer: 'simulator',
    });
  }
  const { parameter }: FaultKind = FAULTS[name];
  if (number === undefined) return { name, parameter: parameter?.default ?? 0 };
  const value = Number(number);
  if (parameter === null || more.length > 0 || number === '' || !(value >= 0)) {
    const takes = parameter === null ? 'takes no number' : `takes one number (${parameter.meaning})`;
    return fail('INVALID_VALUE', `"${text}": the fault ${name} ${takes}`, { layer: 'simulator' });
  }
  return { name, parameter: value };
}

function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(FAULTS, name);
}

/** All faults of one meter on one connection, in the order given, as one. */
export interface Misbehaviour {
  forgets(request: Uint8Array): boolean;
  hears(request: Uint8Array): Uint8Array;
  /** The answer in place of the meter's, or null when it may answer itself. */
  refuses(request: Uint8Array): Uint8Array | null;
  says(answer: Uint8Array): Uint8Array;
  leaves(apdus: readonly Uint8Array[]): readonly Uint8Array[];
  notifies(request: Uint8Array): Notifying;
  sends(frame: Uint8Array): readonly Piece[];
}

/** Faults with counts and chances of their own: make them anew for every connection of every meter. */
export function composeFaults(choices: readonly FaultChoice[], seed: number, framing: Framing): Misbehaviour {
  const faults = choices.map(({ name, parameter }, index): Fault => {
    const { make }: FaultKind = FAULTS[name];
    return make({ parameter, random: seededRandom(seedOf(seed, index)), framing });
  });
  return {
    // Every fault counts for itself, so all of them are asked.
    forgets: (request) => faults.filter(({ forgets }) => forgets?.(request) === true).length > 0,
    hears: (request) => faults.reduce((heard, { hears }) => hears?.(heard) ?? heard, request),
    refuses: (request) =>
      faults.reduce<Uint8Array | null>((answer, { refuses }) => answer ?? refuses?.(request) ?? null, null),
    says: (answer) => faults.reduce((said, { says }) => says?.(said) ?? said, answer),
    leaves: (apdus) => faults.reduce((left, { leaves }) => leaves?.(left) ?? left, apdus),
    notifies: (request) =>
      faults.reduce<Notifying>((notifying, { notifies }) => notifies?.(request) ?? notifying, null),
    sends: (frame) =>
      faults.reduce<readonly Piece[]>(
        (pieces, { sends }) => (sends === undefined ? pieces : pieces.flatMap((piece) => sends(piece))),
        [{ bytes: frame, delayMs: 0, intact: true, thenClose: false }],
      ),
  };
}

/** Spoils a share of the frames that are still whole. */
function sometimes(random: Random, share: number, spoil: (piece: Piece) => Uint8Array): Fault {
  return {
    sends: (piece) =>
      piece.intact && piece.bytes.length > 1 && random() < share
        ? [{ ...piece, bytes: spoil(piece), intact: false }]
        : [piece],
  };
}

function strangeWrapper(message: Uint8Array): Uint8Array {
  const copy = message.slice();
  copy[3]! ^= 1;
  return copy;
}

/** The same frame from the neighbouring server address, with check sequences that fit. */
function strangeFrame(bytes: Uint8Array): Uint8Array {
  const frame = decodeFrame(bytes);
  return encodeFrame({ ...frame, source: { ...frame.source, upper: frame.source.upper ^ 1 } });
}

function isList([tag, second = 0]: Uint8Array): boolean {
  return (tag === GET_REQUEST && second === FORM.withList) || (tag === READ_REQUEST && second > 1);
}

/** A request for the next block with another number. Anything else, also what is no APDU, stays as it is. */
function shiftRequested(request: Uint8Array, by: number): Uint8Array {
  if (request[0] === READ_REQUEST && request[2] === BLOCK_NUMBER_ACCESS && request.length === 5) {
    const blockNumber = ((request[3] ?? 0) << 8) | (request[4] ?? 0);
    const variable = { 'block-number-access': { blockNumber: (blockNumber + by) & 0xffff } };
    return encodeApdu({ apdu: 'readRequest', variables: [variable] });
  }
  if (request[0] !== GET_REQUEST || request[1] !== FORM.next || request.length !== 7) return request;
  const apdu = decodeApdu(request);
  if (apdu.apdu !== 'get-request' || apdu.type !== 'next') return request;
  return encodeApdu({ ...apdu, blockNumber: (apdu.blockNumber + by) >>> 0 });
}

function shiftAnswered(answer: Uint8Array, by: number): Uint8Array {
  if (answer[0] === READ_RESPONSE && answer[2] === DATA_BLOCK_RESULT) {
    const apdu = decodeApdu(answer);
    const [result] = apdu.apdu === 'readResponse' ? apdu.results : [];
    if (result === undefined || !('dataBlockResult' in result)) return answer;
    const { blockNumber, ...block } = result.dataBlockResult;
    const dataBlockResult = { ...block, blockNumber: (blockNumber + by) & 0xffff };
    return encodeApdu({ apdu: 'readResponse', results: [{ dataBlockResult }] });
  }
  if (answer[0] !== GET_RESPONSE || answer[1] !== FORM.withDatablock) return answer;
  const apdu = decodeApdu(answer);
  if (apdu.apdu !== 'get-response' || apdu.type !== 'with-datablock') return answer;
  return encodeApdu({ ...apdu, blockNumber: (apdu.blockNumber + by) >>> 0 });
}

function withoutInvokeId(answer: Uint8Array): Uint8Array {
  if (answer[0] !== GET_RESPONSE) return answer;
  const apdu = decodeApdu(answer);
  return apdu.apdu === 'get-response' ? encodeApdu({ ...apdu, invokeIdAndPriority: invokeIdAndPriorityOf(0) }) : answer;
}
