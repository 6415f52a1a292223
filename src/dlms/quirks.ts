/**
 * Deviations of real meters from the standard, or from what others make of it, as data: one row for each, switched on by
 * the settings of a meter. Whoever a row concerns gets its value and knows nothing of meters. docs/quirks.md is this table.
 *
 * What costs nothing to understand is no row: it is understood always, in its place.
 */
import { fail } from '../core/errors.ts';
import { HLS_VARIANTS, type HlsVariant } from './security/hls.ts';

export interface Quirks {
  readonly noRelease: boolean;
  readonly constantInvokeId: number | null;
  readonly normalPriority: boolean;
  readonly noList: boolean;
  readonly listLimit: number | null;
  readonly noSelectiveAccess: boolean;
  readonly rangeWithoutDeviation: boolean;
  readonly invertedDeviation: boolean;
  readonly blocksFromZero: boolean;
  readonly snrmWithoutParameters: boolean;
  readonly infoLengthCountsFrame: boolean;
  readonly hlsVariant: HlsVariant;
  readonly emptySystemTitle: boolean;
  readonly firstCounter: number;
  readonly publicWait: number;
  readonly baudSwitchWait: number;
  readonly noBaudSwitch: boolean;
}

type QuirkKey = keyof Quirks;

export interface QuirkRow {
  /** As flags have it. */
  readonly name: string;
  readonly key: QuirkKey;
  readonly meaning: string;
  /** What the value may be; a flag has none. */
  readonly value: 'flag' | { readonly min: number; readonly max: number; readonly unit: string } | readonly string[];
  /** Without the quirk. */
  readonly default: boolean | number | string | null;
  /** Where it was met. */
  readonly known: string;
}

const flag = (name: string, key: QuirkKey, meaning: string, known: string): QuirkRow => ({
  name,
  key,
  meaning,
  value: 'flag',
  default: false,
  known,
});

const whole = (
  name: string,
  key: QuirkKey,
  [min, max, unit]: readonly [number, number, string],
  otherwise: number | null,
  meaning: string,
  known: string,
): QuirkRow => ({ name, key, meaning, value: { min, max, unit }, default: otherwise, known });

