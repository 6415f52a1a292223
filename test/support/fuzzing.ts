/**
 * Inputs that nobody sends on purpose: random octets, and mutations of the vectors; and the places that have to survive them.
 * Everything follows from a seed, so that an input which breaks something can be made again.
 */
import { fromHex, toHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import { AssociationClient } from '../../src/dlms/association/association.ts';
import { decodeBytes } from '../../src/dlms/decode/bytes.ts';
import { GetExchange } from '../../src/dlms/exchange/get-exchange.ts';
import { HdlcClientLink } from '../../src/dlms/hdlc/client-link.ts';
import { HdlcDeframer } from '../../src/dlms/hdlc/deframer.ts';
import type { ClientLink } from '../../src/dlms/link.ts';
import { MbusDeframer } from '../../src/dlms/mbus.ts';
import { HdlcPushFraming, MbusPushFraming, type PushFraming, WrapperPushFraming } from '../../src/dlms/push/framing.ts';
import { PushReceiver } from '../../src/dlms/push/receiver.ts';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../src/dlms/settings.ts';
import { WrapperClientLink, WrapperDeframer } from '../../src/dlms/wrapper.ts';
import { integerBetween, type Random, seededRandom } from '../../src/simulator/meter/random.ts';
import { frame } from './links.ts';
import { bytesOf, loadVectors } from './vectors.ts';

const FILES = ['hdlc', 'wrapper', 'acse', 'apdu', 'push', 'security', 'mode-e'] as const;
const LONGEST = 600;

/** Octets of all vectors that are not too long. */
const CORPUS: readonly Uint8Array[] = FILES.flatMap((file) => loadVectors(file).map(bytesOf)).filter(
  ({ length }) => length > 0 && length <= LONGEST,
);

type Mutation = (octets: Uint8Array, random: Random) => Uint8Array;
const placeIn = (octets: Uint8Array, random: Random): number =>
  integerBetween(random, 0, Math.max(0, octets.length - 1));
/** Octets that mean something somewhere: flags, lengths, tags, signs. */
const TELLING = [0x00, 0x01, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xa0, 0xff, 0x68, 0x16, 0xe6, 0xdb, 0xe0, 0x0f, 0xc4];

const MUTATIONS: readonly Mutation[] = [
  (octets, random) => octets.with(placeIn(octets, random), integerBetween(random, 0, 255)),
  (octets, random) => {
    const at = placeIn(octets, random);
    return octets.with(at, octets[at]! ^ (1 << integerBetween(random, 0, 7)));
  },
  (octets, random) => octets.with(placeIn(octets, random), TELLING[integerBetween(random, 0, TELLING.length - 1)] ?? 0),
  (octets, random) => octets.subarray(0, placeIn(octets, random)),
  (octets, random) => octets.subarray(placeIn(octets, random)),
  (octets, random) => {
    const at = placeIn(octets, random);
    return Uint8Array.from([...octets.subarray(0, at), ...octets.subarray(at + integerBetween(random, 1, 8))]);
  },
  (octets, random) => {
    const [from, to] = [placeIn(octets, random), placeIn(octets, random)];
    const part = octets.subarray(Math.min(from, to), Math.max(from, to));
    return Uint8Array.from([...octets.subarray(0, from), ...part, ...octets.subarray(from)]);
  },
  (octets, random) => {
    const other = CORPUS[integerBetween(random, 0, CORPUS.length - 1)] ?? octets;
    return Uint8Array.from([...octets.subarray(0, placeIn(octets, random)), ...other.subarray(placeIn(other, random))]);
  },
];

/** The next input: one in eight is random throughout, the others are vectors with one to four mutations. */
export function nextInput(random: Random): Uint8Array {
  if (random() < 1 / 8) {
    return Uint8Array.from({ length: integerBetween(random, 0, 120) }, () => integerBetween(random, 0, 255));
  }
  let octets: Uint8Array = CORPUS[integerBetween(random, 0, CORPUS.length - 1)] ?? new Uint8Array(1);
  for (let count = integerBetween(random, 1, 4); count > 0 && octets.length > 0; count -= 1) {
    const mutation = MUTATIONS[integerBetween(random, 0, MUTATIONS.length - 1)] as Mutation;
    octets = mutation(octets, random).subarray(0, 2 * LONGEST);
  }
  return octets;
}

/** Runs one input; returns how much came out: items, events, layers. Throws what the place threw. */
type Place = (octets: Uint8Array) => number;

const deframing =
  (make: () => { push(octets: Uint8Array): readonly unknown[]; flush(): readonly unknown[] }): Place =>
  (octets) => {
    const deframer = make();
    const half = octets.length >> 1;
    return (
      [octets.subarray(0, half), octets.subarray(half)].flatMap((part) => [...deframer.push(part)]).length +
      deframer.flush().length
    );
  };

const SETTINGS = { ...DEFAULT_METER_SETTINGS, physical: 17 };

const linking =
  (make: () => ClientLink, connected: (link: ClientLink) => void): Place =>
  (octets) => {
    const link = make();
    link.connect();
    connected(link);
    link.send(fromHex('c001c100030100010800ff0200'));
    let came = link.receive(octets).events.length;
    for (let silence = 0; silence < 4; silence += 1) came += link.timeout().events.length;
    return came;
  };

const AARE = fromHex('6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f0400001e1d04c80007');

function associationIn(state: 'associating' | 'associated' | 'requesting' | 'releasing'): AssociationClient {
  const client = new AssociationClient({
    settings: DEFAULT_METER_SETTINGS,
    secrets: NO_SECRETS,
    random: (count) => new Uint8Array(count),
    takeCounter: () => 0,
    systemTitle: new Uint8Array(8),
  });
  client.open();
  if (state !== 'associating') client.receive(AARE);
  if (state === 'requesting') {
    const energy = { classId: 3, instanceId: '1.0.1.8.0.255', attributeId: 2, accessSelection: null };
    client.begin(new GetExchange([energy]));
  }
  if (state === 'releasing') client.release();
  return client;
}

const associating =
  (state: Parameters<typeof associationIn>[0]): Place =>
  (octets) => {
    const client = associationIn(state);
    let sent = 0;
    for (const part of [octets, octets.subarray(octets.length >> 1)]) {
      const { send, event } = client.receive(part);
      if (event !== null && 'error' in event && event.error.code === 'INTERNAL') throw event.error;
      sent += send.length;
    }
    return sent;
  };

const pushing =
  (make: () => PushFraming): Place =>
  (octets) => {
    const framing = make();
    const receiver = new PushReceiver({ open: null });
    const events = [...framing.receive(octets), ...framing.flush()];
    const pushes = events.flatMap((event) =>
      event.kind === 'message' ? receiver.take(event.source, event.octets) : [],
    );
    return events.length + pushes.length + receiver.flush().length;
  };

export const PLACES: Readonly<Record<string, Place>> = {
  decode: (octets) => {
    const { layers, apdus, discarded, error } = decodeBytes(octets, { input: 'auto' });
    if (error?.code === 'INTERNAL') throw new Error(error.message);
    return layers.length + apdus.length + discarded.length;
  },
  'HDLC deframer': deframing(() => new HdlcDeframer()),
  'wrapper deframer': deframing(() => new WrapperDeframer()),
  'M-Bus deframer': deframing(() => new MbusDeframer()),
  'HDLC link': linking(
    () => new HdlcClientLink(SETTINGS),
    (link) => link.receive(frame.ua()),
  ),
  'wrapper link': linking(
    () => new WrapperClientLink(SETTINGS),
    () => undefined,
  ),
  'association opening': associating('associating'),
  'association standing': associating('associated'),
  'association asking': associating('requesting'),
  'association releasing': associating('releasing'),
  'HDLC push': pushing(() => new HdlcPushFraming()),
  'wrapper push': pushing(() => new WrapperPushFraming()),
  'M-Bus push': pushing(() => new MbusPushFraming()),
  'raw push': (octets) => {
    const receiver = new PushReceiver({ open: null });
    return receiver.take('', octets).length + receiver.flush().length;
  },
};

/** No input of so many octets may bring about more than this: whoever does turns in a circle. */
const mostThatMayCome = (length: number): number => 64 + 4 * length;
const LONGEST_MS = 1000;

/** Feeds inputs to every place in turn. Throws for the first that breaks one, with what is needed to see it again. */
export function fuzz(inputs: number, seed: number): void {
  const random = seededRandom(seed);
  const places = Object.entries(PLACES);
  for (let count = 0; count < inputs; count += 1) {
    const octets = nextInput(random);
    const [name, place] = places[count % places.length] as [string, Place];
    const began = performance.now();
    let came = 0;
    try {
      came = place(octets);
    } catch (error) {
      if (!(error instanceof BridgeError) || error.code === 'INTERNAL') {
        throw new Error(`${name} broke on ${toHex(octets)}: ${String(error)}`, { cause: error });
      }
    }
    if (came > mostThatMayCome(octets.length)) throw new Error(`${name}: ${came} things out of ${toHex(octets)}`);
    if (performance.now() - began > LONGEST_MS) throw new Error(`${name} took too long on ${toHex(octets)}`);
  }
}
