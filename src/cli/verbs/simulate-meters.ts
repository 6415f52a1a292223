/** `simulate meters`: virtual meters over TCP or a pty. */
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { readPrivateKey, readPublicKey } from '../../dlms/security/key-material.ts';
import { SECURITY_POLICIES, type SuiteId } from '../../dlms/security/suite.ts';
import { AUTHENTICATION_LEVELS } from '../../dlms/settings.ts';
import { systemClock } from '../../runtime/clock.ts';
import { FAULTS } from '../../simulator/meter/faults.ts';
import {
  type CallOptions,
  DEFAULT_PASSWORD,
  startVirtualMeters,
  type VirtualMeters,
} from '../../simulator/meter/fleet.ts';
import type { SecurityOptions } from '../../simulator/meter/meter-security.ts';
import { OFFERED } from '../../simulator/meter/offered.ts';
import { PUSH_SHAPES } from '../../simulator/meter/push-shapes.ts';
import { framingOf, parseLink, transportOf } from '../../transport/link-address.ts';
import type { Transport } from '../../transport/transport.ts';
import { type Context, untilStopped, verb } from '../context.ts';
import { certificate, curveKey } from '../flags/secret-flags.ts';
import { parseChoice, parseKey, parseSeconds, parseSecretText, parseSystemTitle, parseWhole } from '../flags/values.ts';
import { openPtyPair } from '../pty-pair.ts';

interface MeterFlags {
  readonly count: string;
  readonly port: string;
  readonly host: string;
  readonly portsEach?: boolean;
  readonly framing: string;
  readonly referencing: string;
  readonly auth: string;
  readonly secret: string;
  readonly security: string;
  readonly suite: string;
  readonly blockCipherKey?: string;
  readonly authenticationKey?: string;
  readonly signingKey?: string;
  readonly certificate?: string;
  readonly clientSigningKey?: string;
  readonly clientAuthority?: string;
  readonly masterKey?: string;
  readonly agreementKey?: string;
  readonly clientAgreementKey?: string;
  readonly systemTitle?: string;
  readonly preEstablished?: boolean;
  readonly clientSystemTitle?: string;
  readonly pty?: string;
  readonly faults?: string;
  readonly seed: string;
  readonly answerDelay: string;
  readonly maxPdu: string;
  readonly grant?: string;
  readonly dial?: string;
  readonly pushTo?: string;
  readonly pushEvery?: string;
  readonly pushShape: string;
  readonly pushConfirmed?: boolean;
}

/** Addresses beyond this are not printed for people. */
const MOST_SHOWN = 5;

