/** System title and invocation counters for a verb that talks to a meter by itself. */
import { randomBytes } from 'node:crypto';
import { concat } from '../core/bytes.ts';
import { unkeptCounters } from '../meter/counters.ts';
import type { SecurityPorts } from '../meter/session.ts';

/** Without a database: a title of this moment, so that no counter of it was ever used, and counters asked of the meter. */
export function unkeptSecurityPorts(): SecurityPorts {
  return { systemTitle: concat([Buffer.from('DMM'), randomBytes(5)]), counters: unkeptCounters() };
}
