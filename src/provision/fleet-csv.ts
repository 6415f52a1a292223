/**
 * Meters in a spreadsheet: one row each, the columns named in the first. A column that is not there, and a cell that is
 * empty, leave what is stored. Commas, semicolons and tabs, a byte order mark and CRLF are all understood.
 */
import { CsvError, type InfoRecord, parse } from 'csv-parse/sync';
import type { z } from 'zod';
import { quirkTexts } from '../dlms/quirks.ts';
import { DEFAULT_METER_SETTINGS, type MeterSettings } from '../dlms/settings.ts';
import { splitPoints } from '../reading/point-text.ts';
import type { NewPointGroup, NewProfile } from '../store/fleet/types.ts';
import type { WholeMeter } from '../store/fleet/whole.ts';
import { invalidFile, type ParsedFile, type Problem, pathText } from './document.ts';
import { pointOf, profileDocument, secretTexts, type TemplateFinder, templateOf } from './fleet-export.ts';
import { type FleetFile, fleetSchema, SECRET_NAMES } from './fleet-file.ts';
import { SETTING_NAMES } from './schema.ts';

const OWN_COLUMNS = ['name', 'link', 'enabled', 'template', 'interval', 'points', 'groups', 'profiles'] as const;
const COLUMNS: ReadonlySet<string> = new Set([...OWN_COLUMNS, ...SETTING_NAMES, ...SECRET_NAMES, 'token']);
/** Settings that are numbers when they are not null. */
const NUMBERS: ReadonlySet<string> = new Set<keyof MeterSettings>([
  'client',
  'server',
  'physical',
  'addressSize',
  'suite',
  'timeoutMs',
  'maxPdu',
  'window',
  'infoLength',
  'clockLimitMs',
  'clockSetWithinMs',
]);
const NONE = 'none';

interface Row {
  /** Line on which it begins. */
  readonly line: number;
  readonly cells: readonly string[];
}

/** Throws FILE_INVALID with line, column and column name of everything that is wrong. */
export function parseFleetCsv(fileName: string, text: string): ParsedFile<FleetFile> {
  const [header, ...rows] = rowsOf(fileName, text);
  if (header === undefined) throw invalidFile(fileName, [{ line: 1, column: 1, message: 'the file is empty' }]);
  const names = header.cells.map((cell) => cell.trim());
  const wrong = names.flatMap((name, index): Problem[] => {
    if (!COLUMNS.has(name)) return [{ line: header.line, column: index + 1, message: `there is no column "${name}"` }];
    return names.indexOf(name) < index
      ? [{ line: header.line, column: index + 1, message: `the column "${name}" stands twice` }]
      : [];
  });
  for (const { line, cells } of rows) {
    if (cells.length > names.length) wrong.push({ line, column: names.length + 1, message: 'more cells than columns' });
  }
  if (wrong.length > 0) throw invalidFile(fileName, wrong);
  const problemAt = (path: readonly PropertyKey[], message: string): Problem => {
    const [, index, ...inside] = path;
    const row = typeof index === 'number' ? rows[index] : undefined;
    const column = inside
      .map(String)
      .reverse()
      .find((part) => names.includes(part));
    return { line: row?.line ?? header.line, column: column === undefined ? 1 : names.indexOf(column) + 1, message };
  };
  const parsed = fleetSchema.safeParse({ meters: rows.map(({ cells }) => entryOf(names, cells)) });
  if (parsed.success) return { value: parsed.data, problemAt };
  throw invalidFile(
    fileName,
    parsed.error.issues.map((issue) => told(issue, problemAt)),
  );
}

function told(issue: z.core.$ZodIssue, problemAt: ParsedFile<FleetFile>['problemAt']): Problem {
  const place = pathText(issue.path.slice(2).filter((part) => part !== 'changes' && part !== 'secrets'));
  return problemAt(issue.path, place === '' ? issue.message : `${place}: ${issue.message}`);
}

function rowsOf(fileName: string, text: string): Row[] {
  try {
    const records = parse(text, {
      bom: true,
      delimiter: delimiterOf(text),
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
    }) as unknown as readonly { readonly record: readonly string[]; readonly info: InfoRecord }[];
    return records
      .map(({ record, info }) => ({ line: info.lines - lineBreaksIn(record), cells: record }))
      .filter(({ cells }) => cells.some((cell) => cell.trim() !== ''));
  } catch (thrown) {
    if (!(thrown instanceof CsvError)) throw thrown;
    const line = typeof thrown.lines === 'number' ? thrown.lines : 1;
    throw invalidFile(fileName, [{ line, column: null, message: thrown.message }]);
  }
}

/** The separator that the first line has most of. */
function delimiterOf(text: string): string {
  const [first = ''] = text.split(/\r?\n/, 1);
  const count = (separator: string): number => first.split(separator).length;
  return [',', ';', '\t'].reduce((best, one) => (count(one) > count(best) ? one : best));
}

