/** The flags that say how a meter is talked to; the same for a link on the command line and for `meter add`. */
import type { Command } from 'commander';
import { fail } from '../core/errors.ts';
import { physicalFromSerialNumber } from '../dlms/hdlc/address.ts';
import {
  AUTHENTICATION_LEVELS,
  DEFAULT_METER_SETTINGS,
  type MeterSecrets,
  type MeterSettings,
  NO_SECRETS,
} from '../dlms/settings.ts';
import { parseChoice, parseSecret, parseWhole } from './values.ts';

interface MeterFlags {
  readonly client?: string;
  readonly server?: string;
  readonly physical?: string;
  readonly addressSize?: string;
  readonly serialNumber?: string;
  readonly referencing?: string;
  readonly auth?: string;
  readonly secret?: string;
  readonly timeout?: string;
  readonly maxPdu?: string;
  readonly window?: string;
  readonly infoLength?: string;
}

export function addMeterFlags(command: Command): Command {
  return command
    .option('--client <n>', 'client SAP', '16')
    .option('--server <n>', 'server logical device', '1')
    .option('--physical <n>', 'HDLC lower (physical) address')
    .option('--address-size <octets>', 'HDLC server address length: 1, 2 or 4')
    .option('--serial-number <n>', 'take the physical address from the serial number (SN % 10000 + 1000)')
    .option('--referencing <kind>', 'ln or sn', 'ln')
    .option('--auth <level>', AUTHENTICATION_LEVELS.join(' | '), 'none')
    .option('--secret <secret>', 'password: TEXT, hex:.., file:PATH or env:NAME')
    .option('--timeout <ms>', 'response time-out', String(DEFAULT_METER_SETTINGS.timeoutMs))
    .option('--max-pdu <octets>', 'largest APDU we take', String(DEFAULT_METER_SETTINGS.maxPdu))
    .option('--window <n>', 'HDLC window, 1 to 7', String(DEFAULT_METER_SETTINGS.window))
    .option('--info-length <octets>', 'HDLC information field, 32 to 2030', String(DEFAULT_METER_SETTINGS.infoLength));
}

/** Settings and secrets from the flags. Throws USAGE, SECRET_UNREADABLE, UNSUPPORTED. */
export function meterFromFlags(flags: MeterFlags): { settings: MeterSettings; secrets: MeterSecrets } {
  const authentication = parseChoice('--auth', flags.auth ?? 'none', AUTHENTICATION_LEVELS);
  if (authentication !== 'none' && authentication !== 'low') {
    fail('UNSUPPORTED', `--auth ${authentication} is not implemented yet`, { layer: 'cli', hint: 'none and low are' });
  }
  const referencing = parseChoice('--referencing', flags.referencing ?? 'ln', ['ln', 'sn']);
  if (referencing === 'sn') {
    fail('UNSUPPORTED', 'short name referencing is not implemented yet', { layer: 'cli', hint: 'ln is' });
  }
  if (authentication === 'low' && flags.secret === undefined) {
    fail('USAGE', '--auth low needs --secret', { hint: 'give the password as --secret env:NAME or file:PATH' });
  }
  const settings: MeterSettings = {
    ...DEFAULT_METER_SETTINGS,
    client: parseWhole('--client', flags.client ?? '16', 0, 0xffff),
    server: parseWhole('--server', flags.server ?? '1', 0, 0xffff),
    physical: physicalAddress(flags),
    addressSize:
      flags.addressSize === undefined
        ? null
        : (Number(parseChoice('--address-size', flags.addressSize, ['1', '2', '4'])) as 1 | 2 | 4),
    referencing,
    authentication,
    timeoutMs: parseWhole('--timeout', flags.timeout ?? '5000', 10, 600_000),
    maxPdu: parseWhole('--max-pdu', flags.maxPdu ?? '65535', 0, 0xffff),
    window: parseWhole('--window', flags.window ?? '1', 1, 7),
    infoLength: parseWhole('--info-length', flags.infoLength ?? '128', 32, 2030),
  };
  return {
    settings,
    secrets: flags.secret === undefined ? NO_SECRETS : { ...NO_SECRETS, secret: parseSecret(flags.secret) },
  };
}

function physicalAddress({ physical, serialNumber }: MeterFlags): number | null {
  if (physical !== undefined && serialNumber !== undefined)
    fail('USAGE', 'give --physical or --serial-number, not both');
  if (physical !== undefined) return parseWhole('--physical', physical, 0, 0x3fff);
  if (serialNumber === undefined) return null;
  return physicalFromSerialNumber(parseWhole('--serial-number', serialNumber, 0, 999_999_999_999_999));
}
