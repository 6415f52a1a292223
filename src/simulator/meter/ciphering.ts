/**
 * The server end of ciphering in one association (Green Book 9.2.7.2): requests are opened, policy and counters watched,
 * and an answer goes out under the same kind of key and in the same wrapping as its request came.
 */

import { randomBytes as secureBytes } from 'node:crypto';
import { sameBytes } from '../../core/bytes.ts';
import { BridgeError } from '../../core/errors.ts';
import {
  decodeOpened,
  type GloDedApdu,
  isGloDed,
  protectApdu,
  unprotectApdu,
  type Wrapping,
} from '../../dlms/security/apdu-protection.ts';
import type { GeneralCiphering, GeneralHeader, GeneralSigning, Protected } from '../../dlms/security/ciphered.ts';
import {
  cipherGenerally,
  type Envelope,
  generalKeyOf,
  openGenerally,
  type PartyKeys,
  signGenerally,
  verifySigned,
} from '../../dlms/security/general-protection.ts';
import { type SecurityPolicy, satisfiesPolicy, securityControlFor } from '../../dlms/security/suite.ts';
import { type Apdu, decodeApdu, encodeApdu } from '../../dlms/xdlms/apdu.ts';
import { InvocationCounters } from './invocation-counters.ts';
import type { MeterSecurity } from './meter-security.ts';

/** Tag, three octets of length, security control and counter, authentication tag; with general wrapping the system title. */
export const CIPHERING_OVERHEAD = { service: 1 + 3 + 5 + 12, general: 1 + 9 + 3 + 5 + 12 } as const;

export type OpenedRequest =
  /** `reply` protects an answer as the request was. */
  | { readonly request: Apdu; readonly reply: (answer: Uint8Array) => Uint8Array }
  | {
      readonly refused: 'deciphering' | 'policy' | 'not-negotiated';
    }
  /** The counter did not rise. */
  | { readonly refused: 'counter'; readonly expected: number };

export interface CipheringOptions {
  readonly security: MeterSecurity;
  readonly keys: NonNullable<MeterSecurity['keys']>;
  /** Of the global key: shared by all associations of the meter. */
  readonly counters: InvocationCounters;
  readonly clientTitle: Uint8Array;
  /** The client's public key for signatures. */
  readonly clientKey: Uint8Array | null;
}

export class Ciphering {
  private readonly options: CipheringOptions;
  private readonly dedicatedCounters = new InvocationCounters();
  private dedicatedKey: Uint8Array | null = null;
  private general = false;

  constructor(options: CipheringOptions) {
    this.options = options;
  }

  /** What the initiateRequest brought: a key for this association alone, and whether general protection may be used. */
  agree(dedicatedKey: Uint8Array | null, general: boolean): void {
    this.dedicatedKey = dedicatedKey;
    this.general = general;
  }

  /** Opens a request, or the user-information of an AARQ or RLRQ. */
  open(apdu: Apdu): OpenedRequest {
    if (apdu.apdu === 'general-signing') return this.openSigned(apdu);
    if (apdu.apdu === 'general-ciphering') return this.openGeneral(apdu);
    const { policy } = this.options.security;
    if (!isGloDed(apdu)) {
      return policy === 'none' ? { request: apdu, reply: (answer) => answer } : { refused: 'policy' };
    }
    if (apdu.apdu.startsWith('general-') && !this.general) return { refused: 'not-negotiated' };
    if (!satisfiesPolicy(apdu.securityControl, policy)) return { refused: 'policy' };
    const request = this.deciphered(apdu);
    if (request === null) return { refused: 'deciphering' };
    const counters = isDedicated(apdu) ? this.dedicatedCounters : this.options.counters;
    if (!counters.accept(apdu.invocationCounter)) return { refused: 'counter', expected: counters.expected };
    return { request, reply: (answer) => this.protect(answer, wrappingOf(apdu), this.protectionFor(apdu)) };
  }

  /** Whatever was signed is answered signed. */
  private openSigned(apdu: GeneralSigning): OpenedRequest {
    if (!this.general) return { refused: 'not-negotiated' };
    const { suite } = this.options.security;
    const content = attempted(() => decodeApdu(verifySigned(apdu, suite, this.partyKeys())));
    if (content === null || !this.isOfClient(apdu)) return { refused: 'deciphering' };
    const opened = this.open(content);
    if ('refused' in opened) return opened;
    const reply = (answer: Uint8Array): Uint8Array =>
      signGenerally(opened.reply(answer), this.replyTo(apdu), suite, this.partyKeys());
    return { request: opened.request, reply };
  }

