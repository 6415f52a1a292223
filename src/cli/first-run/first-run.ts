/**
 * What comes after the database: the token is tried, then the first meter is added and read. Each step is a verb of its
 * own, so that it can be done again by hand; a step that fails leaves what was done before.
 */
import { spawn } from 'node:child_process';
import type { Context } from '../context.ts';

export interface FirstRunFlags {
  /** Try the token at ThingsBoard. */
  readonly test?: boolean;
  readonly link?: string;
  readonly client?: string;
  readonly server?: string;
  readonly physical?: string;
  readonly auth?: string;
  readonly secret?: string;
  readonly meter?: string;
  readonly meterToken?: string;
  readonly template?: string;
  readonly points?: string;
  readonly interval?: string;
}

export interface FirstMeter {
  readonly name: string;
  readonly link: string;
  /** The flags that say where on the line it is and how it is spoken to. */
  readonly how: readonly string[];
  /** As a person gives it, with `file:` and `env:`. */
  readonly secret: string | null;
  /** Of its own device, in device mode. */
  readonly token: string | null;
  readonly template: string | null;
  /** null: those of the template, or one. */
  readonly points: string | null;
  /** Seconds. */
  readonly interval: string;
}

export const FIRST_NAME = 'meter';
export const FIRST_INTERVAL = '60';
const FIRST_POINT = '1.0.1.8.0.255';

/** What the flags name, without a question. Tells whether all of it worked. */
export async function firstRun(context: Context, target: string, flags: FirstRunFlags): Promise<boolean> {
  const good = flags.test !== true || (await tokenTested(context, target));
  const { link, client, server, physical, auth } = flags;
  if (link === undefined) return good;
  const { added, read } = await meterAdded(context, {
    name: flags.meter ?? `${FIRST_NAME}1`,
    link,
    how: Object.entries({ client, server, physical, auth }).flatMap(([flag, value]) =>
      value === undefined ? [] : [`--${flag}`, value],
    ),
    secret: flags.secret ?? null,
    token: flags.meterToken ?? null,
    template: flags.template ?? null,
    points: flags.points ?? null,
    interval: flags.interval ?? FIRST_INTERVAL,
  });
  return added && read && good;
}

export function tokenTested(context: Context, target: string): Promise<boolean> {
  return verbDone(context, ['diagnose', '--target', target]);
}

/** Adds the meter, and shows its first reading. */
export async function meterAdded(
  context: Context,
  { name, link, how, secret, token, template, points, interval }: FirstMeter,
): Promise<{ readonly added: boolean; readonly read: boolean }> {
  const wanted = points ?? (template === null ? `${FIRST_POINT}=activeEnergyImport` : null);
  const hidden = [...hiddenFlag('--secret', secret, 'METER_SECRET'), ...hiddenFlag('--token', token, 'METER_TOKEN')];
  const added = await verbDone(
    context,
    [
      ...['meter', 'add', name, link, ...how, '--interval', interval],
      ...hidden.flatMap(({ words }) => words),
      ...(template === null ? [] : ['--template', template]),
      ...(wanted === null ? [] : ['--points', wanted]),
    ],
    Object.fromEntries(hidden.flatMap(({ variable }) => variable)),
  );
  const point = wanted?.split(/[=,]/)[0] || FIRST_POINT;
  return { added, read: added && (await verbDone(context, ['read', name, point])) };
}

export async function meterRemoved(context: Context, name: string): Promise<void> {
  await verbDone(context, ['meter', 'remove', name]);
}

interface HiddenFlag {
  readonly words: readonly string[];
  readonly variable: readonly (readonly [name: string, value: string])[];
}

/** A secret goes to the verb by its environment: what stands on a command line can be seen by others. */
function hiddenFlag(flag: string, value: string | null, name: string): readonly HiddenFlag[] {
  if (value === null) return [];
  if (/^(?:file|env):/.test(value)) return [{ words: [flag, value], variable: [] }];
  return [{ words: [flag, `env:${name}`], variable: [[name, value]] }];
}

/** Runs a verb of this program; what it prints is for the person in front of it. */
function verbDone(
  { databasePath, json, signal }: Context,
  words: readonly string[],
  secrets: Readonly<Record<string, string>> = {},
): Promise<boolean> {
  process.stderr.write(`\n> dlms ${words.join(' ')}\n`);
  return new Promise((resolve, reject) => {
    // With --json stdout is for the one document.
    const child = spawn(process.execPath, [process.argv[1] ?? '', '--db', databasePath, ...words], {
      stdio: ['ignore', json ? 2 : 'inherit', 'inherit'],
      env: { ...process.env, ...secrets },
      signal,
    });
    child.once('error', reject);
    child.once('close', (status) => resolve(status === 0));
  });
}
