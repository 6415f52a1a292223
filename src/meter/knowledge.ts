/** What was learned of a meter and is kept by others for it, so that a steady-state poll asks for values only. */
import type { ScalerUnit } from '../dlms/cosem/scaler-unit.ts';

/** How a fact is kept: a kind and a JSON text, whatever the keeper is. */
export interface LearnedFact {
  readonly kind: string;
  readonly json: string;
}

export interface Knowledge {
  /** By `class:obis`; null: the object was asked and has none. */
  readonly scalerUnits: Map<string, ScalerUnit | null>;
  /** Class of each object in the object list by OBIS; null while the list was not read. */
  classes: ReadonlyMap<string, number> | null;
  /** The list was read by this process: an object that it has not is not looked for again. */
  classesAreFresh: boolean;
}

const SCALER_UNIT = 'scaler-unit:';
const CLASSES = 'object-classes';

export function objectKey(classId: number, obis: string): string {
  return `${classId}:${obis}`;
}

/** From the facts kept, by kind. */
export function knowledgeOf(learned: ReadonlyMap<string, string>): Knowledge {
  const scalerUnits = new Map<string, ScalerUnit | null>();
  for (const [kind, json] of learned) {
    if (kind.startsWith(SCALER_UNIT))
      scalerUnits.set(kind.slice(SCALER_UNIT.length), JSON.parse(json) as ScalerUnit | null);
  }
  const classes = learned.get(CLASSES);
  return {
    scalerUnits,
    classes: classes === undefined ? null : new Map(JSON.parse(classes) as [string, number][]),
    classesAreFresh: false,
  };
}

export function scalerUnitFact(key: string, scalerUnit: ScalerUnit | null): LearnedFact {
  return { kind: SCALER_UNIT + key, json: JSON.stringify(scalerUnit) };
}

export function classesFact(classes: ReadonlyMap<string, number>): LearnedFact {
  return { kind: CLASSES, json: JSON.stringify([...classes]) };
}