  private openGeneral(apdu: GeneralCiphering): OpenedRequest {
    const { security, counters, clientTitle } = this.options;
    if (!this.general) return { refused: 'not-negotiated' };
    if (!satisfiesPolicy(apdu.securityControl, security.policy)) return { refused: 'policy' };
    const key = generalKeyOf(apdu);
    const request =
      apdu.securityControl.suite === security.suite && this.isOfClient(apdu)
        ? attempted(() => decodeOpened(openGenerally(apdu, this.partyKeys(), clientTitle)))
        : null;
    if (request === null || key === null) return { refused: 'deciphering' };
    const counts = key === 'identified' || key === 'static-unified';
    if (counts && !counters.accept(apdu.invocationCounter)) return { refused: 'counter', expected: counters.expected };
    const reply = (answer: Uint8Array): Uint8Array =>
      encodeApdu(
        cipherGenerally(answer, this.replyTo(apdu), {
          key,
          suite: security.suite,
          policy: this.protectionFor(apdu),
          keys: this.partyKeys(),
          random: (octets) => Uint8Array.from(secureBytes(octets)),
          takeCounter: () => counters.take(),
        }),
      );
    return { request, reply };
  }

  private protectionFor(request: Protected): Exclude<SecurityPolicy, 'none'> {
    return this.options.security.tagsAnswers ? 'both' : protectionOf(request);
  }

  private isOfClient({ originatorSystemTitle, recipientSystemTitle }: GeneralHeader): boolean {
    const { security, clientTitle } = this.options;
    return sameBytes(originatorSystemTitle, clientTitle) && sameBytes(recipientSystemTitle, security.systemTitle);
  }

  private replyTo({ transactionId }: GeneralHeader): Envelope {
    const { security, clientTitle } = this.options;
    return { originator: security.systemTitle, recipient: clientTitle, transactionId };
  }

  private partyKeys(): PartyKeys {
    const { security, keys, clientKey } = this.options;
    return {
      blockCipherKey: keys.encryption,
      authenticationKey: keys.authentication,
      masterKey: security.masterKey,
      signingKey: security.signatures?.privateKey ?? null,
      agreementKey: security.agreement?.privateKey ?? null,
      peerSigningKey: clientKey,
      peerAgreementKey: security.agreement?.clientPublicKey ?? null,
    };
  }

  /** What the meter sends by itself: under the global key, in the wrapping that every APDU has. */
  protectUnasked(plain: Uint8Array): Uint8Array {
    const { policy } = this.options.security;
    return this.protect(plain, 'general-glo', policy === 'none' ? 'both' : policy);
  }

  private deciphered(apdu: GloDedApdu): Apdu | null {
    const { security, keys, clientTitle } = this.options;
    if (apdu.securityControl.suite !== security.suite || apdu.securityControl.keySet !== 'unicast') return null;
    return attempted(() => {
      const opened = unprotectApdu(apdu, {
        unicast: keys.encryption,
        broadcast: null,
        dedicated: this.dedicatedKey,
        authentication: keys.authentication,
        systemTitle: clientTitle,
      });
      return sameBytes(opened.systemTitle, clientTitle) ? decodeOpened(opened) : null;
    });
  }

  private protect(plain: Uint8Array, wrapping: Wrapping, protection: Exclude<SecurityPolicy, 'none'>): Uint8Array {
    const { security, keys } = this.options;
    const dedicated = wrapping === 'ded' || wrapping === 'general-ded';
    return protectApdu(plain, wrapping, {
      securityControl: securityControlFor(security.suite, protection),
      invocationCounter: (dedicated ? this.dedicatedCounters : this.options.counters).take(),
      encryptionKey: dedicated ? this.dedicatedKey : keys.encryption,
      authenticationKey: keys.authentication,
      systemTitle: security.systemTitle,
    });
  }
}

/** An answer as an APDU again, for user-information. */
export function protectedApdu(answer: Apdu, reply: (answer: Uint8Array) => Uint8Array): Apdu {
  return decodeApdu(reply(encodeApdu(answer)));
}

/** Whatever is wrong inside: a meter says no more than that it cannot decipher it. */
function attempted<T>(open: () => T): T | null {
  try {
    return open();
  } catch (error) {
    if (error instanceof BridgeError && error.code !== 'INTERNAL') return null;
    throw error;
  }
}

function isDedicated({ apdu }: GloDedApdu): boolean {
  return apdu.startsWith('ded-') || apdu === 'general-ded-ciphering';
}

function wrappingOf(apdu: GloDedApdu): Wrapping {
  if (apdu.apdu === 'general-glo-ciphering') return 'general-glo';
  if (apdu.apdu === 'general-ded-ciphering') return 'general-ded';
  return isDedicated(apdu) ? 'ded' : 'glo';
}

function protectionOf({ securityControl: { authenticated, encrypted } }: Protected): Exclude<SecurityPolicy, 'none'> {
  if (!encrypted) return 'authenticated';
  return authenticated ? 'both' : 'encrypted';
}
