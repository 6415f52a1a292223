/** `status`: what the daemon is doing, from the database alone, with or without a daemon; once, or again and again. */
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { systemClock } from '../../runtime/clock.ts';
import { type Context, verb } from '../context.ts';
import { parseSeconds } from '../flags/values.ts';
import { liveView } from '../views/live-view.ts';
import { lookAtStatus, statusFrame, statusLine } from '../views/status-glance.ts';
import { statusReport } from '../views/status-report.ts';
import { statusText } from '../views/status-text.ts';
import { withReadOnlyDatabase } from '../with-database.ts';

interface StatusFlags {
  readonly watch?: boolean;
  readonly interval?: string;
}

/** The daemon saves its status so often. */
const USUAL_INTERVAL = '2';

export function registerStatus(program: Command): void {
  program
    .command('status')
    .description('what the daemon is doing')
    .option('--watch', 'again and again at a glance, until Ctrl-C')
    .option('--interval <seconds>', `how often with --watch (${USUAL_INTERVAL})`)
    .action(verb(status));
}

async function status(context: Context, command: Command): Promise<undefined> {
  const { watch = false, interval } = command.opts<StatusFlags>();
  if (!watch && interval !== undefined) fail('USAGE', '--interval goes with --watch');
  if (watch && context.json)
    fail('USAGE', '--json prints one document: leave --watch out, and call it again and again');
  if (watch) await watched(context, parseSeconds('--interval', interval ?? USUAL_INTERVAL));
  else {
    const report = withReadOnlyDatabase(context, statusReport);
    context.print(report as unknown as JsonValue, () => statusText(report, systemClock.now()));
  }
  return undefined;
}

async function watched(context: Context, everyMs: number): Promise<void> {
  const look = () => withReadOnlyDatabase(context, (database) => lookAtStatus(database, systemClock.now()));
  // What is not there at all is said at once, and not again and again.
  look();
  await liveView({
    frame: (rows) => statusFrame(look(), rows),
    line: () => statusLine(look()),
    everyMs,
    signal: context.signal,
  });
}
