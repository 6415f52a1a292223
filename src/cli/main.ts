#!/usr/bin/env node
/** The program: global flags, the verbs, and usage errors as the contract wants them (CLI.md). */
import './debug-env.ts';
import { Command, CommanderError } from 'commander';
import { BridgeError } from '../core/errors.ts';
import { programVersion } from '../runtime/version.ts';
import { EXIT, HEALTH_USAGE, printError } from './context.ts';

const program = new Command('dlms')
  .description('reads DLMS/COSEM meters and delivers every reading to ThingsBoard')
  .version(programVersion())
  .option('--db <path>', 'the database (or DLMS_DB)')
  .option('--json', 'one JSON document on stdout, nothing else')
  .option('--log-level <level>', 'trace, debug, info, warn, error, fatal or silent')
  .showHelpAfterError(false)
  .configureOutput({ writeErr: () => {} });

// Who reads our output may go before us (`| head`, a terminal that is closed), and the disk that it goes to may be full:
// that must not end a daemon that is still delivering. What a verb could not print, `print` of its context tells.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

type Register = (program: Command) => void;

/** In the order of the help. */
const VERBS: Readonly<Record<string, () => Promise<Register>>> = {
  init: async () => (await import('./verbs/init.ts')).registerInit,
  run: async () => (await import('./verbs/run.ts')).registerRun,
  demo: async () => (await import('./verbs/demo.ts')).registerDemo,
  meter: async () => (await import('./verbs/meter.ts')).registerMeter,
  line: async () => (await import('./verbs/line.ts')).registerLine,
  target: async () => (await import('./verbs/target.ts')).registerTarget,
  settings: async () => (await import('./verbs/settings.ts')).registerSettings,
  import: async () => (await import('./verbs/import.ts')).registerImport,
  export: async () => (await import('./verbs/export.ts')).registerExport,
  backup: async () => (await import('./verbs/backup.ts')).registerBackup,
  restore: async () => (await import('./verbs/restore.ts')).registerRestore,
  read: async () => (await import('./verbs/read.ts')).registerRead,
  scan: async () => (await import('./verbs/scan.ts')).registerScan,
  profile: async () => (await import('./verbs/profile.ts')).registerProfile,
  set: async () => (await import('./verbs/set.ts')).registerSet,
  call: async () => (await import('./verbs/call.ts')).registerCall,
  clock: async () => (await import('./verbs/clock.ts')).registerClock,
  relay: async () => (await import('./verbs/relay.ts')).registerRelay,
  key: async () => (await import('./verbs/key.ts')).registerKey,
  image: async () => (await import('./verbs/image.ts')).registerImage,
  commands: async () => (await import('./verbs/commands.ts')).registerCommands,
  decode: async () => (await import('./verbs/decode.ts')).registerDecode,
  detect: async () => (await import('./verbs/detect.ts')).registerDetect,
  listen: async () => (await import('./verbs/listen.ts')).registerListen,
  diagnose: async () => (await import('./verbs/diagnose.ts')).registerDiagnose,
  status: async () => (await import('./verbs/status.ts')).registerStatus,
  health: async () => (await import('./verbs/health.ts')).registerHealth,
  outbox: async () => (await import('./verbs/outbox.ts')).registerOutbox,
  alerts: async () => (await import('./verbs/alerts.ts')).registerAlerts,
  simulate: async () => (await import('./verbs/simulate.ts')).registerSimulate,
  loadtest: async () => (await import('./verbs/loadtest.ts')).registerLoadtest,
};
for (const register of await wanted(process.argv)) register(program);
for (const command of everyCommand(program)) command.exitOverride().configureOutput({ writeErr: () => {} });

try {
  await program.parseAsync();
} catch (thrown) {
  if (!(thrown instanceof CommanderError)) throw thrown;
  process.exitCode = usageExit(thrown);
}

/** Loads the verbs that are named, since each brings libraries of its own; all of them when none is. */
async function wanted(words: readonly string[]): Promise<ReadonlySet<Register>> {
  const named = Object.keys(VERBS).filter((verb) => words.includes(verb));
  const loading = (named.length > 0 ? named : Object.keys(VERBS)).map((verb) => VERBS[verb]!());
  return new Set(await Promise.all(loading));
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** --help and --version end here too, with exit code 0. */
function usageExit({ exitCode, code, message }: CommanderError): number {
  if (exitCode === 0) return EXIT.done;
  const text = code === 'commander.help' ? 'no verb given' : message.replace(/^error: /, '').replaceAll('\n', ' ');
  printError(new BridgeError('USAGE', text).report(), process.argv.includes('--json'));
  // 2 means unhealthy there.
  return process.argv.includes('health') ? HEALTH_USAGE : EXIT.usage;
}
