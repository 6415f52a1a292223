/**
 * What a household does to its meter, as a pure function of seed and time.
 *
 * Power is a mean load with harmonics of the day (daily habits, refrigerator, kettle) whose amplitudes together stay
 * below the mean, so it never changes sign by itself; in one window of the day the flow is reversed and follows a
 * smooth hump instead (the sun on the roof; the capacitance of idle devices at night). All of it has a closed integral
 * and repeats every day, so the energy at any time is whole days plus a part of a day: exact, and it never falls.
 */
import { between, integerBetween, type Random, seededRandom } from './random.ts';

const DAY_SECONDS = 86_400;
const DAY_MS = DAY_SECONDS * 1000;
const SECONDS_PER_HOUR = 3600;
/** Length of a demand interval: maximum demand is the largest mean power of a whole quarter of an hour. */
const DEMAND_SECONDS = 900;
/** Meters were installed at this moment, with what they had counted in the factory and before. */
export const INSTALLED = Date.UTC(2024, 0, 1);

interface Harmonic {
  /** Whole periods in a day, so that midnight joins without a step. */
  readonly perDay: number;
  /** Share of the mean. */
  readonly amplitude: number;
  readonly phase: number;
}

/** mean * (1 + sum of harmonics), above zero at all times. */
interface Wave {
  readonly mean: number;
  readonly harmonics: readonly Harmonic[];
}

/** The part of the day in which a flow is reversed, seconds since midnight UTC, and its largest reversed value. */
interface Reversal {
  readonly from: number;
  readonly to: number;
  readonly peak: number;
}

/** Active or reactive power of one phase. */
interface Flow {
  readonly forward: Wave;
  readonly reversal: Reversal | null;
}

interface Phase {
  readonly active: Flow;
  readonly reactive: Flow;
  readonly voltage: Wave;
}

export interface Household {
  readonly phases: readonly Phase[];
  readonly frequency: Wave;
  /** What the registers stood at when the meter was installed: import, export Wh; import, export varh. */
  readonly initial: { readonly import: number; readonly export: number; readonly reactive: number };
}

/** One phase at one moment: V, A, W, var; power is positive when it is drawn from the grid. */
export interface PhaseValues {
  readonly voltage: number;
  readonly current: number;
  readonly activePower: number;
  readonly reactivePower: number;
}

/** A household at one moment; energies in Wh and varh, powers in W, demand in W with its end as milliseconds UTC. */
export interface HouseholdValues {
  readonly phases: readonly PhaseValues[];
  readonly activePowerImport: number;
  readonly activePowerExport: number;
  readonly activeEnergyImport: number;
  readonly activeEnergyExport: number;
  readonly reactiveEnergyImport: number;
  readonly reactiveEnergyExport: number;
  readonly powerFactor: number;
  readonly frequency: number;
}

export interface Demand {
  readonly power: number;
  readonly capturedAt: number;
}

/** The household behind a seed. One in two three-phase households feeds in from its roof. */
export function makeHousehold(seed: number, phases: 1 | 3): Household {
  const random = seededRandom(seed);
  const sunrise = between(random, 8, 10) * SECONDS_PER_HOUR;
  const sunset = between(random, 14, 17) * SECONDS_PER_HOUR;
  const roof = phases === 3 && random() < 0.5 ? between(random, 500, 2500) : null;
  return {
    phases: Array.from({ length: phases }, () => ({
      active: {
        forward: loadWave(random, between(random, 150, 900)),
        reversal: roof === null ? null : { from: sunrise, to: sunset, peak: roof },
      },
      reactive: {
        forward: loadWave(random, between(random, 20, 120)),
        reversal: { from: 1 * SECONDS_PER_HOUR, to: 4.5 * SECONDS_PER_HOUR, peak: between(random, 10, 50) },
      },
      voltage: gridWave(random, between(random, 228, 233), 0.01),
    })),
    frequency: gridWave(random, 50, 0.0008),
    initial: {
      import: integerBetween(random, 100_000, 9_000_000),
      export: integerBetween(random, 0, 1_000_000),
      reactive: integerBetween(random, 10_000, 500_000),
    },
  };
}

function loadWave(random: Random, mean: number): Wave {
  const harmonic = (perDay: number, amplitude: number): Harmonic => ({
    perDay,
    amplitude,
    phase: between(random, 0, 2 * Math.PI),
  });
  return {
    mean,
    harmonics: [
      harmonic(1, 0.25),
      harmonic(2, 0.2),
      harmonic(integerBetween(random, 24, 60), 0.15),
      harmonic(integerBetween(random, 300, 900), 0.12),
      harmonic(integerBetween(random, 2000, 5000), 0.1),
    ],
  };
}

/** A value that hardly moves: never further from its mean than `amplitude`, a share of it. */
function gridWave(random: Random, mean: number, amplitude: number): Wave {
  const rates = [integerBetween(random, 20, 90), integerBetween(random, 700, 1500), integerBetween(random, 3000, 9000)];
  return {
    mean,
    harmonics: rates.map((perDay) => ({
      perDay,
      amplitude: amplitude / rates.length,
      phase: between(random, 0, 2 * Math.PI),
    })),
  };
}

