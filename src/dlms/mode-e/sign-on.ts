/**
 * The client's sign-on of mode E (IEC 62056-21, annex E; Green Book 10): at 300 Bd 7E1 the meter is called and identifies
 * itself; the acknowledgement selects HDLC and the rate it offered; from then on the line runs at that rate with 8N1.
 *
 * Sans I/O: octets and time-outs come in, octets to write come out. Optical heads echo what is sent, and lines begin with
 * noise: the identification is looked for in every line that comes.
 */
import { concat, toHex } from '../../core/bytes.ts';
import { BridgeError, fail } from '../../core/errors.ts';
import {
  asciiText,
  encodeHdlcSelection,
  encodeRequest,
  INITIAL_BAUD_CHARACTER,
  INITIAL_BAUD_RATE,
  type ModeEIdentification,
  parseIdentification,
} from './messages.ts';
import { addEvenParity, hasEvenParity, stripParity } from './parity.ts';
import { SIGN_ON_TRANSITIONS, type SignOnInput, type SignOnState } from './sign-on-states.ts';

export interface SignOnSettings {
  /** Device address; null calls whoever is there. */
  readonly address: string | null;
  /** The line is set to 8N1 and the parity bit is made here; else the line itself does 7E1. */
  readonly softwareParity: boolean;
  /** false: stay at 300 Bd, for meters that do not switch. */
  readonly switchBaud: boolean;
  /** How often the request is repeated when no identification came in time. */
  readonly retries: number;
}

export const DEFAULT_SIGN_ON: SignOnSettings = { address: null, softwareParity: true, switchBaud: true, retries: 2 };

/** The standard gives the meter 1500 ms to begin its answer, and a longest identification takes 1 s at 300 Bd. */
export const IDENTIFICATION_TIMEOUT_MS = 3000;

export type SignOnEvent =
  | { readonly kind: 'identified'; readonly identification: ModeEIdentification }
  /** Once everything is written out: HDLC, 8N1, at this rate. Some meters need about 400 ms for the change. */
  | { readonly kind: 'ready'; readonly baudRate: number }
  | { readonly kind: 'failed'; readonly error: BridgeError };

export interface SignOnOutput {
  /** What to write, parity bits included where they are made here. */
  readonly send: readonly Uint8Array[];
  /** Wait so long before writing: the reaction time of the meter. */
  readonly delayMs: number;
  readonly events: readonly SignOnEvent[];
}

const NOTHING: SignOnOutput = { send: [], delayMs: 0, events: [] };
/** Reaction time t_r, IEC 62056-21 6.3.14. */
const REACTION_MS = { fast: 20, normal: 200 } as const;
const LINE_FEED = 0x0a;
/** A longer line is no identification; its beginning is forgotten. */
const LONGEST_LINE = 128;
const KEPT_EVIDENCE = 16;

/** The session of one sign-on. `start`, then octets or time-outs until an event says `ready` or `failed`. */
export class ModeESignOn {
  private readonly settings: SignOnSettings;
  private readonly request: Uint8Array;
  private current: SignOnState = 'idle';
  private line: Uint8Array = new Uint8Array(0);
  private attempts = 0;
  private octets = 0;
  private echoes = 0;
  private first: Uint8Array = new Uint8Array(0);

  /** Throws INVALID_VALUE for an address that cannot be sent. */
  constructor(settings: SignOnSettings = DEFAULT_SIGN_ON) {
    this.settings = settings;
    this.request = encodeRequest(settings.address);
  }

  get state(): SignOnState {
    return this.current;
  }

  /** The rate that the line must have before `start`. */
  get initialBaudRate(): number {
    return INITIAL_BAUD_RATE;
  }

  start(): SignOnOutput {
    this.move('start');
    this.attempts = 0;
    this.octets = 0;
    this.echoes = 0;
    this.first = new Uint8Array(0);
    return this.call();
  }

  /** Octets of the line, in any portions. What comes after the end belongs to HDLC and is not looked at. */
  receive(bytes: Uint8Array): SignOnOutput {
    this.move('octets');
    let from = 0;
    while (this.current === 'identifying' && from < bytes.length) {
      const portion = bytes.subarray(from, Math.min(from + LONGEST_LINE, bytes.length));
      const end = portion.findIndex((octet) => (octet & 0x7f) === LINE_FEED);
      const taken = end < 0 ? portion : portion.subarray(0, end + 1);
      from += taken.length;
      this.heard(taken);
      if (end < 0) continue;
      const identification = this.identificationIn(this.line);
      this.line = new Uint8Array(0);
      if (identification !== null) return this.answer(identification);
    }
    return NOTHING;
  }

