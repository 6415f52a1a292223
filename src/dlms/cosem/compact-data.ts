/**
 * Compact data, class 62 (Blue Book 4.3.10): what a set of capture objects says, as contents without tags, and the template
 * that tells their types. The template has an id, which stands first in the contents.
 */
import { BridgeError, fail } from '../../core/errors.ts';
import { parseContents, parseTypeDescription } from '../axdr/compact-array.ts';
import type { Budget, Data } from '../axdr/data.ts';
import { type CaptureObject, parseCaptureObjects, wholeNumber } from './profile-generic.ts';

export const COMPACT_DATA = 62;

/** Attributes of class 62. */
export const COMPACT_DATA_ATTRIBUTE = { buffer: 2, captureObjects: 3, templateId: 4, templateDescription: 5 } as const;

export interface CompactTemplate {
  readonly captureObjects: readonly CaptureObject[];
  readonly templateId: number;
  /** Type description, as in a compact-array. */
  readonly description: Uint8Array;
}

export interface CompactElement {
  readonly object: CaptureObject;
  readonly data: Data;
}

/** Elements that one buffer may unfold to: far more than a meter captures. */
const MOST_ELEMENTS = 10_000;

/** From attributes 3, 4 and 5. Throws MALFORMED. */
export function parseCompactTemplate(captureObjects: Data, templateId: Data, description: Data): CompactTemplate {
  if (description.type !== 'octet-string') return malformed(`template_description is a ${description.type}`);
  const id = wholeNumber(templateId) ?? malformed('template_id is no number');
  return { captureObjects: parseCaptureObjects(captureObjects), templateId: id, description: description.value };
}

/**
 * What the buffer says of each capture object, in order. Throws MALFORMED when template, buffer and capture objects do not
 * fit one another, or the buffer is of another template: the objects have changed meanwhile.
 */
export function expandCompactData(buffer: Uint8Array, template: CompactTemplate): readonly CompactElement[] {
  const { captureObjects, templateId } = template;
  const [first] = captureObjects;
  const capturesId = first !== undefined && isTemplateIdOf(first);
  const values = capturesId ? membersIn(buffer, template) : valuesIn(buffer, template);
  const sentId = capturesId ? wholeNumber(values[0]) : null;
  if (sentId !== null && sentId !== templateId) {
    return malformed(`the buffer is of template ${sentId}, the object has template ${templateId}`);
  }
  if (values.length !== captureObjects.length) {
    return malformed(`${values.length} values for ${captureObjects.length} capture objects`);
  }
  return captureObjects.map((object, index) => ({ object, data: values[index]! }));
}

function isTemplateIdOf({ classId, attribute }: CaptureObject): boolean {
  return classId === COMPACT_DATA && attribute === COMPACT_DATA_ATTRIBUTE.templateId;
}

/** Where the id of the template is not captured, it may stand before the contents all the same. */
function valuesIn(buffer: Uint8Array, template: CompactTemplate): readonly Data[] {
  try {
    return membersIn(buffer, template);
  } catch (error) {
    if (!(error instanceof BridgeError) || buffer[0] !== template.templateId) throw error;
    return membersIn(buffer.subarray(1), template);
  }
}

function membersIn(contents: Uint8Array, { description }: CompactTemplate): readonly Data[] {
  const budget: Budget = { elements: MOST_ELEMENTS };
  const type = parseTypeDescription(description, budget);
  const value = parseContents(contents, type, budget);
  return value.type === 'structure' ? value.value : [value];
}

function malformed(what: string): never {
  return fail('MALFORMED', `the compact data cannot be read: ${what}`, { layer: 'cosem' });
}
