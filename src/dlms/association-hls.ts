/** The HLS exchange of an association, passes 3 and 4 (Green Book 9.2.7.4): each side proves its secret by the other's challenge. */
import { BridgeError } from '../core/errors.ts';
import type { Aare } from './acse/types.ts';
import { ActionExchange } from './exchange/action-exchange.ts';
import { type HlsCredentials, type HlsExchange, hlsAnswer, verifyHlsAnswer } from './security/hls.ts';

/** reply_to_HLS_authentication of the current association (Blue Book 4.4.4). */
const REPLY_TO_HLS = { classId: 15, instanceId: '0.0.40.0.0.255', methodId: 1 } as const;
const SUCCESS = 0;
const EMPTY = new Uint8Array(0);

export interface HlsBeginning {
  readonly credentials: HlsCredentials;
  /** CtoS, as the AARQ carried it. */
  readonly challenge: Uint8Array;
  readonly clientTitle: Uint8Array;
  /** From configuration; one in the AARE goes before it. */
  readonly serverTitle: Uint8Array | null;
}

export class HlsHandshake {
  private readonly credentials: HlsCredentials;
  private exchange: HlsExchange;

  constructor({ credentials, challenge, clientTitle, serverTitle }: HlsBeginning) {
    this.credentials = credentials;
    this.exchange = { ctos: challenge, clientTitle, stoc: EMPTY, serverTitle: serverTitle ?? EMPTY };
  }

  /** Pass 3: f(StoC), to be carried by an ACTION. Throws AUTHENTICATION_FAILED when the meter sent no usable challenge. */
  prove({ respondingAuthenticationValue, respondingAPTitle }: Aare, takeCounter: () => number): ActionExchange {
    const stoc = respondingAuthenticationValue?.hex;
    if (stoc === undefined) throw failed('the meter sent no challenge');
    this.exchange = {
      ...this.exchange,
      stoc: stoc.slice(),
      serverTitle: respondingAPTitle?.slice() ?? this.exchange.serverTitle,
    };
    const counter = this.credentials.mechanism === 'gmac' ? takeCounter() : null;
    const value = hlsAnswer('client', this.exchange, this.credentials, counter);
    return new ActionExchange([{ method: REPLY_TO_HLS, parameters: { type: 'octet-string', value } }]);
  }

  /** Pass 4: only a meter that has our secret can give f(CtoS). Throws AUTHENTICATION_FAILED. */
  verify({ result: [outcome] }: ActionExchange): void {
    const answer = outcome?.returnParameters ?? null;
    if (outcome?.result.code !== SUCCESS)
      throw failed(`the meter does not accept our proof: ${outcome?.result.name ?? 'no answer'}`);
    if (answer === null || !('data' in answer) || answer.data.type !== 'octet-string')
      throw failed('the meter gives no proof of its own');
    verifyHlsAnswer('server', this.exchange, this.credentials, answer.data.value);
  }
}

function failed(message: string): BridgeError {
  return new BridgeError('AUTHENTICATION_FAILED', message);
}
