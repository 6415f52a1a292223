/** Which service reads, by what the meter granted. */
import type { ConformanceBit } from '../dlms/xdlms/conformance.ts';
import type { ListShape } from './services.ts';

export type ReadService = 'get' | 'access';

export interface ReadServices {
  /** For one attribute. */
  readonly one: ReadService;
  /** For several at once; null where that cannot be. */
  readonly several: ReadService | null;
}

/** Octets of a request for several attributes: get-request-with-list, access-request (Green Book 9.5). */
export const LIST_SHAPES: Readonly<Record<ReadService, ListShape>> = {
  get: { header: 4, item: 10 },
  access: { header: 10, item: 11 },
};

/**
 * GET where it is granted: it is older than ACCESS, and understood better. ACCESS stands in for what is missing. A meter that
 * grants neither is asked by GET, which then says what was not granted.
 */
export function readServicesFor(isGranted: (bit: ConformanceBit) => boolean): ReadServices {
  const get = isGranted('get');
  const access = isGranted('access');
  const several = get && isGranted('multiple-references') ? 'get' : access ? 'access' : null;
  return { one: get || !access ? 'get' : 'access', several };
}
