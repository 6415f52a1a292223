/** `read METER POINT...`: reads points once. The JSON is a contract, see CLI.md. */
import type { Command } from 'commander';
import pc from 'picocolors';
import { asBridgeError } from '../../core/errors.ts';
import { type JsonValue, writeJson } from '../../core/json.ts';
import { attributeText } from '../../dlms/cosem/attribute-text.ts';
import { COMPACT_DATA, COMPACT_DATA_ATTRIBUTE } from '../../dlms/cosem/compact-data.ts';
import { cosemValue } from '../../dlms/cosem/data-value.ts';
import { isDateTimeAttribute } from '../../dlms/cosem/date-time-attributes.ts';
import { unitSymbol } from '../../dlms/cosem/units.ts';
import { present } from '../../dlms/decode/present.ts';
import { expandBuffer, type ScaledElement } from '../../meter/compact-data.ts';
import type { Knowledge } from '../../meter/knowledge.ts';
import { type PointReference, type PointResult, readPoints } from '../../meter/points.ts';
import type { MeterSession } from '../../meter/session.ts';
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
    const expanded: Expanded[] = [];
    for (const [index, result] of results.entries()) {
      expanded.push(await expand(session, points[index]!, result, meter.knowledge));
    }
    const { roundTrips, bytesSent, bytesReceived } = session.counts;
    return {
      results: expanded,
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
    () => text(rows, results),
  );
  return rows.every(({ error }) => error !== null) ? EXIT.failed : EXIT.done;
}

/** A result, and of compact data what its buffer says. */
interface Expanded extends PointResult {
  readonly elements?: readonly ScaledElement[];
}

async function expand(
  session: MeterSession,
  { obis, attribute }: PointReference,
  result: PointResult,
  knowledge: Knowledge,
): Promise<Expanded> {
  if (result.classId !== COMPACT_DATA || attribute !== COMPACT_DATA_ATTRIBUTE.buffer || result.data === null) {
    return result;
  }
  try {
    return { ...result, elements: await expandBuffer(session, obis, result.data, knowledge) };
  } catch (thrown) {
    if (!session.isAssociated) throw thrown;
    return { ...result, error: asBridgeError(thrown) };
  }
}

function element({ object: { obis, classId, attribute }, data, scalerUnit, scalerError }: ScaledElement) {
  const dateTime = isDateTimeAttribute(classId, attribute);
  const value = scalerError === null ? cosemValue(data, { scaler: scalerUnit?.scaler ?? 0, dateTime }) : null;
  return {
    obis,
    classId,
    attribute,
    value: jsonOf(value),
    unit: scalerUnit === null ? null : unitSymbol(scalerUnit.unit),
    scaler: scalerUnit?.scaler ?? null,
    raw: present(data),
    error: scalerError === null ? null : { ...scalerError.report() },
  };
}

function described(point: string, { obis, attribute }: PointReference, result: Expanded, answeredAt: string) {
  const { classId, data, scalerUnit, capturedAt, invertedDeviation = false, error } = result;
  const elements = result.elements?.map(element);
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
    value: elements === undefined ? jsonOf(value) : elements.map((one) => one.value),
    unit: scalerUnit === null ? null : unitSymbol(scalerUnit.unit),
    scaler: scalerUnit?.scaler ?? null,
    ...(elements !== undefined && { elements }),
    raw: (data === null ? null : present(data)) as JsonValue,
    ts: capturedAt === null ? answeredAt : new Date(capturedAt).toISOString(),
    quality: error === null ? 'good' : 'bad',
    error: error === null ? null : { ...error.report() },
  };
}

function readable({ classId, data }: PointResult, attribute: number): string | null {
  return data === null ? null : attributeText(classId, attribute, data);
}

function text(rows: ReturnType<typeof described>[], results: readonly PointResult[]): string {
  const colour = pc.createColors(process.stdout.isTTY === true);
  return table(
    ['POINT', 'VALUE', 'UNIT'],
    rows.flatMap(({ point, value, unit, error, elements }, index): string[][] => {
      if (error !== null) return [[point, colour.red(`${error.code}: ${error.message}`), unit ?? '']];
      if (elements !== undefined) {
        return elements.map((one) => [`${point} ${one.obis}`, plain(one.value), one.unit ?? '']);
      }
      return [[point, readable(results[index]!, rows[index]!.attribute) ?? plain(value), unit ?? '']];
    }),
  );
}

function plain(value: JsonValue): string {
  return typeof value === 'string' ? value : writeJson(value);
}
