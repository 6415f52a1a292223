/** The flags that say how a meter is talked to; the same for a link on the command line and for `meter add`. */
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import { physicalFromSerialNumber } from '../../dlms/hdlc/address.ts';
import { parseQuirk, QUIRKS, type Quirks } from '../../dlms/quirks.ts';
import { SECURITY_POLICIES } from '../../dlms/security/suite.ts';
import {
  AUTHENTICATION_LEVELS,
  DEFAULT_METER_SETTINGS,
  METER_SETTINGS,
  type MeterSecrets,
  type MeterSettings,
  PROTECTIONS,
  type PreEstablished,
  SESSION_POLICIES,
} from '../../dlms/settings.ts';
import { CONFORMANCE_BITS } from '../../dlms/xdlms/conformance.ts';
import { addSecretFlags, requireSecrets, type SecretFlags, secretsFromFlags } from './secret-flags.ts';
import { parseChoice, parseDeclared, parseSeconds, parseSystemTitle, parseTimeZone, parseWhole } from './values.ts';

export interface MeterFlags extends SecretFlags {
  readonly client: string;
  readonly server: string;
  readonly physical?: string;
  readonly addressSize?: string;
  readonly serialNumber?: string;
  readonly referencing: string;
  readonly auth: string;
  readonly suite: string;
  readonly security: string;
  readonly systemTitle?: string;
  readonly serverSystemTitle?: string;
  readonly dedicatedKey?: boolean;
  readonly timeout: string;
  readonly maxPdu: string;
  readonly window: string;
  readonly infoLength: string;
  readonly timeZone?: string;
  readonly preEstablished?: boolean;
  readonly conformance?: string;
  readonly serverMaxPdu?: string;
  readonly clockDrift: string;
  readonly clockLimit: string;
  readonly clockSetWithin: string;
  readonly protection: string;
  readonly sign?: boolean;
  readonly acceptUnverified?: boolean;
  readonly quirk?: readonly string[];
  readonly session: string;
}

const LONGEST_DRIFT_S = 86_400;

export function addMeterFlags(command: Command): Command {
  const {
    client,
    server,
    referencing,
    authentication,
    security,
    suite,
    timeoutMs,
    maxPdu,
    window,
    infoLength,
    session,
  } = DEFAULT_METER_SETTINGS;
  const described = command
    .option('--client <n>', 'client SAP', String(client))
    .option('--server <n>', 'server logical device', String(server))
    .option('--physical <n>', 'HDLC lower (physical) address')
    .option('--address-size <octets>', 'HDLC server address length: 1, 2 or 4')
    .option('--serial-number <n>', 'take the physical address from the serial number (SN % 10000 + 1000)')
    .option('--referencing <kind>', 'ln or sn', referencing)
    .option('--auth <level>', AUTHENTICATION_LEVELS.join(' | '), authentication)
    .option('--suite <n>', 'security suite: 0, 1 or 2', String(suite))
    .option('--security <policy>', `protection of every message: ${SECURITY_POLICIES.join(' | ')}`, security)
    .option(
      '--protection <kind>',
      `what carries protected requests: ${PROTECTIONS.join(' | ')}`,
      DEFAULT_METER_SETTINGS.protection,
    )
    .option('--pre-established', 'the association stands without AARQ; titles and what is granted come from flags')
    .option(
      '--conformance <bits>',
      'pre-established: services granted, with commas; without it those that are usually proposed',
    )
    .option('--server-max-pdu <octets>', 'pre-established: largest APDU that the meter takes, 0 for no limit')
    .option('--sign', 'sign requests, and want answers signed (general-signing)')
    .option('--accept-unverified', 'open what is authenticated although there is no --authentication-key')
    .option('--system-title <hex>', 'our system title; without it one of this installation')
    .option('--server-system-title <hex>', "the meter's system title, where it does not tell it")
    .option('--dedicated-key', 'propose a key for each association')
    .option('--timeout <ms>', 'response time-out', String(timeoutMs))
    .option('--max-pdu <octets>', 'largest APDU we take', String(maxPdu))
    .option('--window <n>', 'HDLC window, 1 to 7', String(window))
    .option('--info-length <octets>', 'HDLC information field, 32 to 2030', String(infoLength))
    .option('--time-zone <zone>', "zone of the meter's local times, as Europe/Madrid, where they carry no deviation")
    .option('--clock-drift <on|off>', "the daemon follows the meter's clock: on | off", 'on')
    .option(
      '--clock-limit <seconds>',
      'beyond this the clock is off',
      String(DEFAULT_METER_SETTINGS.clockLimitMs / 1000),
    )
    .option('--clock-set-within <seconds>', 'the daemon sets a clock that is off by no more than this; 0: never', '0')
    .option(
      '--quirk <quirk>',
      `how the meter deviates, NAME or NAME=VALUE (repeatable): ${QUIRKS.map(({ name }) => name).join(', ')}`,
      collect,
    )
    .option('--session <policy>', `the association between reads: ${SESSION_POLICIES.join(' | ')}`, session);
  return addSecretFlags(described);
}

