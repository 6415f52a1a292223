/** `run`: the daemon, until SIGTERM, SIGINT or --for; then it drains. */
import type { Command } from 'commander';
import { Daemon } from '../../daemon/daemon.ts';
import { type AdmissionLimits, DEFAULT_ADMISSION } from '../../line/admission.ts';
import { systemClock } from '../../runtime/clock.ts';
import { type Context, EXIT, untilOver, verb } from '../context.ts';
import { parseSeconds, parseWhole } from '../values.ts';

export function registerRun(program: Command): void {
  const { daemon, host } = DEFAULT_ADMISSION;
  program
    .command('run')
    .description('the daemon: polls the meters and publishes their readings')
    .option('--for <seconds>', 'stop after this time, once everything is delivered (at most 30 s more)')
    .option('--connecting <n>', 'connections being made at once', String(daemon.underWay))
    .option('--connecting-per-host <n>', 'the same for each host', String(host.underWay))
    .option('--connects-per-second <n>', 'connections begun per second', String(daemon.perSecond))
    .option('--connects-per-second-per-host <n>', 'the same for each host', String(host.perSecond))
    .action(verb(run, { logLevel: 'info', logTo: 'stdout' }));
}

interface RunFlags {
  readonly for?: string;
  readonly connecting: string;
  readonly connectingPerHost: string;
  readonly connectsPerSecond: string;
  readonly connectsPerSecondPerHost: string;
}

/** Throws USAGE. */
function admissionFrom(flags: RunFlags): AdmissionLimits {
  const count = (flag: string, text: string): number => parseWhole(flag, text, 1, 100_000);
  return {
    daemon: {
      underWay: count('--connecting', flags.connecting),
      perSecond: count('--connects-per-second', flags.connectsPerSecond),
    },
    host: {
      underWay: count('--connecting-per-host', flags.connectingPerHost),
      perSecond: count('--connects-per-second-per-host', flags.connectsPerSecondPerHost),
    },
  };
}

async function run(context: Context, command: Command): Promise<number> {
  const flags = command.opts<RunFlags>();
  const { for: seconds } = flags;
  const lasting = seconds === undefined ? Number.POSITIVE_INFINITY : parseSeconds('--for', seconds);
  const daemon = await Daemon.start({
    databasePath: context.databasePath,
    clock: systemClock,
    log: context.log,
    admission: admissionFrom(flags),
  });
  await untilOver(context.signal, lasting);
  context.log.info({}, 'stopping: delivering what is left');
  const { drained, ...figures } = await daemon.stop();
  if (context.json) context.print({ ...figures, drained }, () => '');
  return drained ? EXIT.done : EXIT.failed;
}
