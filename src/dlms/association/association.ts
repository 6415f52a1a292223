/**
 * The client's application association with a meter, sans I/O: takes what the application wants and the APDUs that
 * arrive, gives the APDUs to send and what happened (Green Book 9.3.4 COSEM-OPEN, 9.3.5 COSEM-RELEASE).
 *
 * The states stand in `states.ts`, the services in `services.ts` and `../exchange/`.
 *
 * One confirmed service at a time. Whatever arrives that the table has no place for ends nothing: an unsolicited APDU
 * is handed out, an answer to a request that was given up is ignored.
 */
import { asBridgeError, BridgeError, fail } from '../../core/errors.ts';
import { decodeAcse, isAcseTag } from '../acse/acse.ts';
import { associationError } from '../acse/diagnostics.ts';
import type { Aare } from '../acse/types.ts';
import type { ServiceExchange, ServiceLimits } from '../exchange/exchange.ts';
import { confirmationOf } from '../push/confirm.ts';
import { quirksOf } from '../quirks.ts';
import type { HlsCredentials } from '../security/hls.ts';
import { securitySuite } from '../security/suite.ts';
import type { MeterSecrets, MeterSettings } from '../settings.ts';
import { type Apdu, decodeApdu } from '../xdlms/apdu.ts';
import { type ConformanceBit, conformance, hasConformance } from '../xdlms/conformance.ts';
import { responseError } from '../xdlms/response-error.ts';
import { HlsHandshake } from './hls.ts';
import { serverSigningKeyOf } from './keys.ts';
import { apduSecurityOf, clientTitleOf, serverTitleOf } from './material.ts';
import {
  type AgreedContext,
  aarqBytes,
  agreedContextOf,
  furtherAuthenticationError,
  hlsCredentialsOf,
  proposedServices,
  rlrqBytes,
} from './open.ts';
import type { ApduSecurity } from './security.ts';
import { FIRST_INVOKE_ID, ServiceDialogue, type ServiceStep, type UnsolicitedApdu } from './services.ts';
import {
  type AssociationEvent,
  type AssociationInput,
  type AssociationState,
  type AssociationStep,
  TRANSITIONS,
} from './states.ts';
import { ApduTransfer, type Transferred } from './transfer.ts';

export interface AssociationOptions {
  readonly settings: MeterSettings;
  readonly secrets: MeterSecrets;
  /** Octets that nobody can foresee: challenges, dedicated keys. */
  random(octets: number): Uint8Array;
  /** See `SecurityMaterial`. A step takes at most two. */
  takeCounter(): number;
  /** Our system title where the settings have none, 8 octets. */
  readonly systemTitle: Uint8Array;
}

const IGNORED: AssociationStep = { send: [], event: null };
const CHALLENGE_OCTETS = { ecdsa: 32, others: 16 } as const;

export class AssociationClient {
  private readonly options: AssociationOptions;
  private readonly credentials: HlsCredentials | null;
  private current: AssociationState = 'closed';
  private agreed: AgreedContext | null = null;
  private security: ApduSecurity | null = null;
  private transfer = new ApduTransfer(null);
  private handshake: HlsHandshake | null = null;
  private readonly services: ServiceDialogue;

  /** Throws UNSUPPORTED or KEY_MISSING for an authentication level that cannot be. */
  constructor(options: AssociationOptions) {
    const { settings, secrets } = options;
    this.options = options;
    this.services = new ServiceDialogue(quirksOf(settings));
    this.credentials = ['none', 'low'].includes(settings.authentication) ? null : hlsCredentialsOf(settings, secrets);
  }

  get state(): AssociationState {
    return this.current;
  }

  /** What was agreed in the AARE; null while there is no association. */
  get negotiated(): AgreedContext | null {
    return this.agreed;
  }

  /** Octets of the largest plain request, 0 for no limit. */
  get maxRequestPdu(): number {
    const granted = this.agreed?.serverMaxReceivePduSize ?? 0;
    return granted === 0 || this.security === null ? granted : Math.max(1, granted - this.security.overhead);
  }

  /** The AARQ. */
  open(): Uint8Array {
    const { settings, secrets, random } = this.options;
    const ciphered = settings.security !== 'none';
    const dedicatedKey = ciphered && settings.dedicatedKey ? random(securitySuite(settings.suite).keyOctets) : null;
    this.security = ciphered ? apduSecurityOf(this.options, dedicatedKey) : null;
    this.transfer = new ApduTransfer(this.security);
    const challenge =
      this.credentials === null
        ? null
        : random(CHALLENGE_OCTETS[this.credentials.mechanism === 'ecdsa' ? 'ecdsa' : 'others']);
    const clientTitle = ciphered || this.credentials !== null ? clientTitleOf(this.options) : null;
    const bytes = aarqBytes({ settings, secrets, security: this.security, clientTitle, challenge, dedicatedKey });
    this.handshake = this.newHandshake(challenge);
    this.move('open');
    return bytes;
  }

