/** `listen LINK`: receives pushes and prints them until it is stopped. */
import type { Command } from 'commander';
import { type BridgeError, type ErrorReport, fail } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import type { DecodeKeys } from '../../dlms/decode/security.ts';
import { DEFAULT_METER_SETTINGS, type MeterSecrets, NO_SECRETS } from '../../dlms/settings.ts';
import type { SecurityPorts } from '../../meter/session.ts';
import { systemClock } from '../../runtime/clock.ts';
import { type LinkAddress, parseLink, signsOn, transportOf } from '../../transport/link-address.ts';
import { listenTcp } from '../../transport/tcp-listener.ts';
import { listenUdp } from '../../transport/udp-listener.ts';
import { type Context, EXIT, printError, untilOver, verb } from '../context.ts';
import { addKeyFlags, type KeyFlags, keysFromFlags } from '../flags/key-flags.ts';
import { parseChoice, parseSeconds } from '../flags/values.ts';
import { type Heard, PUSH_FRAMINGS, type PushFramingName, PushInlet } from '../meter/push-inlet.ts';
import { securityPorts } from '../meter/security-ports.ts';
import { apduLines } from '../views/decode-text.ts';

interface ListenFlags extends KeyFlags {
  readonly framing?: string;
  readonly for?: string;
}

export function registerListen(program: Command): void {
  addKeyFlags(
    program
      .command('listen <link>')
      .description('receive pushes and print them: a port to listen on (tcp, tcp+hdlc, udp) or a serial line')
      .option('--framing <framing>', `${PUSH_FRAMINGS.join(' | ')}; without it what the link says`)
      .option('--for <seconds>', 'stop after this time'),
  ).action(verb(listen));
}

interface Listening {
  readonly place: string;
  close(): Promise<void>;
}

interface Ears {
  readonly framing: PushFramingName;
  readonly keys: DecodeKeys;
  readonly security: () => SecurityPorts;
  tell(heard: Heard): void;
  /** The line is gone. */
  lost(error: BridgeError): void;
}

async function listen(context: Context, command: Command): Promise<number> {
  const flags = command.opts<ListenFlags>();
  const address = parseLink(command.args[0] ?? '');
  const ms = flags.for === undefined ? Number.POSITIVE_INFINITY : parseSeconds('--for', flags.for);
  const told: Told = { pushes: [], failures: [], discarded: [] };
  let error: ErrorReport | null = null;
  const over = new AbortController();
  const keys = keysFromFlags(flags);
  const listening = await opened(address, {
    framing: flags.framing === undefined ? address.framing : parseChoice('--framing', flags.framing, PUSH_FRAMINGS),
    keys,
    security: once(() => securityPorts(context.databasePath, DEFAULT_METER_SETTINGS, secretsOf(keys))),
    tell(heard) {
      const ts = new Date(systemClock.now()).toISOString();
      if (context.json) collect(told, heard, ts);
      else context.print(null, () => text(heard, ts));
    },
    lost(reason) {
      error = reason.report();
      over.abort();
    },
  });
  if (!context.json) context.print(null, () => `listening on ${listening.place}`);
  context.log.info({ place: listening.place }, 'listening');
  await untilOver(AbortSignal.any([context.signal, over.signal]), ms);
  await listening.close();
  return ended(context, told, error);
}

function ended(context: Context, told: Told, error: ErrorReport | null): number {
  if (context.json) context.print({ ...told, error: error === null ? null : { ...error } }, () => '');
  else if (error !== null) printError(error, false);
  return error === null ? EXIT.done : EXIT.failed;
}

async function opened(address: LinkAddress, ears: Ears): Promise<Listening> {
  if (signsOn(address)) {
    fail('INVALID_LINK', 'who only listens does not sign on', { hint: 'give the line as serial:// with its rate' });
  }
  switch (address.kind) {
    case 'tcp':
    case 'listen+tcp':
      return listeningTcp(address, ears);
    case 'udp':
    case 'listen+udp':
      return listeningUdp(address, ears);
    default:
      return listeningSerial(address, ears);
  }
}

