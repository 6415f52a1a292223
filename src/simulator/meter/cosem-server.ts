/**
 * The server end of one application association (one client SAP at one logical device), sans I/O: one APDU in, at most
 * one APDU out.
 *
 *   state          | AARQ                 | RLRQ       | action-, readRequest   | get-, set-, writeRequest, others
 *   ---------------+----------------------+------------+------------------------+-----------------------------------
 *   idle           | AARE: associated,    | RLRE       | exception              | exception: service not allowed
 *                  | authenticating (HLS) |            |                        |
 *                  | or rejected          |            |                        |
 *   authenticating | anew                 | RLRE, idle | reply_to_HLS: good     | exception: service not allowed
 *                  |                      |            | proof associated,      |
 *                  |                      |            | else refused and idle  |
 *   associated     | anew                 | RLRE, idle | answered               | answered; exception: service not
 *                  |                      |            |                        | supported
 *
 * In a ciphered context requests are opened first. One whose invocation counter did not rise is refused with the counter
 * that is expected, and ends the association. What cannot be decoded is answered with an exception-response. A client that
 * the meter does not know gets no answer.
 */
import { decodeAcse, encodeAcse, isAcseTag, userInformationOf } from '../../dlms/acse/acse.ts';
import { MECHANISMS } from '../../dlms/acse/names.ts';
import type { AcseApdu, Rlrq } from '../../dlms/acse/types.ts';
import { AUTHENTICATION_LEVELS } from '../../dlms/settings.ts';
import { type Apdu, decodeApdu, encodeApdu } from '../../dlms/xdlms/apdu.ts';
import { hasConformance } from '../../dlms/xdlms/conformance.ts';
import { initiateResponseOf } from '../../dlms/xdlms/initiate.ts';
import type { DataNotification } from '../../dlms/xdlms/services.ts';
import { answerAccess } from './access-service.ts';
import { ActionService } from './action-service.ts';
import {
  type Agreement,
  accessOf,
  type ClientAccess,
  type OpeningRules,
  openAssociation,
  preEstablishedAgreement,
} from './association.ts';
import { type OpenedRequest, protectedApdu } from './ciphering.ts';
import { GetService, type SaidValue } from './get-service.ts';
import { answerHls } from './hls-exchange.ts';
import type { MeterModel } from './meter-model.ts';
import { isNegotiated } from './negotiated.ts';
import type { AssociationView } from './object-model.ts';
import { readable } from './readable.ts';
import { counterRefusal, REFUSALS, refusal } from './refusals.ts';
import { SetService } from './set-service.ts';
import { ShortNameService } from './short-name-service.ts';

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
  readonly set: SetService;
  readonly action: ActionService;
  readonly shortName: ShortNameService;
  isAuthenticated: boolean;
}

const SILENCE: ServerAnswer = { apdu: null, said: [] };

export class CosemServer {
  private readonly model: MeterModel;
  private readonly client: number;
  private readonly access: ClientAccess | null;
  private association: Association | null;

  constructor(model: MeterModel, client: number) {
    this.model = model;
    this.client = client;
    this.access = accessOf(client, model);
    this.association = this.preEstablished();
  }

  /** Whether an association stands, with the client proven where it has to be. */
  get isAssociated(): boolean {
    return this.association?.isAuthenticated === true;
  }

  /** Loses the association without a word: the client left, or the meter restarted. */
  forget(): void {
    this.association = this.preEstablished();
  }

  /** One that stands from the beginning, or none. */
  private preEstablished(): Association | null {
    const { access, model } = this;
    const { preEstablished } = model.security;
    if (preEstablished === null || access === null || access.rights === 'public') return null;
    return this.associate(preEstablishedAgreement(preEstablished.clientTitle, rulesOf(model, access)), access);
  }

  get hasGeneralBlocks(): boolean {
    return (
      this.association !== null && hasConformance(this.association.agreement.conformance, 'general-block-transfer')
    );
  }

  /** Octets of an APDU that the client takes. */
  get longestAnswer(): number {
    return this.association?.agreement.longestAnswer ?? this.model.maxPdu;
  }

