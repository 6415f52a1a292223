/** `run`: the daemon, until SIGTERM, SIGINT or --for; then it drains. */
import type { Command } from 'commander';
import { Daemon } from '../../daemon/daemon.ts';
import { systemClock } from '../../runtime/clock.ts';
import { type Context, EXIT, untilOver, verb } from '../context.ts';
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
  const { drained, ...figures } = await daemon.stop();
  if (context.json) context.print({ ...figures, drained }, () => '');
  return drained ? EXIT.done : EXIT.failed;
}
