/** YAML and JSON files against a schema; whatever is wrong is told with line and column, all of it at once. */
import { type Document, isNode, isPair, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import type { z } from 'zod';
import { BridgeError } from '../core/errors.ts';

export interface Problem {
  /** From 1. */
  readonly line: number;
  /** From 1; null where the file has no columns of characters. */
  readonly column: number | null;
  readonly message: string;
}

type Path = readonly PropertyKey[];

const MOST_PROBLEMS = 20;
/** Bounds what aliases may unfold to: a file of a few hundred octets can stand for gigabytes. */
const MOST_ALIASES = 100;

/** A parsed file that can tell where something stands in it. */
export interface ParsedFile<T> {
  readonly value: T;
  /** Where the value at this path stands, or what is nearest to it. */
  problemAt(path: Path, message: string): Problem;
}

/** Parses YAML or JSON. Throws FILE_INVALID with every place that is wrong. */
export function parseFile<S extends z.ZodType>(name: string, text: string, schema: S): ParsedFile<z.output<S>> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, strict: true, uniqueKeys: true, prettyErrors: false });
  const at = (offset: number, message: string): Problem => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col, message };
  };
  const problems = document.errors.map(({ pos, message }) => at(pos[0], message));
  if (problems.length > 0) throw invalidFile(name, problems);
  const problemAt = (path: Path, message: string): Problem => at(offsetOf(document, path), message);
  const parsed = schema.safeParse(plainValue(name, document));
  if (parsed.success) return { value: parsed.data, problemAt };
  throw invalidFile(
    name,
    parsed.error.issues.flatMap((issue) => problemsOf(issue, document, at)),
  );
}

function plainValue(name: string, document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: MOST_ALIASES });
  } catch (thrown) {
    // How it says that aliases stand for too much, or for nothing.
    if (thrown instanceof ReferenceError) throw invalidFile(name, [{ line: 1, column: 1, message: thrown.message }]);
    throw thrown;
  }
}

/** FILE_INVALID: `fleet.yaml:12:5: meters[3].link: ...`, a line for each problem. */
export function invalidFile(name: string, problems: readonly Problem[]): BridgeError {
  const told = [...problems].sort((a, b) => a.line - b.line || (a.column ?? 0) - (b.column ?? 0));
  const lines = told
    .slice(0, MOST_PROBLEMS)
    .map(({ line, column, message }) => `${name}:${line}${column === null ? '' : `:${column}`}: ${message}`);
  if (told.length > MOST_PROBLEMS) lines.push(`and ${told.length - MOST_PROBLEMS} more`);
  return new BridgeError('FILE_INVALID', lines.join('\n'), { facts: { problems: told.length } });
}

/** `meters[3].settings.client`. */
export function pathText(path: Path): string {
  return path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`))
    .join('');
}

function problemsOf(
  issue: z.core.$ZodIssue,
  document: Document,
  at: (offset: number, message: string) => Problem,
): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return at(keyOffset(document, path), `${pathText(path)} is not known here`);
    });
  }
  const place = pathText(issue.path);
  return [at(offsetOf(document, issue.path), place === '' ? issue.message : `${place}: ${issue.message}`)];
}

/** Where the value of a path begins; of the nearest one above it when there is none. */
function offsetOf(document: Document, path: Path): number {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return document.contents?.range?.[0] ?? 0;
}

function keyOffset(document: Document, path: Path): number {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  let offset = offsetOf(document, path);
  if (!isNode(parent)) return offset;
  visit(parent, {
    Pair(_, { key }) {
      if (!isScalar(key) || key.value !== path.at(-1) || !key.range) return visit.SKIP;
      offset = key.range[0];
      return visit.BREAK;
    },
    Node: (_, node) => (node === parent || isPair(node) ? undefined : visit.SKIP),
  });
  return offset;
}
