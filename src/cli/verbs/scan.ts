/** `scan METER`: the association's object list. The JSON is a contract, see CLI.md. */
import type { Command } from 'commander';
import type { ScanDocument } from '../../command/scan.ts';
import { UNKNOWN_ACCESS } from '../../dlms/cosem/short-name-rights.ts';
import { type Context, verb } from '../context.ts';
import { addWorkFlags } from '../flags/work-flags.ts';
import { workOn } from '../meter/meter-work.ts';
import { table } from '../views/table.ts';

export function registerScan(program: Command): void {
  addWorkFlags(program.command('scan <meter>').description('the objects that the association shows')).action(
    verb(scan),
  );
}

async function scan(context: Context, command: Command): Promise<undefined> {
  const [name = ''] = command.args;
  const document = await workOn(context, command, name, { verb: 'scan' });
  const { objects, warnings } = document as unknown as ScanDocument;
  for (const { code, message } of warnings) context.log.warn({ oddity: code }, `object list: ${message}`);
  context.print(document, () =>
    table(
      ['OBIS', 'CLASS', 'V', 'NAME', 'READABLE ATTRIBUTES'],
      objects.map((object) => [
        object.obis,
        String(object.classId),
        String(object.version),
        object.name,
        object.attributes
          .filter(({ access }) => access.includes('read') || access === UNKNOWN_ACCESS)
          .map((attribute) => `${attribute.id} ${attribute.name ?? ''}`.trim())
          .join(', '),
      ]),
    ),
  );
  return undefined;
}