async function listeningTcp({ host, port }: { host: string; port: number }, ears: Ears): Promise<Listening> {
  const inlets = new Set<PushInlet>();
  const listener = await listenTcp({
    host,
    port,
    onConnection(transport) {
      const inlet = new PushInlet({ ...ears, from: transport.description, write: (bytes) => transport.write(bytes) });
      inlets.add(inlet);
      const gone = (): void => {
        void inlet.end().then(() => inlets.delete(inlet));
      };
      transport.open({ data: (bytes) => inlet.receive(bytes), closed: gone }).catch(gone);
    },
  });
  return {
    place: `tcp ${host}:${listener.port}`,
    async close() {
      await listener.close();
      for (const inlet of inlets) await inlet.end();
    },
  };
}

/** Each datagram is a message of its own, but for blocks of one sender, which come in several. */
async function listeningUdp({ host, port }: { host: string; port: number }, ears: Ears): Promise<Listening> {
  const inlets = new Map<string, PushInlet>();
  const listener = await listenUdp({
    host,
    port,
    onDatagram(bytes, { description: from, answer: write }) {
      const inlet = inlets.get(from) ?? new PushInlet({ ...ears, from, write });
      inlets.delete(from);
      inlets.set(from, inlet);
      inlet.receiveWhole(bytes);
      const [oldest] = inlets.keys();
      if (inlets.size <= MOST_SENDERS || oldest === undefined) return;
      void inlets.get(oldest)?.end();
      inlets.delete(oldest);
    },
    onFailed: ears.lost,
  });
  return {
    place: `udp ${host}:${listener.port}`,
    async close() {
      await listener.close();
      for (const inlet of inlets.values()) await inlet.end();
    },
  };
}

/** The sender of datagrams that was silent longest is forgotten beyond so many. */
const MOST_SENDERS = 1000;

async function listeningSerial(address: LinkAddress, ears: Ears): Promise<Listening> {
  const transport = transportOf(address, systemClock);
  const from = transport.description;
  const inlet = new PushInlet({ ...ears, from, write: (bytes) => transport.write(bytes) });
  await transport.open({ data: (bytes) => inlet.receive(bytes), closed: ears.lost });
  return {
    place: from,
    async close() {
      await transport.close();
      await inlet.end();
    },
  };
}

function secretsOf({ encryptionKey, authenticationKey }: DecodeKeys): MeterSecrets {
  return { ...NO_SECRETS, blockCipherKey: encryptionKey, authenticationKey };
}

/** Made at its first use. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

interface Told {
  readonly pushes: JsonValue[];
  readonly failures: JsonValue[];
  readonly discarded: JsonValue[];
}

function collect({ pushes, failures, discarded }: Told, heard: Heard, ts: string): void {
  const { from } = heard;
  if (heard.kind === 'push') pushes.push({ ts, from, confirmed: heard.confirmed, ...heard.push });
  else if (heard.kind === 'failed') failures.push({ ts, from, error: { ...heard.error } });
  else discarded.push({ ts, from, ...heard.discarded });
}

function text(heard: Heard, ts: string): string {
  const heading = `${ts} ${heard.from}`;
  switch (heard.kind) {
    case 'push': {
      const confirmed = heard.confirmed === null ? '' : heard.confirmed ? ' (confirmed)' : ' (wants confirmation)';
      return [`${heading}${confirmed}`, ...apduLines(heard.push).map((line) => `  ${line}`)].join('\n');
    }
    case 'failed':
      return `${heading}\n  ${heard.error.code}: ${heard.error.message}`;
    default: {
      const { offset, length, reason } = heard.discarded;
      return `${heading}\n  discarded ${length} octets at ${offset}: ${reason}`;
    }
  }
}