  /** A data-notification of an association that stands, protected as it has to be; null when none stands. */
  notification(notification: DataNotification): Uint8Array | null {
    const { association } = this;
    if (association?.isAuthenticated !== true) return null;
    const plain = encodeApdu(notification);
    return association.agreement.ciphering?.protectUnasked(plain) ?? plain;
  }

  /** Takes one APDU at a moment in milliseconds UTC. Never throws for what is in the octets. */
  receive(octets: Uint8Array, at: number, { inBlocks = false } = {}): ServerAnswer {
    const tag = octets[0];
    if (this.access === null || tag === undefined) return SILENCE;
    if (isAcseTag(tag)) {
      const apdu = readable(() => decodeAcse(octets));
      return apdu === null ? answer(refusal(REFUSALS.unreadable)) : this.acse(apdu, this.access);
    }
    const { association } = this;
    if (association === null) return answer(refusal(REFUSALS.notAllowed));
    if (!inBlocks && octets.length > association.agreement.maxReceivePdu) return answer(refusal(REFUSALS.tooLong));
    const apdu = readable(() => decodeApdu(octets));
    if (apdu === null) return answer(refusal(REFUSALS.unreadable));
    const opened = this.opened(apdu, association);
    if ('refused' in opened) return this.refuse(opened);
    const { apdu: plain, said } = association.isAuthenticated
      ? this.service(opened.request, association, at)
      : this.authenticate(opened.request, association);
    // Exceptions have no ciphered form.
    return plain === null || plain[0] === EXCEPTION ? { apdu: plain, said } : { apdu: opened.reply(plain), said };
  }

  private opened(apdu: Apdu, { agreement: { ciphering } }: Association): OpenedRequest {
    return ciphering === null ? { request: apdu, reply: (plain) => plain } : ciphering.open(apdu);
  }

  private refuse(opened: Extract<OpenedRequest, { readonly refused: string }>): ServerAnswer {
    switch (opened.refused) {
      case 'counter':
        this.association = null;
        return answer(counterRefusal(opened.expected));
      case 'deciphering':
        return answer(refusal(REFUSALS.notDeciphered));
      case 'policy':
        return answer(refusal(REFUSALS.notAllowed));
      case 'not-negotiated':
        return answer(refusal(REFUSALS.notSupported));
    }
  }

  private acse(apdu: AcseApdu, access: ClientAccess): ServerAnswer {
    switch (apdu.apdu) {
      case 'aarq': {
        const { answer: aare, agreement } = openAssociation(apdu, rulesOf(this.model, access));
        this.association = agreement === null ? null : this.associate(agreement, access);
        return answer(aare);
      }
      case 'rlrq':
        return this.release(apdu);
      default:
        // Answers of a server: ours, echoed.
        return SILENCE;
    }
  }

  /** A release is granted whatever protects it; ciphered user-information is answered in kind. */
  private release({ userInformation }: Rlrq): ServerAnswer {
    const { association } = this;
    this.association = null;
    const sent = userInformation?.decoded ?? null;
    const opened = sent === null || association === null ? null : this.opened(sent, association);
    if (association === null || opened === null || 'refused' in opened) {
      return answer(encodeAcse({ apdu: 'rlre', reason: 'normal' }));
    }
    const { conformance, maxReceivePdu } = association.agreement;
    const response = protectedApdu(
      initiateResponseOf(conformance.bits, maxReceivePdu, this.model.referencing),
      opened.reply,
    );
    return answer(encodeAcse({ apdu: 'rlre', reason: 'normal', userInformation: userInformationOf(response) }));
  }

