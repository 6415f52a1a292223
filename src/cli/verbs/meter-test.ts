/** `meter test`: connects to a stored meter and reads once what the daemon would read, with the values as published. */
import type { Command } from 'commander';
import pc from 'picocolors';
import type { TestDocument, TestedPoint } from '../../command/test-points.ts';
import { fail } from '../../core/errors.ts';
import { type JsonValue, writeJson } from '../../core/json.ts';
import { DEFAULT_POINT_OPTIONS } from '../../reading/point-options.ts';
import { systemClock } from '../../runtime/clock.ts';
import { loadFleet } from '../../store/fleet/load.ts';
import { wholeMeter } from '../../store/fleet/whole.ts';
import { type Context, EXIT, verb } from '../context.ts';
import { addWorkFlags } from '../flags/work-flags.ts';
import { workOn } from '../meter/meter-work.ts';
import { table } from '../views/table.ts';
import { withDatabase } from '../with-database.ts';

export function registerMeterTest(meter: Command): void {
  addWorkFlags(meter.command('test <name>').description('connect, and read once what the daemon would read')).action(
    verb(test),
  );
}

async function test(context: Context, command: Command): Promise<number> {
  const [name = ''] = command.args;
  const stored = withDatabase(context, (database) => wholeMeter(loadFleet(database), name));
  if (stored === undefined) return fail('NOT_FOUND', `there is no meter "${name}"`, { hint: 'look with `meter list`' });
  const points = stored.groups.flatMap((group) =>
    group.points.map(({ options = DEFAULT_POINT_OPTIONS, ...point }) => ({
      group: group.name,
      point: { ...point, options },
    })),
  );
  const began = systemClock.monotonic();
  const document = await workOn(context, command, name, { verb: 'test', points });
  const { results } = document as unknown as TestDocument;
  const durationMs = Math.round(systemClock.monotonic() - began);
  context.print({ meter: name, ...document, durationMs }, () => text(results));
  return results.length > 0 && results.every(({ error }) => error !== null) ? EXIT.failed : EXIT.done;
}

function text(rows: readonly TestedPoint[]): string {
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
