/** The flags that describe a ThingsBoard target and how we prove to it who we are. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { BridgeError, fail } from '../../core/errors.ts';
import { credentialsText } from '../../store/fleet/credentials.ts';
import {
  CONFLICT_POLICIES,
  DEFAULT_TARGET_SETTINGS,
  OUTBOX_POLICIES,
  type TargetSettings,
  validTargetSettings,
} from '../../store/fleet/target-settings.ts';
import type { NewTarget } from '../../store/fleet/types.ts';
import { canonicalTargetUrl, validName, validToken } from '../../store/fleet/validate.ts';
import { addProvisionFlags, type ProvisionFlags } from './provision-flags.ts';
import { parseChoice, parseSecretText, parseWhole } from './values.ts';

export interface TargetFlags extends ProvisionFlags {
  readonly url?: string;
  readonly token?: string;
  readonly username?: string;
  readonly password?: string;
  readonly clientId?: string;
  readonly cert?: string;
  readonly certKey?: string;
  readonly mode?: string;
  readonly protocol?: string;
  readonly ca?: string;
  readonly servername?: string;
  readonly onConflict?: string;
  readonly outboxPolicy?: string;
  readonly outboxMaxMb?: string;
  readonly outboxMaxDays?: string;
}

/** For a new target; `--mode` is not among those that can be changed. */
export function addTargetFlags(command: Command): Command {
  const mode = 'gateway (default): one token for all meters; device: one token per meter';
  return addProvisionFlags(addTargetChangeFlags(command).option('--mode <mode>', mode), 'dlms-multi-meter');
}

export function addTargetChangeFlags(command: Command): Command {
  return command
    .option('--url <url>', 'mqtt://HOST:PORT or mqtts://HOST:PORT')
    .option(
      '--token <token>',
      'access token: of the gateway, or (device mode) of the bridge itself; file: and env: work',
    )
    .option('--username <name>', 'MQTT basic credentials instead of a token')
    .option('--password <password>', 'for --username; file: and env: work')
    .option('--client-id <id>', 'of the MQTT basic credentials')
    .option('--cert <certificate>', 'X.509 client certificate instead of a token: a PEM file, or env:NAME')
    .option('--cert-key <key>', 'its private key: file:PATH or env:NAME')
    .option('--protocol <version>', '5 (default) or 3.1.1')
    .option('--ca <file>', 'PEM file of the certificate authority')
    .option('--servername <name>', "name in the server's certificate, sent as SNI, when it is not the host of the URL")
    .option('--on-conflict <policy>', 'while another client uses the token: turns (default) or wait')
    .option('--outbox-policy <policy>', 'at a limit of the outbox: refuse-polls (default) or drop-oldest')
    .option('--outbox-max-mb <n>', 'size of what may wait for each connection; none for no limit (default)')
    .option('--outbox-max-days <n>', 'age of what may wait; none for no limit (default)');
}

/** The target, with its URL in canonical form. Throws USAGE, SECRET_UNREADABLE, INVALID_VALUE. */
export function targetFromFlags(name: string, flags: TargetFlags): NewTarget {
  const settings = settingsFromFlags(flags, DEFAULT_TARGET_SETTINGS);
  return {
    name: validName('the target name', name),
    url: canonicalTargetUrl(flags.url ?? fail('USAGE', '--url is missing')),
    token: tokenFromFlags(flags) ?? fail('USAGE', '--token is missing'),
    mode: parseChoice('--mode', flags.mode ?? 'gateway', ['gateway', 'device']),
    protocol: parseChoice('--protocol', flags.protocol ?? '5', ['5', '3.1.1']),
    caFile: flags.ca === undefined ? null : readableFile(flags.ca),
    ...(settings === DEFAULT_TARGET_SETTINGS ? {} : { settings }),
  };
}

