/** `detect LINK`: finds framing, rate, addresses and the authentication that a meter wants, and says what it tried. */
import type { Command } from 'commander';
import { parseLink } from '../../transport/link-address.ts';
import { type Context, EXIT, verb } from '../context.ts';
import { detectionText, detectMeter } from '../first-run/detection.ts';
import { parseWhole } from '../flags/values.ts';

export function registerDetect(program: Command): void {
  program
    .command('detect <link>')
    .description('find out how an unknown meter wants to be talked to')
    .option('--timeout <ms>', 'how long to wait for each answer', '1500')
    .option('--all', 'go on after the first way that works')
    .action(verb(detect));
}

async function detect(context: Context, command: Command): Promise<number> {
  const [link = ''] = command.args;
  const flags = command.opts<{ timeout: string; all?: boolean }>();
  const timeoutMs = parseWhole('--timeout', flags.timeout, 50, 60_000);
  const tried = await detectMeter(context, parseLink(link), { timeoutMs, all: flags.all === true });
  const found = tried.filter(({ finding }) => finding !== 'nothing');
  context.print({ found: found.map((one) => ({ ...one })), tried: tried.map((one) => ({ ...one })) }, () =>
    detectionText(tried),
  );
  return found.length > 0 ? EXIT.done : EXIT.failed;
}
