/** `run`: the daemon, until SIGTERM, SIGINT or --for; then it drains. */
import type { Command } from 'commander';
import type { BridgeError } from '../../core/errors.ts';
import { settingNamed } from '../../core/setting.ts';
import { Daemon } from '../../daemon/daemon.ts';
import type { MetricsEndpoint } from '../../daemon/status/metrics-endpoint.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { noServiceManager, serviceManagerOf } from '../../runtime/service-manager.ts';
import { programVersion } from '../../runtime/version.ts';
import { BRIDGE_SETTINGS, type BridgeSettings } from '../../store/fleet/bridge-settings.ts';
import { type Context, EXIT, untilOver, verb } from '../context.ts';
import { parseDeclared, parseListenAddress, parseSeconds } from '../flags/values.ts';
import { applyLevels, startService } from '../service.ts';

export function registerRun(program: Command): void {
  const command = program
    .command('run')
    .description('the daemon: polls the meters and publishes their readings')
    .option('--for <seconds>', 'stop after this time, once everything is delivered (at most 30 s more)')
    .option('--log-levels <file>', 'levels of the log, read again at SIGHUP (or DLMS_LOG_LEVELS)')
    .option('--metrics <address>', 'HTTP for monitoring at HOST:PORT or PORT of 127.0.0.1 (or DLMS_METRICS)')
    .action(verb(run, { logLevel: 'info', logTo: 'stdout' }));
  for (const [name, flag] of Object.entries(FLAGS)) {
    const { about } = settingNamed(BRIDGE_SETTINGS, name);
    command.option(`${flag} <n>`, `${about}; for this run, in place of the setting ${name}`);
  }
}

/** The flag of each setting that a run may have of its own. */
const FLAGS = {
  connecting: '--connecting',
  connectingPerHost: '--connecting-per-host',
  connectsPerSecond: '--connects-per-second',
  connectsPerSecondPerHost: '--connects-per-second-per-host',
} as const satisfies Partial<Record<keyof BridgeSettings, string>>;

interface RunFlags extends Partial<Record<keyof typeof FLAGS, string>> {
  readonly logLevels?: string;
  readonly for?: string;
  readonly metrics?: string;
}

/** Throws USAGE, naming the flag. */
function overridesFrom(flags: RunFlags): Partial<BridgeSettings> {
  const given = Object.entries(FLAGS).flatMap(([name, flag]) => {
    const written = flags[name as keyof typeof FLAGS];
    return written === undefined ? [] : [[name, parseDeclared(flag, settingNamed(BRIDGE_SETTINGS, name), written)]];
  });
  return Object.fromEntries(given) as Partial<BridgeSettings>;
}

async function run(context: Context, command: Command): Promise<number> {
  const flags = command.opts<RunFlags>();
  const { for: seconds } = flags;
  const lasting = seconds === undefined ? Number.POSITIVE_INFINITY : parseSeconds('--for', seconds);
  const { log, levels } = context;
  const levelsFile = flags.logLevels ?? process.env.DLMS_LOG_LEVELS ?? null;
  // To a program that does not know it, SIGHUP is the end; a start may take its time, while a database is repaired.
  const early = (): void => applyLevels({ log, levels, levelsFile });
  process.on('SIGHUP', early);
  early();
  const overrides = overridesFrom(flags);
  const endpoint = await metricsAt(flags.metrics ?? process.env.DLMS_METRICS ?? '', log);
  const manager = await serviceManagerOf({
    env: process.env,
    pid: process.pid,
    onError: (error) => log.error({ err: error.message }, 'systemd cannot be told how the daemon is'),
  });
  const { databasePath } = context;
  const starting = Daemon.start({ databasePath, clock: systemClock, log, levels, overrides });
  const daemon = await starting.catch(async (error: unknown) => {
    // What is open would keep the process, and systemd would wait for READY.
    manager.close();
    await endpoint?.close();
    throw error;
  });
  endpoint?.serve(daemon);
  process.off('SIGHUP', early);
  const service = startService({ daemon, manager, clock: systemClock, log, levels, levelsFile });
  const broken = new AbortController();
  void daemon.failed.then((error) => broken.abort(error));
  await untilOver(AbortSignal.any([context.signal, broken.signal]), lasting);
  const failure: BridgeError | null = broken.signal.aborted ? broken.signal.reason : null;
  if (failure === null) log.info({}, 'stopping: delivering what is left');
  else log.error({ code: failure.code }, `the daemon cannot go on and ends, to be started anew: ${failure.message}`);
  service.stopping();
  endpoint?.stopping();
  const { drained, ...figures } = await daemon.stop();
  await service.end();
  await endpoint?.close();
  if (context.json) context.print({ ...figures, drained }, () => '');
  // To systemd a stop with rows left is no failure: they are in the outbox, and the next start delivers them.
  if (failure !== null) return EXIT.failed;
  return drained || manager !== noServiceManager ? EXIT.done : EXIT.failed;
}

/** Null when none is wanted. Throws INVALID_VALUE, also for a port in use. */
async function metricsAt(address: string, log: Logger): Promise<MetricsEndpoint | null> {
  if (address === '') return null;
  const { host, port } = parseListenAddress('--metrics', address);
  // The library that writes them takes its time to load.
  const { MetricsEndpoint: Endpoint } = await import('../../daemon/status/metrics-endpoint.ts');
  return Endpoint.start({ host, port, version: programVersion(), clock: systemClock, log });
}
