/** The short names of a virtual meter's objects (Blue Book 4.2): which it has, and what a short name stands for. */
import {
  ASSOCIATION_SN,
  attributeShortName,
  methodShortName,
  type ShortNamedObject,
} from '../../dlms/cosem/short-names.ts';
import type { ObjectDefinition } from './object-model.ts';

export type ShortNameTarget =
  | { readonly kind: 'attribute'; readonly object: ObjectDefinition; readonly id: number }
  | { readonly kind: 'method'; readonly object: ObjectDefinition; readonly id: number };

/** Names begin below 8000 and end above it: the object list has base names of either sign. */
const FIRST = 0x7e00;
const STEP = 8;

export class ShortNameTable {
  private readonly bases = new Map<ObjectDefinition, number>();
  private readonly targets = new Map<number, ShortNameTarget>();

  constructor(objects: readonly ObjectDefinition[]) {
    let next = FIRST;
    for (const object of objects) {
      const isAssociation = object.classId === ASSOCIATION_SN.classId;
      const names = this.add(object, isAssociation ? ASSOCIATION_SN.baseName : next);
      if (!isAssociation) next = Math.max(...names) + STEP;
    }
  }

  /** The names that the object has. */
  private add(object: ObjectDefinition, base: number): readonly number[] {
    this.bases.set(object, base);
    const names: number[] = [];
    const give = (name: number, target: ShortNameTarget): void => {
      names.push(name);
      this.targets.set(name, target);
    };
    object.attributes.forEach((_, index) => {
      give(attributeShortName(base, index + 1), { kind: 'attribute', object, id: index + 1 });
    });
    for (let id = 1; id <= object.methods; id += 1) {
      const method = methodShortName({ ...object, baseName: base }, id);
      if (method !== null) give(method.name, { kind: 'method', object, id });
    }
    return names;
  }

  find(name: number): ShortNameTarget | null {
    return this.targets.get(name) ?? null;
  }

  /** The objects that have a short name, with it. */
  named<T extends ObjectDefinition>(objects: readonly T[]): readonly (T & ShortNamedObject)[] {
    return objects.flatMap((object) => {
      const baseName = this.bases.get(object);
      return baseName === undefined ? [] : [{ ...object, baseName }];
    });
  }
}