  /** No identification came in time: the request is repeated, or the sign-on has failed. */
  timeout(): SignOnOutput {
    if (this.current !== 'identifying') return NOTHING;
    if (this.attempts <= this.settings.retries) return this.call();
    return this.end('retries used up', { kind: 'failed', error: this.silence() });
  }

  private call(): SignOnOutput {
    this.attempts += 1;
    this.line = new Uint8Array(0);
    return { send: [this.outgoing(this.request)], delayMs: 0, events: [] };
  }

  private answer(identification: ModeEIdentification): SignOnOutput {
    const identified: SignOnEvent = { kind: 'identified', identification };
    if (!identification.announcesModeEHdlc || identification.baudRate === null) {
      const { manufacturer, identification: name } = identification;
      const error = new BridgeError('MODE_E_NOT_OFFERED', `${manufacturer} "${name}" does not offer HDLC (mode E)`, {
        facts: { manufacturer, identification: name, baudChar: identification.baudChar },
      });
      return this.end('identified', identified, { kind: 'failed', error });
    }
    const { switchBaud } = this.settings;
    const selection = encodeHdlcSelection(switchBaud ? identification.baudChar : INITIAL_BAUD_CHARACTER);
    const baudRate = switchBaud ? identification.baudRate : INITIAL_BAUD_RATE;
    const { events } = this.end('identified', identified, { kind: 'ready', baudRate });
    const delayMs = identification.reactionTime20ms ? REACTION_MS.fast : REACTION_MS.normal;
    return { send: [this.outgoing(selection)], delayMs, events };
  }

  private move(input: SignOnInput): void {
    const next = SIGN_ON_TRANSITIONS[this.current][input];
    if (next === null) fail('INTERNAL', `sign-on: ${input} while ${this.current}`, { layer: 'mode-e' });
    this.current = next;
  }

  private end(input: SignOnInput, ...events: readonly SignOnEvent[]): SignOnOutput {
    this.move(input);
    this.line = new Uint8Array(0);
    return { send: [], delayMs: 0, events };
  }

  private outgoing(octets: Uint8Array): Uint8Array {
    return this.settings.softwareParity ? addEvenParity(octets) : octets;
  }

  private heard(octets: Uint8Array): void {
    this.octets += octets.length;
    if (this.first.length < KEPT_EVIDENCE) this.first = concat([this.first, octets]).slice(0, KEPT_EVIDENCE);
    const line = concat([this.line, octets]);
    this.line = line.subarray(Math.max(0, line.length - LONGEST_LINE));
  }

  /**
   * The identification that a line ends with. Noise may stand before it, a slash among it. Octets whose parity is wrong are
   * noise too, except where a converter has taken the parity bits off.
   */
  private identificationIn(line: Uint8Array): ModeEIdentification | null {
    const plain = stripParity(line);
    const text = asciiText(plain).replace(/\r?\n$/, '');
    if (text.endsWith(asciiText(this.request).trimEnd())) this.echoes += 1;
    for (let at = text.indexOf('/'); at >= 0; at = text.indexOf('/', at + 1)) {
      const part = line.subarray(at);
      if (!hasEvenParity(part) && part.some((octet) => octet > 0x7f)) continue;
      const identification = parseIdentification(text.slice(at));
      if (identification !== null) return identification;
    }
    return null;
  }

  private silence(): BridgeError {
    const facts = { octets: this.octets, first: toHex(this.first), attempts: this.attempts };
    const layer = 'mode-e';
    if (this.octets === 0) {
      return new BridgeError('METER_TIMEOUT', 'no identification came, not one octet', {
        layer,
        facts,
        hint: 'check the optical head and its position, and that the meter has power; it may speak HDLC at once (serial://)',
      });
    }
    if (this.echoes > 0 && this.octets <= this.echoes * this.request.length) {
      return new BridgeError('METER_TIMEOUT', 'no identification came, only the echo of the request', { layer, facts });
    }
    return new BridgeError('METER_GARBAGE', `${this.octets} octets came, but no identification`, { layer, facts });
  }
}