/** A record that goes over several lines is told by its last. */
function lineBreaksIn(record: readonly string[]): number {
  return record.reduce((sum, cell) => sum + cell.split(/\r\n|\r|\n/).length - 1, 0);
}

/** The entry in the form of the fleet file; what cannot be one is left as it is, for the schema to refuse. */
function entryOf(names: readonly string[], cells: readonly string[]): Record<string, unknown> {
  const given = names.flatMap((name, index): [string, string][] => {
    const text = cells[index]?.trim() ?? '';
    return text === '' ? [] : [[name, text]];
  });
  const some = (of: readonly string[], value: (name: string, text: string) => unknown): Record<string, unknown> =>
    Object.fromEntries(given.filter(([name]) => of.includes(name)).map(([name, text]) => [name, value(name, text)]));
  const changes = some(SETTING_NAMES, settingValue);
  const secrets = some(SECRET_NAMES, (_, text) => text);
  return {
    ...some([...OWN_COLUMNS, 'token'], ownValue),
    ...(Object.keys(changes).length === 0 ? {} : { changes }),
    ...(Object.keys(secrets).length === 0 ? {} : { secrets }),
  };
}

function ownValue(name: string, text: string): unknown {
  switch (name) {
    case 'enabled':
      return truth(text);
    case 'interval':
      return number(text);
    case 'groups':
      return linesOf(text).map(groupValue);
    case 'profiles':
      return linesOf(text).map(profileValue);
    default:
      return text;
  }
}

function settingValue(name: string, text: string): unknown {
  if (name === 'quirks') return text === NONE ? [] : text.split(/[\s,;]+/).filter((quirk) => quirk !== '');
  if (Array.isArray(DEFAULT_METER_SETTINGS[name as keyof MeterSettings])) return linesOf(text);
  if (text === NONE && DEFAULT_METER_SETTINGS[name as keyof MeterSettings] === null) return null;
  if (text.startsWith('{')) return jsonOf(text);
  if (NUMBERS.has(name)) return number(text);
  return typeof DEFAULT_METER_SETTINGS[name as keyof MeterSettings] === 'boolean' ? truth(text) : text;
}

function number(text: string): number | string {
  return /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : text;
}

/** Spreadsheets write TRUE. */
function truth(text: string): boolean | string {
  return { true: true, false: false }[text.toLowerCase()] ?? text;
}

function linesOf(text: string): string[] {
  if (text === NONE) return [];
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** `NAME@SECONDS:POINT=key,POINT=key`. */
function groupValue(text: string): unknown {
  const [, name, seconds = '', points = ''] = /^([^@:]+)@([^:]*):(.*)$/s.exec(text) ?? [];
  return name === undefined ? text : { name, interval: number(seconds), points: splitPoints(points) };
}

/** What is no JSON stays text, for the schema to refuse. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

/** `OBIS@SECONDS`, or a JSON object as in the other files. */
function profileValue(text: string): unknown {
  if (text.startsWith('{')) return jsonOf(text);
  const [obis, seconds = ''] = text.split('@');
  return { obis, interval: number(seconds) };
}

/** The spreadsheet; with secrets their columns and the tokens' too. */
export function fleetCsv(
  meters: readonly WholeMeter[],
  options: { readonly secrets: boolean; readonly templates: TemplateFinder },
): string {
  const names = [...OWN_COLUMNS.filter((name) => name !== 'interval' && name !== 'points'), ...SETTING_NAMES];
  const columns = options.secrets ? [...names, ...SECRET_NAMES, 'token'] : names;
  const rows = meters.map((meter) => {
    const cells = cellsOf(meter, options.templates);
    return columns.map((column) => cellText(cells[column] ?? '')).join(',');
  });
  return `${[columns.join(','), ...rows].join('\r\n')}\r\n`;
}

function cellsOf(meter: WholeMeter, templates: TemplateFinder): Readonly<Record<string, string>> {
  const { settings, groups, profiles } = meter;
  const quirks = quirkTexts(settings.quirks).join(' ');
  const plan =
    templateOf(meter, templates) === null
      ? { groups: lineCell(groups.map(groupText)), profiles: lineCell(profiles.map(profileText)) }
      : {};
  return {
    ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, settingText(value)])),
    quirks: quirks === '' ? NONE : quirks,
    ...secretTexts(meter.secrets),
    name: meter.name,
    link: meter.link,
    enabled: String(meter.enabled),
    template: meter.template ?? '',
    token: meter.token ?? '',
    ...plan,
  };
}

function settingText(value: MeterSettings[keyof MeterSettings]): string {
  if (Array.isArray(value)) return lineCell(value as readonly string[]);
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? NONE);
}

function lineCell(lines: readonly string[]): string {
  return lines.length === 0 ? NONE : lines.join('\n');
}

function groupText({ name, intervalMs, points }: NewPointGroup): string {
  return `${name}@${intervalMs / 1000}:${points.map(pointOf).join(',')}`;
}

function profileText(profile: NewProfile): string {
  return JSON.stringify(profileDocument(profile));
}

function cellText(text: string): string {
  return /[",;\t\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
