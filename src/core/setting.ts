/**
 * Settings as data: each is declared once, with its default, its limits, its unit and what a change of it takes. From the
 * declaration come the type, the check of a value from anywhere (file, database, ThingsBoard), the reading of a text
 * and the reference in the documents.
 */
import { fail } from './errors.ts';

/**
 * What a change takes. live: nothing is interrupted; line: the line, meter or connection that it is about is started anew;
 * restart: it counts from the daemon's next start.
 */
export type Applies = 'live' | 'line' | 'restart';
export type Unit = 'ms' | 's' | 'd' | '%' | 'octets' | 'MB' | '1/s' | null;

interface About {
  readonly applies: Applies;
  readonly about: string;
}

type Form =
  | { readonly kind: 'whole'; readonly least: number; readonly most: number; readonly unit: Unit }
  | { readonly kind: 'choice'; readonly choices: readonly (string | number)[] }
  | { readonly kind: 'flag' }
  /** `takes`: the pattern in words. A secret is sealed in the database and never shown. */
  | { readonly kind: 'text'; readonly pattern: RegExp; readonly takes: string; readonly secret: boolean }
  /** A list or record: `takes` says what stands in it, and who reads it from a file or flag checks that. */
  | { readonly kind: 'structure'; readonly takes: string };

/** `none`: how null is written by people; null where the setting always has a value. */
export type Setting<T> = About & Form & { readonly default: T; readonly none: string | null };
export type SettingTable = Readonly<Record<string, Setting<unknown>>>;
export type SettingsOf<Table> = { readonly [Name in keyof Table]: Table[Name] extends Setting<infer T> ? T : never };

export function whole(
  usual: number,
  { least, most, unit = null, ...about }: About & { least: number; most: number; unit?: Unit },
): Setting<number> {
  return { kind: 'whole', default: usual, least, most, unit, none: null, ...about };
}

export function choice<const T extends string | number>(choices: readonly T[], usual: T, about: About): Setting<T> {
  return { kind: 'choice', default: usual, choices, none: null, ...about };
}

export function flag(usual: boolean, about: About): Setting<boolean> {
  return { kind: 'flag', default: usual, none: null, ...about };
}

export function text(
  usual: string,
  { pattern, takes, secret = false, ...about }: About & { pattern: RegExp; takes: string; secret?: boolean },
): Setting<string> {
  return { kind: 'text', default: usual, pattern, takes, secret, none: null, ...about };
}

export function structure<T>(usual: T, { takes, ...about }: About & { takes: string }): Setting<T> {
  return { kind: 'structure', default: usual, takes, none: null, ...about };
}

/** The same setting, which may be null too: `none` is the word for that. It is null by default unless told otherwise. */
export function orNone<T>(none: string, setting: Setting<T>, usual: T | null = null): Setting<T | null> {
  return { ...setting, default: usual, none };
}

export function defaultsOf<Table extends SettingTable>(table: Table): SettingsOf<Table> {
  return Object.fromEntries(
    Object.entries(table).map(([name, setting]) => [name, setting.default]),
  ) as SettingsOf<Table>;
}

/** What a setting takes, for people: `100 to 300000 ms, or never`. */
export function takesText(setting: Setting<unknown>): string {
  const { none } = setting;
  return none === null ? formText(setting) : `${formText(setting)}, or ${none}`;
}

function formText(form: Form): string {
  switch (form.kind) {
    case 'whole':
      return `${form.least} to ${form.most}${form.unit === null ? '' : ` ${form.unit}`}`;
    case 'choice':
      return form.choices.join(' | ');
    case 'flag':
      return 'on | off';
    case 'text':
    case 'structure':
      return form.takes;
  }
}

/** Whether a value of any origin is one that the setting takes. */
export function isValid(setting: Setting<unknown>, value: unknown): boolean {
  if (value === null) return setting.none !== null;
  switch (setting.kind) {
    case 'whole':
      return Number.isInteger(value) && Number(value) >= setting.least && Number(value) <= setting.most;
    case 'choice':
      return setting.choices.some((one) => one === value);
    case 'flag':
      return typeof value === 'boolean';
    case 'text':
      return typeof value === 'string' && setting.pattern.test(value);
    case 'structure':
      return typeof value === 'object';
  }
}

/** What is wrong with a value, in words that name the setting; null for nothing. A secret is not repeated. */
export function faultOf(name: string, setting: Setting<unknown>, value: unknown): string | null {
  if (isValid(setting, value)) return null;
  const isShown = !isSecret(setting) && (typeof value !== 'object' || value === null);
  return `${name} takes ${takesText(setting)}${isShown ? `, not ${String(value).slice(0, 100)}` : ''}`;
}

/** Some of a table's settings, each checked. Throws INVALID_VALUE, naming what is unknown or wrong. */
export function checkSettings(table: SettingTable, values: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(values)) {
    const fault = faultOf(name, settingNamed(table, name), value);
    if (fault !== null) fail('INVALID_VALUE', fault);
  }
}

/** Throws INVALID_VALUE. */
export function settingNamed(table: SettingTable, name: string): Setting<unknown> {
  if (!Object.hasOwn(table, name)) {
    fail('INVALID_VALUE', `there is no setting "${name}"`, { hint: `one of ${Object.keys(table).join(', ')}` });
  }
  return table[name]!;
}

export function isSecret(setting: Setting<unknown>): boolean {
  return setting.kind === 'text' && setting.secret;
}

/** A value as a person writes it: `on`, `60`, the word for none. undefined for what can be none. */
export function readSetting(setting: Setting<unknown>, written: string): unknown {
  if (written === setting.none) return null;
  switch (setting.kind) {
    case 'whole':
      return /^-?\d{1,15}$/.test(written) ? Number(written) : undefined;
    case 'choice':
      return setting.choices.find((one) => String(one) === written);
    case 'flag':
      return written === 'on' ? true : written === 'off' ? false : undefined;
    case 'text':
      return written;
    case 'structure':
      return undefined;
  }
}

/** The same, checked. Throws INVALID_VALUE, naming the setting. */
export function parseSetting(name: string, setting: Setting<unknown>, written: string): unknown {
  const value = readSetting(setting, written);
  const fault = faultOf(name, setting, value === undefined ? written : value);
  return fault === null ? value : fail('INVALID_VALUE', fault);
}

/** The other way round; a secret is only said to be there. */
export function settingText(setting: Setting<unknown>, value: unknown): string {
  if (value === null) return setting.none ?? '-';
  if (isSecret(setting)) return '(set)';
  if (setting.kind === 'flag') return value === true ? 'on' : 'off';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** What differs from the defaults, which is what is stored: a better default reaches everything else. */
export function changedSettings<Table extends SettingTable>(
  table: Table,
  values: SettingsOf<Table>,
): Partial<SettingsOf<Table>> {
  const changed = Object.entries(values).filter(([name, value]) => !isSame(value, table[name]?.default));
  return Object.fromEntries(changed) as Partial<SettingsOf<Table>>;
}

/** Plain data, as JSON tells it apart. */
function isSame(one: unknown, other: unknown): boolean {
  return one === other || (typeof one === 'object' && JSON.stringify(one) === JSON.stringify(other));
}
