/** What ThingsBoard tells of devices becomes changes of the fleet: in order, each until it is stored. */
import { expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import { DeviceNotices } from '../../src/daemon/attributes/device-notices.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { EventBus } from '../../src/runtime/events.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { ThingsBoardEvents } from '../../src/thingsboard/events.ts';
import { until } from '../support/until.ts';

test('a disk that is full holds them up, a name that cannot be is passed over, and the fleet is read once', async () => {
  const clock = new VirtualClock();
  const thingsboard = new EventBus<ThingsBoardEvents>((error) => {
    throw error;
  });
  const done: string[] = [];
  let isFull = true;
  const notices = new DeviceNotices({
    thingsboard,
    clock,
    log: silentLogger,
    signal: new AbortController().signal,
    writer: {
      async renameMeter(from, to) {
        if (isFull) throw new BridgeError('DATABASE_FULL', 'full');
        if (from === 'nobody') throw new BridgeError('NOT_FOUND', 'nobody');
        done.push(`${from} is ${to}`);
      },
      async suspendDeleted(device) {
        done.push(`${device} is gone`);
        return 1;
      },
    },
    changed: async () => void done.push('read'),
    settled: (connectionId, device) => void done.push(`${connectionId} ${device} goes on`),
  });
  thingsboard.emit('renamed', { connectionId: 1, from: 'A', to: 'B' });
  thingsboard.emit('renamed', { connectionId: 1, from: 'nobody', to: 'C' });
  thingsboard.emit('deleted', { connectionId: 2, device: 'B' });
  await clock.advance(1000);
  expect(done).toEqual([]);
  isFull = false;
  await until('all is done', () => done.at(-1) === 'read', { clock, stepMs: 1000 });
  await notices.stored();
  expect(done).toEqual(['A is B', '1 A goes on', '1 nobody goes on', 'B is gone', '2 B goes on', 'read']);
});
