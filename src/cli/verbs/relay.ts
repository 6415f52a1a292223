/** `relay METER [--connect|--disconnect]`: the supply, disconnect control 0.0.96.3.10.255, class 70 (Blue Book 4.5.8). */
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import type { Data } from '../../dlms/axdr/data.ts';
import { wholeNumber } from '../../dlms/cosem/profile-generic.ts';
import { dataAccessError } from '../../dlms/xdlms/data-access-result.ts';
import type { GetResult } from '../../dlms/xdlms/services.ts';
import { callMethod } from '../../meter/changes.ts';
import { readAttributes } from '../../meter/client.ts';
import { type Context, verb } from '../context.ts';
import { addMeterFlags } from '../meter-flags.ts';
import { type NamedMeter, namedMeter, withMeter } from '../one-meter.ts';

const DISCONNECT_CONTROL = { classId: 70, instanceId: '0.0.96.3.10.255' } as const;
const OUTPUT_STATE = 2;
const CONTROL_STATE = 3;
const CONTROL_MODE = 4;
const METHODS = { disconnect: 1, connect: 2 } as const;

const CONTROL_STATES: Readonly<Record<number, string>> = {
  0: 'disconnected',
  1: 'connected',
  2: 'ready-for-reconnection',
};

interface RelayFlags {
  readonly connect?: boolean;
  readonly disconnect?: boolean;
}

export function registerRelay(program: Command): void {
  addMeterFlags(
    program.command('relay <meter>').description("the meter's supply relay: its state, or connect or disconnect it"),
  )
    .option('--connect', 'switch the supply on (or make it ready for the button, as control_mode says)')
    .option('--disconnect', 'switch the supply off')
    .action(verb(relay));
}

async function relay(context: Context, command: Command): Promise<undefined> {
  const [name = ''] = command.args;
  const flags = command.opts<RelayFlags>();
  if (flags.connect && flags.disconnect) fail('USAGE', 'give --connect or --disconnect, not both');
  const meter = namedMeter(context, name, command.opts());
  if (flags.connect || flags.disconnect) await act(context, meter, flags.connect ? 'connect' : 'disconnect');
  else await show(context, meter);
  return undefined;
}

async function act(context: Context, meter: NamedMeter, action: keyof typeof METHODS): Promise<void> {
  const method = { ...DISCONNECT_CONTROL, methodId: METHODS[action] };
  await withMeter(context, meter, (session) => callMethod(session, method, { type: 'integer', value: 0 }));
  context.print({ meter: meter.name, action, result: 'success' }, () => `${meter.name}: ${action} is done.`);
}

async function show(context: Context, meter: NamedMeter): Promise<void> {
  const [output, control, mode] = await withMeter(context, meter, (session) =>
    readAttributes(
      session,
      [OUTPUT_STATE, CONTROL_STATE, CONTROL_MODE].map((attributeId) => ({ ...DISCONNECT_CONTROL, attributeId })),
    ),
  );
  const outputData = dataOf(output, 'output_state');
  const outputState = outputData.type === 'boolean' ? outputData.value : null;
  const state = wholeNumber(dataOf(control, 'control_state'));
  const controlState = state === null ? null : (CONTROL_STATES[state] ?? `unassigned-${state}`);
  // Not every meter shows its mode; the state is what was asked for.
  const controlMode = mode !== undefined && 'data' in mode ? wholeNumber(mode.data) : null;
  context.print({ meter: meter.name, outputState, controlState, controlMode }, () => {
    const supply = outputState === null ? 'does not tell its output state' : `supply is ${outputState ? 'on' : 'off'}`;
    return `${meter.name}: ${supply}, control state ${controlState ?? 'unknown'}, control mode ${controlMode ?? 'unknown'}`;
  });
}

function dataOf(result: GetResult | undefined, what: string): Data {
  if (result === undefined) return fail('UNEXPECTED_RESPONSE', `no ${what}`);
  if ('data' in result) return result.data;
  throw dataAccessError(result.dataAccessResult.code, `${what} of ${DISCONNECT_CONTROL.instanceId}`);
}
