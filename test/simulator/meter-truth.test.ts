import { describe, expect, test } from 'vitest';
import { compareWithTruth, MeterTruth, type Said } from '../../src/simulator/meter/truth.ts';

const T0 = Date.UTC(2026, 0, 1);
const KEYS = { energy: '1.0.1.8.0.255', voltage: '1.0.32.7.0.255' };

function energy(seconds: number, value: string, intact = true): Said {
  return { obis: '1.0.1.8.0.255', classId: 3, attribute: 2, at: T0 + seconds * 1000, value, intact };
}
const got = (seconds: number, value: string | number, key = 'energy') => ({ key, ts: T0 + seconds * 1000 + 20, value });

describe('comparing with the truth', () => {
  test('finds nothing when everything arrived, whatever the notation', () => {
    const result = compareWithTruth([energy(0, '100.5'), energy(5, '101')], [got(0, 100.5), got(5, '101.0')], KEYS);
    expect(result).toEqual({ expected: 2, lost: [], wrong: [], duplicates: 0 });
  });

  test('names what was lost', () => {
    const result = compareWithTruth([energy(0, '100'), energy(5, '101')], [got(5, 101)], KEYS);
    expect(result.lost).toEqual([{ ...energy(0, '100'), key: 'energy' }]);
  });

  test('names what was never said', () => {
    const result = compareWithTruth([energy(0, '100')], [got(0, 100), got(5, 100.00000000000001)], KEYS);
    expect(result.wrong).toEqual([got(5, 100.00000000000001)]);
  });

  test('tells equal values apart by their time', () => {
    const said = [energy(0, '100'), energy(60, '100'), energy(120, '100')];
    expect(compareWithTruth(said, [got(0, 100), got(120, 100)], KEYS).lost).toHaveLength(1);
    expect(compareWithTruth(said, [got(0, 100), got(60, 100), got(90, 100), got(120, 100)], KEYS).wrong).toEqual([
      got(90, 100),
    ]);
  });

  test('counts the same telemetry delivered twice as a duplicate, not as wrong', () => {
    const result = compareWithTruth([energy(0, '100')], [got(0, 100), got(0, 100)], KEYS);
    expect(result).toEqual({ expected: 1, lost: [], wrong: [], duplicates: 1 });
  });

  test('blames nobody for an answer that was damaged, but accepts it', () => {
    const said = [energy(0, '100', false), energy(1, '100')];
    expect(compareWithTruth(said, [got(1, 100)], KEYS).lost).toEqual([]);
    expect(compareWithTruth(said, [got(0, 100), got(1, 100)], KEYS).wrong).toEqual([]);
  });

  test('expects nothing outside the time asked for, and accepts what came nevertheless', () => {
    const said = [energy(0, '100'), energy(60, '101')];
    const options = { from: T0 + 30_000 };
    expect(compareWithTruth(said, [got(60, 101)], KEYS, options)).toMatchObject({ expected: 1, lost: [], wrong: [] });
    expect(compareWithTruth(said, [got(0, 100), got(60, 101)], KEYS, options).wrong).toEqual([]);
  });

  test('lets readings with capture times arrive once for each value', () => {
    const demand = (seconds: number, value: string): Said => ({ ...energy(seconds, value), classId: 4 });
    const said = [demand(0, '1500'), demand(60, '1500'), demand(900, '1700')];
    const result = compareWithTruth(said, [got(-300, 1500)], KEYS);
    expect(result.lost.map(({ value }) => value)).toEqual(['1700']);
    expect(result.wrong).toEqual([]);
  });

  test('keeps every digit of a 64-bit register', () => {
    const said = [energy(0, '9007199254740993.001')];
    expect(compareWithTruth(said, [got(0, '9007199254740993.001')], KEYS).lost).toEqual([]);
    expect(compareWithTruth(said, [got(0, '9007199254740993.002')], KEYS).wrong).toHaveLength(1);
  });

  test('does not judge other keys', () => {
    expect(compareWithTruth([], [got(0, 1, 'unknown')], KEYS)).toMatchObject({ wrong: [], duplicates: 0 });
  });
});

test('a truth forgets its oldest sayings beyond the limit and counts them', () => {
  const truth = new MeterTruth(10);
  for (let second = 0; second < 25; second += 1) truth.add([energy(second, String(second))]);
  const kept = truth.list();
  expect(kept.length).toBeLessThanOrEqual(11);
  expect(kept.at(-1)?.value).toBe('24');
  expect(truth.forgotten + kept.length).toBe(25);
});
