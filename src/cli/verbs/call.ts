/** `call METER POINT:METHOD [ARG]`: calls a method. */
import type { Command } from 'commander';
import type { CallDocument } from '../../command/call.ts';
import { parseTypedData } from '../../command/data-text.ts';
import { fail } from '../../core/errors.ts';
import { writeJson } from '../../core/json.ts';
import type { Data } from '../../dlms/axdr/data.ts';
import { type Context, verb } from '../context.ts';
import { parseMethod } from '../flags/method-text.ts';
import { addWorkFlags } from '../flags/work-flags.ts';
import { workOn } from '../meter/meter-work.ts';

/** What the Blue Book has methods take that need nothing: `data ::= integer (0)`. */
const NOTHING_NEEDED: Data = { type: 'integer', value: 0 };

export function registerCall(program: Command): void {
  addWorkFlags(
    program
      .command('call <meter> <method> [argument]')
      .description(
        'call a method, [CLASS:]OBIS:METHOD, with TYPE:TEXT; without argument integer:0, with "none" nothing',
      ),
  ).action(verb(call));
}

async function call(context: Context, command: Command): Promise<undefined> {
  const [name = '', point = '', argument] = command.args;
  const request = { verb: 'call', point, ...parseMethod(point), parameters: parametersOf(argument) } as const;
  const document = await workOn(context, command, name, request);
  const { obis, method, name: described, raw } = document as unknown as CallDocument;
  context.print({ meter: name, ...document }, () => {
    const done = `${described ?? `method ${method}`} of ${obis} is done.`;
    return raw === null ? done : `${done} It gives ${writeJson(raw)}.`;
  });
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