export function registerSimulateMeters(simulate: Command): void {
  simulate
    .command('meters')
    .description('virtual meters that answer as real ones do')
    .option('--count <n>', 'how many', '1')
    .option('--port <port>', 'TCP port, 0 picks a free one', '4059')
    .option('--host <host>', 'address to listen on', '127.0.0.1')
    .option('--ports-each', 'a port for every meter, counted up; else all behind one port, by server address')
    .option('--framing <framing>', 'wrapper or hdlc', 'wrapper')
    .option('--referencing <kind>', 'ln or sn: logical or short names', 'ln')
    .option('--auth <level>', AUTHENTICATION_LEVELS.join(' | '), 'none')
    .option('--secret <secret>', 'password or HLS secret; file: and env: work', DEFAULT_PASSWORD)
    .option('--security <policy>', `protection that every message must have: ${SECURITY_POLICIES.join(' | ')}`, 'none')
    .option('--suite <n>', 'security suite: 0, 1 or 2', '0')
    .option('--block-cipher-key <key>', 'without it 000102..; hex, file: and env: work')
    .option('--authentication-key <key>', 'without it d0d1d2..; hex, file: and env: work')
    .option('--signing-key <key>', "the meter's private key for signatures: PEM or hex; file: and env: work")
    .option('--certificate <certificate>', 'of the signing key, sent in the AARE')
    .option('--client-signing-key <key>', "the client's public key for signatures, or its certificate")
    .option('--client-authority <certificate>', 'of the authority that certifies the keys of clients')
    .option('--master-key <key>', 'key encryption key, for keys that travel wrapped')
    .option('--agreement-key <key>', "the meter's private key for key agreement")
    .option('--client-agreement-key <key>', "the client's public key for key agreement, or its certificate")
    .option('--system-title <hex>', 'of the meter; without it one from its serial number')
    .option('--pre-established', 'associations stand without AARQ; ciphered ones need --client-system-title')
    .option('--client-system-title <hex>', 'of the client of a pre-established association')
    .option('--pty <path>', 'serve a pseudo terminal at PATH instead of TCP (HDLC; needs socat)')
    .option('--faults <names>', `misbehaviours, NAME or NAME:NUMBER, with commas: ${Object.keys(FAULTS).join(', ')}`)
    .option('--seed <n>', 'makes other meters', '1')
    .option('--answer-delay <ms>', 'how long a meter thinks', '0')
    .option('--max-pdu <octets>', 'largest APDU of the meters', '1024')
    .option('--grant <services>', `what they grant, with commas: ${OFFERED.ln.join(', ')}; all of it when left out`)
    .option('--dial <link>', 'the meters connect there and wait to be asked, instead of listening')
    .option('--push-to <link>', 'the meters push there, with a connection for each push')
    .option('--push-every <seconds>', 'how often they push, over what --push-to, --dial or --pty names (60)')
    .option('--push-shape <shape>', `how a push is built: ${PUSH_SHAPES.join(' | ')}`, 'list')
    .option('--push-confirmed', 'pushes want to be confirmed, and are repeated until they are')
    .action(verb(simulateMeters));
}

async function simulateMeters(context: Context, command: Command): Promise<undefined> {
  const flags = command.opts<MeterFlags>();
  const pair = flags.pty === undefined ? null : await openPtyPair(flags.pty);
  try {
    const meters = await started(flags, pair?.otherPath ?? null);
    const place = pair === null ? '' : `serial://${pair.path}`;
    context.print(described(meters, place), () => text(meters, place));
    await untilStopped(context.signal);
    await meters.stop();
  } finally {
    pair?.stop();
  }
  return undefined;
}

function started(flags: MeterFlags, serialPath: string | null): Promise<VirtualMeters> {
  const called = flags.dial ?? flags.pushTo;
  const named =
    called === undefined ? parseChoice('--framing', flags.framing, ['wrapper', 'hdlc']) : framingOf(parseLink(called));
  const framing = serialPath === null ? named : 'hdlc';
  return startVirtualMeters({
    count: parseWhole('--count', flags.count, 1, 65_535),
    port: parseWhole('--port', flags.port, 0, 65_535),
    host: flags.host,
    ...(flags.portsEach === true && { metersPerPort: 1 }),
    framing,
    referencing: parseChoice('--referencing', flags.referencing, ['ln', 'sn']),
    auth: parseChoice('--auth', flags.auth, AUTHENTICATION_LEVELS),
    ...security(flags),
    password: parseSecretText(flags.secret),
    faults: flags.faults === undefined ? [] : flags.faults.split(',').filter((name) => name !== ''),
    seed: parseWhole('--seed', flags.seed, 0, 0xffff_ffff),
    answerDelayMs: parseWhole('--answer-delay', flags.answerDelay, 0, 600_000),
    maxPdu: parseWhole('--max-pdu', flags.maxPdu, 64, 65_535),
    ...(flags.grant !== undefined && {
      grant: flags.grant.split(',').map((name) => parseChoice('--grant', name, OFFERED.ln)),
    }),
    clock: systemClock,
    ...(serialPath === null ? {} : { transport: serialTransport(serialPath) }),
    ...callsOf(flags, serialPath),
  });
}

function serialTransport(path: string): Transport {
  return transportOf(parseLink(`serial://${path}`), systemClock);
}