/** All values of a household at a moment in milliseconds UTC. */
export function householdAt(household: Household, at: number): HouseholdValues {
  const { second } = dayAndSecond(at);
  const phases = household.phases.map((phase) => phaseAt(phase, second));
  const net = phases.reduce((sum, phase) => sum + phase.activePower, 0);
  const reactive = phases.reduce((sum, phase) => sum + phase.reactivePower, 0);
  const { initial } = household;
  return {
    phases,
    activePowerImport: Math.max(0, net),
    activePowerExport: Math.max(0, -net),
    activeEnergyImport: energyAt(household, 'active', forwardWork, initial.import, at),
    activeEnergyExport: energyAt(household, 'active', reversedWork, initial.export, at),
    reactiveEnergyImport: energyAt(household, 'reactive', forwardWork, initial.reactive, at),
    reactiveEnergyExport: energyAt(household, 'reactive', reversedWork, initial.reactive, at),
    powerFactor: net === 0 && reactive === 0 ? 1 : Math.abs(net) / Math.hypot(net, reactive),
    frequency: waveAt(household.frequency, second),
  };
}

/**
 * The largest mean import power of a whole quarter of an hour since midnight UTC, and when that quarter ended; quarters
 * that began before `since` (milliseconds UTC) do not count.
 */
export function maximumDemandAt(household: Household, at: number, since = -Infinity): Demand {
  const { day, second } = dayAndSecond(at);
  const begin = day * DAY_MS;
  let best: Demand = { power: 0, capturedAt: Math.max(begin, since) };
  for (let end = DEMAND_SECONDS; end <= second; end += DEMAND_SECONDS) {
    if (begin + (end - DEMAND_SECONDS) * 1000 < since) continue;
    const work = household.phases.reduce(
      (sum, { active }) => sum + forwardWork(active, end) - forwardWork(active, end - DEMAND_SECONDS),
      0,
    );
    const power = work / DEMAND_SECONDS;
    if (power > best.power) best = { power, capturedAt: begin + end * 1000 };
  }
  return best;
}

function phaseAt(phase: Phase, second: number): PhaseValues {
  const activePower = powerAt(phase.active, second);
  const reactivePower = powerAt(phase.reactive, second);
  const voltage = waveAt(phase.voltage, second);
  return { voltage, current: Math.hypot(activePower, reactivePower) / voltage, activePower, reactivePower };
}

/** A register's value in Wh or varh: what it began with plus the integral since installation; never below zero. */
function energyAt(
  household: Household,
  kind: 'active' | 'reactive',
  work: (flow: Flow, second: number) => number,
  initial: number,
  at: number,
): number {
  const { day, second } = dayAndSecond(at);
  const days = day - INSTALLED / DAY_MS;
  const joules = household.phases.reduce(
    (sum, phase) => sum + days * work(phase[kind], DAY_SECONDS) + work(phase[kind], second),
    0,
  );
  return Math.max(0, initial + joules / SECONDS_PER_HOUR);
}

function dayAndSecond(at: number): { readonly day: number; readonly second: number } {
  const day = Math.floor(at / DAY_MS);
  return { day, second: (at - day * DAY_MS) / 1000 };
}

function powerAt({ forward, reversal }: Flow, second: number): number {
  if (reversal === null || second < reversal.from || second >= reversal.to) return waveAt(forward, second);
  const turn = (2 * Math.PI * (second - reversal.from)) / (reversal.to - reversal.from);
  return (-reversal.peak * (1 - Math.cos(turn))) / 2;
}

/** Work in the forward direction from midnight to `second`, joules. */
function forwardWork({ forward, reversal }: Flow, second: number): number {
  if (reversal === null || second <= reversal.from) return waveIntegral(forward, second);
  const before = waveIntegral(forward, reversal.from);
  if (second <= reversal.to) return before;
  return before + waveIntegral(forward, second) - waveIntegral(forward, reversal.to);
}

/** Work in the reversed direction from midnight to `second`, joules, as a positive number. */
function reversedWork({ reversal }: Flow, second: number): number {
  if (reversal === null) return 0;
  const width = reversal.to - reversal.from;
  const inside = Math.min(Math.max(second - reversal.from, 0), width);
  const turn = (2 * Math.PI * inside) / width;
  // At the edges the difference of two equal numbers may come out a rounding error below zero.
  return Math.max(0, (reversal.peak / 2) * (inside - (width / (2 * Math.PI)) * Math.sin(turn)));
}

function waveAt({ mean, harmonics }: Wave, second: number): number {
  return mean * harmonics.reduce((sum, wave) => sum + wave.amplitude * Math.sin(angle(wave, second)), 1);
}

function waveIntegral({ mean, harmonics }: Wave, second: number): number {
  const waves = harmonics.reduce((sum, wave) => {
    const angular = (2 * Math.PI * wave.perDay) / DAY_SECONDS;
    return sum + (wave.amplitude * (Math.cos(wave.phase) - Math.cos(angle(wave, second)))) / angular;
  }, 0);
  return mean * (second + waves);
}

function angle({ perDay, phase }: Harmonic, second: number): number {
  return (2 * Math.PI * perDay * second) / DAY_SECONDS + phase;
}
