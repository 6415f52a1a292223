/** `key change METER`: gives a meter a new key by its security setup object, and makes sure which key holds. */
import type { Command } from 'commander';
import { sameBytes } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import {
  DEFAULT_SECURITY_SETUP,
  SECURITY_SETUP,
  TRANSFERRED_KEYS,
  type TransferredKey,
} from '../../dlms/cosem/security-setup.ts';
import { securitySuite } from '../../dlms/security/suite.ts';
import type { MeterSettings } from '../../dlms/settings.ts';
import { changeFailed, heldKey, type KeyChange, secretsAfter, sendKey } from '../../meter/key-change.ts';
import { parsePoint } from '../../reading/point-text.ts';
import { type Context, verb } from '../context.ts';
import { addMeterFlags } from '../flags/meter-flags.ts';
import { parseChoice, parseKey } from '../flags/values.ts';
import { type NamedMeter, namedMeter, withMeter } from '../meter/one-meter.ts';
import { addKeyRotate } from './key-rotate.ts';

interface ChangeFlags {
  readonly type: string;
  readonly kek?: string;
  readonly new: string;
  readonly object: string;
}

export function registerKey(program: Command): void {
  const key = program.command('key').description('keys of meters, and the sealing key of the database');
  addKeyRotate(key);
  addMeterFlags(key.command('change <meter>').description('give a meter a new key, and see that it took it'))
    .requiredOption('--type <key>', TRANSFERRED_KEYS.join(' | '))
    .requiredOption('--new <key>', 'the new key: hex, file:PATH or env:NAME')
    .option('--kek <key>', 'the master key, which wraps the new one; without it --master-key')
    .option('--object <obis>', 'logical name of the security setup object', DEFAULT_SECURITY_SETUP)
    .action(verb(change));
}

async function change(context: Context, command: Command): Promise<undefined> {
  const [name = ''] = command.args;
  const flags = command.opts<ChangeFlags>();
  if (!name.includes('://')) {
    fail('UNSUPPORTED', 'the key of a stored meter is not changed here', {
      layer: 'cli',
      hint: 'disable the meter, change its key by link and flags, then store the new one with meter edit',
    });
  }
  const meter = namedMeter(context, name, command.opts());
  const wanted = changeOf(flags, meter);
  const before = keyOf(wanted.type, meter);
  if (before !== null && sameBytes(before, wanted.key)) fail('INVALID_VALUE', 'the new key is the old one');
  const acknowledged = await withMeter(context, meter, (session) => sendKey(session, wanted));
  const isProvable = before !== null && isUsed(meter.settings);
  if (isProvable) await prove(context, meter, wanted);
  else if (!acknowledged) fail('KEY_CHANGE_FAILED', 'the meter did not answer: nobody knows which key it has');
  context.print({ meter: name, type: wanted.type, acknowledged, proven: isProvable, result: 'changed' }, () =>
    isProvable
      ? `${name} has the new ${wanted.type} key: an association under it stands.`
      : `${name} acknowledged the new ${wanted.type} key. No association uses it, so that is all there is to know.`,
  );
  return undefined;
}

function changeOf({ type, kek, new: key, object }: ChangeFlags, { settings, secrets }: NamedMeter): KeyChange {
  const masterKey = kek === undefined ? secrets.masterKey : parseKey('--kek', kek);
  if (masterKey === null) return fail('USAGE', 'a key travels wrapped: give the master key with --kek');
  const { keyOctets } = securitySuite(settings.suite);
  const { classId, obis } = parsePoint(object);
  if (classId !== null && classId !== SECURITY_SETUP) fail('INVALID_POINT', `"${object}": security setup is class 64`);
  const wanted = { type: parseChoice('--type', type, TRANSFERRED_KEYS), masterKey, key: parseKey('--new', key), obis };
  for (const octets of [wanted.masterKey, wanted.key]) {
    if (octets.length !== keyOctets) {
      fail('INVALID_VALUE', `keys of suite ${settings.suite} have ${keyOctets} octets, not ${octets.length}`);
    }
  }
  return wanted;
}

/** The key that is replaced, as far as it is one of associations. */
function keyOf(type: TransferredKey, { secrets }: NamedMeter): Uint8Array | null {
  if (type === 'unicast') return secrets.blockCipherKey;
  return type === 'authentication' ? secrets.authenticationKey : null;
}

function isUsed({ security, authentication }: MeterSettings): boolean {
  return security !== 'none' || authentication === 'gmac';
}

/** Throws KEY_CHANGE_FAILED when the new key opens no association. */
async function prove(context: Context, meter: NamedMeter, wanted: KeyChange): Promise<void> {
  const after = { ...meter, secrets: secretsAfter(meter.secrets, wanted) };
  const verdict = await heldKey((which) =>
    withMeter(context, which === 'new' ? after : meter, async (session) => session.ensureAssociated()),
  );
  if (verdict !== 'new') throw changeFailed(verdict);
}
