/** What the demo reads, and how it judges itself: what the meters said against what the double received. */
import type { DaemonFigures } from '../../daemon/status/status-board.ts';
import type { VirtualMeters } from '../../simulator/meter/fleet.ts';
import { compareWithTruth, type MeterReport } from '../../simulator/meter/truth.ts';
import type { Received } from '../../simulator/thingsboard/received.ts';
import type { NewPoint } from '../../store/fleet/types.ts';

const register = (obis: string, key: string): NewPoint => ({ classId: 3, obis, attribute: 2, key });

/** Ten registers: in the steady state one request reads them all. */
export const DEMO_POINTS: readonly NewPoint[] = [
  register('1.0.1.8.0.255', 'activeEnergyImport'),
  register('1.0.2.8.0.255', 'activeEnergyExport'),
  register('1.0.1.7.0.255', 'activePowerImport'),
  register('1.0.2.7.0.255', 'activePowerExport'),
  register('1.0.32.7.0.255', 'voltageL1'),
  register('1.0.31.7.0.255', 'currentL1'),
  register('1.0.21.7.0.255', 'activePowerL1'),
  register('1.0.3.8.0.255', 'reactiveEnergyImport'),
  register('1.0.13.7.0.255', 'powerFactor'),
  register('1.0.14.7.0.255', 'frequency'),
];

export interface DemoVerdict {
  readonly meters: number;
  readonly cycles: number;
  readonly readings: number;
  readonly messages: number;
  readonly publishRate: number | null;
  /** Readings that a meter gave and the double does not have, and values that it has but no meter said. */
  readonly lost: number;
  readonly wrong: number;
  readonly duplicates: number;
  readonly alerts: readonly string[];
}

/** How what was received compares with what the meters said, over a fleet that reads `DEMO_POINTS`. */
export interface FleetComparison {
  readonly lost: number;
  readonly wrong: number;
  readonly duplicates: number;
}

export interface DemoOutcome {
  readonly figures: DaemonFigures;
  readonly meters: VirtualMeters;
  readonly received: Received;
  /** The ThingsBoard device name of a meter by its index. */
  nameOf(index: number): string;
  /** Codes of the alerts that were raised. */
  readonly alerts: readonly string[];
}

export function judge({ figures, meters, received, nameOf, alerts }: DemoOutcome): DemoVerdict {
  const truth = meters.truth();
  return { meters: truth.length, ...figures, ...compareFleet(truth, received, nameOf), alerts };
}

export function compareFleet(
  truth: readonly MeterReport[],
  received: Received,
  nameOf: (index: number) => string,
): FleetComparison {
  const keys = Object.fromEntries(DEMO_POINTS.map(({ key, obis }) => [key, obis]));
  let lost = 0;
  let wrong = 0;
  let duplicates = 0;
  truth.forEach(({ said }, index) => {
    const device = received.devices.get(nameOf(index));
    const values = [...(device?.telemetry ?? [])].flatMap(([key, points]) =>
      points.flatMap(({ ts, value, deliveries }) => {
        duplicates += deliveries - 1;
        return [{ key, ts, value: value.value }];
      }),
    );
    const comparison = compareWithTruth(said, values, keys);
    lost += comparison.lost.length;
    wrong += comparison.wrong.length;
  });
  return { lost, wrong, duplicates };
}