/** What the flags say of meters that begin to talk. Throws USAGE. */
function callsOf(flags: MeterFlags, serialPath: string | null): { readonly calls?: CallOptions } {
  const { dial, pushTo, pushEvery } = flags;
  const link = dial ?? pushTo;
  if (link === undefined && pushEvery === undefined) return {};
  if (dial !== undefined && pushTo !== undefined)
    fail('USAGE', 'give --dial or --push-to: over --dial meters push too');
  if (link === undefined && serialPath === null) fail('USAGE', '--push-every needs --push-to, --dial or --pty');
  const push = {
    everyMs: parseSeconds('--push-every', pushEvery ?? '60'),
    shape: parseChoice('--push-shape', flags.pushShape, PUSH_SHAPES),
    confirmed: flags.pushConfirmed === true,
  };
  const address = link === undefined ? null : parseLink(link);
  return {
    calls: {
      connect: () => (address === null ? serialTransport(serialPath ?? '') : transportOf(address, systemClock)),
      stays: pushTo === undefined,
      push: pushTo === undefined && pushEvery === undefined ? null : push,
    },
  };
}

function security(flags: MeterFlags): SecurityOptions {
  const { blockCipherKey, authenticationKey, systemTitle } = flags;
  return {
    security: parseChoice('--security', flags.security, SECURITY_POLICIES),
    suite: Number(parseChoice('--suite', flags.suite, ['0', '1', '2'])) as SuiteId,
    ...(blockCipherKey !== undefined && { blockCipherKey: parseKey('--block-cipher-key', blockCipherKey) }),
    ...(authenticationKey !== undefined && { authenticationKey: parseKey('--authentication-key', authenticationKey) }),
    ...given('signingKey', curveKey('--signing-key', flags.signingKey, readPrivateKey)),
    ...given('masterKey', flags.masterKey === undefined ? null : parseKey('--master-key', flags.masterKey)),
    ...given('agreementKey', curveKey('--agreement-key', flags.agreementKey, readPrivateKey)),
    ...given('clientAgreementKey', curveKey('--client-agreement-key', flags.clientAgreementKey, readPublicKey)),
    ...given('certificate', certificate('--certificate', flags.certificate)),
    ...given('clientPublicKey', curveKey('--client-signing-key', flags.clientSigningKey, readPublicKey)),
    ...given('clientAuthority', certificate('--client-authority', flags.clientAuthority)),
    ...(flags.preEstablished === true && { preEstablished: { clientTitle: clientSystemTitle(flags) } }),
    ...(systemTitle !== undefined && { systemTitle: parseSystemTitle('--system-title', systemTitle) }),
  };
}

function clientSystemTitle({ clientSystemTitle: text }: MeterFlags): string | null {
  return text === undefined ? null : parseSystemTitle('--client-system-title', text);
}

function given<Name extends keyof SecurityOptions>(name: Name, value: Uint8Array | null): Pick<SecurityOptions, Name> {
  return (value === null ? {} : { [name]: value }) as Pick<SecurityOptions, Name>;
}

function described({ addresses }: VirtualMeters, place: string): JsonValue {
  return {
    meters: addresses.map(({ host, port, server, physical, serialNumber, logicalDeviceName }) => ({
      link: place === '' ? null : place,
      host: place === '' ? host : null,
      port: place === '' ? port : null,
      server,
      physical,
      serialNumber,
      logicalDeviceName,
    })),
  };
}

/** One line, so that scripts can wait for it. */
function text({ addresses }: VirtualMeters, place: string): string {
  const shown = addresses
    .slice(0, MOST_SHOWN)
    .map(
      ({ host, port, server, physical }) =>
        `${place === '' ? `${host}:${port}` : place} server ${server}${physical === null ? '' : ` physical ${physical}`}`,
    );
  const more = addresses.length > MOST_SHOWN ? `, and ${addresses.length - MOST_SHOWN} more` : '';
  return `${addresses.length} virtual meters: ${shown.join(', ')}${more}`;
}
