/** `set METER POINT VALUE`: writes one attribute. */
import type { Command } from 'commander';
import { parseTypedData } from '../../command/data-text.ts';
import type { SetDocument } from '../../command/set.ts';
import { writeJson } from '../../core/json.ts';
import { parsePoint } from '../../reading/point-text.ts';
import { type Context, verb } from '../context.ts';
import { addWorkFlags } from '../flags/work-flags.ts';
import { workOn } from '../meter/meter-work.ts';

export function registerSet(program: Command): void {
  addWorkFlags(
    program
      .command('set <meter> <point> <value>')
      .description('write an attribute: TYPE:TEXT as in unsigned:5, or TEXT of the type that it has; numbers are raw'),
  )
    .option('--read-back', 'read the attribute afterwards')
    .action(verb(set));
}

async function set(context: Context, command: Command): Promise<undefined> {
  const [name = '', pointText = '', text = ''] = command.args;
  const point = { point: pointText, ...parsePoint(pointText) };
  const data = parseTypedData(text);
  const { readBack = false } = command.opts<{ readBack?: boolean }>();
  const value = data === null ? { text } : { data };
  const document = await workOn(context, command, name, { verb: 'set', point, value, readBack });
  context.print({ meter: name, ...document }, () => {
    const { readBack: reads } = document as unknown as SetDocument;
    const done = `${pointText} of ${name} is set.`;
    return reads === undefined ? done : `${done} It reads ${writeJson(reads)}.`;
  });
  return undefined;
}
