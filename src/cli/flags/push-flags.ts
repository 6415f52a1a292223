/** The flags of a meter that dials in or pushes. */
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import type { MeterSettings } from '../../dlms/settings.ts';
import { canonicalPushPoint, parsePushPoint } from '../../reading/push-point.ts';
import { canonicalDialIn } from '../../transport/dial-in.ts';
import { collect } from './reading-flags.ts';

export interface PushFlags {
  readonly identify?: readonly string[];
  readonly push?: readonly string[];
}

export function addPushFlags(command: Command): Command {
  return command
    .option(
      '--identify <mark>',
      'source=IP, title=HEX or device-name=TEXT: by what the meter is known that dials in (repeatable)',
      collect,
    )
    .option(
      '--push <value>',
      'PLACE=key@option or POINT=key@option: what is in its pushes, by place from 1 or by object (repeatable)',
      collect,
    );
}

/** What stands already, with the flags that are given in its place. Throws INVALID_VALUE, INVALID_POINT, DUPLICATE_KEY. */
export function withPushFlags(settings: MeterSettings, { identify, push }: PushFlags): MeterSettings {
  const keys = new Set<string>();
  for (const text of push ?? []) {
    const { key } = parsePushPoint(text).point;
    if (keys.has(key)) fail('DUPLICATE_KEY', `the key "${key}" is given twice`);
    keys.add(key);
  }
  return {
    ...settings,
    ...(identify !== undefined && { identify: identify.map(canonicalDialIn) }),
    ...(push !== undefined && { push: push.map(canonicalPushPoint) }),
  };
}
