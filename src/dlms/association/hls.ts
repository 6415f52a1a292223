/** The HLS exchange of an association, passes 3 and 4 (Green Book 9.2.7.4): each side proves its secret by the other's challenge. */
import { BridgeError, fail } from '../../core/errors.ts';
import type { Aare } from '../acse/types.ts';
import type { ServiceExchange } from '../exchange/exchange.ts';
import { type HlsCredentials, type HlsExchange, hlsAnswer, verifyHlsAnswer } from '../security/hls.ts';
import type { MeterSettings } from '../settings.ts';
import { PROOF_CARRIERS, type ProofCarrier } from './proof.ts';

const SUCCESS = 0;
const EMPTY = new Uint8Array(0);

export interface HlsBeginning {
  readonly referencing: MeterSettings['referencing'];
  readonly credentials: HlsCredentials;
  /** CtoS, as the AARQ carried it. */
  readonly challenge: Uint8Array;
  readonly clientTitle: Uint8Array;
  /** From configuration; one in the AARE goes before it. */
  readonly serverTitle: Uint8Array | null;
}

export class HlsHandshake {
  private readonly referencing: MeterSettings['referencing'];
  private credentials: HlsCredentials;
  private exchange: HlsExchange;
  private carrier: ProofCarrier | null = null;

  constructor({ referencing, credentials, challenge, clientTitle, serverTitle }: HlsBeginning) {
    this.referencing = referencing;
    this.credentials = credentials;
    this.exchange = { ctos: challenge, clientTitle, stoc: EMPTY, serverTitle: serverTitle ?? EMPTY };
  }

  /**
   * Pass 3: f(StoC), carried by an ACTION, or a Read with parameters. Throws AUTHENTICATION_FAILED when the meter sent no
   * usable challenge, KEY_MISSING when nothing tells the key that it signs with.
   */
  prove(aare: Aare, serverSigningKey: Uint8Array | null, takeCounter: () => number): ServiceExchange<unknown> {
    const { respondingAuthenticationValue, respondingAPTitle } = aare;
    const stoc = respondingAuthenticationValue?.hex;
    if (stoc === undefined) throw failed('the meter sent no challenge');
    this.exchange = {
      ...this.exchange,
      stoc: stoc.slice(),
      serverTitle: respondingAPTitle?.slice() ?? this.exchange.serverTitle,
    };
    this.learnKey(serverSigningKey);
    const counter = this.credentials.mechanism === 'gmac' ? takeCounter() : null;
    const value = hlsAnswer('client', this.exchange, this.credentials, counter);
    this.carrier = PROOF_CARRIERS[this.referencing](value);
    return this.carrier.exchange;
  }

  private learnKey(serverSigningKey: Uint8Array | null): void {
    const { credentials } = this;
    if (credentials.mechanism !== 'ecdsa') return;
    const peerPublicKey =
      serverSigningKey ??
      fail('KEY_MISSING', 'neither configuration nor a certificate tells the key that the meter signs with');
    this.credentials = { ...credentials, peerPublicKey };
  }

  /** Pass 4: only a meter that has our secret can give f(CtoS). Throws AUTHENTICATION_FAILED. */
  verify(): void {
    const outcome = this.carrier?.outcome();
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
