/**
 * A JSON reader that keeps every number as the text it was written in: the real server decides by that text whether a
 * value is a LONG, a DOUBLE or a STRING, and JSON.parse would have rounded it already.
 */
export type JsonNode =
  | { readonly kind: 'object'; readonly members: ReadonlyMap<string, JsonNode> }
  | { readonly kind: 'array'; readonly items: readonly JsonNode[] }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'null' };

const MAX_DEPTH = 64;
const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** Where a string ends; whether its escapes are right is left to JSON.parse. */
const STRING = /"(?:[^"\\]+|\\.)*"/y;

/** The tree, or null when the text is no JSON document. */
export function parseJsonTree(text: string): JsonNode | null {
  const reader = new Reader(text);
  const node = reader.value(0);
  reader.match(SPACE);
  return node !== null && reader.atEnd ? node : null;
}

class Reader {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  get atEnd(): boolean {
    return this.at === this.text.length;
  }

  match(pattern: RegExp): string | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? null;
    if (found !== null) this.at += found.length;
    return found;
  }

  /** Takes the text after white space when it stands there. */
  private take(expected: string): boolean {
    this.match(SPACE);
    if (!this.text.startsWith(expected, this.at)) return false;
    this.at += expected.length;
    return true;
  }

  value(depth: number): JsonNode | null {
    if (depth > MAX_DEPTH) return null;
    if (this.take('{')) return this.object(depth);
    if (this.take('[')) return this.array(depth);
    if (this.take('true')) return { kind: 'boolean', value: true };
    if (this.take('false')) return { kind: 'boolean', value: false };
    if (this.take('null')) return { kind: 'null' };
    const string = this.string();
    if (string !== null) return { kind: 'string', text: string };
    const number = this.match(NUMBER);
    return number === null ? null : { kind: 'number', text: number };
  }

  private string(): string | null {
    this.match(SPACE);
    const quoted = this.match(STRING);
    try {
      return quoted === null ? null : (JSON.parse(quoted) as string);
    } catch {
      // A control character or an unknown escape: no JSON string.
      return null;
    }
  }

  private object(depth: number): JsonNode | null {
    const members = new Map<string, JsonNode>();
    if (this.take('}')) return { kind: 'object', members };
    do {
      const name = this.string();
      if (name === null || !this.take(':')) return null;
      const member = this.value(depth + 1);
      if (member === null) return null;
      members.set(name, member);
    } while (this.take(','));
    return this.take('}') ? { kind: 'object', members } : null;
  }

  private array(depth: number): JsonNode | null {
    const items: JsonNode[] = [];
    if (this.take(']')) return { kind: 'array', items };
    do {
      const item = this.value(depth + 1);
      if (item === null) return null;
      items.push(item);
    } while (this.take(','));
    return this.take(']') ? { kind: 'array', items } : null;
  }
}

/** The tree printed again, numbers in the digits they came in. */
export function jsonTreeText(node: JsonNode): string {
  switch (node.kind) {
    case 'object':
      return `{${[...node.members].map(([name, member]) => `${JSON.stringify(name)}:${jsonTreeText(member)}`).join(',')}}`;
    case 'array':
      return `[${node.items.map(jsonTreeText).join(',')}]`;
    case 'string':
      return JSON.stringify(node.text);
    case 'number':
      return node.text;
    case 'boolean':
      return String(node.value);
    case 'null':
      return 'null';
  }
}

/** A string or number member as text, as Gson's getAsString gives it; undefined when it is neither or missing. */
export function textMember(node: JsonNode | undefined, name: string): string | undefined {
  const member = node?.kind === 'object' ? node.members.get(name) : undefined;
  return member?.kind === 'string' || member?.kind === 'number' ? member.text : undefined;
}