export const QUIRKS: readonly QuirkRow[] = [
  flag(
    'no-release',
    'noRelease',
    'no release request: the link below is disconnected, and the association with it',
    'meters that do not know RLRQ, or answer it with an error',
  ),
  whole(
    'constant-invoke-id',
    'constantInvokeId',
    [0, 15, ''],
    null,
    'every request has this invoke id',
    'meters that answer with a fixed invoke id, or refuse one that changes',
  ),
  flag(
    'normal-priority',
    'normalPriority',
    'the priority bit of requests is off',
    'meters that refuse requests of high priority',
  ),
  flag(
    'no-list',
    'noList',
    'GET-with-list is never used',
    'meters that grant multiple references and answer lists wrongly in ways that are not noticed',
  ),
  whole(
    'list-limit',
    'listLimit',
    [1, 255, 'items'],
    null,
    'no GET-with-list has more items',
    'meters that take short lists only',
  ),
  flag(
    'no-selective-access',
    'noSelectiveAccess',
    'profiles are read whole, and what is not wanted is left out here',
    'meters that grant selective access and select wrongly',
  ),
  flag(
    'range-without-deviation',
    'rangeWithoutDeviation',
    'the bounds of a time range carry no deviation',
    'meters that take a bound with deviation, and select other rows than meant',
  ),
  flag(
    'inverted-deviation',
    'invertedDeviation',
    'deviation and time zone have the opposite sign: UTC = local time - deviation',
    'meters that give how far local time is ahead of UTC',
  ),
  flag(
    'blocks-from-zero',
    'blocksFromZero',
    'the blocks of our requests are numbered from 0; answers are understood either way',
    'meters that number their own blocks from 0',
  ),
  flag(
    'snrm-without-parameters',
    'snrmWithoutParameters',
    'the SNRM carries no parameters at once, not only after a refusal (DM)',
    'meters that do not answer an SNRM with parameters at all',
  ),
  flag(
    'info-length-counts-frame',
    'infoLengthCountsFrame',
    'the maximum information field length of the meter is that of the whole frame',
    'meters that drop frames longer than what they negotiated',
  ),
  {
    name: 'hls-variant',
    key: 'hlsVariant',
    meaning:
      'what authentication `high` computes: `aes-ecb` encrypts the challenge under the secret, `aes-ecb-reversed` the secret under the challenge; both AES-128, filled up with zeros',
    value: HLS_VARIANTS,
    default: 'aes-ecb',
    known: 'mechanism 2 is left to manufacturers',
  },
  flag(
    'empty-system-title',
    'emptySystemTitle',
    'general-glo/ded-ciphering carries no system title; both sides know the titles',
    'meters that send `DB 00` themselves',
  ),
  whole(
    'first-counter',
    'firstCounter',
    [0, 0xffff_ffff, ''],
    0,
    'the lowest invocation counter that is ever used',
    'servers that refuse counter 0 in the first AARQ',
  ),
  whole(
    'public-wait',
    'publicWait',
    [0, 120_000, 'ms'],
    0,
    'how long to wait after the public association, in which the invocation counter was read',
    'meters that need about 20 s before they accept the next association',
  ),
  whole(
    'baud-switch-wait',
    'baudSwitchWait',
    [0, 10_000, 'ms'],
    400,
    'mode E: how long to wait after the acknowledgement before the rate is changed',
    'meters whose optical port needs longer, or is not heard after such a pause',
  ),
  flag(
    'no-baud-switch',
    'noBaudSwitch',
    'mode E: the line stays at the rate of the sign-on',
    'meters that offer a rate and do not change to it',
  ),
];

/** Every meter, before anything is said of it. */
export const NO_QUIRKS = Object.fromEntries(QUIRKS.map((row) => [row.key, row.default])) as unknown as Quirks;

/** The quirks of one meter, from what its settings say. */
export function quirksOf(settings: { readonly quirks?: Partial<Quirks> }): Quirks {
  return { ...NO_QUIRKS, ...settings.quirks };
}

/** One quirk as people write it, `NAME` or `NAME=VALUE`. Throws INVALID_VALUE. */
export function parseQuirk(text: string): Partial<Quirks> {
  const [name = '', ...rest] = text.split('=');
  const row = QUIRKS.find((one) => one.name === name);
  if (row === undefined)
    return refuse(`there is no quirk "${name.slice(0, 40)}": ${QUIRKS.map((one) => one.name).join(', ')}`);
  return { [row.key]: quirkValue(row, rest.length === 0 ? null : rest.join('=')) };
}

/** The texts that `parseQuirk` reads back, in the order of the table. */
export function quirkTexts(quirks: Partial<Quirks>): string[] {
  return QUIRKS.flatMap(({ name, key, value, default: usual }) => {
    const own = quirks[key] ?? usual;
    if (own === usual) return [];
    return [value === 'flag' ? name : `${name}=${own}`];
  });
}

function quirkValue({ name, value }: QuirkRow, text: string | null): boolean | number | string {
  if (value === 'flag') return text === null ? true : refuse(`the quirk ${name} takes no value`);
  if ('min' in value) {
    const number = /^\d{1,10}$/.test(text ?? '') ? Number(text) : Number.NaN;
    if (number >= value.min && number <= value.max) return number;
    return refuse(`the quirk ${name} is written ${name}=N, N from ${value.min} to ${value.max}`);
  }
  return (
    value.find((one) => one === text) ??
    refuse(`the quirk ${name} is written ${name}=VALUE, VALUE one of ${value.join(', ')}`)
  );
}

function refuse(message: string): never {
  return fail('INVALID_VALUE', message, { layer: 'config' });
}
