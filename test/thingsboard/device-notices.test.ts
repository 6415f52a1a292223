/** A publisher whose devices are renamed or deleted at the server: nothing goes under a name that is none any more. */
import { describe, expect, test } from 'vitest';
import { publisherBench, range } from '../support/publisher-bench.ts';
import { quiet, until } from '../support/until.ts';

const bench = publisherBench();

describe.each(['5', '3.1.1'] as const)('MQTT %s', (protocol) => {
  test('rows wait until the new name is stored; other devices go on', async () => {
    const now = bench();
    await now.startDouble('gateway');
    now.double.withholdAcks();
    now.start(protocol, 'gateway', { window: 1 });
    await now.connected();
    now.addRows(5);
    // Its announcement is on its way, the first row behind it.
    await until('the device is there', () => now.double.received().devices.has('house1'));
    now.double.tenant.rename('house1', 'flat 7');
    await until('it is told', () => now.eventsOf('renamed').length > 0);
    expect(now.eventsOf('renamed')).toEqual([{ connectionId: 1, from: 'house1', to: 'flat 7' }]);
    now.double.releaseAcks();
    now.addRows(1, 'house2');
    now.publisher.notify();
    await until('the other is delivered', () => now.storedTimes('house2').length === 1);
    await quiet();
    expect([...now.double.received().devices.keys()].toSorted()).toEqual(['flat 7', 'gateway', 'house2']);
    for (const row of now.outbox.rows.values()) now.outbox.rows.set(row.id, { ...row, device: 'flat 7' });
    now.publisher.settled('house1');
    await now.emptied();
    expect(now.storedTimes('flat 7')).toEqual(range(1, 5));
    expect(now.double.received().devices.has('house1')).toBe(false);
  });

  test('what was sent in part is sent again as a whole', async () => {
    const now = bench();
    await now.startDouble('gateway', { limits: { maxPayloadSize: 130 } });
    now.start(protocol, 'gateway', { window: 1 });
    await now.connected();
    now.double.withholdAcks();
    // One row, several messages.
    now.outbox.add(range(1, 4).map((ts) => ({ key: 'energy', ts, type: 'number', text: '1.5', quality: 'good' })));
    now.publisher.notify();
    await until('the device is announced', () => now.double.received().devices.has('house1'));
    now.double.releaseAcks();
    now.double.withholdAcks();
    await until('a part is stored', () => now.storedTimes().length > 0);
    expect(now.storedTimes().length).toBeLessThan(4);
    now.double.tenant.remove('house1');
    await until('it is told', () => now.eventsOf('deleted').length > 0);
    expect(now.eventsOf('deleted')).toEqual([{ connectionId: 1, device: 'house1' }]);
    now.double.releaseAcks();
    await quiet();
    expect(now.double.received().devices.has('house1')).toBe(false);
    expect(now.outbox.rows.size).toBe(1);
    // Nothing came of it: it goes on as before.
    now.publisher.settled('house1');
    await now.emptied();
    expect(now.storedTimes()).toEqual(range(1, 4));
  });

  test('what waits because the device is at a limit of its own does not go under the old name either', async () => {
    const now = bench();
    await now.startDouble('gateway', { clock: now.clock, limits: { rates: { telemetryDataPoints: '10:3600' } } });
    now.addRows(20);
    now.start(protocol, 'gateway');
    await until('its share is delivered', () => now.storedTimes().length === 8);
    now.double.tenant.rename('house1', 'flat 7');
    await until('it is told', () => now.eventsOf('renamed').length > 0);
    for (const row of now.outbox.rows.values()) now.outbox.rows.set(row.id, { ...row, device: 'flat 7' });
    now.publisher.settled('house1');
    await until('the outbox is empty', () => now.outbox.rows.size === 0, { clock: now.clock, stepMs: 60_000 });
    expect(now.storedTimes('flat 7')).toEqual(range(1, 20));
    expect(now.double.received().devices.has('house1')).toBe(false);
  });

  test('what cannot be understood is passed over', async () => {
    const now = bench();
    await now.startDouble('gateway');
    now.start(protocol, 'gateway');
    await now.connected();
    now.addRows(1);
    now.publisher.notify();
    await now.emptied();
    now.double.tenant.rename('house1', '');
    await until('it is said', () => now.messagesLogged(40).length > 0);
    expect(now.messagesLogged(40)).toEqual(['ThingsBoard sent what cannot be understood; it is passed over']);
    expect(now.publisher.statistics().state).toBe('connected');
  });
});
