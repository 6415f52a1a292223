/** `scan METER`: the association's object list. */
import type { Command } from 'commander';
import { classDescription } from '../../dlms/cosem/classes.ts';
import type { CosemObject } from '../../dlms/cosem/object-list.ts';
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