/** Settings and secrets from the flags. Throws USAGE, SECRET_UNREADABLE, INVALID_VALUE, UNSUPPORTED. */
export function meterFromFlags(flags: MeterFlags): { settings: MeterSettings; secrets: MeterSecrets } {
  const settings = settingsFromFlags(flags);
  const secrets = secretsFromFlags(flags);
  requireSecrets(settings, secrets);
  return { settings, secrets };
}

/** The flags that each setting comes from. */
const FLAGS_OF_SETTING: Readonly<
  Record<Exclude<keyof MeterSettings, 'quirks' | 'identify' | 'push'>, readonly (keyof MeterFlags)[]>
> = {
  client: ['client'],
  server: ['server'],
  physical: ['physical', 'serialNumber'],
  addressSize: ['addressSize'],
  referencing: ['referencing'],
  authentication: ['auth'],
  security: ['security'],
  suite: ['suite'],
  protection: ['protection'],
  signing: ['sign'],
  acceptUnverified: ['acceptUnverified'],
  preEstablished: ['preEstablished', 'conformance', 'serverMaxPdu'],
  systemTitle: ['systemTitle'],
  serverSystemTitle: ['serverSystemTitle'],
  dedicatedKey: ['dedicatedKey'],
  timeoutMs: ['timeout'],
  maxPdu: ['maxPdu'],
  window: ['window'],
  infoLength: ['infoLength'],
  timeZone: ['timeZone'],
  clockDrift: ['clockDrift'],
  clockLimitMs: ['clockLimit'],
  clockSetWithinMs: ['clockSetWithin'],
  session: ['session'],
};

/** What stands already (of a template, of a stored meter), changed by the flags that are really given. Throws likewise. */
export function meterOver(
  command: Command,
  base: { readonly settings: MeterSettings; readonly secrets: MeterSecrets },
): { settings: MeterSettings; secrets: MeterSecrets } {
  const flags = command.opts<MeterFlags>();
  const given = new Set<string>(
    Object.entries(FLAGS_OF_SETTING)
      .filter(([, names]) => names.some((name) => command.getOptionValueSource(name) === 'cli'))
      .map(([setting]) => setting),
  );
  const own = Object.entries(settingsFromFlags(flags)).filter(([name]) => given.has(name));
  const quirks = { ...base.settings.quirks, ...quirksFrom(flags.quirk ?? []) };
  const settings = { ...base.settings, ...(Object.fromEntries(own) as Partial<MeterSettings>), quirks };
  const named = Object.entries(secretsFromFlags(flags)).filter(([, value]) => value !== null);
  const secrets = { ...base.secrets, ...(Object.fromEntries(named) as Partial<MeterSecrets>) };
  requireSecrets(settings, secrets);
  return { settings, secrets };
}

