/** The typed client: reads any number of attributes in as few requests as PDU size and conformance allow. */
import { asBridgeError, type BridgeError } from '../core/errors.ts';
import type { ObjectList } from '../dlms/cosem/object-list.ts';
import type { AttributeReference, GetResult } from '../dlms/xdlms/services.ts';
import type { MeterSession } from './session.ts';

/** temporary-failure: worth one more try within the same cycle. */
const TEMPORARY_FAILURE = 2;

/**
 * Reads the attributes and gives one result for each, in order. A refused attribute is a result, not an exception.
 * Throws what ends the session: METER_TIMEOUT, LINE_*, LINK_LOST, ASSOCIATION_LOST and the like.
 */
export async function readAttributes(
  session: MeterSession,
  attributes: readonly AttributeReference[],
): Promise<readonly GetResult[]> {
  const results = await readOnce(session, attributes);
  const again = results.flatMap((result, index) =>
    'dataAccessResult' in result && result.dataAccessResult.code === TEMPORARY_FAILURE ? [index] : [],
  );
  if (again.length === 0) return results;
  const retried = await readOnce(
    session,
    again.map((index) => attributes[index]!),
  );
  return results.map((result, index) => (again.includes(index) ? retried[again.indexOf(index)]! : result));
}

/**
 * The association's object list, with what was odd about it. Throws DATA_ACCESS_*, MALFORMED for what is no list at all,
 * and what ends the session.
 */
export function readObjectList(session: MeterSession): Promise<ObjectList> {
  return session.objectList();
}

async function readOnce(session: MeterSession, attributes: readonly AttributeReference[]): Promise<GetResult[]> {
  const results: GetResult[] = [];
  for (let at = 0; at < attributes.length; ) {
    const portion = attributes.slice(at, at + session.longestList);
    results.push(...(await readPortion(session, portion)));
    at += portion.length;
  }
  return results;
}

async function readPortion(
  session: MeterSession,
  portion: readonly AttributeReference[],
): Promise<readonly GetResult[]> {
  if (portion.length > 1) {
    try {
      return await session.get(portion);
    } catch (thrown) {
      const error = asBridgeError(thrown);
      // Granted, and refused all the same, or answered with what is no list: this meter gets single GETs from now on.
      if (isRefusal(error) || NO_LIST.has(error.code)) session.listRefused = true;
      // A broken answer has cost the association; the next attempt does without lists.
      if (!session.isAssociated || !session.listRefused) throw error;
    }
  }
  const results: GetResult[] = [];
  for (const attribute of portion) results.push(...(await session.get([attribute])));
  return results;
}

/** What a list answer comes to that some servers build wrongly, in blocks above all. */
const NO_LIST: ReadonlySet<string> = new Set(['MALFORMED', 'TRAILING_BYTES', 'TRUNCATED', 'UNEXPECTED_RESPONSE']);

function isRefusal({ code }: BridgeError): boolean {
  return code === 'EXCEPTION_RESPONSE' || code === 'SERVICE_ERROR' || code.startsWith('DATA_ACCESS_');
}
