/**
 * What comes after the database: the token is tried, then the first meter is found, added and read. Each step is a verb of
 * its own, so that it can be done again by hand; a step that fails leaves what was done before.
 */
import { spawn } from 'node:child_process';
import type { Interface } from 'node:readline/promises';
import type { Context } from './context.ts';

export interface FirstRunFlags {
  /** Try the token at ThingsBoard. */
  readonly test?: boolean;
  readonly meter?: string;
  readonly link?: string;
  readonly template?: string;
  readonly points?: string;
  readonly interval?: string;
}

const FIRST_POINT = '1.0.1.8.0.255';

/** Asks for what the flags leave open where there is a `prompt`. Tells whether all that was wanted worked. */
export async function firstRun(
  context: Context,
  target: string,
  flags: FirstRunFlags,
  prompt: Interface | null,
): Promise<boolean> {
  let good = true;
  const ask = async (question: string, otherwise: string): Promise<string> =>
    prompt === null ? otherwise : (await prompt.question(question)).trim() || otherwise;
  const wantsTest = flags.test ?? /^y/i.test(await ask('Try the token now? [Y/n]: ', prompt === null ? 'n' : 'y'));
  if (wantsTest) good = await verbDone(context, ['diagnose', '--target', target]);

  const link = flags.link ?? (await ask('Link of the first meter, as tcp://HOST:4059 (empty: later): ', ''));
  if (link === '') return good;
  // Interactive only: with flags it is known how the meter is talked to.
  if (prompt !== null) await verbDone(context, ['detect', link]);
  const name = flags.meter ?? (await ask('Name of the meter, its device name in ThingsBoard [meter1]: ', 'meter1'));
  const template =
    flags.template ??
    (flags.points === undefined ? await ask('Template (see: dlms meter template list; empty: none): ', '') : '');
  const points = flags.points ?? (template === '' ? `${FIRST_POINT}=activeEnergyImport` : '');
  const interval = flags.interval ?? (await ask('Read it every how many seconds? [60]: ', '60'));
  const added = await verbDone(context, [
    ...['meter', 'add', name, link, '--interval', interval],
    ...(template === '' ? [] : ['--template', template]),
    ...(points === '' ? [] : ['--points', points]),
  ]);
  if (!added) return false;
  return (await verbDone(context, ['read', name, points.split(/[=,]/)[0] || FIRST_POINT])) && good;
}

/** Runs a verb of this program; what it prints is for the person in front of it. */
function verbDone({ databasePath, json, signal }: Context, words: readonly string[]): Promise<boolean> {
  process.stderr.write(`\n> dlms ${words.join(' ')}\n`);
  return new Promise((resolve, reject) => {
    // With --json stdout is for the one document.
    const child = spawn(process.execPath, [process.argv[1] ?? '', '--db', databasePath, ...words], {
      stdio: ['ignore', json ? 2 : 'inherit', 'inherit'],
      signal,
    });
    child.once('error', reject);
    child.once('close', (status) => resolve(status === 0));
  });
}
