/** `scan METER`: the association's object list. The JSON is a contract, see CLI.md. */
import type { Command } from 'commander';
import { attributeName, className, methodName } from '../../dlms/cosem/classes.ts';
import type { CosemObject, ObjectList } from '../../dlms/cosem/object-list.ts';
import { UNKNOWN_ACCESS } from '../../dlms/cosem/short-name-rights.ts';
import { readObjectList } from '../../meter/client.ts';
import { type Context, verb } from '../context.ts';
import { addMeterFlags } from '../meter-flags.ts';
import { namedMeter, withMeter } from '../one-meter.ts';
import { table } from '../table.ts';

export function registerScan(program: Command): void {
  addMeterFlags(program.command('scan <meter>').description('the objects that the association shows')).action(
    verb(scan),
  );
}

async function scan(context: Context, command: Command): Promise<undefined> {
  const [name = ''] = command.args;
  const list: ObjectList = await withMeter(context, namedMeter(context, name, command.opts()), readObjectList);
  const objects = list.objects.map(described);
  const warnings = list.warnings.map((warning) => ({ ...warning }));
  for (const { code, message } of warnings) context.log.warn({ oddity: code }, `object list: ${message}`);
  context.print({ objects, warnings }, () =>
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

function described({ classId, version, obis, attributes, methods }: CosemObject) {
  return {
    classId,
    version,
    obis,
    name: className(classId, version),
    attributes: attributes.map(({ id, access }) => ({ id, name: attributeName(classId, id, version), access })),
    methods: methods.map(({ id, access }) => ({ id, name: methodName(classId, id, version), access })),
  };
}
