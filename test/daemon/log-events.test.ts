/** What the journal is told of events that go on. */
import { expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import { logEvents } from '../../src/daemon/log-events.ts';
import type { DeviceManager } from '../../src/line/device-manager.ts';
import type { PollingEvents } from '../../src/polling/events.ts';
import { EventBus } from '../../src/runtime/events.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import type { ThingsBoardEvents } from '../../src/thingsboard/events.ts';

function bus<Events extends object>(): EventBus<Events> {
  return new EventBus<Events>((error) => {
    throw error;
  });
}

test('a full disk is said once for each meter, however often it is tried, and that it is over', () => {
  const lines: string[] = [];
  const logger = createLogger({
    level: 'info',
    destination: { write: (line) => void lines.push(line) },
    journal: false,
  });
  const polling = bus<PollingEvents>();
  logEvents(polling, bus<ThingsBoardEvents>(), { events: bus() } as Pick<DeviceManager, 'events'>, logger);
  const error = new BridgeError('DATABASE_FULL', 'no room');
  const refuse = (meterId: number): void =>
    polling.emit('unstored', { meterId, meter: `m${meterId}`, cycleId: 'cycle', error });
  const commit = (meterId: number): void => {
    const what = { readings: [], failures: [], skipped: [], pollMs: 1, roundTrips: 1, connectionIds: [] };
    polling.emit('committed', {
      ...({} as PollingEvents['committed']),
      ...what,
      meterId,
      meter: 'm1',
      cycleId: 'cycle',
    });
  };
  for (let tried = 0; tried < 50; tried += 1) refuse(1);
  refuse(2);
  commit(1);
  commit(1);
  refuse(1);
  expect(lines.map((line) => JSON.parse(line)).map(({ level, msg }) => `${level} ${msg}`)).toEqual([
    '50 readings cannot be stored yet: no room',
    '50 readings cannot be stored yet: no room',
    '30 readings are stored again',
    '50 readings cannot be stored yet: no room',
  ]);
});
