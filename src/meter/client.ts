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
      // Granted, and refused all the same: this meter gets lists of half the length, in the end single GETs.
      if (isRefusal(error)) session.listLimit = Math.floor(portion.length / 2);
      // Answered with what is no list: it gets none any more. That has cost the association; the next attempt does without.
      else if (NO_LIST.has(error.code)) session.listLimit = 1;
      else throw error;
      if (!session.isAssociated) throw error;
      return readOnce(session, portion);
    }
  }
  return portion.length === 0 ? [] : session.get(portion);
}

/** What a list answer comes to that some servers build wrongly, in blocks above all. */
const NO_LIST: ReadonlySet<string> = new Set(['MALFORMED', 'TRAILING_BYTES', 'TRUNCATED', 'UNEXPECTED_RESPONSE']);

function isRefusal({ code }: BridgeError): boolean {
  return code === 'EXCEPTION_RESPONSE' || code === 'SERVICE_ERROR' || code.startsWith('DATA_ACCESS_');
}
