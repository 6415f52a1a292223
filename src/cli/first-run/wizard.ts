/**
 * `init` at a terminal: asks for what the flags leave open, and for what did not work again. What it made stays when it is
 * left, and it can be entered again: what is stored is offered then.
 */
import { AUTHENTICATION_LEVELS, DEFAULT_METER_SETTINGS, METER_SETTINGS } from '../../dlms/settings.ts';
import { loadTemplate } from '../../provision/template.ts';
import { canonicalTargetUrl, validName, validToken } from '../../store/fleet/validate.ts';
import { parseLink } from '../../transport/link-address.ts';
import type { Context } from '../context.ts';
import { hasCredentials, type TargetFlags } from '../flags/target-flags.ts';
import { parseChoice, parseDeclared, parseSeconds, parseSecretText } from '../flags/values.ts';
import { type Attempt, detectionText, detectMeter, placeFlags } from './detection.ts';
import {
  FIRST_INTERVAL,
  FIRST_NAME,
  type FirstMeter,
  type FirstRunFlags,
  meterAdded,
  meterRemoved,
  tokenTested,
} from './first-run.ts';
import { ask, confirms } from './questions.ts';

/** What is stored of the target. */
export interface KnownTarget {
  readonly url: string;
  readonly mode: string;
}

export interface WizardSteps<Flags> {
  /** null for none yet. */
  known(): KnownTarget | null;
  /** Stores the target as the flags say, or changes it. */
  store(flags: Flags): Promise<void>;
  /** Names of meters that are there. */
  meters(): readonly string[];
}

/** The levels whose only secret is one that can be typed. */
const TYPED_LEVELS = AUTHENTICATION_LEVELS.filter((level) => !['none', 'gmac', 'ecdsa'].includes(level));

const DEFAULT_URL = 'mqtt://127.0.0.1:1883';

/** Tells whether all that was wanted works. Throws as the verbs do; an AbortError when it is left. */
export async function wizard<Flags extends TargetFlags & FirstRunFlags & { readonly name: string }>(
  context: Context,
  flags: Flags,
  { known, store, meters }: WizardSteps<Flags>,
): Promise<boolean> {
  const good = await targetAsked(context, flags, known, store);
  const mode = known()?.mode ?? 'gateway';
  return (await meterAsked(context, flags, mode, meters())) && good;
}

async function targetAsked<Flags extends TargetFlags & FirstRunFlags & { readonly name: string }>(
  context: Context,
  given: Flags,
  known: () => KnownTarget | null,
  store: (flags: Flags) => Promise<void>,
): Promise<boolean> {
  for (let flags = given; ; ) {
    await store(await completed(flags, known(), context.signal));
    const wants = given.test ?? (await confirms('Try the token now?', context.signal));
    if (!wants || (await tokenTested(context, given.name))) return true;
    if (!(await confirms('Correct it?', context.signal))) return false;
    const { url: _, token: __, ...rest } = given;
    flags = rest as Flags;
  }
}

async function completed<Flags extends TargetFlags>(
  flags: Flags,
  known: KnownTarget | null,
  signal: AbortSignal,
): Promise<Flags> {
  const usual = known?.url ?? DEFAULT_URL;
  const url =
    flags.url ??
    (await ask(
      { text: `ThingsBoard URL [${usual}]: `, parse: (text) => canonicalTargetUrl(text === '' ? usual : text) },
      signal,
    ));
  const mode =
    flags.mode ??
    known?.mode ??
    (await ask(
      {
        text: 'gateway (one token for all meters) or device (one each) [gateway]: ',
        parse: (text) => parseChoice('the mode', text === '' ? 'gateway' : text, ['gateway', 'device']),
      },
      signal,
    ));
  if (hasCredentials(flags)) return { ...flags, url, mode };
  const whose = mode === 'device' ? "the bridge's own device" : 'the gateway';
  const token = await ask(
    {
      text: `Access token of ${whose}${known === null ? '' : ' [the one that is stored]'}: `,
      // Checked as it will be read, so that `file:` and `env:` work here, too.
      parse: (text) => (text === '' && known !== null ? null : validToken(parseSecretText(text)) && text),
      hidden: true,
    },
    signal,
  );
  return { ...flags, url, mode, ...(token === null ? {} : { token }) };
}

/** What was answered at last, offered when it did not work. */
interface Answers {
  readonly link: string | null;
  readonly client: string | null;
  readonly auth: string | null;
  readonly name: string;
  readonly template: string | null;
  readonly interval: string;
}

