/** Numbers with names, as the ENUMERATED types of the standards have them. */
import { fail } from '../../core/errors.ts';

export interface NameTable<Name extends string> {
  readonly names: Readonly<Record<number, Name>>;
  /** The name of a code; `unassigned-N` where the standard has none, so that what a meter says is never lost. */
  nameOf(code: number): string;
  /** The code of a name, `unassigned-N` included; throws INVALID_VALUE. */
  codeOf(name: string): number;
}

const UNASSIGNED = 'unassigned-';

export function nameTable<Name extends string>(names: Readonly<Record<number, Name>>): NameTable<Name> {
  const codes = new Map<string, number>(Object.entries(names).map(([code, name]) => [name, Number(code)]));
  return {
    names,
    nameOf: (code) => names[code] ?? `${UNASSIGNED}${code}`,
    codeOf: (name) => {
      const code =
        codes.get(name) ?? (name.startsWith(UNASSIGNED) ? Number(name.slice(UNASSIGNED.length)) : Number.NaN);
      return Number.isInteger(code) ? code : fail('INVALID_VALUE', `"${name}" is no name of this table`);
    },
  };
}

/** A table from names that are numbered from 0. */
export function listTable<Name extends string>(names: readonly Name[]): NameTable<Name> {
  return nameTable(Object.fromEntries(names.map((name, code) => [code, name])) as Record<number, Name>);
}