  private associate(agreement: Agreement, access: ClientAccess): Association {
    const { objects, shortNames } = this.model;
    const { conformance, maxReceivePdu, maxSendPdu, context, clientTitle } = agreement;
    const hasAllRights = access.rights === 'all';
    const limits = (blocks: Parameters<typeof hasConformance>[1]) => ({
      maxSendPdu,
      blockTransfer: hasConformance(conformance, blocks),
      generalBlocks: hasConformance(conformance, 'general-block-transfer'),
    });
    return {
      agreement,
      view: {
        client: this.client,
        clientTitle,
        context,
        mechanism: MECHANISMS[AUTHENTICATION_LEVELS.indexOf(access.authentication)] ?? 'NONE',
        conformance: bitsOf(conformance.hex),
        maxReceivePdu,
        maxSendPdu,
        objects: hasAllRights ? objects : objects.filter(({ isPublic }) => isPublic),
        mayChange: hasAllRights,
        shortNames,
      },
      get: new GetService(objects, limits('block-transfer-with-get-or-read')),
      set: new SetService(objects),
      action: new ActionService(objects, limits('block-transfer-with-action')),
      shortName: new ShortNameService(objects, shortNames, limits('block-transfer-with-get-or-read')),
      isAuthenticated: agreement.hls === null,
    };
  }

  /** Passes 3 and 4 of the HLS exchange; nothing else is served before. */
  private authenticate(request: Apdu, association: Association): ServerAnswer {
    const { hls, ciphering } = association.agreement;
    const outcome = hls === null ? null : answerHls(hls, request, this.model.counters, ciphering !== null);
    if (outcome === null) return answer(refusal(REFUSALS.notAllowed));
    association.isAuthenticated = outcome.isProven;
    if (!outcome.isProven) this.association = null;
    return answer(outcome.response);
  }

  private service(request: Apdu, association: Association, at: number): ServerAnswer {
    if (!isNegotiated(request, association.agreement.conformance)) return answer(refusal(REFUSALS.notSupported));
    const context = this.model.contextAt(at, association.view);
    switch (request.apdu) {
      case 'get-request': {
        const outcome = association.get.answer(request, context);
        if (outcome === 'pdu-too-long') return answer(refusal(REFUSALS.tooLong));
        return { apdu: encodeApdu(outcome.response), said: outcome.said };
      }
      case 'set-request': {
        const response = encodeApdu(association.set.answer(request, context));
        return isConfirmed(request) ? answer(response) : SILENCE;
      }
      case 'action-request': {
        const response = association.action.answer(request, context);
        if (!isConfirmed(request)) return SILENCE;
        return answer(response === 'pdu-too-long' ? refusal(REFUSALS.tooLong) : encodeApdu(response));
      }
      case 'readRequest': {
        const outcome = association.shortName.read(request, context);
        if (outcome === 'pdu-too-long') return answer(refusal(REFUSALS.tooLong));
        return { apdu: encodeApdu(outcome.response), said: outcome.said };
      }
      case 'writeRequest':
        return answer(encodeApdu(association.shortName.write(request, context)));
      case 'unconfirmedWriteRequest':
        association.shortName.write(request, context);
        return SILENCE;
      case 'access-request': {
        const { response, said } = answerAccess(this.model.objects, request, context);
        const octets = encodeApdu(response);
        const { maxSendPdu } = association.agreement;
        const fits = this.hasGeneralBlocks || octets.length <= maxSendPdu;
        return fits ? { apdu: octets, said } : answer(refusal(REFUSALS.tooLong));
      }
      case 'data-notification-confirm':
        this.model.state.confirmed.push(request.longInvokeIdAndPriority.invokeId);
        return SILENCE;
      default:
        return answer(refusal(REFUSALS.notSupported));
    }
  }
}

function rulesOf(model: MeterModel, access: ClientAccess): OpeningRules {
  const { password, maxPdu, security, counters, referencing, granted } = model;
  return { access, password, maxPdu, security, counters, referencing, granted };
}

const EXCEPTION = 0xd8;

function isConfirmed({ invokeIdAndPriority }: Extract<Apdu, { readonly invokeIdAndPriority: unknown }>): boolean {
  return invokeIdAndPriority.serviceClass === 'confirmed';
}

/** Octets as text of 0 and 1. */
function bitsOf(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(2).padStart(8, '0')).join('');
}

function answer(apdu: Uint8Array): ServerAnswer {
  return { apdu, said: [] };
}
