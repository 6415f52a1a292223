/** `set METER POINT VALUE`: writes one attribute. */
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { writeJson } from '../../core/json.ts';
import type { Data } from '../../dlms/axdr/data.ts';
import { isDateTimeAttribute } from '../../dlms/cosem/date-time-attributes.ts';
import { present } from '../../dlms/decode/present.ts';
import { classOf, writeAttribute } from '../../meter/changes.ts';
import type { Knowledge } from '../../meter/knowledge.ts';
import { type PointReference, type PointResult, readPoints } from '../../meter/points.ts';
import type { MeterSession } from '../../meter/session.ts';
import { parsePoint } from '../../reading/point-text.ts';
import { type Context, verb } from '../context.ts';
import { dataLike, parseTypedData } from '../data-text.ts';
import { addMeterFlags } from '../meter-flags.ts';
import { namedMeter, withMeter } from '../one-meter.ts';

export function registerSet(program: Command): void {
  addMeterFlags(
    program
      .command('set <meter> <point> <value>')
      .description('write an attribute: TYPE:TEXT as in unsigned:5, or TEXT of the type that it has; numbers are raw'),
  )
    .option('--read-back', 'read the attribute afterwards')
    .action(verb(set));
}

async function set(context: Context, command: Command): Promise<undefined> {
  const [name = '', pointText = '', text = ''] = command.args;
  const point = parsePoint(pointText);
  const typed = parseTypedData(text);
  const meter = namedMeter(context, name, command.opts());
  const { readBack = false } = command.opts<{ readBack?: boolean }>();
  const written = await withMeter(context, meter, async (session) => {
    const { classId, value } =
      typed === null
        ? await learnType(session, point, text, meter.knowledge)
        : { classId: await classOf(session, point, meter.knowledge), value: typed };
    await writeAttribute(session, { classId, instanceId: point.obis, attributeId: point.attribute }, value);
    const after = readBack ? await readOne(session, { ...point, classId }, meter.knowledge) : null;
    return { classId, value, readBack: after === null ? undefined : valueIn(after) };
  });
  const { obis, attribute } = point;
  context.print(
    {
      meter: name,
      point: pointText,
      obis,
      classId: written.classId,
      attribute,
      value: present(written.value),
      result: 'success',
      readBack: written.readBack === undefined ? undefined : present(written.readBack),
    } satisfies JsonValue,
    () => {
      const done = `${pointText} of ${name} is set.`;
      return written.readBack === undefined ? done : `${done} It reads ${writeJson(present(written.readBack))}.`;
    },
  );
  return undefined;
}

/** A value without type takes the one of the value that stands there now. */
async function learnType(
  session: MeterSession,
  point: PointReference,
  text: string,
  knowledge: Knowledge,
): Promise<{ readonly classId: number; readonly value: Data }> {
  const now = await readOne(session, point, knowledge);
  const { classId } = now;
  if (classId === null) return fail('INTERNAL', 'a point was read and has no class');
  return { classId, value: dataLike(valueIn(now), text, isDateTimeAttribute(classId, point.attribute)) };
}

async function readOne(session: MeterSession, point: PointReference, knowledge: Knowledge): Promise<PointResult> {
  const { results } = await readPoints(session, [point], knowledge);
  return results[0] ?? fail('INTERNAL', 'one point, no result');
}

function valueIn({ data, error }: PointResult): Data {
  if (error !== null) throw error;
  return data ?? fail('INTERNAL', 'a point with neither value nor error');
}
