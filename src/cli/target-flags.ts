/** The flags that describe a ThingsBoard target. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { BridgeError, fail } from '../core/errors.ts';
import type { NewTarget } from '../store/fleet/types.ts';
import { canonicalTargetUrl, validName, validToken } from '../store/fleet/validate.ts';
import { parseChoice, parseSecretText } from './values.ts';

export interface TargetFlags {
  readonly url?: string;
  readonly token?: string;
  readonly mode?: string;
  readonly protocol?: string;
  readonly ca?: string;
}

export function addTargetFlags(command: Command): Command {
  return command
    .option('--url <url>', 'mqtt://HOST:PORT or mqtts://HOST:PORT')
    .option(
      '--token <token>',
      'access token: of the gateway, or (device mode) of the bridge itself; file: and env: work',
    )
    .option('--mode <mode>', 'gateway (default): one token for all meters; device: one token per meter')
    .option('--protocol <version>', '5 (default) or 3.1.1')
    .option('--ca <file>', 'PEM file of the certificate authority');
}

/** The target, with its URL in canonical form. Throws USAGE, SECRET_UNREADABLE, INVALID_VALUE. */
export function targetFromFlags(name: string, flags: TargetFlags): NewTarget {
  return {
    name: validName('the target name', name),
    url: canonicalTargetUrl(flags.url ?? fail('USAGE', '--url is missing')),
    token: validToken(parseSecretText(flags.token ?? fail('USAGE', '--token is missing'))),
    mode: parseChoice('--mode', flags.mode ?? 'gateway', ['gateway', 'device']),
    protocol: parseChoice('--protocol', flags.protocol ?? '5', ['5', '3.1.1']),
    caFile: flags.ca === undefined ? null : readableFile(flags.ca),
  };
}

function readableFile(path: string): string {
  try {
    readFileSync(path);
  } catch (cause) {
    throw new BridgeError('INVALID_VALUE', `the file ${path} cannot be read`, { cause });
  }
  return resolve(path);
}
