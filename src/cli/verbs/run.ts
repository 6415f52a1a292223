/** `run`: the daemon, until SIGTERM, SIGINT or --for; then it drains. */
import type { Command } from 'commander';
import { Daemon } from '../../daemon/daemon.ts';
import { type AdmissionLimits, DEFAULT_ADMISSION } from '../../line/admission.ts';
import { systemClock } from '../../runtime/clock.ts';
import { noServiceManager, serviceManagerOf } from '../../runtime/service-manager.ts';
import { type Context, EXIT, untilOver, verb } from '../context.ts';
import { applyLevels, startService } from '../service.ts';
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
    .option('--log-levels <file>', 'levels of the log, read again at SIGHUP (or DLMS_LOG_LEVELS)')
    .action(verb(run, { logLevel: 'info', logTo: 'stdout' }));
}

interface RunFlags {
  readonly logLevels?: string;
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
  const { log, levels } = context;
  const levelsFile = flags.logLevels ?? process.env.DLMS_LOG_LEVELS ?? null;
  applyLevels({ log, levels, levelsFile });
  const manager = await serviceManagerOf({
    env: process.env,
    pid: process.pid,
    onError: (error) => log.error({ err: error.message }, 'systemd cannot be told how the daemon is'),
  });
  const daemon = await Daemon.start({
    databasePath: context.databasePath,
    clock: systemClock,
    log,
    admission: admissionFrom(flags),
  });
  const service = startService({ daemon, manager, clock: systemClock, log, levels, levelsFile });
  await untilOver(context.signal, lasting);
  log.info({}, 'stopping: delivering what is left');
  service.stopping();
  const { drained, ...figures } = await daemon.stop();
  await service.end();
  if (context.json) context.print({ ...figures, drained }, () => '');
  // To systemd a stop with rows left is no failure: they are in the outbox, and the next start delivers them.
  return drained || manager !== noServiceManager ? EXIT.done : EXIT.failed;
}
