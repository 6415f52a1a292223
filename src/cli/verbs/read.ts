/** `read METER POINT...`: reads points once. The JSON is a contract, see CLI.md. */
import type { Command } from 'commander';
import pc from 'picocolors';
import { type JsonValue, writeJson } from '../../core/json.ts';
import { cosemValue } from '../../dlms/cosem/data-value.ts';
import { isDateTimeAttribute } from '../../dlms/cosem/date-time-attributes.ts';
import { unitSymbol } from '../../dlms/cosem/units.ts';
import { present } from '../../dlms/decode/present.ts';
import { type PointReference, type PointResult, readPoints } from '../../meter/points.ts';
import { parsePoint } from '../../reading/point-text.ts';
import { jsonOf } from '../../reading/reading-of.ts';
import { systemClock } from '../../runtime/clock.ts';
import { type Context, EXIT, verb } from '../context.ts';
import { addMeterFlags } from '../meter-flags.ts';
import { namedMeter, withMeter } from '../one-meter.ts';
import { table } from '../table.ts';

export function registerRead(program: Command): void {
  addMeterFlags(program.command('read <meter> <points...>').description('read points of a meter once')).action(
    verb(read),
  );
}

async function read(context: Context, command: Command): Promise<number> {
  const [name = '', ...texts] = command.args;
  const points = texts.map(parsePoint);
  const meter = namedMeter(context, name, command.opts());
  const began = systemClock.monotonic();
  const { results, counts, answeredAt } = await withMeter(context, meter, async (session) => {
    const before = { ...session.counts };
    const { results } = await readPoints(session, points, meter.knowledge);
    const { roundTrips, bytesSent, bytesReceived } = session.counts;
    return {
      results,
      answeredAt: new Date(systemClock.now()).toISOString(),
      counts: {
        roundTrips: roundTrips - before.roundTrips,
        bytesSent: bytesSent - before.bytesSent,
        bytesReceived: bytesReceived - before.bytesReceived,
      },
    };
  });
  const rows = results.map((result, index) => described(texts[index] ?? '', points[index]!, result, answeredAt));
  context.print(
    { meter: name, ts: answeredAt, results: rows, ...counts, durationMs: Math.round(systemClock.monotonic() - began) },
    () => text(rows),
  );
  return rows.every(({ error }) => error !== null) ? EXIT.failed : EXIT.done;
}

function described(point: string, { obis, attribute }: PointReference, result: PointResult, answeredAt: string) {
  const { classId, data, scalerUnit, capturedAt, invertedDeviation = false, error } = result;
  const value =
    data === null
      ? null
      : cosemValue(data, {
          scaler: scalerUnit?.scaler ?? 0,
          dateTime: isDateTimeAttribute(classId, attribute),
          invertedDeviation,
        });
  return {
    point,
    obis,
    classId,
    attribute,
    value: jsonOf(value),
    unit: scalerUnit === null ? null : unitSymbol(scalerUnit.unit),
    scaler: scalerUnit?.scaler ?? null,
    raw: (data === null ? null : present(data)) as JsonValue,
    ts: capturedAt === null ? answeredAt : new Date(capturedAt).toISOString(),
    quality: error === null ? 'good' : 'bad',
    error: error === null ? null : { ...error.report() },
  };
}

function text(rows: ReturnType<typeof described>[]): string {
  const colour = pc.createColors(process.stdout.isTTY === true);
  return table(
    ['POINT', 'VALUE', 'UNIT'],
    rows.map(({ point, value, unit, error }) => [
      point,
      error === null ? plain(value) : colour.red(`${error.code}: ${error.message}`),
      unit ?? '',
    ]),
  );
}

function plain(value: JsonValue): string {
  return typeof value === 'string' ? value : writeJson(value);
}
