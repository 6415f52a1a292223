/** Scalers of what is captured: of the columns of a profile, of the elements of compact data. */
import type { BridgeError } from '../core/errors.ts';
import type { CaptureObject } from '../dlms/cosem/profile-generic.ts';
import { parseScalerUnit, type ScalerUnit } from '../dlms/cosem/scaler-unit.ts';
import { dataAccessError } from '../dlms/xdlms/data-access-result.ts';
import type { AttributeReference } from '../dlms/xdlms/services.ts';
import { readAttributes } from './client.ts';
import { type Knowledge, type LearnedFact, objectKey, scalerUnitFact } from './knowledge.ts';
import { SCALER_ATTRIBUTE } from './points.ts';
import type { MeterSession } from './session.ts';

export interface ColumnScaler {
  readonly scalerUnit: ScalerUnit | null;
  /** Why the meter does not tell the scaler; the numbers of the column may then be wrong by powers of ten. */
  readonly scalerError: BridgeError | null;
}

/** What is known of a column's scaler after `learnScalers`. */
export function columnScaler(column: CaptureObject, knowledge: Knowledge, refused: Scalers['refused']): ColumnScaler {
  const key = scalerKeyOf(column);
  if (key === null) return { scalerUnit: null, scalerError: null };
  return { scalerUnit: knowledge.scalerUnits.get(key) ?? null, scalerError: refused.get(key) ?? null };
}

export interface Scalers {
  readonly learned: LearnedFact[];
  readonly refused: ReadonlyMap<string, BridgeError>;
}

/** Asks for the scalers of the columns that are not known yet. */
export async function learnScalers(
  session: MeterSession,
  columns: readonly CaptureObject[],
  knowledge: Knowledge,
): Promise<Scalers> {
  const wanted = new Map<string, AttributeReference>();
  for (const column of columns) {
    const key = scalerKeyOf(column);
    if (key === null || knowledge.scalerUnits.has(key)) continue;
    const { classId, obis } = column;
    wanted.set(key, { classId, instanceId: obis, attributeId: SCALER_ATTRIBUTE[classId]!.at });
  }
  const answers = await readAttributes(session, [...wanted.values()]);
  const learned: LearnedFact[] = [];
  const refused = new Map<string, BridgeError>();
  for (const [index, key] of [...wanted.keys()].entries()) {
    const answer = answers[index]!;
    if ('data' in answer) {
      const scalerUnit = parseScalerUnit(answer.data);
      knowledge.scalerUnits.set(key, scalerUnit);
      learned.push(scalerUnitFact(key, scalerUnit));
    } else {
      refused.set(key, dataAccessError(answer.dataAccessResult.code, `the scaler of ${key}`));
    }
  }
  return { learned, refused };
}

/**
 * What the scaler of a column is known by; null where there is none. Attribute 0 is the value for meters that write it so;
 * where it means all attributes, a scaler does no harm.
 */
function scalerKeyOf({ classId, obis, attribute }: CaptureObject): string | null {
  const scaled = attribute === 0 ? VALUE : attribute;
  return SCALER_ATTRIBUTE[classId]?.of.includes(scaled) ? objectKey(classId, obis) : null;
}

const VALUE = 2;
