/**
 * The security context of one association: protects what is sent, opens what comes, and keeps the received counters
 * rising (Green Book 9.2.4, 9.2.7). Pure but for its own state: counters and random octets come from outside.
 */
import { BridgeError, fail } from '../../core/errors.ts';
import {
  decodeOpened,
  hasServiceCiphering,
  isGloDed,
  type OpenedApdu,
  protectApdu,
  unprotectApdu,
  type Wrapping,
} from '../security/apdu-protection.ts';
import type { GeneralCiphering } from '../security/ciphered.ts';
import { afterReceiving, FRESH_REPLAY_GUARD, type ReplayGuard } from '../security/invocation-counter.ts';
import { type SecurityPolicy, type SuiteId, satisfiesPolicy, securityControlFor } from '../security/suite.ts';
import type { Protection } from '../settings.ts';
import { type Apdu, decodeApdu } from '../xdlms/apdu.ts';
import { GeneralProtection } from './general.ts';

export interface SecurityMaterial {
  readonly policy: Exclude<SecurityPolicy, 'none'>;
  readonly protection: Protection;
  readonly signing: boolean;
  readonly acceptUnverified: boolean;
  readonly suite: SuiteId;
  /** 8 octets. */
  readonly clientTitle: Uint8Array;
  /** 8 octets, where it is configured; the AARE may tell it. */
  readonly serverTitle: Uint8Array | null;
  readonly blockCipherKey: Uint8Array | null;
  readonly authenticationKey: Uint8Array | null;
  readonly masterKey: Uint8Array | null;
  readonly signingKey: Uint8Array | null;
  readonly agreementKey: Uint8Array | null;
  readonly serverSigningKey: Uint8Array | null;
  readonly serverAgreementKey: Uint8Array | null;
  /** To be proposed for this association alone. */
  readonly dedicatedKey: Uint8Array | null;
  /** General wrapping does not name us. */
  readonly omitsSystemTitle?: boolean;
  random(octets: number): Uint8Array;
  /** A counter of the global key that was never used and never will be again. */
  takeCounter(): number;
}

type Deciphered = Pick<OpenedApdu, 'plaintext' | 'tagVerified' | 'securityControl'>;

/** Octets that common ciphering adds to an APDU at most: tag, length, system title, security header, authentication tag. */
const CIPHERING_OVERHEAD = 1 + 5 + 9 + 5 + 12;

/** APDUs that a server may send without protection: it cannot protect what it could not open. */
const PLAIN_ALLOWED: ReadonlySet<Apdu['apdu']> = new Set(['exception-response', 'confirmedServiceError']);

export class ApduSecurity {
  private readonly material: SecurityMaterial;
  private readonly general: GeneralProtection;
  private guard: ReplayGuard = FRESH_REPLAY_GUARD;
  private dedicatedCounter = 0;
  private generalProtection = false;
  private isEstablished = false;

  constructor(material: SecurityMaterial) {
    this.material = material;
    const {
      protection,
      signing: signs,
      serverSigningKey: peerSigningKey,
      serverAgreementKey: peerAgreementKey,
    } = material;
    const key = protection === 'negotiated' || protection === 'service' ? null : protection;
    const keys = { ...material, peerSigningKey, peerAgreementKey };
    this.general = new GeneralProtection({ ...material, key, signs, keys }, material.serverTitle);
  }

  /** Octets that protection adds to an APDU at most. */
  get overhead(): number {
    return CIPHERING_OVERHEAD + this.general.overhead;
  }

  /** Once the AARE has come. Throws SERVICE_NOT_GRANTED when a protection is set that needs general-protection. */
  agreed(generalProtection: boolean): void {
    if (this.general.isWanted && !generalProtection) {
      fail(
        'SERVICE_NOT_GRANTED',
        'the meter did not grant "general-protection", which general ciphering and signing need',
        {
          layer: 'acse',
        },
      );
    }
    this.generalProtection = generalProtection && this.material.protection !== 'service';
  }

  /** Out of a certificate, where none is configured. */
  learnServerSigningKey(key: Uint8Array): void {
    this.general.serverSigningKey = key;
  }

  /**
   * The association stands: from here on the dedicated key holds, general ciphering and signatures. Peers open the proof of
   * HLS with the global key only.
   */
  established(): void {
    this.isEstablished = true;
  }

