/** `clock METER [--set]`: what the meter's clock says, how far it is off, and setting it by the host's. */
import type { Command } from 'commander';
import type { CosemDateTime } from '../../dlms/axdr/date-time.ts';
import { isoText } from '../../dlms/axdr/date-time.ts';
import { type MeterTime, readClock, setClock } from '../../meter/meter-clock.ts';
import type { MeterSession } from '../../meter/session.ts';
import { systemClock } from '../../runtime/clock.ts';
import { type Context, verb } from '../context.ts';
import { addMeterFlags } from '../meter-flags.ts';
import { namedMeter, withMeter } from '../one-meter.ts';

export function registerClock(program: Command): void {
  addMeterFlags(program.command('clock <meter>').description("the meter's clock, and how far it is off"))
    .option('--set', "set it to this host's time, in the deviation that the meter has")
    .action(verb(clock));
}

interface Compared extends MeterTime {
  /** Milliseconds UTC on the host when the meter said its time: the middle of the round trip. */
  readonly hostTime: number;
}

async function clock(context: Context, command: Command): Promise<undefined> {
  const [name = ''] = command.args;
  const meter = namedMeter(context, name, command.opts());
  const wantsSet = command.opts<{ set?: boolean }>().set === true;
  const { before, written } = await withMeter(context, meter, async (session) => {
    const before = await compare(session);
    return { before, written: wantsSet ? await setClock(session, before, systemClock.now()) : null };
  });
  const driftSeconds = before.at === null ? null : Math.round((before.at - before.hostTime) / 10) / 100;
  const time = isoText(before.time);
  context.print(
    {
      meter: name,
      time,
      utc: before.at === null ? null : new Date(before.at).toISOString(),
      hostTime: new Date(before.hostTime).toISOString(),
      driftSeconds,
      deviation: before.time.deviation,
      clockStatus: before.time.clockStatusBits === undefined ? null : { ...before.time.clockStatusBits },
      set: written === null ? null : isoText(written),
    },
    () => text(time, driftSeconds, before.time, written),
  );
  return undefined;
}

async function compare(session: MeterSession): Promise<Compared> {
  const asked = systemClock.now();
  const time = await readClock(session);
  return { ...time, hostTime: Math.round((asked + systemClock.now()) / 2) };
}

function text(
  time: string | null,
  drift: number | null,
  { clockStatusBits: bits }: CosemDateTime,
  written: CosemDateTime | null,
): string {
  const off =
    drift === null ? 'it names no instant' : `${Math.abs(drift)} s ${drift < 0 ? 'behind' : 'ahead of'} this host`;
  const doubts = bits === undefined ? [] : DOUBTS.filter(([bit]) => bits[bit]).map(([, words]) => words);
  return [
    `The meter says ${time ?? 'no time'}: ${[off, ...doubts].join(', ')}.`,
    ...(written === null ? [] : [`It was set to ${isoText(written)}.`]),
  ].join('\n');
}

const DOUBTS = [
  ['invalid', 'which it calls invalid'],
  ['doubtful', 'which it calls doubtful'],
] as const;
