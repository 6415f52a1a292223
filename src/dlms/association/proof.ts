/** How the proofs of HLS travel (Green Book 9.2.7.4, passes 3 and 4): reply_to_HLS_authentication, by either kind of name. */
import { fail } from '../../core/errors.ts';
import { ASSOCIATION_SN, METHOD_SELECTOR, methodShortName } from '../cosem/short-names.ts';
import { ActionExchange } from '../exchange/action-exchange.ts';
import type { ServiceExchange } from '../exchange/exchange.ts';
import { ReadExchange } from '../exchange/read-exchange.ts';
import type { MeterSettings } from '../settings.ts';
import { dataAccessResult } from '../xdlms/data-access-result.ts';
import type { ActionOutcome } from '../xdlms/services.ts';

/** reply_to_HLS_authentication of the current association (Blue Book 4.4.4). */
const REPLY_TO_HLS = { classId: 15, instanceId: '0.0.40.0.0.255', methodId: 1 } as const;
/** The same of the Association SN (Blue Book 4.4.3), FA58. */
const REPLY_TO_HLS_SN =
  methodShortName({ ...ASSOCIATION_SN, version: 0 }, ASSOCIATION_SN.replyToHls)?.name ??
  fail('INTERNAL', 'reply_to_HLS_authentication has no short name');
const SUCCESS = 0;

/** What carries our proof to the meter, and its proof back. */
export interface ProofCarrier {
  readonly exchange: ServiceExchange<unknown>;
  /** Once the exchange is done. */
  outcome(): ActionOutcome | undefined;
}

/** By referencing. */
export const PROOF_CARRIERS: Readonly<Record<MeterSettings['referencing'], (proof: Uint8Array) => ProofCarrier>> = {
  ln(value) {
    const exchange = new ActionExchange([{ method: REPLY_TO_HLS, parameters: { type: 'octet-string', value } }]);
    return { exchange, outcome: () => exchange.result[0] };
  },
  sn(value) {
    const exchange = new ReadExchange([
      {
        variableName: REPLY_TO_HLS_SN,
        accessSelection: { selector: METHOD_SELECTOR, parameters: { type: 'octet-string', value } },
      },
    ]);
    return {
      exchange,
      outcome() {
        const [result] = exchange.result;
        if (result === undefined) return undefined;
        return 'data' in result
          ? { result: dataAccessResult(SUCCESS), returnParameters: result }
          : { result: result.dataAccessResult, returnParameters: null };
      },
    };
  },
};
