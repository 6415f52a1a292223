/** `run`: the daemon, until SIGTERM, SIGINT or --for; then it drains. */
import type { Command } from 'commander';
import { Daemon } from '../../daemon/daemon.ts';
import { sleep, systemClock } from '../../runtime/clock.ts';
import { type Context, EXIT, verb } from '../context.ts';
import { parseSeconds } from '../values.ts';

export function registerRun(program: Command): void {
  program
    .command('run')
    .description('the daemon: polls the meters and publishes their readings')
    .option('--for <seconds>', 'stop after this time, once everything is delivered (at most 30 s more)')
    .action(verb(run, { logLevel: 'info', logTo: 'stdout' }));
}

async function run(context: Context, command: Command): Promise<number> {
  const { for: seconds } = command.opts<{ for?: string }>();
  const lasting = seconds === undefined ? Number.POSITIVE_INFINITY : parseSeconds('--for', seconds);
  const daemon = await Daemon.start({ databasePath: context.databasePath, clock: systemClock, log: context.log });
  await untilOver(context.signal, lasting);
  context.log.info({}, 'stopping: delivering what is left');
  const drained = await daemon.stop();
  const { cycles, readings, messages, publishRate } = daemon.figures();
  if (context.json) context.print({ cycles, readings, messages, publishRate, drained }, () => '');
  return drained ? EXIT.done : EXIT.failed;
}

/** Ends with the time or the signal, whichever comes first. */
async function untilOver(signal: AbortSignal, ms: number): Promise<void> {
  if (signal.aborted) return;
  if (ms !== Number.POSITIVE_INFINITY) {
    // The signal ends the wait early; that is no failure here.
    await sleep(systemClock, ms, signal).catch(() => undefined);
    return;
  }
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
