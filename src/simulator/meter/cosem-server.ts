/**
 * The server end of one application association (one client SAP at one logical device), sans I/O: one APDU in, at most
 * one APDU out.
 *
 *   state      | AARQ               | RLRQ                | get-request | other requests
 *   -----------+--------------------+---------------------+-------------+---------------------------------------
 *   idle       | AARE, associated   | RLRE                | exception   | exception: service not allowed
 *              | or rejected        |                     |             |
 *   associated | anew               | RLRE, idle          | answered    | exception: service not supported
 *
 * What cannot be decoded is answered with an exception-response. A client that the meter does not know gets no answer.
 */
import { BridgeError } from '../../core/errors.ts';
import { decodeAcse, encodeAcse, isAcseTag } from '../../dlms/acse/acse.ts';
import type { AcseApdu } from '../../dlms/acse/types.ts';
import { type Apdu, decodeApdu, encodeApdu } from '../../dlms/xdlms/apdu.ts';
import { hasConformance } from '../../dlms/xdlms/conformance.ts';
import type { GetRequest } from '../../dlms/xdlms/services.ts';
import { type Agreement, accessOf, type ClientAccess, openAssociation } from './association.ts';
import { GetService, type SaidValue } from './get-service.ts';
import type { MeterModel } from './meter-model.ts';
import type { AssociationView } from './object-model.ts';
import { REFUSALS, refusal } from './refusals.ts';

export interface ServerAnswer {
  /** null: silence. */
  readonly apdu: Uint8Array | null;
  /** Values of registers that the client knows once it has the answer. */
  readonly said: readonly SaidValue[];
}

interface Association {
  readonly agreement: Agreement;
  readonly view: AssociationView;
  readonly get: GetService;
}

const SILENCE: ServerAnswer = { apdu: null, said: [] };

export class CosemServer {
  private readonly model: MeterModel;
  private readonly client: number;
  private readonly access: ClientAccess | null;
  private association: Association | null = null;

  constructor(model: MeterModel, client: number) {
    this.model = model;
    this.client = client;
    this.access = accessOf(client, model.authentication);
  }

  get isAssociated(): boolean {
    return this.association !== null;
  }

  /** Loses the association without a word: the client left, or the meter restarted. */
  forget(): void {
    this.association = null;
  }

  /** Takes one APDU at a moment in milliseconds UTC. Never throws for what is in the octets. */
  receive(octets: Uint8Array, at: number): ServerAnswer {
    const tag = octets[0];
    if (this.access === null || tag === undefined) return SILENCE;
    if (isAcseTag(tag)) {
      const apdu = readable(() => decodeAcse(octets));
      return apdu === null ? answer(refusal(REFUSALS.unreadable)) : this.acse(apdu, this.access);
    }
    if (this.association === null) return answer(refusal(REFUSALS.notAllowed));
    if (octets.length > this.association.agreement.maxReceivePdu) return answer(refusal(REFUSALS.tooLong));
    const request = readable(() => decodeApdu(octets));
    return request === null ? answer(refusal(REFUSALS.unreadable)) : this.service(request, this.association, at);
  }

  private acse(apdu: AcseApdu, access: ClientAccess): ServerAnswer {
    switch (apdu.apdu) {
      case 'aarq': {
        const { password, maxPdu } = this.model;
        const { answer: aare, agreement } = openAssociation(apdu, { access, password, maxPdu });
        this.association = agreement === null ? null : this.associate(agreement, access);
        return answer(aare);
      }
      case 'rlrq':
        this.association = null;
        return answer(encodeAcse({ apdu: 'rlre', reason: 'normal' }));
      default:
        // Answers of a server: ours, echoed.
        return SILENCE;
    }
  }

  private associate(agreement: Agreement, access: ClientAccess): Association {
    const { objects } = this.model;
    const { conformance, maxReceivePdu, maxSendPdu } = agreement;
    return {
      agreement,
      view: {
        client: this.client,
        mechanism: access.authentication === 'low' ? 1 : 0,
        conformance: bitsOf(conformance.hex),
        maxReceivePdu,
        maxSendPdu,
        objects: access.rights === 'all' ? objects : objects.filter(({ isPublic }) => isPublic),
      },
      get: new GetService(objects, {
        maxSendPdu,
        blockTransfer: hasConformance(conformance, 'block-transfer-with-get-or-read'),
      }),
    };
  }

  private service(request: Apdu, association: Association, at: number): ServerAnswer {
    if (request.apdu !== 'get-request' || !isNegotiated(request, association.agreement)) {
      return answer(refusal(REFUSALS.notSupported));
    }
    const outcome = association.get.answer(request, this.model.contextAt(at, association.view));
    if (outcome === 'pdu-too-long') return answer(refusal(REFUSALS.tooLong));
    return { apdu: encodeApdu(outcome.response), said: outcome.said };
  }
}

/** Octets as text of 0 and 1. */
function bitsOf(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(2).padStart(8, '0')).join('');
}

/** What was decoded, or null when the octets are at fault. A fault of our own is passed on. */
function readable<T>(decode: () => T): T | null {
  try {
    return decode();
  } catch (error) {
    if (error instanceof BridgeError && error.code !== 'INTERNAL') return null;
    throw error;
  }
}

function isNegotiated({ type }: GetRequest, { conformance }: Agreement): boolean {
  if (!hasConformance(conformance, 'get')) return false;
  if (type === 'with-list') return hasConformance(conformance, 'multiple-references');
  return type === 'normal' || hasConformance(conformance, 'block-transfer-with-get-or-read');
}

function answer(apdu: Uint8Array): ServerAnswer {
  return { apdu, said: [] };
}
