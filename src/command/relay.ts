/** `relay`: the supply, disconnect control 0.0.96.3.10.255, class 70 (Blue Book 4.5.8). */
import { fail } from '../core/errors.ts';
import type { Data } from '../dlms/axdr/data.ts';
import { wholeNumber } from '../dlms/cosem/profile-generic.ts';
import { dataAccessError } from '../dlms/xdlms/data-access-result.ts';
import type { GetResult } from '../dlms/xdlms/services.ts';
import { callMethod } from '../meter/changes.ts';
import { readAttributes } from '../meter/client.ts';
import type { RelayRequest } from './requests.ts';
import type { MeterWork } from './work.ts';

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

export type RelayDocument =
  | { readonly action: 'connect' | 'disconnect'; readonly result: 'success' }
  | { readonly outputState: boolean | null; readonly controlState: string | null; readonly controlMode: number | null };

/** Switches the supply, or tells its state. Throws DATA_ACCESS_*. */
export async function relay({ job, beginActing }: MeterWork, { action }: RelayRequest): Promise<RelayDocument> {
  if (action !== null) {
    const method = { ...DISCONNECT_CONTROL, methodId: METHODS[action] };
    await job(async (session) => {
      await beginActing(session);
      await callMethod(session, method, { type: 'integer', value: 0 });
    });
    return { action, result: 'success' };
  }
  const [output, control, mode] = await job((session) =>
    readAttributes(
      session,
      [OUTPUT_STATE, CONTROL_STATE, CONTROL_MODE].map((attributeId) => ({ ...DISCONNECT_CONTROL, attributeId })),
    ),
  );
  const outputData = dataOf(output, 'output_state');
  const state = wholeNumber(dataOf(control, 'control_state'));
  return {
    outputState: outputData.type === 'boolean' ? outputData.value : null,
    controlState: state === null ? null : (CONTROL_STATES[state] ?? `unassigned-${state}`),
    // Not every meter shows its mode; the state is what was asked for.
    controlMode: mode !== undefined && 'data' in mode ? wholeNumber(mode.data) : null,
  };
}

function dataOf(result: GetResult | undefined, what: string): Data {
  if (result === undefined) return fail('UNEXPECTED_RESPONSE', `no ${what}`);
  if ('data' in result) return result.data;
  throw dataAccessError(result.dataAccessResult.code, `${what} of ${DISCONNECT_CONTROL.instanceId}`);
}