/** What the flags change of a stored target. Throws USAGE, SECRET_UNREADABLE, INVALID_VALUE. */
export function targetChangeFromFlags(
  flags: TargetFlags,
  stored: TargetSettings,
): Partial<Omit<NewTarget, 'name' | 'mode'>> {
  const token = tokenFromFlags(flags);
  const settings = settingsFromFlags(flags, stored);
  return {
    ...(flags.url === undefined ? {} : { url: canonicalTargetUrl(flags.url) }),
    ...(token === null ? {} : { token }),
    ...(flags.protocol === undefined ? {} : { protocol: parseChoice('--protocol', flags.protocol, ['5', '3.1.1']) }),
    ...(flags.ca === undefined ? {} : { caFile: flags.ca === 'none' ? null : readableFile(flags.ca) }),
    ...(settings === stored ? {} : { settings }),
  };
}

/** Whether the flags say how to prove who we are. */
export function namesCredentials(flags: TargetFlags): boolean {
  return [flags.token, flags.username, flags.clientId, flags.cert].some((flag) => flag !== undefined);
}

/** Whether the flags say how to prove who we are, or how to come by a token. */
export function hasCredentials(flags: TargetFlags): boolean {
  return namesCredentials(flags) || flags.provisionKey !== undefined;
}

/** The token, or the other credentials in its place; null when the flags say nothing of it. */
function tokenFromFlags(flags: TargetFlags): string | null {
  const { token, username, password, clientId, cert, certKey } = flags;
  const isBasic = [username, password, clientId].some((flag) => flag !== undefined);
  const isX509 = cert !== undefined || certKey !== undefined;
  if ([token !== undefined, isBasic, isX509].filter(Boolean).length > 1) {
    fail('USAGE', 'give one of --token, --username with --password and --client-id, or --cert with --cert-key');
  }
  if (isX509) {
    const certificate = cert ?? fail('USAGE', '--cert is missing');
    const key = parseSecretText(certKey ?? fail('USAGE', '--cert-key is missing'));
    // A certificate is no secret: a bare path is a file.
    const pem = parseSecretText(/^(?:file|env):/.test(certificate) ? certificate : `file:${certificate}`);
    return credentialsText({ kind: 'x509', certificate: pem, key });
  }
  if (isBasic) {
    return credentialsText({
      kind: 'basic',
      clientId: clientId ?? null,
      username: username === undefined ? null : parseSecretText(username),
      password: password === undefined ? null : parseSecretText(password),
    });
  }
  return token === undefined ? null : validToken(parseSecretText(token));
}

/** `stored` itself when the flags change nothing of it. */
function settingsFromFlags(flags: TargetFlags, stored: TargetSettings): TargetSettings {
  const { servername, onConflict, outboxPolicy, outboxMaxMb, outboxMaxDays } = flags;
  const change: Partial<TargetSettings> = {
    ...(servername === undefined ? {} : { serverName: servername === 'none' ? null : servername }),
    ...(onConflict === undefined ? {} : { onConflict: parseChoice('--on-conflict', onConflict, CONFLICT_POLICIES) }),
    ...(outboxPolicy === undefined
      ? {}
      : { outboxPolicy: parseChoice('--outbox-policy', outboxPolicy, OUTBOX_POLICIES) }),
    ...(outboxMaxMb === undefined ? {} : { outboxMaxBytes: limitOf('--outbox-max-mb', outboxMaxMb, 1_000_000) }),
    ...(outboxMaxDays === undefined ? {} : { outboxMaxAgeMs: limitOf('--outbox-max-days', outboxMaxDays, DAY_MS) }),
  };
  return Object.keys(change).length === 0 ? stored : validTargetSettings({ ...stored, ...change });
}

const DAY_MS = 86_400_000;

function limitOf(flag: string, text: string, unit: number): number | null {
  return text === 'none' ? null : parseWhole(flag, text, 1, 1_000_000) * unit;
}

function readableFile(path: string): string {
  try {
    readFileSync(path);
  } catch (cause) {
    throw new BridgeError('INVALID_VALUE', `the file ${path} cannot be read`, { cause });
  }
  return resolve(path);
}
