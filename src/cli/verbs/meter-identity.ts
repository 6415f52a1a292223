/** `meter accept` and `meter reject`: another meter answers in the place of one, and somebody decides which it is. */
import type { Command } from 'commander';
import {
  acceptStranger,
  type MeterIdentity,
  rejectStranger,
  type StrangerOutcome,
} from '../../store/fleet/identity.ts';
import { type Context, verb } from '../context.ts';
import { withDatabase } from '../with-database.ts';

export function registerMeterIdentity(meter: Command): void {
  meter
    .command('accept <name>')
    .description('another meter answers for this one, and that is right: it was exchanged')
    .option('--drop', 'what it said meanwhile is dropped instead of delivered')
    .action(verb(accept));
  meter
    .command('reject <name>')
    .description('another meter answered for this one, and that was wrong: what it said is dropped')
    .action(verb(reject));
}

function accept(context: Context, command: Command): undefined {
  const [name = ''] = command.args;
  const drop = command.opts<{ drop?: boolean }>().drop === true;
  print(
    context,
    name,
    'accepted',
    withDatabase(context, (database) => acceptStranger(database, name, drop)),
  );
  return undefined;
}

function reject(context: Context, command: Command): undefined {
  const [name = ''] = command.args;
  print(
    context,
    name,
    'rejected',
    withDatabase(context, (database) => rejectStranger(database, name)),
  );
  return undefined;
}

function print(context: Context, name: string, result: string, outcome: StrangerOutcome): void {
  const { identity, released, dropped } = outcome;
  context.print(
    { meter: name, result, identity: { ...identity }, released, dropped },
    () => `Meter ${name} is ${identityText(identity)}: ${released} rows are delivered now, ${dropped} were dropped.`,
  );
}

export function identityText({ logicalDeviceName, serialNumber }: MeterIdentity): string {
  return [logicalDeviceName, serialNumber].filter((text) => text !== null).join(', serial number ');
}
