/** Reads compact data (class 62) with what is needed to understand it: two round trips, and one more for scalers not known. */
import { type BridgeError, fail } from '../core/errors.ts';
import type { Data } from '../dlms/axdr/data.ts';
import {
  COMPACT_DATA,
  COMPACT_DATA_ATTRIBUTE,
  type CompactElement,
  expandCompactData,
  parseCompactTemplate,
} from '../dlms/cosem/compact-data.ts';
import type { ScalerUnit } from '../dlms/cosem/scaler-unit.ts';
import { dataAccessError } from '../dlms/xdlms/data-access-result.ts';
import { readAttributes } from './client.ts';
import { columnScaler, learnScalers } from './column-scalers.ts';
import type { Knowledge } from './knowledge.ts';
import type { MeterSession } from './session.ts';

export interface ScaledElement extends CompactElement {
  readonly scalerUnit: ScalerUnit | null;
  /** Why the meter does not tell the scaler; the number may then be wrong by powers of ten. */
  readonly scalerError: BridgeError | null;
}

/**
 * What a compact buffer says, which was read just now. Throws DATA_ACCESS_*, MALFORMED when it does not fit the template,
 * and what ends the session.
 */
export async function expandBuffer(
  session: MeterSession,
  obis: string,
  buffer: Data,
  knowledge: Knowledge,
): Promise<readonly ScaledElement[]> {
  const { captureObjects, templateId, templateDescription } = COMPACT_DATA_ATTRIBUTE;
  const answers = await readAttributes(
    session,
    [captureObjects, templateId, templateDescription].map((attributeId) => ({
      classId: COMPACT_DATA,
      instanceId: obis,
      attributeId,
    })),
  );
  const [objects, id, description] = answers.map((answer, index) => {
    if ('data' in answer) return answer.data;
    throw dataAccessError(answer.dataAccessResult.code, `${COMPACT_DATA}:${obis}:${captureObjects + index}`);
  });
  if (objects === undefined || id === undefined || description === undefined) {
    return fail('UNEXPECTED_RESPONSE', 'no template');
  }
  if (buffer.type !== 'octet-string') {
    return fail('MALFORMED', `a compact buffer is an octet-string, this one is a ${buffer.type}`, { layer: 'cosem' });
  }
  const elements = expandCompactData(buffer.value, parseCompactTemplate(objects, id, description));
  const { refused } = await learnScalers(
    session,
    elements.map(({ object }) => object),
    knowledge,
  );
  return elements.map((element) => ({ ...element, ...columnScaler(element.object, knowledge, refused) }));
}