  /** From the AARE, before its contents are opened: it goes before a configured one. */
  learnServerTitle(title: Uint8Array): void {
    this.general.serverTitle = title;
  }

  /** The initiateRequest, always service-specific and under the global key. */
  protectInitiate(plain: Uint8Array): Uint8Array {
    return this.protectWith(plain, 'glo');
  }

  protect(plain: Uint8Array): Uint8Array {
    if (!this.isEstablished || !this.general.isWanted) return this.protectCommonly(plain);
    return this.general.protect(plain, (octets) => this.protectCommonly(octets));
  }

  private protectCommonly(plain: Uint8Array): Uint8Array {
    const keys = this.isEstablished && this.material.dedicatedKey !== null ? 'ded' : 'glo';
    const serviceSpecific = !this.generalProtection && hasServiceCiphering(plain[0] ?? 0);
    return this.protectWith(plain, serviceSpecific ? keys : `general-${keys}`);
  }

  private protectWith(plain: Uint8Array, wrapping: Wrapping): Uint8Array {
    const { suite, policy, clientTitle, blockCipherKey, authenticationKey, dedicatedKey } = this.material;
    const dedicated = wrapping === 'ded' || wrapping === 'general-ded';
    return protectApdu(plain, wrapping, {
      securityControl: securityControlFor(suite, policy),
      invocationCounter: dedicated ? this.takeDedicated() : this.material.takeCounter(),
      encryptionKey: dedicated ? dedicatedKey : blockCipherKey,
      authenticationKey,
      systemTitle: clientTitle,
      omitSystemTitle: this.material.omitsSystemTitle ?? false,
    });
  }

  private takeDedicated(): number {
    const counter = this.dedicatedCounter;
    this.dedicatedCounter += 1;
    return counter;
  }

  /**
   * What is inside of a ciphered APDU. Throws DECRYPT_FAILED, REPLAYED, KEY_MISSING, and PROTECTION_MISSING for one that
   * is protected less than our policy: somebody may have stripped it. A message that fails changes nothing.
   * @param read makes an APDU of what was inside.
   */
  open(apdu: Apdu, read?: (plain: Uint8Array) => Apdu): Apdu {
    if (PLAIN_ALLOWED.has(apdu.apdu)) return apdu;
    const isSigned = apdu.apdu === 'general-signing';
    const ciphered = isSigned ? decodeApdu(this.general.verify(apdu)) : apdu;
    const opened = this.deciphered(ciphered);
    if (!satisfiesPolicy(opened.securityControl, this.material.policy)) {
      throw missing(`the meter protects with security control ${opened.securityControl.raw} only`);
    }
    const inside = decodeOpened(opened, read);
    // Some sign first and cipher then.
    const isSignedInside = inside.apdu === 'general-signing';
    if (this.general.signs && this.isEstablished && !isSigned && !isSignedInside)
      throw missing('the message is not signed');
    return isSignedInside ? (read ?? decodeApdu)(this.general.verify(inside)) : inside;
  }

  private deciphered(apdu: Apdu): Deciphered {
    if (apdu.apdu === 'general-ciphering') return this.openGeneral(apdu);
    if (!isGloDed(apdu)) throw missing(`${apdu.apdu} came without protection`);
    const opened = this.unprotect(apdu);
    this.guard = afterReceiving(this.guard, opened);
    return opened;
  }

  private openGeneral(apdu: GeneralCiphering): Deciphered {
    const { securityControl, invocationCounter } = apdu;
    const { key, ...content } = this.general.open(apdu);
    if (key === 'identified') {
      this.guard = afterReceiving(this.guard, { key: 'unicast', invocationCounter, tagVerified: content.tagVerified });
    }
    return { ...content, securityControl };
  }

  private unprotect(apdu: Parameters<typeof unprotectApdu>[0]): OpenedApdu {
    const { blockCipherKey, authenticationKey, dedicatedKey } = this.material;
    return unprotectApdu(apdu, {
      unicast: blockCipherKey,
      broadcast: null,
      dedicated: dedicatedKey,
      authentication: authenticationKey,
      systemTitle: this.general.serverTitle,
      acceptUnverified: this.material.acceptUnverified,
    });
  }
}

function missing(message: string): BridgeError {
  return new BridgeError('PROTECTION_MISSING', message);
}
