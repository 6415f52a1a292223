/**
 * What was heard on the line while an answer was awaited. When the time is up, it tells silence from garbage, from
 * another framing and from an answer of another station: four different things for a person to do.
 */
import { toHex } from '../core/bytes.ts';
import { BridgeError } from '../core/errors.ts';

export type Framing = 'hdlc' | 'wrapper';

const KEPT = 16;

export class Evidence {
  private readonly framing: Framing;
  private octets = 0;
  private first = new Uint8Array(0);
  private frames = 0;
  private echoes = 0;
  private reason: string | null = null;
  private stranger: { readonly asked: string; readonly answered: string } | null = null;

  constructor(framing: Framing) {
    this.framing = framing;
  }

  heard(bytes: Uint8Array): void {
    this.octets += bytes.length;
    if (this.first.length >= KEPT) return;
    this.first = Uint8Array.from([...this.first, ...bytes.subarray(0, KEPT - this.first.length)]);
  }

  /** A valid frame came, of whatever kind. */
  frame(): void {
    this.frames += 1;
  }

  echo(): void {
    this.echoes += 1;
  }

  discarded(reason: string): void {
    this.reason = reason;
  }

  /** A valid frame came, but it named other addresses than those that were asked. */
  otherAddress(asked: string, answered: string): void {
    this.stranger = { asked, answered };
  }

  /** Why nothing usable came in time. `awaited` names it: `UA to the SNRM`, `an answer`. */
  error(awaited: string): BridgeError {
    const layer = this.framing;
    const facts = { octets: this.octets, first: toHex(this.first) };
    // Before the addresses: between the octets of an HDLC frame something may pass for a wrapper header.
    if ((this.frames === 0 || this.stranger !== null) && looksLikeOther(this.framing, this.first)) {
      const other = this.framing === 'hdlc' ? 'wrapper' : 'HDLC';
      return new BridgeError('WRONG_FRAMING', `the meter answered in ${other} framing`, { layer, facts });
    }
    if (this.stranger !== null) {
      const { asked, answered } = this.stranger;
      return new BridgeError('WRONG_ADDRESS', `asked ${asked}, but ${answered} answered`, {
        layer,
        facts: { asked, answered },
      });
    }
    if (this.octets === 0) return new BridgeError('METER_TIMEOUT', `no octet of ${awaited} came in time`, { layer });
    if (this.frames === 0) {
      const why = this.reason === null ? '' : `: ${this.reason}`;
      return new BridgeError('METER_GARBAGE', `${this.octets} octets came, but no valid frame${why}`, { layer, facts });
    }
    const echo = this.echoes === this.frames ? ' (only the echo of the request came back)' : '';
    return new BridgeError('METER_TIMEOUT', `${awaited} did not come in time${echo}`, { layer });
  }
}

/** A wrapper header begins `00 01`, an HDLC frame `7E Ax`. */
function looksLikeOther(framing: Framing, first: Uint8Array): boolean {
  const [a = -1, b = -1] = first;
  return framing === 'hdlc' ? a === 0x00 && b === 0x01 : a === 0x7e && b >> 4 === 0xa;
}
