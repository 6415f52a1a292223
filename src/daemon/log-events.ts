/** What operators read in the journal: one line per event, the phrases that people grep for, fields for machines. */
import { decimalText } from '../core/decimal.ts';
import type { DeviceManager } from '../line/device-manager.ts';
import type { PollingEvents } from '../polling/poller.ts';
import type { Noticed } from '../polling/watched-read.ts';
import type { ReadingValue } from '../reading/reading.ts';
import type { EventBus } from '../runtime/events.ts';
import type { Logger } from '../runtime/logger.ts';
import type { ThingsBoardEvents } from '../thingsboard/events.ts';
import type { DaemonFigures } from './status-board.ts';

const NOTICED: Readonly<Record<Noticed['what'], string>> = {
  firmware: 'the meter has another firmware, everything learned of it was asked again',
  scaler: 'the meter counts in another scaler or unit',
  jump: 'an energy jumped while its scaler is the same',
};

export function logEvents(
  polling: EventBus<PollingEvents>,
  thingsboard: EventBus<ThingsBoardEvents>,
  { events: devices }: DeviceManager,
  log: Logger,
): void {
  // A meter or point that goes on failing in the same way is said once.
  const failing = new Map<number, string>();
  const failingPoints = new Map<number, string>();
  polling.on('committed', ({ meterId, meter, cycleId, readings, failures, skipped, pollMs, roundTrips }) => {
    if (failing.delete(meterId)) log.info({ meter }, 'meter answers again');
    const points = [...failures, ...skipped]
      .map(({ key, error }) => `${key}: ${error.code}`)
      .toSorted()
      .join(', ');
    if (points !== (failingPoints.get(meterId) ?? '')) {
      if (points === '') log.info({ meter }, 'all points are read again');
      else log.warn({ meter, cycleId, points }, `points not read: ${points}`);
    }
    failingPoints.set(meterId, points);
    const values = Object.fromEntries(readings.map(({ key, value }) => [key, textOf(value)]));
    log.debug({ meter, cycleId, pollMs: Math.round(pollMs), roundTrips, values }, 'cycle committed');
  });
  polling.on('failed', ({ meterId, meter, cycleId, error }) => {
    const { code, fault, hint } = error;
    const fields = { meter, cycleId, code, fault, hint };
    if (failing.get(meterId) === code) log.debug(fields, `meter not read: ${error.message}`);
    else log.warn(fields, `meter not read: ${error.message}`);
    failing.set(meterId, code);
  });
  polling.on('unstored', ({ meter, cycleId, error }) =>
    log.error({ meter, cycleId, code: error.code }, `readings cannot be stored yet: ${error.message}`),
  );
  polling.on('noticed', ({ meter, cycleId, what, key, obis, before, after }) =>
    log.warn({ meter, cycleId, what, key, obis, before, after }, `${NOTICED[what]}: ${key} was ${before}, is ${after}`),
  );
  devices.on('connecting', ({ kind, name }) => log.debug({ [kind]: name }, `${kind} connecting`));
  devices.on('connected', ({ kind, name, reconnected }) =>
    log.debug({ [kind]: name, reconnected }, `${kind} ${reconnected ? 'connected again' : 'connected'}`),
  );
  devices.on('disconnected', ({ kind, name, error }) =>
    log.debug({ [kind]: name, code: error?.code ?? null }, `${kind} disconnected`),
  );
  devices.on('suspended', ({ kind, name, by }) => log.warn({ [kind]: name, by }, `${kind} suspended by the ${by}`));
  devices.on('resumed', ({ kind, name }) => log.info({ [kind]: name }, `${kind} resumed`));
  devices.on('max-reconnect', ({ kind, name, failures, error }) =>
    log.warn(
      { [kind]: name, failures, code: error.code, hint: error.hint },
      `${kind} failed ${failures} times in a row: from now on it is probed slowly`,
    ),
  );
  thingsboard.on('published', ({ connectionId, rowId, cycleId, device, readings }) =>
    log.debug({ connectionId, meter: device, rowId, cycleId, readings }, 'row delivered'),
  );
}

export function logSummary(log: Logger, { cycles, messages, publishRate }: DaemonFigures): void {
  const rate = publishRate === null ? '-' : `${(publishRate * 100).toFixed(1)}%`;
  log.info({ cycles, messages, publishRate }, `Cycles: ${cycles} | MQTT: ${messages} msgs (${rate})`);
}

function textOf(value: ReadingValue): string {
  return typeof value === 'object' ? decimalText(value) : String(value);
}
