/** `read METER POINT...`: reads points once. The JSON is a contract, see CLI.md. */
import type { Command } from 'commander';
import pc from 'picocolors';
import type { ReadDocument, ReadResult } from '../../command/read.ts';
import { type JsonValue, writeJson } from '../../core/json.ts';
import { parsePoint } from '../../reading/point-text.ts';
import { systemClock } from '../../runtime/clock.ts';
import { type Context, EXIT, verb } from '../context.ts';
import { addWorkFlags } from '../flags/work-flags.ts';
import { workOn } from '../meter/meter-work.ts';
import { table } from '../views/table.ts';

export function registerRead(program: Command): void {
  addWorkFlags(program.command('read <meter> <points...>').description('read points of a meter once')).action(
    verb(read),
  );
}

async function read(context: Context, command: Command): Promise<number> {
  const [name = '', ...texts] = command.args;
  const points = texts.map((point) => ({ point, ...parsePoint(point) }));
  const began = systemClock.monotonic();
  const document = await workOn(context, command, name, { verb: 'read', points });
  const { results } = document as unknown as ReadDocument;
  const durationMs = Math.round(systemClock.monotonic() - began);
  context.print({ meter: name, ...document, durationMs }, () => text(results));
  return results.every(({ error }) => error !== null) ? EXIT.failed : EXIT.done;
}

function text(rows: readonly ReadResult[]): string {
  const colour = pc.createColors(process.stdout.isTTY === true);
  return table(
    ['POINT', 'VALUE', 'UNIT'],
    rows.flatMap(({ point, value, unit, error, elements, text: readable }): string[][] => {
      if (error !== null) return [[point, colour.red(`${error.code}: ${error.message}`), unit ?? '']];
      if (elements !== undefined) {
        return elements.map((one) => [`${point} ${one.obis}`, plain(one.value), one.unit ?? '']);
      }
      return [[point, readable ?? plain(value), unit ?? '']];
    }),
  );
}

function plain(value: JsonValue): string {
  return typeof value === 'string' ? value : writeJson(value);
}
