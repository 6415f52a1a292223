/** `meter test`: connects to a stored meter and reads once what the daemon would read, with the values as published. */
import type { Command } from 'commander';
import pc from 'picocolors';
import { asBridgeError, fail } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { writeJson } from '../../core/json.ts';
import { isDateTimeAttribute } from '../../dlms/cosem/date-time-attributes.ts';
import { type PointResult, readPoints } from '../../meter/points.ts';
import { DEFAULT_POINT_OPTIONS } from '../../reading/point-options.ts';
import { type KeyedPoint, pointText } from '../../reading/point-text.ts';
import type { Reading } from '../../reading/reading.ts';
import { decimalJson, readingOf } from '../../reading/reading-of.ts';
import { systemClock } from '../../runtime/clock.ts';
import { loadFleet } from '../../store/fleet/load.ts';
import { wholeMeter } from '../../store/fleet/whole.ts';
import { type Context, EXIT, verb } from '../context.ts';
import { addMeterFlags } from '../meter-flags.ts';
import { namedMeter, withMeter } from '../one-meter.ts';
import { table } from '../table.ts';
import { withDatabase } from '../with-database.ts';

export function registerMeterTest(meter: Command): void {
  addMeterFlags(meter.command('test <name>').description('connect, and read once what the daemon would read')).action(
    verb(test),
  );
}

interface Row {
  readonly group: string;
  readonly point: KeyedPoint;
}

async function test(context: Context, command: Command): Promise<number> {
  const [name = ''] = command.args;
  const stored = withDatabase(context, (database) => wholeMeter(loadFleet(database), name));
  if (stored === undefined) return fail('NOT_FOUND', `there is no meter "${name}"`, { hint: 'look with `meter list`' });
  const rows = stored.groups.flatMap((group) =>
    group.points.map(
      ({ options = DEFAULT_POINT_OPTIONS, ...point }): Row => ({ group: group.name, point: { ...point, options } }),
    ),
  );
  const meter = namedMeter(context, name, command.opts());
  const began = systemClock.monotonic();
  const { results, roundTrips, ts } = await withMeter(context, meter, async (session) => {
    const before = session.counts.roundTrips;
    const points = rows.map(({ point }) => ({ ...point, ownScaler: point.options.scaler !== null }));
    const { results } = await readPoints(session, points, meter.knowledge);
    return { results, roundTrips: session.counts.roundTrips - before, ts: systemClock.now() };
  });
  const outcomes = rows.map(({ group, point }, index) => described(group, point, results[index]!, ts));
  const durationMs = Math.round(systemClock.monotonic() - began);
  context.print({ meter: name, ts: new Date(ts).toISOString(), results: outcomes, roundTrips, durationMs }, () =>
    text(outcomes),
  );
  return outcomes.length > 0 && outcomes.every(({ error }) => error !== null) ? EXIT.failed : EXIT.done;
}

function described(group: string, point: KeyedPoint, result: PointResult, answeredAt: number) {
  const { reading, error } = outcomeOf(point, result, answeredAt);
  return {
    group,
    key: point.key,
    point: pointText({ ...point, classId: point.classId ?? result.classId }),
    kind: point.options.kind,
    value: reading === null ? null : valueJson(reading.value),
    unit: reading?.unit ?? null,
    ts: new Date(reading?.ts ?? answeredAt).toISOString(),
    error: error === null ? null : { ...error.report() },
  };
}

function outcomeOf({ key, obis, attribute, options }: KeyedPoint, result: PointResult, answeredAt: number) {
  const { classId, data, scalerUnit, capturedAt, error } = result;
  if (error !== null || data === null) return { reading: null, error };
  const dateTime = isDateTimeAttribute(classId, attribute);
  try {
    const measured = { key, obis, data, scalerUnit, ts: capturedAt ?? answeredAt, dateTime, options };
    return { reading: readingOf(measured), error: null };
  } catch (thrown) {
    return { reading: null, error: asBridgeError(thrown) };
  }
}

function valueJson(value: Reading['value']): JsonValue {
  return typeof value === 'object' ? decimalJson(value) : value;
}

function text(rows: ReturnType<typeof described>[]): string {
  const colour = pc.createColors(process.stdout.isTTY === true);
  return table(
    ['GROUP', 'KEY', 'POINT', 'VALUE', 'UNIT'],
    rows.map(({ group, key, point, value, unit, error }) => [
      group,
      key,
      point,
      error === null ? plain(value) : colour.red(`${error.code}: ${error.message}`),
      unit ?? '',
    ]),
  );
}

function plain(value: JsonValue): string {
  return typeof value === 'string' ? value : writeJson(value);
}
