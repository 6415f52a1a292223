/** The items of a push, unfolded to the values that a bridge delivers: one object, one value, scaler and unit where known. */
import type { Data } from '../axdr/data.ts';
import type { ScalerUnit } from '../cosem/scaler-unit.ts';
import { entryItem, type PushedAttribute, type PushItem, strictScalerUnit } from './body.ts';

export interface PushRegister {
  readonly obis: string | null;
  readonly attribute: PushedAttribute | null;
  readonly data: Data;
  readonly scalerUnit: ScalerUnit | null;
  /** Place among the items, from 0: what a positional mapping of a meter goes by. */
  readonly position: number;
}

/** Lists in lists are unfolded so deep. */
const DEEPEST = 4;

/**
 * Takes apart what items still hold: `{OBIS, value, {scaler, unit}}` among other elements, a value that is itself
 * `{value, {scaler, unit}}`, lists of such entries. The push object list is left out.
 */
export function pushRegisters(items: readonly PushItem[]): readonly PushRegister[] {
  return items.flatMap((item, position) => (item.isList ? [] : unfolded(item, position, 0)));
}

function unfolded(item: PushItem, position: number, depth: number): PushRegister[] {
  if (item.obis === null) {
    const entry = entryItem(item.data);
    if (entry.obis !== null) return [registerOf(entry, position)];
    if (isList(item.data) && depth < DEEPEST) {
      return item.data.value.flatMap((element) => unfolded({ ...item, data: element }, position, depth + 1));
    }
  }
  return [registerOf(item, position)];
}

/** Whether entries that name their object stand in it. */
function isList(data: Data): data is Data & { readonly value: readonly Data[] } {
  if (data.type !== 'array' && data.type !== 'structure' && data.type !== 'compact-array') return false;
  return data.value.some((element) => entryItem(element).obis !== null || isList(element));
}

function registerOf({ obis, attribute, data, scalerUnit }: PushItem, position: number): PushRegister {
  if (scalerUnit === null && data.type === 'structure' && data.value.length === 2) {
    const [value, second] = data.value as [Data, Data];
    const beside = strictScalerUnit(second);
    if (beside !== null && !isNested(value)) return { obis, attribute, data: value, scalerUnit: beside, position };
  }
  return { obis, attribute, data, scalerUnit, position };
}

function isNested(data: Data): boolean {
  return data.type === 'array' || data.type === 'structure' || data.type === 'compact-array';
}
