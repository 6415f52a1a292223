/** What operators read in the journal: one line per event, the phrases that people grep for, fields for machines. */
import { decimalText } from '../core/decimal.ts';
import type { DeviceManager } from '../line/device-manager.ts';
import type { PollingEvents } from '../polling/events.ts';
import { eventDocument } from '../polling/profile-readings.ts';
import type { Noticed } from '../polling/watched-read.ts';
import type { ReadingValue } from '../reading/reading.ts';
import type { EventBus } from '../runtime/events.ts';
import type { Logger } from '../runtime/logger.ts';
import type { ThingsBoardEvents } from '../thingsboard/events.ts';
import type { DaemonFigures } from './status/status-board.ts';

const NOTICED: Readonly<Record<Noticed['what'], string>> = {
  firmware: 'the meter has another firmware, everything learned of it was asked again',
  scaler: 'the meter counts in another scaler or unit',
  jump: 'an energy jumped while its scaler is the same',
};

export function logEvents(
  polling: EventBus<PollingEvents>,
  thingsboard: EventBus<ThingsBoardEvents>,
  { events: devices }: Pick<DeviceManager, 'events'>,
  root: Logger,
): void {
  const log = root.child({ room: 'polling' });
  const lineLog = root.child({ room: 'line' });
  const delivered = root.child({ room: 'thingsboard' });
  // A meter or point that goes on failing in the same way is said once.
  const failing = new Map<number, string>();
  const failingPoints = new Map<number, string>();
  const unstored = new Map<number, string>();
  polling.on('committed', ({ meterId, meter, cycleId, readings, failures, skipped, pollMs, roundTrips }) => {
    if (failing.delete(meterId)) log.info({ meter }, 'meter answers again');
    if (unstored.delete(meterId)) log.info({ meter }, 'readings are stored again');
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
  logIdentities(polling, log);
  logClocks(polling, log);
  logProfiles(polling, log);
  polling.on('unstored', ({ meterId, meter, cycleId, error: { code, hint, message } }) => {
    const fields = { meter, cycleId, code, hint };
    // It is tried again and again, on a full disk for hours.
    if (unstored.get(meterId) === code) log.debug(fields, `readings still cannot be stored: ${message}`);
    else log.error(fields, `readings cannot be stored yet: ${message}`);
    unstored.set(meterId, code);
  });
  polling.on('noticed', ({ meter, cycleId, what, key, obis, before, after }) =>
    log.warn({ meter, cycleId, what, key, obis, before, after }, `${NOTICED[what]}: ${key} was ${before}, is ${after}`),
  );
  devices.on('connecting', ({ kind, name }) => lineLog.debug({ [kind]: name }, `${kind} connecting`));
  devices.on('connected', ({ kind, name, reconnected }) =>
    lineLog.debug({ [kind]: name, reconnected }, `${kind} ${reconnected ? 'connected again' : 'connected'}`),
  );
  devices.on('disconnected', ({ kind, name, error }) =>
    lineLog.debug({ [kind]: name, code: error?.code ?? null }, `${kind} disconnected`),
  );
  devices.on('suspended', ({ kind, name, by }) => lineLog.warn({ [kind]: name, by }, `${kind} suspended by the ${by}`));
  devices.on('resumed', ({ kind, name }) => lineLog.info({ [kind]: name }, `${kind} resumed`));
  devices.on('max-reconnect', ({ kind, name, failures, error }) =>
    lineLog.warn(
      { [kind]: name, failures, code: error.code, hint: error.hint },
      `${kind} failed ${failures} times in a row: from now on it is probed slowly`,
    ),
  );
  thingsboard.on('published', ({ connectionId, rowId, cycleId, device, readings }) =>
    delivered.debug({ connectionId, meter: device, rowId, cycleId, readings }, 'row delivered'),
  );
}

function logIdentities(polling: EventBus<PollingEvents>, log: Logger): void {
  const strange = new Set<number>();
  polling.on('identified', ({ meterId, meter, identity: { pinned, stranger } }) => {
    if (stranger !== null) {
      strange.add(meterId);
      const hint = 'compare the serial numbers; then `meter accept` or `meter reject`';
      log.error(
        { meter, code: 'STRANGER', pinned, stranger, hint },
        `STRANGER: another meter answers for ${meter}; its readings are kept back`,
      );
    } else if (strange.delete(meterId)) log.info({ meter, pinned }, `${meter} is itself again`);
    else log.info({ meter, pinned }, `${meter} is known from now on`);
  });
}

function logClocks(polling: EventBus<PollingEvents>, log: Logger): void {
  const off = new Set<number>();
  polling.on('drift', ({ meterId, meter, driftMs, limitMs, error, wasSet }) => {
    const fields = { meter, driftSeconds: driftMs / 1000 };
    log.debug(fields, 'meter clock compared');
    if (wasSet) log.info(fields, 'the meter clock was off and was set');
    if (error !== null) log.warn({ ...fields, code: error.code }, `the meter clock was not set: ${error.message}`);
    if (Math.abs(driftMs) <= limitMs || wasSet) {
      if (off.delete(meterId) && !wasSet) log.info(fields, 'the meter clock is right again');
    } else if (!off.has(meterId)) {
      off.add(meterId);
      log.warn({ ...fields, limitSeconds: limitMs / 1000 }, 'the meter clock is off');
    }
  });
}

function logProfiles(polling: EventBus<PollingEvents>, log: Logger): void {
  const failing = new Map<string, string>();
  polling.on('profile', ({ meterId, meter, obis, cycleId, rows, upTo, happened, failures, isBehind, roundTrips }) => {
    if (failing.delete(`${meterId} ${obis}`)) log.info({ meter, obis }, 'profile is read again');
    for (const event of happened) log.warn({ meter, obis, cycleId, ...eventDocument(event) }, `profile: ${event.kind}`);
    const failed = failures.map(({ key, error }) => `${key}: ${error.code}`);
    log.debug({ meter, obis, cycleId, rows, upTo, failed, isBehind, roundTrips }, 'rows of a profile committed');
  });
  polling.on('profileFailed', ({ meterId, meter, obis, error: { code, fault, hint, message } }) => {
    const name = `${meterId} ${obis}`;
    const fields = { meter, obis, code, fault, hint };
    if (failing.get(name) === code) log.debug(fields, `profile not read: ${message}`);
    else log.warn(fields, `profile not read: ${message}`);
    failing.set(name, code);
  });
}

export function logSummary(log: Logger, { cycles, messages, publishRate }: DaemonFigures): void {
  const rate = publishRate === null ? '-' : `${(publishRate * 100).toFixed(1)}%`;
  log.info({ cycles, messages, publishRate }, `Cycles: ${cycles} | MQTT: ${messages} msgs (${rate})`);
}

function textOf(value: ReadingValue): string {
  return typeof value === 'object' ? decimalText(value) : String(value);
}
