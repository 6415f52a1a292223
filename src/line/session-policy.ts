/** Whether a meter's association is kept between reads. */
import type { SessionPolicy } from '../dlms/settings.ts';

/** Meters end an association that was silent for so long; two minutes is what HDLC profiles have (Green Book 8.4.5.4). */
const USUAL_INACTIVITY_TIMEOUT_MS = 120_000;

/** The meter's own policy, else the line's, else: an association that would die before the next read is released. */
export function keepsSession(ofMeter: SessionPolicy, ofLine: SessionPolicy, shortestIntervalMs: number): boolean {
  const policy = ofMeter === 'auto' ? ofLine : ofMeter;
  return policy === 'auto' ? shortestIntervalMs < USUAL_INACTIVITY_TIMEOUT_MS : policy === 'keep';
}
