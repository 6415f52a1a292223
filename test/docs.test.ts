/** The documents against the program: links, verbs, flags, and an entry for each error code. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ALERT_RULES } from '../src/alert/rules.ts';
import { ERROR_CODES } from '../src/core/error-codes.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TROUBLESHOOTING = 'docs/troubleshooting.md';
const CLI = 'docs/cli.md';

const documents = new Map(
  ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...filesBelow('docs', '.md')].map((path) => [path, read(path)]),
);

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

function filesBelow(directory: string, ending: string): string[] {
  return readdirSync(join(ROOT, directory), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(ending))
    .map((file) => join(directory, file));
}

/** What is in fences, and between backticks on one line. */
const FENCED = /^```.*\n([\s\S]*?)^```$/gm;
const INLINE = /`([^`\n]+)`/g;

function withoutCode(text: string): string {
  return text.replace(FENCED, '').replace(INLINE, '');
}

function codeIn(text: string): string[] {
  const fenced = [...text.matchAll(FENCED)].flatMap(([, block = '']) => block.split('\n'));
  return [...fenced, ...[...text.replace(FENCED, '').matchAll(INLINE)].map(([, span = '']) => span)];
}

describe('troubleshooting', () => {
  const headings = [...read(TROUBLESHOOTING).matchAll(/^### (.+)$/gm)].map(([, heading]) => heading);

  test('every error code has its entry', () => {
    expect(Object.keys(ERROR_CODES).filter((code) => !headings.includes(code))).toEqual([]);
  });

  test('every entry is of an error code, and stands once', () => {
    expect(headings.filter((heading) => !(heading! in ERROR_CODES))).toEqual([]);
    expect(headings.filter((heading, index) => headings.indexOf(heading) !== index)).toEqual([]);
  });
});

test('every alert stands in the table of alerts', () => {
  const text = read(TROUBLESHOOTING);
  expect(Object.keys(ALERT_RULES).filter((code) => !text.includes(`| \`${code}\` |`))).toEqual([]);
});

describe('links', () => {
  /** As GitHub makes anchors: lower case, blanks to hyphens, other signs left out. */
  const anchorsOf = (text: string): string[] =>
    [...text.replace(FENCED, '').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    );

  test('every relative link points at a file, and at a heading in it', () => {
    const broken: string[] = [];
    for (const [path, text] of documents) {
      for (const [, target = ''] of withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        const [file = '', anchor] = target.split('#');
        const pointedAt = file === '' ? path : join(dirname(path), file);
        const found = existsSync(join(ROOT, pointedAt));
        if (!found || (anchor !== undefined && !anchorsOf(read(pointedAt)).includes(anchor))) {
          broken.push(`${path}: ${target}`);
        }
      }
    }
    expect(broken).toEqual([]);
  });
});

/** `parent.command('name ...')` in the sources of the verbs, where the parent's variable is called like the parent. */
interface Verb {
  readonly parent: string;
  readonly name: string;
}
const sources = [...filesBelow('src/cli/verbs', '.ts'), 'src/cli/main.ts', ...filesBelow('src/cli', '-flags.ts')];
const registered: Verb[] = sources.flatMap((file) =>
  [...read(file).matchAll(/\b(\w+)\s*\.command\('([\w-]+)/g)].map(([, parent = '', name = '']) => ({ parent, name })),
);
const subverbsOf = (parent: string): string[] =>
  registered.filter((verb) => verb.parent === parent).map(({ name }) => name);
const verbs = subverbsOf('program');

/** The verb that a command line names, `meter add` for one with subverbs; null when none is named. */
function verbNamed(line: string): string | null {
  const [, rest = ''] = /(?:^|[\s;|&(])(?:dlms|node dist\/cli\/main\.js)((?:\s+[^\s;|&#]+)+)/.exec(line) ?? [];
  const words = rest
    .trim()
    .replaceAll(/--(?:db|log-level) \S+|--json/g, '')
    .trim()
    .split(/\s+/);
  const [verb = '', subverb = ''] = words.map((word) => word.replace(/[,.:)]+$/, ''));
  if (!/^[a-z][a-z-]*$/.test(verb)) return null;
  return subverbsOf(verb).length > 0 && /^[a-z][a-z-]*$/.test(subverb) ? `${verb} ${subverb}` : verb;
}

describe('verbs and flags', () => {
  test('the sources of the verbs were understood', () => {
    expect(verbs).toEqual(expect.arrayContaining(['init', 'run', 'meter', 'read', 'status', 'simulate']));
    expect(subverbsOf('meter')).toContain('add');
    expect(subverbsOf('simulate')).toEqual(expect.arrayContaining(['meters', 'thingsboard']));
  });

  test('every verb that a document names is there', () => {
    const known = new Set([...verbs, ...verbs.flatMap((verb) => subverbsOf(verb).map((name) => `${verb} ${name}`))]);
    const named = [...documents].flatMap(([path, text]) =>
      codeIn(text).flatMap((line) => {
        const verb = verbNamed(line);
        return verb === null ? [] : [{ path, verb }];
      }),
    );
    expect(named.length).toBeGreaterThan(40);
    expect(named.filter(({ verb }) => !known.has(verb)).map(({ path, verb }) => `${path}: dlms ${verb}`)).toEqual([]);
  });

  test(`every verb and every flag stands in ${CLI}`, () => {
    const code = codeIn(read(CLI)).join('\n');
    const flags = sources.flatMap((file) =>
      [...read(file).matchAll(/'(--[a-z][a-z-]*)[ ']/g)].map(([, flag]) => flag!),
    );
    const missing = [...new Set(flags)].filter((flag) => !new RegExp(`${flag}(?![a-z-])`).test(code));
    expect(missing).toEqual([]);
    const said = [...verbs, ...verbs.flatMap((verb) => subverbsOf(verb).map((name) => `${verb} ${name}`))];
    expect(said.filter((verb) => !read(CLI).includes(verb))).toEqual([]);
  });

  test('every flag of a command in a document is there', () => {
    const flags = new Set(sources.flatMap((file) => read(file).match(/--[a-z][a-z-]*/g) ?? []));
    const known = [...flags, '--help', '--version'];
    const wrong = [...documents].flatMap(([path, text]) =>
      codeIn(text)
        .filter((line) => verbNamed(line) !== null)
        .flatMap((line) => line.match(/(?<=\s)--[a-z][a-z-]*/g) ?? [])
        .filter((flag) => !known.includes(flag))
        .map((flag) => `${path}: ${flag}`),
    );
    expect(wrong).toEqual([]);
  });
});

test('documents name no place on a machine of ours', () => {
  const wrong = [...documents].flatMap(([path, text]) =>
    [...text.matchAll(/\/(?:work|root|home|tmp)\/\S*/g)].map(([place]) => `${path}: ${place}`),
  );
  expect(wrong).toEqual([]);
});
