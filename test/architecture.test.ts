/** The rules of the house (docs/architecture.md) against the code's real imports. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { init, parse } from 'es-module-lexer';
import { beforeAll, expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

/** Floors from the ground up; imports point downwards only, rooms on one floor do not know one another. */
const FLOORS: readonly (readonly string[])[] = [
  ['core'],
  ['runtime', 'dlms'],
  ['transport', 'reading', 'alert'],
  ['meter', 'store'],
  ['line', 'provision'],
  ['polling', 'command', 'thingsboard', 'admin'],
  ['daemon'],
  ['cli'],
];
/** Rooms with rules of their own: what they may import, whatever their floor. */
const OWN_RULES: Readonly<Record<string, readonly string[]>> = {
  dlms: ['core'],
  simulator: ['core', 'runtime', 'dlms', 'transport'],
};
/** Only these rooms may start the simulator. */
const MAY_IMPORT_SIMULATOR = ['cli'];

/** Pure rooms: which Node modules they may use, and what they must not touch. */
const PURE: Readonly<Record<string, readonly string[]>> = { core: [], dlms: ['node:crypto'], reading: [], alert: [] };
const IMPURE =
  /\b(?:process\.|setTimeout\(|setInterval\(|setImmediate\(|Date\.now\(|new Date\(\)|Math\.random\(|performance\.|fetch\(|console\.)/;

interface Import {
  readonly file: string;
  readonly room: string;
  readonly target: string;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const imports: Import[] = [];

beforeAll(async () => {
  await init;
  for (const file of files) {
    // The lexer knows JavaScript: `export type { A } from` would pass it by.
    const source = readFileSync(join(SRC, file), 'utf8').replace(/^(import|export) type /gm, '$1 ');
    const [found] = parse(source, file);
    for (const { n: target } of found) if (target !== undefined) imports.push({ file, room: roomOf(file), target });
  }
});

function roomOf(file: string): string {
  return file.split('/')[0] ?? '';
}

/** The room that a relative import reaches, or null for a package or Node module. */
function reached({ file, target }: Import): string | null {
  if (!target.startsWith('.')) return null;
  const path = normalize(join(dirname(file), target));
  return roomOf(relative('.', path));
}

function floorOf(room: string): number {
  return FLOORS.findIndex((rooms) => rooms.includes(room));
}

function allowed(from: string, to: string): boolean {
  if (from === to) return true;
  if (from in OWN_RULES) return OWN_RULES[from]?.includes(to) ?? false;
  if (to === 'simulator') return MAY_IMPORT_SIMULATOR.includes(from);
  return floorOf(to) >= 0 && floorOf(to) < floorOf(from);
}

test('every source file stands in a known room', () => {
  const known = new Set([...FLOORS.flat(), 'simulator']);
  expect(files.length).toBeGreaterThan(0);
  expect(files.filter((file) => !known.has(roomOf(file)))).toEqual([]);
});

test('the lexer saw the imports', () => {
  const written = files.flatMap(
    (file) => readFileSync(join(SRC, file), 'utf8').match(/^(?:import|export) [^;]*? from '|^} from '/gm) ?? [],
  );
  expect(imports.length).toBeGreaterThanOrEqual(written.length);
});

test('imports point downwards only', () => {
  const wrong = imports.filter((entry) => {
    const to = reached(entry);
    return to !== null && !allowed(entry.room, to);
  });
  expect(wrong.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
});

test('relative imports name the source file', () => {
  const wrong = imports.filter(({ target }) => target.startsWith('.') && !target.endsWith('.ts'));
  expect(wrong.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
});

test('pure rooms import no Node module or package beyond those listed', () => {
  const wrong = imports.filter(
    ({ room, target }) => room in PURE && !target.startsWith('.') && !PURE[room]?.includes(target),
  );
  expect(wrong.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
});

test('pure rooms touch neither clock, timers, randomness, process nor network', () => {
  const wrong = files
    .filter((file) => roomOf(file) in PURE)
    .filter((file) => IMPURE.test(withoutComments(readFileSync(join(SRC, file), 'utf8'))));
  expect(wrong).toEqual([]);
});

test('only runtime reads the clock and sets timers', () => {
  const direct = /\b(?:setTimeout|setInterval)\(|\bDate\.now\(|\bnew Date\(\)/;
  const wrong = files
    .filter((file) => !['runtime'].includes(roomOf(file)))
    .filter((file) => direct.test(withoutComments(readFileSync(join(SRC, file), 'utf8'))));
  expect(wrong).toEqual([]);
});

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}