  /** A pre-established association: it stands at once, on what the settings say. Throws KEY_MISSING, SERVICE_NOT_GRANTED. */
  assume(): AssociationEvent {
    const { settings } = this.options;
    const { preEstablished } = settings;
    if (preEstablished === null) return fail('INTERNAL', 'nothing is pre-established', { layer: 'acse' });
    this.security = settings.security === 'none' ? null : apduSecurityOf(this.options, null);
    this.transfer = new ApduTransfer(this.security);
    const agreed = {
      conformance: conformance(preEstablished.conformance ?? proposedServices(settings)),
      serverMaxReceivePduSize: preEstablished.serverMaxPdu,
    };
    this.security?.agreed(hasConformance(agreed.conformance, 'general-protection'));
    this.transfer.agreed(agreed);
    this.security?.established();
    this.move('assumed');
    this.agreed = agreed;
    return { kind: 'associated', negotiated: agreed };
  }

  private newHandshake(challenge: Uint8Array | null): HlsHandshake | null {
    const { credentials } = this;
    if (credentials === null || challenge === null) return null;
    return new HlsHandshake({
      referencing: this.options.settings.referencing,
      credentials,
      challenge,
      clientTitle: clientTitleOf(this.options),
      serverTitle: serverTitleOf(this.options),
    });
  }

  /** The first APDUs of a service. Throws SERVICE_NOT_GRANTED, PDU_TOO_SMALL; then nothing has happened. */
  begin(exchange: ServiceExchange<unknown>): readonly Uint8Array[] {
    if (this.agreed === null) fail('SERVICE_NOT_GRANTED', 'no association stands');
    const requesting = this.after('request');
    const request = this.services.begin(exchange, this.limits());
    this.current = requesting;
    return this.transfer.outgoing(request);
  }

  /** The APDUs of a service that the meter does not answer. Throws SERVICE_NOT_GRANTED, PDU_TOO_SMALL. */
  unconfirmed(service: (limits: ServiceLimits) => Apdu): readonly Uint8Array[] {
    if (this.current !== 'associated') fail('SERVICE_NOT_GRANTED', 'no association stands that is at rest');
    return this.transfer.outgoing(service(this.limits()));
  }

  private limits(): ServiceLimits {
    return {
      maxRequestPdu: this.maxRequestPdu,
      firstBlock: quirksOf(this.options.settings).blocksFromZero ? 0 : 1,
      require: (bit) => this.requireGranted(bit),
      isGranted: (bit) => this.isGranted(bit),
    };
  }

  /** The RLRQ. */
  release(): Uint8Array {
    this.move('release');
    return rlrqBytes(this.options.settings, this.security);
  }

  /** The line or the link below is gone. */
  lost(): void {
    this.move('lost');
    this.agreed = null;
    this.services.end();
  }

  /** One APDU from the meter. Malformed ones lose the association: nothing after them can be trusted. */
  receive(bytes: Uint8Array): AssociationStep {
    try {
      switch (this.current) {
        case 'closed':
          return IGNORED;
        case 'associating':
          return this.onAssociating(bytes);
        case 'releasing':
          return this.onReleasing();
        case 'authenticating':
        case 'associated':
        case 'requesting':
          // An AARE that came twice, as datagrams do: the association stands already.
          if (isAcseTag(bytes[0] ?? 0)) return IGNORED;
          return this.onTransferred(this.transfer.incoming(bytes, (plain) => this.services.read(plain)));
      }
    } catch (thrown) {
      return this.loseTo(asBridgeError(thrown));
    }
  }

  /**
   * Nothing came for a response time-out: what is to be sent to get at missing blocks. Empty when there is nothing to be
   * done about it, or when that was done often enough: whoever keeps the time gives up then.
   */
  timedOut(): readonly Uint8Array[] {
    return this.current === 'closed' ? [] : this.transfer.silence();
  }

  private onTransferred(transferred: Transferred): AssociationStep {
    if (transferred.kind === 'block') return { send: transferred.send, event: { kind: 'block' } };
    if (transferred.kind === 'disregarded') {
      this.transfer.awaitAnother();
      return { send: [], event: transferred };
    }
    const step = this.services.receive(transferred.apdu);
    if (step.kind === 'unsolicited' || step.kind === 'ignored') this.transfer.awaitAnother();
    return this.onService(step);
  }

