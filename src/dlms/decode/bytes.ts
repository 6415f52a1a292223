/**
 * `dlms decode`: explains captured octets. Frames of any framing are taken out of them, what belongs to none is told; segments
 * and blocks are joined for each sender, protection is opened with the keys at hand; every APDU is decoded, and what cannot be
 * says why.
 */
import { parseData } from '../axdr/data.ts';
import { splitLlc } from '../hdlc/llc.ts';
import { decodeAnyApdu } from './apdu.ts';
import { attempt } from './attempt.ts';
import { type Capture, captureHdlc, captureMbus, captureWrapper, deframeWrapper } from './captures.ts';
import { type Decoded, Findings } from './findings.ts';
import { gmacValueLayer } from './gmac-value.ts';
import { deframe } from './hdlc.ts';
import { Messages } from './messages.ts';
import { decodeModeE } from './mode-e.ts';
import { takeModeE } from './mode-e-capture.ts';
import { presentObject } from './present.ts';
import { deframeMbus } from './push.ts';
import type { DecodeKeys } from './security.ts';

export type { Decoded } from './findings.ts';

export const DECODE_INPUTS = ['auto', 'hdlc', 'wrapper', 'apdu', 'data', 'mbus', 'mode-e'] as const;
export type DecodeInput = (typeof DECODE_INPUTS)[number];

export interface DecodeOptions {
  /** What the octets are. */
  readonly input: DecodeInput;
  /** Open what is ciphered; without them headers are shown. */
  readonly keys?: DecodeKeys;
  /** The octets are the GMAC value of this challenge, and nothing else. */
  readonly challenge?: Uint8Array | null;
}

const NO_KEYS: DecodeKeys = { encryptionKey: null, authenticationKey: null, systemTitle: null };

/** Explains octets. Never throws for what they hold. */
export function decodeBytes(octets: Uint8Array, { input, keys = NO_KEYS, challenge = null }: DecodeOptions): Decoded {
  const findings = new Findings();
  if (challenge !== null) {
    gmacValueLayer(octets, keys, challenge, findings);
    return findings.result();
  }
  const messages = new Messages(findings, keys);
  const signedOn = input === 'auto' || input === 'mode-e' ? takeModeE(octets, findings) : 0;
  if (input === 'mode-e' && signedOn === 0) explainModeE(octets, findings);
  else if (signedOn === 0 || signedOn < octets.length) {
    const rest = octets.subarray(signedOn);
    const kind = input === 'auto' || input === 'mode-e' ? detected(rest) : input;
    CAPTURES[kind](rest, signedOn, findings, messages);
  }
  messages.finish();
  return findings.result();
}

type Framed = Exclude<DecodeInput, 'auto' | 'mode-e'>;

const CAPTURES: Readonly<Record<Framed, Capture>> = {
  hdlc: captureHdlc,
  wrapper: captureWrapper,
  mbus: captureMbus,
  apdu: (octets, _, __, messages) => messages.take('', octets),
  data: (octets, _, findings) => {
    const { value, error } = attempt(() => presentObject({ data: parseData(octets) }));
    if (error === null) findings.apdu(value);
    else findings.undecodable(octets, error);
  },
};

/** What octets are: the first reading that succeeds; when none does, what they look like. */
function detected(octets: Uint8Array): Framed {
  const hasFrame = ({ kind }: { readonly kind: string }): boolean => kind === 'frame';
  if (deframe(octets).some(hasFrame)) return 'hdlc';
  const [a = -1, b = -1, , d] = octets;
  const looksLikeMbus = a === 0x68 && d === 0x68;
  if (looksLikeMbus || deframeMbus(octets).some(hasFrame)) return 'mbus';
  const looksWrapped = a === 0x00 && b === 0x01;
  const wrapped = deframeWrapper(octets).flatMap((item) => (item.kind === 'frame' ? [item.frame.apdu] : []));
  if (looksWrapped && wrapped.length > 0) return 'wrapper';
  if (attempt(() => decodeAnyApdu(splitLlc(octets).rest)).error === null) return 'apdu';
  if (attempt(() => parseData(octets)).error === null) return 'data';
  if (wrapped.some((apdu) => attempt(() => decodeAnyApdu(apdu)).error === null)) return 'wrapper';
  if (octets.some((octet, at) => octet === 0x7e && (octets[at + 1] ?? 0) >> 4 === 0xa)) return 'hdlc';
  return looksWrapped ? 'wrapper' : 'apdu';
}

/** Octets that begin with no message which can be told by its shape: a baud rate character, or a broken message. */
function explainModeE(octets: Uint8Array, findings: Findings): void {
  const { value, error } = attempt(() => decodeModeE(octets));
  findings.layer('mode-e', {
    offset: 0,
    length: octets.length,
    ...(value ?? presentObject({ valid: false, hex: octets, error })),
  });
  if (error !== null) findings.wrong(error);
}
