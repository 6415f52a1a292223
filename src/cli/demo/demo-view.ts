/** The demo's live view in the terminal: meters, values, publish rate. */
import pc from 'picocolors';
import { scaledText } from '../../core/decimal.ts';
import type { Daemon } from '../../daemon/daemon.ts';
import type { Reading } from '../../reading/reading.ts';
import type { ThingsBoardDouble } from '../../simulator/thingsboard/double.ts';
import { percent } from '../views/figures.ts';
import { table } from '../views/table.ts';

interface Row {
  readonly name: string;
  cycles: number;
  pollMs: number;
  roundTrips: number;
  error: string;
  readings: ReadonlyMap<string, Reading>;
}

const SHOWN_KEYS = [
  'activePowerImport',
  'activePowerExport',
  'voltageL1',
  'currentL1',
  'frequency',
  'activeEnergyImport',
];
/** Lines of the frame that are no meter. */
const OTHER_LINES = 8;

export interface DemoView {
  /** A whole screen of at most `rows` lines. */
  frame(rows: number): string;
  /** One line, for where there is no terminal. */
  line(): string;
}

/** Listens to the daemon from now on. `nameOf` gives a meter's name by its id. */
export function demoView(daemon: Daemon, double: ThingsBoardDouble, nameOf: (meterId: number) => string): DemoView {
  const rows = new Map<number, Row>();
  const rowOf = (id: number): Row => {
    const row = rows.get(id) ?? {
      name: nameOf(id),
      cycles: 0,
      pollMs: 0,
      roundTrips: 0,
      error: '',
      readings: new Map(),
    };
    rows.set(id, row);
    return row;
  };
  daemon.polling.on('committed', ({ meterId, readings, pollMs, roundTrips }) => {
    const row = rowOf(meterId);
    const latest = new Map(readings.map((reading) => [reading.key, reading]));
    Object.assign(row, { cycles: row.cycles + 1, pollMs, roundTrips, error: '', readings: latest });
  });
  daemon.polling.on('failed', ({ meterId, error }) => Object.assign(rowOf(meterId), { error: error.code }));
  const summary = (): string => {
    const { cycles, readings, messages, publishRate } = daemon.figures();
    return `Cycles: ${cycles} | MQTT: ${messages} msgs (${percent(publishRate)}) | readings ${readings} | waiting ${daemon.outboxDepth().rows}`;
  };
  return {
    line: summary,
    frame(screenRows) {
      const shown = [...rows]
        .sort(([a], [b]) => a - b)
        .map(([, row]) => row)
        .slice(0, Math.max(1, screenRows - OTHER_LINES));
      const hidden = rows.size - shown.length;
      return [
        pc.bold('dlms-multi-meter demo: virtual meters -> SQLite outbox -> ThingsBoard double'),
        `MQTT mqtt://${double.host}:${double.port}   Ctrl-C ends`,
        '',
        table(
          ['METER', ...SHOWN_KEYS, 'POLL', 'TRIPS', 'CYCLES', ''],
          shown.map((row) => [
            row.name,
            ...SHOWN_KEYS.map((key) => valueText(row.readings.get(key))),
            `${row.pollMs.toFixed(1)} ms`,
            String(row.roundTrips),
            String(row.cycles),
            pc.red(row.error),
          ]),
        ),
        hidden > 0 ? `... and ${hidden} more meters` : '',
        pc.green(summary()),
      ].join('\n');
    },
  };
}

function valueText(reading: Reading | undefined): string {
  if (reading === undefined) return '-';
  const { value, unit } = reading;
  return `${typeof value === 'object' ? scaledText(value) : String(value)}${unit === null ? '' : ` ${unit}`}`;
}
