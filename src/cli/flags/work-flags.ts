/** The flags of a verb that works with a meter. */
import type { Command } from 'commander';
import type { MeterRequest } from '../../command/requests.ts';
import { addMeterFlags, type MeterFlags } from './meter-flags.ts';
import { parseSeconds } from './values.ts';

export interface WorkFlags extends MeterFlags {
  readonly deadline?: string;
}

export function addWorkFlags(command: Command): Command {
  return addMeterFlags(command).option(
    '--deadline <seconds>',
    'give up after this time, waiting for the line included (default 60; profile 3600)',
  );
}

const DEADLINE_MS = 60_000;
const PROFILE_DEADLINE_MS = 3_600_000;

/** Milliseconds. Throws USAGE. */
export function deadlineOf({ deadline }: WorkFlags, { verb }: MeterRequest): number {
  if (deadline !== undefined) return parseSeconds('--deadline', deadline);
  return verb === 'profile' ? PROFILE_DEADLINE_MS : DEADLINE_MS;
}
