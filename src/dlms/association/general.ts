/**
 * general-ciphering and general-signing within one association: each request has a transaction-id of its own, and what is
 * under keys that are made for each message has to answer one of them, for their counters tell nothing of repetitions.
 */
import { sameBytes } from '../../core/bytes.ts';
import { BridgeError, fail } from '../../core/errors.ts';
import type { GeneralCiphering, GeneralSigning } from '../security/ciphered.ts';
import type { OpenedContent } from '../security/content-protection.ts';
import {
  cipherGenerally,
  generalKeyOf,
  generalOverhead,
  openGenerally,
  type PartyKeys,
  signGenerally,
  TRANSACTION_ID_OCTETS,
  verifySigned,
} from '../security/general-protection.ts';
import type { GeneralKey, SecurityPolicy, SuiteId } from '../security/suite.ts';
import { encodeApdu } from '../xdlms/apdu.ts';

export interface GeneralMaterial {
  /** null: service-specific or general-glo/ded ciphering. */
  readonly key: GeneralKey | null;
  readonly signs: boolean;
  readonly suite: SuiteId;
  readonly policy: Exclude<SecurityPolicy, 'none'>;
  readonly keys: PartyKeys;
  readonly clientTitle: Uint8Array;
  readonly acceptUnverified: boolean;
  random(octets: number): Uint8Array;
  takeCounter(): number;
}

interface Transaction {
  readonly id: Uint8Array;
  /** The last counter of an answer to it, per kind of key. */
  last: number;
}

/** Requests of one service that are under way at once: a window of blocks. */
const MOST_TRANSACTIONS = 64;

export class GeneralProtection {
  private readonly material: GeneralMaterial;
  /** The meter's title and its key for signatures, once they are known. */
  serverTitle: Uint8Array | null;
  serverSigningKey: Uint8Array | null;
  /** What was asked, the oldest first. */
  private transactions: Transaction[] = [];

  constructor(material: GeneralMaterial, serverTitle: Uint8Array | null) {
    this.material = material;
    this.serverTitle = serverTitle;
    this.serverSigningKey = material.keys.peerSigningKey;
  }

  /** Whether requests need it to be granted. */
  get isWanted(): boolean {
    return this.material.key !== null || this.material.signs;
  }

  get signs(): boolean {
    return this.material.signs;
  }

  /** Octets that it adds to a request at most. */
  get overhead(): number {
    const { key, signs, suite } = this.material;
    return generalOverhead(key, signs, suite);
  }

  /** A request; `otherwise` protects where no key of general-ciphering is set. Throws KEY_MISSING. */
  protect(plain: Uint8Array, otherwise: (plain: Uint8Array) => Uint8Array): Uint8Array {
    const { key, signs, suite, clientTitle } = this.material;
    const recipient =
      this.serverTitle ??
      fail('KEY_MISSING', 'the system title of the meter is not known', { hint: 'give --server-system-title' });
    const transactionId = this.material.random(TRANSACTION_ID_OCTETS);
    this.transactions = [...this.transactions.slice(1 - MOST_TRANSACTIONS), { id: transactionId, last: -1 }];
    const envelope = { originator: clientTitle, recipient, transactionId };
    const ciphered =
      key === null
        ? otherwise(plain)
        : encodeApdu(cipherGenerally(plain, envelope, { ...this.material, key, keys: this.keys }));
    return signs ? signGenerally(ciphered, envelope, suite, this.keys) : ciphered;
  }

  /**
   * What is in a message, with how its key was told: only that of an identified key has counters that rise by themselves.
   * Throws REPLAYED for another one that answers no request of ours, or one that has been answered.
   */
  open(message: GeneralCiphering): OpenedContent & { readonly key: GeneralKey | null } {
    const key = generalKeyOf(message);
    this.requireOurMeter(message.originatorSystemTitle);
    const transaction = key === 'identified' ? null : this.transactionOf(message);
    const opened = openGenerally(
      message,
      this.keys,
      this.serverTitle ?? message.originatorSystemTitle,
      this.material.acceptUnverified,
    );
    if (transaction !== null) {
      transaction.last = message.invocationCounter;
      // An answer to a later request closes those before it.
      this.transactions = this.transactions.slice(this.transactions.indexOf(transaction));
    }
    return { ...opened, key };
  }

  /** What was signed. Throws SIGNATURE_WRONG, KEY_MISSING. */
  verify(message: GeneralSigning): Uint8Array {
    this.requireOurMeter(message.originatorSystemTitle);
    return verifySigned(message, this.material.suite, this.keys);
  }

  private transactionOf({ transactionId, invocationCounter }: GeneralCiphering): Transaction {
    const found = this.transactions.find(({ id }) => sameBytes(id, transactionId));
    if (found === undefined) throw replayed('the message answers no request of this association');
    if (invocationCounter <= found.last) throw replayed('the message answers a request that has been answered');
    return found;
  }

  private requireOurMeter(originator: Uint8Array): void {
    if (originator.length === 0 || this.serverTitle === null || sameBytes(originator, this.serverTitle)) return;
    fail('DECRYPT_FAILED', 'the message is of another sender than the meter of this association');
  }

  private get keys(): PartyKeys {
    return { ...this.material.keys, peerSigningKey: this.serverSigningKey };
  }
}

function replayed(message: string): BridgeError {
  return new BridgeError('REPLAYED', message);
}
