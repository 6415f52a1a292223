#!/usr/bin/env node
/** The program: global flags, the verbs, and usage errors as the contract wants them (CLI.md). */
import './debug-env.ts';
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { BridgeError } from '../core/errors.ts';
import { EXIT, printError } from './context.ts';
import { registerCall } from './verbs/call.ts';
import { registerClock } from './verbs/clock.ts';
import { registerDecode } from './verbs/decode.ts';
import { registerDemo } from './verbs/demo.ts';
import { registerDetect } from './verbs/detect.ts';
import { registerInit } from './verbs/init.ts';
import { registerMeter } from './verbs/meter.ts';
import { registerProfile } from './verbs/profile.ts';
import { registerRead } from './verbs/read.ts';
import { registerRelay } from './verbs/relay.ts';
import { registerRun } from './verbs/run.ts';
import { registerScan } from './verbs/scan.ts';
import { registerSet } from './verbs/set.ts';
import { registerSimulate } from './verbs/simulate.ts';
import { registerStatus } from './verbs/status.ts';
import { registerTarget } from './verbs/target.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('dlms')
  .description('reads DLMS/COSEM meters and delivers every reading to ThingsBoard')
  .version(version)
  .option('--db <path>', 'the database (or DLMS_DB)')
  .option('--json', 'one JSON document on stdout, nothing else')
  .option('--log-level <level>', 'trace, debug, info, warn, error, fatal or silent')
  .showHelpAfterError(false)
  .configureOutput({ writeErr: () => {} });

// Who reads our output may go before us (`| head`); that must not end a daemon that is still delivering.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

const verbs = [
  registerInit,
  registerRun,
  registerDemo,
  registerMeter,
  registerTarget,
  registerRead,
  registerScan,
  registerProfile,
  registerSet,
  registerCall,
  registerClock,
  registerRelay,
  registerDecode,
  registerDetect,
  registerStatus,
  registerSimulate,
];
for (const register of verbs) register(program);
for (const command of everyCommand(program)) command.exitOverride().configureOutput({ writeErr: () => {} });

try {
  await program.parseAsync();
} catch (thrown) {
  if (!(thrown instanceof CommanderError)) throw thrown;
  process.exitCode = usageExit(thrown);
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** --help and --version end here too, with exit code 0. */
function usageExit({ exitCode, code, message }: CommanderError): number {
  if (exitCode === 0) return EXIT.done;
  const text = code === 'commander.help' ? 'no verb given' : message.replace(/^error: /, '');
  printError(new BridgeError('USAGE', text).report(), process.argv.includes('--json'));
  return EXIT.usage;
}
