/** `call METER POINT:METHOD [ARG]`: calls a method. */
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import { writeJson } from '../../core/json.ts';
import type { Data } from '../../dlms/axdr/data.ts';
import { methodName } from '../../dlms/cosem/classes.ts';
import { cosemValue } from '../../dlms/cosem/data-value.ts';
import { present } from '../../dlms/decode/present.ts';
import { callMethod, classOf } from '../../meter/changes.ts';
import { jsonOf } from '../../reading/reading-of.ts';
import { type Context, verb } from '../context.ts';
import { parseTypedData } from '../data-text.ts';
import { addMeterFlags } from '../meter-flags.ts';
import { parseMethod } from '../method-text.ts';
import { namedMeter, withMeter } from '../one-meter.ts';

/** What the Blue Book has methods take that need nothing: `data ::= integer (0)`. */
const NOTHING_NEEDED: Data = { type: 'integer', value: 0 };

export function registerCall(program: Command): void {
  addMeterFlags(
    program
      .command('call <meter> <method> [argument]')
      .description(
        'call a method, [CLASS:]OBIS:METHOD, with TYPE:TEXT; without argument integer:0, with "none" nothing',
      ),
  ).action(verb(call));
}

async function call(context: Context, command: Command): Promise<undefined> {
  const [name = '', methodText = '', argument] = command.args;
  const { classId: given, obis, method } = parseMethod(methodText);
  const parameters = parametersOf(argument);
  const meter = namedMeter(context, name, command.opts());
  const { classId, returned } = await withMeter(context, meter, async (session) => {
    const classId = await classOf(session, { classId: given, obis }, meter.knowledge);
    const returned = await callMethod(session, { classId, instanceId: obis, methodId: method }, parameters);
    return { classId, returned };
  });
  const described = methodName(classId, method);
  context.print(
    {
      meter: name,
      point: methodText,
      obis,
      classId,
      method,
      name: described,
      result: 'success',
      value: returned === null ? null : jsonOf(cosemValue(returned)),
      raw: returned === null ? null : present(returned),
    },
    () => {
      const done = `${described ?? `method ${method}`} of ${obis} is done.`;
      return returned === null ? done : `${done} It gives ${writeJson(present(returned))}.`;
    },
  );
  return undefined;
}

function parametersOf(argument: string | undefined): Data | null {
  if (argument === undefined) return NOTHING_NEEDED;
  if (argument === 'none') return null;
  return (
    parseTypedData(argument) ??
    fail('INVALID_VALUE', `"${argument}" has no type`, {
      hint: 'an argument is written TYPE:TEXT, as in long:60, or none',
    })
  );
}