  private onAssociating(bytes: Uint8Array): AssociationStep {
    if (!isAcseTag(bytes[0] ?? 0)) return this.loseTo(responseError(decodeApdu(bytes)));
    const answer = decodeAcse(bytes);
    if (answer.apdu !== 'aare') {
      return this.loseTo(
        new BridgeError('UNEXPECTED_RESPONSE', `${answer.apdu} where an AARE was awaited`, { layer: 'acse' }),
      );
    }
    const { referencing } = this.options.settings;
    const error = associationError(answer, referencing);
    if (error !== null) return this.refuse(error);
    this.agreed = agreedContextOf(answer, this.security, referencing);
    this.transfer.agreed(this.agreed);
    try {
      const serverKey = serverSigningKeyOf(answer, this.options.settings, this.options.secrets);
      if (serverKey !== null) this.security?.learnServerSigningKey(serverKey);
      if (this.handshake !== null) return this.proveOurselves(this.handshake, answer, serverKey);
    } catch (thrown) {
      return this.refuse(asBridgeError(thrown));
    }
    if (answer.resultSourceDiagnostic.code === AUTHENTICATION_REQUIRED)
      return this.refuse(furtherAuthenticationError());
    return this.accept();
  }

  private proveOurselves(handshake: HlsHandshake, aare: Aare, serverKey: Uint8Array | null): AssociationStep {
    const proof = handshake.prove(aare, serverKey, this.options.takeCounter);
    this.move('challenged');
    return { send: this.transfer.outgoing(this.services.begin(proof, this.limits(), FIRST_INVOKE_ID)), event: null };
  }

  private onProof(): AssociationStep {
    try {
      this.handshake?.verify();
    } catch (thrown) {
      return this.refuse(asBridgeError(thrown));
    }
    return this.accept();
  }

  private accept(): AssociationStep {
    this.move('accepted');
    this.security?.established();
    this.services.end();
    return {
      send: [],
      event: { kind: 'associated', negotiated: this.agreed ?? fail('INTERNAL', 'nothing was agreed') },
    };
  }

  private refuse(error: BridgeError): AssociationStep {
    this.move('refused');
    this.agreed = null;
    this.services.end();
    return { send: [], event: { kind: 'refused', error } };
  }

  /** Whatever answers an RLRQ, the association is over: some meters answer with wrong lengths, some with an exception. */
  private onReleasing(): AssociationStep {
    this.move('released');
    this.agreed = null;
    return { send: [], event: { kind: 'released' } };
  }

  private onService(step: ServiceStep): AssociationStep {
    switch (step.kind) {
      case 'ignored':
        return IGNORED;
      case 'unsolicited':
        return this.onUnsolicited(step.apdu);
      case 'send':
        return { send: this.transfer.outgoing(step.apdu), event: null };
      case 'failed':
        return this.failWith(step.error);
      case 'lost':
        return this.loseTo(step.error);
      case 'done':
        if (this.current === 'authenticating') return this.onProof();
        this.move('answered');
        this.services.end();
        return { send: [], event: { kind: 'answered' } };
    }
  }

  private onUnsolicited(apdu: UnsolicitedApdu): AssociationStep {
    const confirm = apdu.apdu === 'data-notification' ? confirmationOf(apdu) : null;
    const confirmation = confirm === null ? null : this.transfer.protected(confirm);
    return { send: [], event: { kind: 'unsolicited', apdu, confirmation } };
  }

  private failWith(error: BridgeError): AssociationStep {
    if (this.current === 'authenticating') return this.refuse(error);
    this.move('answered');
    this.services.end();
    return { send: [], event: { kind: 'failed', error } };
  }

  private loseTo(error: BridgeError): AssociationStep {
    this.lost();
    return { send: [], event: { kind: 'lost', error } };
  }

  private requireGranted(bit: ConformanceBit): void {
    if (!this.isGranted(bit)) fail('SERVICE_NOT_GRANTED', `the meter did not grant "${bit}" to this client`);
  }

  private isGranted(bit: ConformanceBit): boolean {
    return this.agreed !== null && hasConformance(this.agreed.conformance, bit);
  }

  private move(input: AssociationInput): void {
    this.current = this.after(input);
  }

  private after(input: AssociationInput): AssociationState {
    return (
      TRANSITIONS[this.current][input] ??
      fail('INTERNAL', `association: ${input} while ${this.current}`, { layer: 'acse' })
    );
  }
}

/** Diagnostic of the service user: accepted, but pass 3 and 4 are to follow. */
const AUTHENTICATION_REQUIRED = 14;
