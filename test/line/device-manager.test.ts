import { expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import { type DeviceEvents, DeviceManager } from '../../src/line/device-manager.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';

const SILENCE = new BridgeError('METER_TIMEOUT', 'silence');
const NAMES: readonly (keyof DeviceEvents)[] = [
  'registered',
  'connecting',
  'connected',
  'disconnected',
  'error',
  'suspended',
  'resumed',
  'max-reconnect',
];

function bench() {
  const clock = new VirtualClock();
  const manager = new DeviceManager(clock, (error) => {
    throw error;
  });
  const told: string[] = [];
  for (const name of NAMES) manager.events.on(name, ({ kind, id }) => void told.push(`${name} ${kind} ${id}`));
  const monitor = manager.register({ kind: 'meter', id: 1, name: 'house1' });
  return { clock, manager, monitor, told };
}

test('a life: each change is told once', () => {
  const { monitor, told } = bench();
  monitor.attempt();
  monitor.answered();
  monitor.attempt();
  monitor.answered();
  monitor.lost(SILENCE);
  monitor.attempt();
  monitor.failed(SILENCE);
  monitor.exhausted(1, SILENCE);
  monitor.suspend('breaker');
  monitor.suspend('breaker');
  monitor.attempt();
  monitor.answered();
  monitor.suspend('operator');
  monitor.resume();
  monitor.resume();
  expect(told.map((entry) => entry.replace(' meter 1', ''))).toEqual([
    'registered',
    'connecting',
    'connected',
    'disconnected',
    'connecting',
    'error',
    'max-reconnect',
    'suspended',
    'resumed',
    'connected',
    'suspended',
    'resumed',
  ]);
});

test("the operator's suspension outranks the breaker's", () => {
  const { monitor } = bench();
  monitor.suspend('breaker');
  expect(monitor.statistics()).toMatchObject({ state: 'suspended', suspendedBy: 'breaker' });
  monitor.suspend('operator');
  monitor.suspend('breaker');
  expect(monitor.statistics()).toMatchObject({ state: 'suspended', suspendedBy: 'operator' });
  monitor.resume();
  expect(monitor.statistics()).toMatchObject({ state: 'disconnected', suspendedBy: null });
});

test('statistics: connections, errors, mean time up, last seen', async () => {
  const { clock, manager, monitor } = bench();
  expect(monitor.statistics()).toMatchObject({ connections: 0, averageUptimeMs: null, lastSeen: null });
  monitor.answered();
  await clock.advance(10_000);
  monitor.failed(SILENCE);
  await clock.advance(5_000);
  monitor.answered();
  await clock.advance(20_000);
  expect(monitor.statistics()).toEqual({
    state: 'connected',
    suspendedBy: null,
    connections: 2,
    reconnections: 1,
    errors: 1,
    averageUptimeMs: 15_000,
    lastSeen: clock.now() - 20_000,
  });
  manager.register({ kind: 'meter', id: 2, name: 'house2' }).suspend('operator');
  manager.register({ kind: 'meter', id: 3, name: 'house3' }, 5);
  manager.register({ kind: 'line', id: 1, name: 'tcp://h:1' });
  expect(manager.totals('meter')).toEqual({
    total: 3,
    connected: 1,
    connecting: 0,
    disconnected: 1,
    error: 0,
    suspended: 1,
    connections: 2,
    reconnections: 1,
    errors: 1,
    averageUptimeMs: 15_000,
    lastSeen: clock.now() - 20_000,
  });
  manager.keepOnly('meter', new Set([3]));
  expect(manager.totals('meter')).toMatchObject({ total: 1, averageUptimeMs: null, lastSeen: 5 });
  expect(manager.totals('line').total).toBe(1);
});

test('a device that is registered again goes on; under another name it is new but was seen', () => {
  const { manager, monitor, told } = bench();
  monitor.answered();
  expect(manager.register({ kind: 'meter', id: 1, name: 'house1' })).toBe(monitor);
  const renamed = manager.register({ kind: 'meter', id: 1, name: 'villa' });
  expect(renamed.statistics()).toMatchObject({ state: 'disconnected', lastSeen: monitor.statistics().lastSeen });
  expect(told.filter((entry) => entry.startsWith('registered'))).toHaveLength(2);
});