/** True also when no meter is wanted. */
async function meterAsked(
  context: Context,
  flags: FirstRunFlags,
  mode: string,
  meters: readonly string[],
): Promise<boolean> {
  const { signal } = context;
  let answers: Answers = {
    link: null,
    client: null,
    auth: null,
    name: freeName(meters),
    template: null,
    interval: FIRST_INTERVAL,
  };
  const found = new Map<string, Attempt | null>();
  for (;;) {
    const link = flags.link ?? (await linkAsked(answers.link, meters.length === 0, signal));
    if (link === null) return true;
    if (!found.has(link)) found.set(link, await detected(context, link));
    const place = found.get(link) ?? null;
    const meter = await meterOf(flags, { ...answers, link }, place, mode, signal);
    const { added, read } = await meterAdded(context, meter.wanted);
    if (added && read) return true;
    if (!(await confirms('Correct it?', signal))) return false;
    if (added) await meterRemoved(context, meter.wanted.name);
    answers = meter.answers;
  }
}

function linkAsked(last: string | null, isFirst: boolean, signal: AbortSignal): Promise<string | null> {
  const usual = last === null ? 'as tcp://HOST:4059 (empty: later)' : `- for none [${last}]`;
  return ask(
    {
      text: `Link of ${isFirst ? 'the first' : 'another'} meter, ${usual}: `,
      parse: (text) => (text === '' ? last : text === '-' ? null : parseLink(text).text),
    },
    signal,
  );
}

/** The way that works, else one on which somebody answered; null for none. */
async function detected(context: Context, link: string): Promise<Attempt | null> {
  process.stderr.write(`\n> dlms detect ${link}\n`);
  const tried = await detectMeter(context, parseLink(link), { timeoutMs: 1500, all: false });
  process.stderr.write(`${detectionText(tried)}\n`);
  return tried.find(({ finding }) => finding === 'open') ?? tried.find(({ finding }) => finding === 'refused') ?? null;
}

async function meterOf(
  flags: FirstRunFlags,
  last: Answers & { readonly link: string },
  place: Attempt | null,
  mode: string,
  signal: AbortSignal,
): Promise<{ readonly wanted: FirstMeter; readonly answers: Answers }> {
  const answer = async <T>(given: T | undefined, text: string, parse: (answer: string) => T, hidden = false) =>
    given ?? ask({ text, parse, hidden }, signal);
  const or = (text: string, usual: string): string => (text === '' ? usual : text);
  const usualTemplate = last.template === null ? 'empty: none' : `- for none [${last.template}]`;
  const template =
    flags.template ??
    (flags.points === undefined
      ? await ask(
          {
            text: `Template (see: dlms meter template list; ${usualTemplate}): `,
            parse: (text) => (text === '' ? last.template : text === '-' ? null : loadTemplate(text) && text),
          },
          signal,
        )
      : null);
  const made = template === null ? {} : loadTemplate(template).settings;
  const usualClient = last.client ?? String(made.client ?? place?.client ?? DEFAULT_METER_SETTINGS.client);
  const usualAuth = last.auth ?? TYPED_LEVELS.find((level) => level === made.authentication) ?? 'low';
  const client = await answer(flags.client, `Client [${usualClient}]: `, (text) =>
    String(parseDeclared('the client', METER_SETTINGS.client, or(text, usualClient))),
  );
  const secret = await answer(flags.secret, 'Password or HLS secret (empty: none): ', (text) => text, true);
  const auth =
    secret === '' && flags.auth === undefined
      ? null
      : await answer<string>(flags.auth, `Authentication: ${TYPED_LEVELS.join(', ')} [${usualAuth}]: `, (text) =>
          parseChoice('the level', or(text, usualAuth), TYPED_LEVELS),
        );
  const name = await answer(flags.meter, `Name of the meter, its device name in ThingsBoard [${last.name}]: `, (text) =>
    validName('the meter name', or(text, last.name)),
  );
  const token =
    mode === 'device'
      ? await answer(
          flags.meterToken,
          "Access token of the meter's device: ",
          (text) => validToken(parseSecretText(text)) && text,
          true,
        )
      : null;
  const interval = await answer(flags.interval, `Read it every how many seconds? [${last.interval}]: `, (text) => {
    parseSeconds('the interval', or(text, last.interval));
    return or(text, last.interval);
  });
  const address = placeFlags({
    server: Number(flags.server ?? place?.server ?? DEFAULT_METER_SETTINGS.server),
    physical: flags.physical === undefined ? (place?.physical ?? null) : Number(flags.physical),
    addressSize: place?.addressSize ?? null,
    referencing: place?.referencing ?? 'ln',
    client: Number(client),
  });
  const wanted = {
    name,
    // With the framing and rate that were found.
    link: place?.link ?? last.link,
    how: [...address.split(' '), ...(auth === null ? [] : ['--auth', auth])],
    secret: secret === '' ? null : secret,
    token,
    template,
    points: flags.points ?? null,
    interval,
  };
  return { wanted, answers: { link: last.link, client, auth, name, template, interval } };
}

/** The first of meter1, meter2 ... that none has. */
function freeName(taken: readonly string[]): string {
  for (let number = 1; ; number += 1) {
    const name = `${FIRST_NAME}${number}`;
    if (!taken.includes(name)) return name;
  }
}
