/** The client's side of the negotiation in SNRM and UA: first with parameters, and without them for a meter that refuses those. */
import { BridgeError } from '../../core/errors.ts';
import { type Quirks, quirksOf } from '../quirks.ts';
import type { MeterSettings } from '../settings.ts';
import { serverAddressOf } from './address.ts';
import {
  DEFAULT_INFO_LENGTH,
  DEFAULT_WINDOW,
  decodeParameters,
  encodeParameters,
  type HdlcLimits,
  type HdlcParameters,
  negotiated,
  symmetricParameters,
} from './parameters.ts';

/** What of a meter's settings concerns the link. */
export type HdlcLinkSettings = Pick<
  MeterSettings,
  'client' | 'server' | 'physical' | 'addressSize' | 'window' | 'infoLength'
> & { readonly quirks?: MeterSettings['quirks'] };

/** Flags, format, client address, control, HCS and FCS of a frame; the server address comes to it. */
const AROUND_INFORMATION = 2 + 2 + 1 + 1 + 2 + 2;

export class Negotiation {
  private readonly proposal: HdlcParameters;
  private readonly plainProposal: HdlcParameters;
  private readonly quirks: Quirks;
  private readonly serverAddressLength: number;
  private plain = false;
  private agreed: HdlcLimits;

  constructor(settings: HdlcLinkSettings) {
    const { infoLength, window } = settings;
    this.quirks = quirksOf(settings);
    this.serverAddressLength = serverAddressOf(settings).length;
    this.proposal = symmetricParameters(infoLength, window);
    this.plainProposal = symmetricParameters(Math.min(infoLength, DEFAULT_INFO_LENGTH), DEFAULT_WINDOW);
    this.agreed = negotiated(this.plainProposal, {});
  }

  /** What was agreed last; the defaults before that. */
  get limits(): HdlcLimits {
    return this.agreed;
  }

  begin(): void {
    this.plain = this.quirks.snrmWithoutParameters;
  }

  /** The information field of the SNRM. */
  get information(): Uint8Array | null {
    return this.plain ? null : encodeParameters(this.proposal);
  }

  /** The meter refused the SNRM. False: it has refused the plain one as well. */
  tryPlain(): boolean {
    const had = !this.plain;
    this.plain = true;
    return had;
  }

  /** Takes the information field of the UA. Throws MALFORMED. */
  agree(information: Uint8Array | null): HdlcLimits {
    try {
      const theirs = information === null ? {} : decodeParameters(information);
      const limits = negotiated(this.plain ? this.plainProposal : this.proposal, theirs);
      this.agreed = this.quirks.infoLengthCountsFrame ? withinFrames(limits, this.serverAddressLength) : limits;
      return this.agreed;
    } catch (cause) {
      throw new BridgeError('MALFORMED', 'the link parameters in the UA are unreadable', { layer: 'hdlc', cause });
    }
  }
}

/** For a meter whose length is that of the whole frame: what is left for the information field. */
function withinFrames(limits: HdlcLimits, serverAddressLength: number): HdlcLimits {
  return { ...limits, sendInfoLength: Math.max(1, limits.sendInfoLength - AROUND_INFORMATION - serverAddressLength) };
}
