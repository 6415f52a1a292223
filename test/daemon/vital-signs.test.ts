import { expect, test } from 'vitest';
import { type VitalFacts, VitalSigns } from '../../src/daemon/alerts/vital-signs.ts';
import type { PollingEvents } from '../../src/polling/events.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { EventBus } from '../../src/runtime/events.ts';

const MINUTE = 60_000;

function bench() {
  const clock = new VirtualClock();
  const polling = new EventBus<PollingEvents>((error) => {
    throw error;
  });
  const vitals = new VitalSigns(clock, polling);
  const facts: VitalFacts = { connectedMeters: 0, shortestIntervalMs: 1000, connections: new Map() };
  /** Time passes with both loops going on. */
  const pass = async (ms: number): Promise<void> => {
    await clock.advance(ms);
    vitals.beat('configuration');
    vitals.beat('database');
  };
  return { clock, polling, vitals, facts, pass };
}

test('a loop whose turn does not end is told, until it ends', async () => {
  const { clock, vitals, facts } = bench();
  await clock.advance(89_000);
  expect(vitals.ailments(facts)).toEqual([]);
  vitals.beat('configuration');
  await clock.advance(2000);
  expect(vitals.ailments(facts)).toEqual(['database: no turn ended for 91 s']);
  vitals.beat('database');
  expect(vitals.ailments(facts)).toEqual([]);
});

test('silent polling is told while meters are connected, by the shortest interval', async () => {
  const { polling, vitals, facts, pass } = bench();
  await pass(11 * MINUTE);
  expect(vitals.ailments(facts)).toEqual([]);
  expect(vitals.ailments({ ...facts, connectedMeters: 1 })).toEqual(['scheduler: nothing was polled for 660 s']);
  expect(vitals.ailments({ ...facts, connectedMeters: 1, shortestIntervalMs: 5 * MINUTE })).toEqual([]);
  polling.emit('late', { meterId: 1 });
  expect(vitals.ailments({ ...facts, connectedMeters: 1 })).toEqual([]);
});

test('connecting without an end is told; waiting and connected are not', async () => {
  const { vitals, facts, pass } = bench();
  const look = (state: string, sessions = 0): readonly string[] =>
    vitals.ailments({ ...facts, connections: new Map([[7, { state, sessions }]]) });
  for (const state of ['waiting', 'connected']) {
    expect(look(state)).toEqual([]);
    await pass(MINUTE * 10);
    expect(look(state)).toEqual([]);
  }
  expect(look('connecting')).toEqual([]);
  await pass(2 * MINUTE);
  expect(look('connecting')).toEqual([]);
  expect(look('waiting')).toEqual([]);
  expect(look('connecting')).toEqual([]);
  await pass(3 * MINUTE + 1000);
  expect(look('connecting')).toEqual(['publisher: connection 7 has been connecting for 181 s']);
});
