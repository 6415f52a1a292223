/** `relay METER [--connect|--disconnect]`: the supply. */
import type { Command } from 'commander';
import type { RelayDocument } from '../../command/relay.ts';
import { fail } from '../../core/errors.ts';
import { type Context, verb } from '../context.ts';
import { addWorkFlags } from '../flags/work-flags.ts';
import { workOn } from '../meter/meter-work.ts';

interface RelayFlags {
  readonly connect?: boolean;
  readonly disconnect?: boolean;
}

export function registerRelay(program: Command): void {
  addWorkFlags(
    program.command('relay <meter>').description("the meter's supply relay: its state, or connect or disconnect it"),
  )
    .option('--connect', 'switch the supply on (or make it ready for the button, as control_mode says)')
    .option('--disconnect', 'switch the supply off')
    .action(verb(relay));
}

async function relay(context: Context, command: Command): Promise<undefined> {
  const [name = ''] = command.args;
  const { connect = false, disconnect = false } = command.opts<RelayFlags>();
  if (connect && disconnect) fail('USAGE', 'give --connect or --disconnect, not both');
  const action = connect ? 'connect' : disconnect ? 'disconnect' : null;
  const document = await workOn(context, command, name, { verb: 'relay', action });
  context.print({ meter: name, ...document }, () => text(name, document as unknown as RelayDocument));
  return undefined;
}

function text(name: string, document: RelayDocument): string {
  if ('action' in document) return `${name}: ${document.action} is done.`;
  const { outputState, controlState, controlMode } = document;
  const supply = outputState === null ? 'does not tell its output state' : `supply is ${outputState ? 'on' : 'off'}`;
  return `${name}: ${supply}, control state ${controlState ?? 'unknown'}, control mode ${controlMode ?? 'unknown'}`;
}
