/** What operators read in the journal: one line per event, the phrases that people grep for, fields for machines. */
import { decimalText } from '../core/decimal.ts';
import type { PollingEvents } from '../polling/poller.ts';
import type { ReadingValue } from '../reading/reading.ts';
import type { EventBus } from '../runtime/events.ts';
import type { Logger } from '../runtime/logger.ts';
import type { ThingsBoardEvents } from '../thingsboard/events.ts';
import type { DaemonFigures } from './status-board.ts';

export function logEvents(
  polling: EventBus<PollingEvents>,
  thingsboard: EventBus<ThingsBoardEvents>,
  log: Logger,
): void {
  const failing = new Map<number, string>();
  polling.on('committed', ({ meterId, cycleId, readings, failures, pollMs, roundTrips }) => {
    if (failing.delete(meterId)) log.info({ meterId }, 'meter answers again');
    const values = Object.fromEntries(readings.map(({ key, value }) => [key, textOf(value)]));
    log.debug(
      { meterId, cycleId, pollMs: Math.round(pollMs), roundTrips, values, failed: failures.map(({ key }) => key) },
      'cycle committed',
    );
  });
  // A meter that goes on failing in the same way is said once.
  polling.on('failed', ({ meterId, cycleId, error }) => {
    const fields = { meterId, cycleId, code: error.code, fault: error.fault };
    if (failing.get(meterId) === error.code) log.debug(fields, error.message);
    else log.warn(fields, `meter not read: ${error.message}`);
    failing.set(meterId, error.code);
  });
  thingsboard.on('published', ({ connectionId, rowId, cycleId, readings }) =>
    log.debug({ connectionId, rowId, cycleId, readings }, 'row delivered'),
  );
}

export function logSummary(log: Logger, { cycles, messages, publishRate }: DaemonFigures): void {
  const rate = publishRate === null ? '-' : (publishRate * 100).toFixed(1);
  log.info({ cycles, messages, publishRate }, `Cycles: ${cycles} | MQTT: ${messages} msgs (${rate}%)`);
}

function textOf(value: ReadingValue): string {
  return typeof value === 'object' ? decimalText(value) : String(value);
}
