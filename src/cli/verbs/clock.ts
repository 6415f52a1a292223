/** `clock METER [--set]`: what the meter's clock says, how far it is off, and setting it by the host's. */
import type { Command } from 'commander';
import type { ClockDocument } from '../../command/clock.ts';
import { type Context, verb } from '../context.ts';
import { addWorkFlags } from '../flags/work-flags.ts';
import { workOn } from '../meter/meter-work.ts';

export function registerClock(program: Command): void {
  addWorkFlags(program.command('clock <meter>').description("the meter's clock, and how far it is off"))
    .option('--set', "set it to this host's time, in the deviation that the meter has")
    .action(verb(clock));
}

async function clock(context: Context, command: Command): Promise<undefined> {
  const [name = ''] = command.args;
  const set = command.opts<{ set?: boolean }>().set === true;
  const document = await workOn(context, command, name, { verb: 'clock', set });
  context.print({ meter: name, ...document }, () => text(document as unknown as ClockDocument));
  return undefined;
}

function text({ time, driftSeconds: drift, clockStatus, set }: ClockDocument): string {
  const off =
    drift === null ? 'it names no instant' : `${Math.abs(drift)} s ${drift < 0 ? 'behind' : 'ahead of'} this host`;
  const doubts = clockStatus === null ? [] : DOUBTS.filter(([bit]) => clockStatus[bit]).map(([, words]) => words);
  return [
    `The meter says ${time ?? 'no time'}: ${[off, ...doubts].join(', ')}.`,
    ...(set === null ? [] : [`It was set to ${set}.`]),
  ].join('\n');
}

const DOUBTS = [
  ['invalid', 'which it calls invalid'],
  ['doubtful', 'which it calls doubtful'],
] as const;
