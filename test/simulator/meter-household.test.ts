import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { householdAt, makeHousehold, maximumDemandAt } from '../../src/simulator/meter/household.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 5, 15);

const anyHousehold = fc
  .tuple(fc.nat(0xffff_ffff), fc.constantFrom(1 as const, 3 as const))
  .map(([seed, phases]) => makeHousehold(seed, phases));
const anyMoment = fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2040, 0, 1) });

const ENERGIES = ['activeEnergyImport', 'activeEnergyExport', 'reactiveEnergyImport', 'reactiveEnergyExport'] as const;

describe('a household', () => {
  test('is the same for the same seed and moment, and another for another seed', () => {
    expect(householdAt(makeHousehold(7, 3), START)).toEqual(householdAt(makeHousehold(7, 3), START));
    expect(householdAt(makeHousehold(7, 3), START)).not.toEqual(householdAt(makeHousehold(8, 3), START));
  });

  test('has plausible values at all times', () => {
    fc.assert(
      fc.property(anyHousehold, anyMoment, (household, at) => {
        const values = householdAt(household, at);
        for (const phase of values.phases) {
          expect(phase.voltage).toBeGreaterThan(220);
          expect(phase.voltage).toBeLessThan(240);
          expect(phase.current).toBeGreaterThanOrEqual(0);
          expect(phase.current).toBeLessThan(60);
          expect(Math.hypot(phase.activePower, phase.reactivePower)).toBeCloseTo(phase.voltage * phase.current, 6);
        }
        expect(Math.min(values.activePowerImport, values.activePowerExport)).toBe(0);
        expect(values.frequency).toBeGreaterThan(49.9);
        expect(values.frequency).toBeLessThan(50.1);
        expect(values.powerFactor).toBeGreaterThanOrEqual(0);
        expect(values.powerFactor).toBeLessThanOrEqual(1);
        for (const energy of ENERGIES) expect(Math.floor(values[energy])).toBeLessThan(2 ** 32);
      }),
    );
  });

  test('never lets an energy register fall', () => {
    const steps = fc.array(fc.integer({ min: 0, max: 2 * DAY }), { maxLength: 20 });
    fc.assert(
      fc.property(anyHousehold, anyMoment, steps, (household, from, deltas) => {
        let at = from;
        let before = householdAt(household, at);
        for (const delta of deltas) {
          at += delta;
          const after = householdAt(household, at);
          for (const energy of ENERGIES) {
            expect(Math.floor(after[energy])).toBeGreaterThanOrEqual(Math.floor(before[energy]));
          }
          before = after;
        }
      }),
    );
  });

  test('never lets an energy register fall across midnight and the ends of a reversal', () => {
    const household = makeHousehold(11, 3);
    let before = householdAt(household, START);
    for (let at = START; at < START + DAY + HOUR; at += 7_001) {
      const after = householdAt(household, at);
      for (const energy of ENERGIES) expect(after[energy]).toBeGreaterThanOrEqual(before[energy]);
      before = after;
    }
  });

  test.each([1, 2, 3])('counts as energy the integral of its power (seed %i)', (seed) => {
    const household = makeHousehold(seed, 3);
    const step = 1000;
    let imported = 0;
    let exported = 0;
    for (let at = START; at < START + DAY; at += step) {
      const middle = householdAt(household, at + step / 2);
      imported += (middle.activePowerImport * step) / HOUR;
      exported += (middle.activePowerExport * step) / HOUR;
    }
    const first = householdAt(household, START);
    const last = householdAt(household, START + DAY);
    expect(last.activeEnergyImport - first.activeEnergyImport).toBeCloseTo(imported, -1);
    expect(last.activeEnergyExport - first.activeEnergyExport).toBeCloseTo(exported, -1);
    expect(imported).toBeGreaterThan(1000);
  });

  test('feeds in from some roofs only', () => {
    const noon = START + 12 * HOUR;
    const exporting = Array.from({ length: 40 }, (_, seed) => householdAt(makeHousehold(seed, 3), noon)).filter(
      ({ activePowerExport }) => activePowerExport > 0,
    );
    expect(exporting.length).toBeGreaterThan(5);
    expect(exporting.length).toBeLessThan(35);
  });
});

describe('maximum demand', () => {
  test('is the largest mean of a whole quarter of an hour since midnight', () => {
    const household = makeHousehold(3, 3);
    const at = START + 20 * HOUR + 1;
    const means = Array.from({ length: 80 }, (_, quarter) => {
      const from = START + quarter * 900_000;
      const gained =
        householdAt(household, from + 900_000).activeEnergyImport - householdAt(household, from).activeEnergyImport;
      return gained * 4;
    });
    const demand = maximumDemandAt(household, at);
    expect(demand.power).toBeCloseTo(Math.max(...means), 3);
    expect(demand.capturedAt).toBe(START + (means.indexOf(Math.max(...means)) + 1) * 900_000);
  });

  test('is zero before the first quarter of the day is over', () => {
    expect(maximumDemandAt(makeHousehold(3, 1), START + 899_999)).toEqual({ power: 0, capturedAt: START });
  });
});
