/** A client of the services and the security that virtual meters have, made with the codecs: no association logic of ours. */
import { aarqOf, decodeAcse, encodeAcse } from '../../src/dlms/acse/acse.ts';
import type { Aare } from '../../src/dlms/acse/types.ts';
import type { Data } from '../../src/dlms/axdr/data.ts';
import { isGloDed, protectApdu, unprotectApdu, type Wrapping } from '../../src/dlms/security/apdu-protection.ts';
import {
  type HlsCredentials,
  type HlsExchange,
  type HlsMechanism,
  hlsAnswer,
  verifyHlsAnswer,
} from '../../src/dlms/security/hls.ts';
import { type SecurityPolicy, type SuiteId, securityControlFor } from '../../src/dlms/security/suite.ts';
import type { AuthenticationLevel } from '../../src/dlms/settings.ts';
import { type Apdu, decodeApdu, encodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import type { ConformanceBit } from '../../src/dlms/xdlms/conformance.ts';
import { initiateRequestOf } from '../../src/dlms/xdlms/initiate.ts';
import { invokeIdAndPriority } from '../../src/dlms/xdlms/invoke-id.ts';
import type {
  ActionRequest,
  ActionResponse,
  GetRequest,
  SetRequest,
  SetResponse,
} from '../../src/dlms/xdlms/services.ts';
import { CosemServer } from '../../src/simulator/meter/cosem-server.ts';
import type { MeterModel } from '../../src/simulator/meter/meter-model.ts';
import { defaultKeys } from '../../src/simulator/meter/meter-security.ts';
import { apduIn, attribute, EVERYTHING, NOW, PASSWORD } from './meter-support.ts';

export const CLIENT_TITLE = Uint8Array.from(Buffer.from('CLI00001', 'latin1'));
export const CHALLENGE = Uint8Array.from(Buffer.from('K56iVagYchallenge of 32 octets..', 'latin1'));
export const ALL_BITS: readonly ConformanceBit[] = [
  ...EVERYTHING,
  'block-transfer-with-set-or-write',
  'block-transfer-with-action',
];

export interface SecureOptions {
  readonly client?: number;
  readonly authentication?: AuthenticationLevel;
  readonly secret?: Uint8Array;
  /** null: the plain context. */
  readonly policy?: Exclude<SecurityPolicy, 'none'> | null;
  readonly suite?: SuiteId;
  readonly blockCipherKey?: Uint8Array;
  readonly authenticationKey?: Uint8Array;
  readonly title?: Uint8Array | null;
  readonly dedicatedKey?: Uint8Array;
  readonly wrapping?: Wrapping;
  readonly bits?: readonly ConformanceBit[];
  readonly maxPdu?: number;
  /** First counter. */
  readonly counter?: number;
  readonly credentials?: HlsCredentials;
}

type Body<A> = A extends unknown ? Omit<A, 'apdu' | 'invokeIdAndPriority'> : never;

export class SecureClient {
  readonly server: CosemServer;
  readonly options: SecureOptions;
  /** Milliseconds UTC of what is sent. */
  now = NOW;
  counter: number;
  /** Of the dedicated key. */
  dedicatedCounter = 0;
  aare: Aare | null = null;
  /** Counters that the meter sent, in order. */
  readonly heard: { readonly wrapping: string; readonly counter: number }[] = [];
  private readonly keys: { readonly blockCipherKey: Uint8Array; readonly authenticationKey: Uint8Array };

  constructor(meter: MeterModel, options: SecureOptions = {}) {
    this.server = new CosemServer(meter, options.client ?? 17);
    this.options = options;
    this.counter = options.counter ?? 1;
    const defaults = defaultKeys(options.suite ?? 0);
    this.keys = {
      blockCipherKey: options.blockCipherKey ?? defaults.blockCipherKey,
      authenticationKey: options.authenticationKey ?? defaults.authenticationKey,
    };
  }

  /** Sends the AARQ; what comes back, whatever it is. */
  open(): Uint8Array | null {
    const { apdu } = this.server.receive(this.aarq(), this.now);
    if (apdu?.[0] === 0x61) {
      const aare = decodeAcse(apdu);
      this.aare = aare.apdu === 'aare' ? aare : null;
    }
    return apdu;
  }

  aarq(): Uint8Array {
    const { authentication = 'none', policy = null, dedicatedKey, maxPdu = 65535, bits = ALL_BITS } = this.options;
    const { title = CLIENT_TITLE, secret = Buffer.from(PASSWORD) } = this.options;
    const request = { ...initiateRequestOf(bits, maxPdu), dedicatedKey: dedicatedKey ?? null };
    const userInformation = policy === null ? request : decodeApdu(this.protect(encodeApdu(request), 'glo', policy));
    const value = authentication === 'none' ? null : authentication === 'low' ? secret : CHALLENGE;
    const aarq = aarqOf({
      referencing: 'ln',
      authentication,
      authenticationValue: value,
      userInformation,
      ciphered: policy !== null,
      ...(title !== null && { systemTitle: title }),
    });
    return encodeAcse(aarq);
  }

  /** Opens, and goes through HLS where it is asked for. Throws when the meter refuses. */
  associate(): this {
    this.open();
    const { result } = this.aare ?? fail('no AARE');
    if (result.code !== 0) fail(`rejected: ${this.aare?.resultSourceDiagnostic.name}`);
    if (this.hls() !== null) {
      const response = this.prove();
      if (response.apdu !== 'action-response' || response.type !== 'normal') return fail(response.apdu);
      if (response.result.code !== 0) fail(response.result.name);
      const proof = response.returnParameters;
      if (proof === null || !('data' in proof) || proof.data.type !== 'octet-string') return fail('no proof');
      verifyHlsAnswer('server', this.exchange(), this.credentials(), proof.data.value);
    }
    return this;
  }

  hls(): HlsMechanism | null {
    const { authentication = 'none' } = this.options;
    return authentication === 'none' || authentication === 'low' ? null : authentication;
  }

  exchange(): HlsExchange {
    return {
      clientTitle: this.options.title ?? CLIENT_TITLE,
      serverTitle: this.aare?.respondingAPTitle ?? new Uint8Array(0),
      ctos: CHALLENGE,
      stoc: this.aare?.respondingAuthenticationValue?.hex ?? new Uint8Array(0),
    };
  }

  credentials(): HlsCredentials {
    const { credentials, secret = Buffer.from(PASSWORD), suite = 0 } = this.options;
    const mechanism = this.hls();
    if (credentials !== undefined) return credentials;
    const { blockCipherKey: encryptionKey, authenticationKey } = this.keys;
    if (mechanism === 'gmac') return { mechanism, suite, encryptionKey, authenticationKey };
    if (mechanism === 'high') return { mechanism, variant: 'aes-ecb', secret };
    return { mechanism: mechanism === 'md5' || mechanism === 'sha1' ? mechanism : 'sha256', secret };
  }

  /** Pass 3. */
  prove(change: (proof: Uint8Array) => Uint8Array = (proof) => proof): Apdu {
    const credentials = this.credentials();
    const counter = credentials.mechanism === 'gmac' ? this.takeCounter() : null;
    const proof = hlsAnswer('client', this.exchange(), credentials, counter);
    return this.action({
      type: 'normal',
      method: { classId: 15, instanceId: '0.0.40.0.0.255', methodId: 1 },
      parameters: { type: 'octet-string', value: change(proof) },
    });
  }

  /** Sends a request as the options want it protected; the answer opened. */
  request(apdu: Apdu): Apdu {
    return this.opened(apduIn(this.server.receive(this.protected(encodeApdu(apdu)), this.now).apdu));
  }

  protected(plain: Uint8Array): Uint8Array {
    const { policy = null, dedicatedKey, wrapping = dedicatedKey === undefined ? 'glo' : 'ded' } = this.options;
    return policy === null ? plain : this.protect(plain, wrapping, policy);
  }

  opened(apdu: Apdu): Apdu {
    if (!isGloDed(apdu)) return apdu;
    this.heard.push({ wrapping: apdu.apdu, counter: apdu.invocationCounter });
    const opened = unprotectApdu(apdu, {
      unicast: this.keys.blockCipherKey,
      broadcast: null,
      dedicated: this.options.dedicatedKey ?? null,
      authentication: this.keys.authenticationKey,
      systemTitle: this.aare?.respondingAPTitle ?? null,
    });
    return decodeApdu(opened.plaintext);
  }

  get(text: string): Apdu {
    return this.getRequest({ type: 'normal', attribute: attribute(text), accessSelection: null });
  }

  getRequest(body: Body<GetRequest>): Apdu {
    return this.request({ apdu: 'get-request', invokeIdAndPriority: invokeIdAndPriority(3), ...body } as GetRequest);
  }

  set(body: Body<SetRequest>): SetResponse {
    const request = { apdu: 'set-request', invokeIdAndPriority: invokeIdAndPriority(4), ...body } as SetRequest;
    const response = this.request(request);
    return response.apdu === 'set-response' ? response : fail(`a set-response was expected, not ${response.apdu}`);
  }

  action(body: Body<ActionRequest>): Apdu {
    const invoke = invokeIdAndPriority(5);
    return this.request({ apdu: 'action-request', invokeIdAndPriority: invoke, ...body } as ActionRequest);
  }

  call(text: string, parameters: Data | null = null): ActionResponse {
    const { classId, instanceId, attributeId: methodId } = attribute(text);
    const response = this.action({ type: 'normal', method: { classId, instanceId, methodId }, parameters });
    return response.apdu === 'action-response' ? response : fail(`not an action-response, but ${response.apdu}`);
  }

  /** The data of an attribute. Throws when it is refused. */
  data(text: string): Data {
    const response = this.get(text);
    if (response.apdu !== 'get-response' || response.type !== 'normal') return fail(`${text}: ${response.apdu}`);
    return 'data' in response.result ? response.result.data : fail(`${text}: ${response.result.dataAccessResult.name}`);
  }

  private protect(plain: Uint8Array, wrapping: Wrapping, policy: Exclude<SecurityPolicy, 'none'>): Uint8Array {
    const dedicated = wrapping === 'ded' || wrapping === 'general-ded';
    return protectApdu(plain, wrapping, {
      securityControl: securityControlFor(this.options.suite ?? 0, policy),
      invocationCounter: dedicated ? this.dedicatedCounter++ : this.takeCounter(),
      encryptionKey: dedicated ? (this.options.dedicatedKey ?? null) : this.keys.blockCipherKey,
      authenticationKey: this.keys.authenticationKey,
      systemTitle: this.options.title ?? CLIENT_TITLE,
    });
  }

  private takeCounter(): number {
    this.counter += 1;
    return this.counter - 1;
  }
}

function fail(message: string): never {
  throw new Error(message);
}