function settingsFromFlags(flags: MeterFlags): MeterSettings {
  return {
    client: parseDeclared('--client', METER_SETTINGS.client, flags.client),
    server: parseDeclared('--server', METER_SETTINGS.server, flags.server),
    physical: physicalAddress(flags),
    addressSize: optional(flags.addressSize, (text) =>
      parseDeclared('--address-size', METER_SETTINGS.addressSize, text),
    ),
    referencing: parseDeclared('--referencing', METER_SETTINGS.referencing, flags.referencing),
    authentication: parseDeclared('--auth', METER_SETTINGS.authentication, flags.auth),
    security: parseDeclared('--security', METER_SETTINGS.security, flags.security),
    suite: parseDeclared('--suite', METER_SETTINGS.suite, flags.suite),
    systemTitle: optional(flags.systemTitle, (text) => parseSystemTitle('--system-title', text)),
    serverSystemTitle: optional(flags.serverSystemTitle, (text) => parseSystemTitle('--server-system-title', text)),
    dedicatedKey: flags.dedicatedKey === true,
    timeoutMs: parseDeclared('--timeout', METER_SETTINGS.timeoutMs, flags.timeout),
    maxPdu: parseDeclared('--max-pdu', METER_SETTINGS.maxPdu, flags.maxPdu),
    window: parseDeclared('--window', METER_SETTINGS.window, flags.window),
    infoLength: parseDeclared('--info-length', METER_SETTINGS.infoLength, flags.infoLength),
    timeZone: optional(flags.timeZone, parseTimeZone),
    clockDrift: parseDeclared('--clock-drift', METER_SETTINGS.clockDrift, flags.clockDrift),
    clockLimitMs: parseSeconds('--clock-limit', flags.clockLimit, 1, LONGEST_DRIFT_S),
    clockSetWithinMs: parseSeconds('--clock-set-within', flags.clockSetWithin, 0, LONGEST_DRIFT_S),
    protection: parseDeclared('--protection', METER_SETTINGS.protection, flags.protection),
    signing: flags.sign === true,
    acceptUnverified: flags.acceptUnverified === true,
    preEstablished: preEstablishedOf(flags),
    quirks: quirksFrom(flags.quirk ?? []),
    session: parseDeclared('--session', METER_SETTINGS.session, flags.session),
    identify: [],
    push: [],
  };
}

function collect(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), value];
}

function preEstablishedOf({ preEstablished = false, conformance, serverMaxPdu }: MeterFlags): PreEstablished | null {
  if (!preEstablished) {
    if (conformance === undefined && serverMaxPdu === undefined) return null;
    fail('USAGE', '--conformance and --server-max-pdu are for --pre-established: else they are negotiated');
  }
  const bits = conformance?.split(',').map((bit) => parseChoice('--conformance', bit.trim(), CONFORMANCE_BITS));
  return {
    conformance: bits ?? null,
    serverMaxPdu: parseWhole('--server-max-pdu', serverMaxPdu ?? PRE_ESTABLISHED_PDU, 0, 0xffff),
  };
}

/** Octets that every meter takes, where none are named. */
const PRE_ESTABLISHED_PDU = '1024';

function quirksFrom(texts: readonly string[]): Partial<Quirks> {
  return Object.assign({}, ...texts.map(parseQuirk)) as Partial<Quirks>;
}

function optional<T>(text: string | undefined, parse: (text: string) => T): T | null {
  return text === undefined ? null : parse(text);
}

function physicalAddress({ physical, serialNumber }: MeterFlags): number | null {
  if (physical !== undefined && serialNumber !== undefined)
    fail('USAGE', 'give --physical or --serial-number, not both');
  if (physical !== undefined) return parseDeclared('--physical', METER_SETTINGS.physical, physical);
  if (serialNumber === undefined) return null;
  return physicalFromSerialNumber(parseWhole('--serial-number', serialNumber, 0, 999_999_999_999_999));
}
