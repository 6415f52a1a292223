/**
 * Link parameters in SNRM and UA (Green Book 8.4.5.3.2): `81 80 length`, then 05/06 maximum information field length
 * (one or two octets) and 07/08 window size (four octets). "Transmit" and "receive" are those of the station that sends
 * them; what is absent keeps its default, 128 octets and a window of 1. Also the reason field of a FRMR.
 */
import { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { decodeControl } from './frame.ts';

export const DEFAULT_INFO_LENGTH = 128;
export const DEFAULT_WINDOW = 1;
export const MAX_WINDOW = 7;

/** As they stand in the frame: the view of the station that sent it. */
export interface HdlcParameters {
  readonly maxInfoFieldLengthTransmit: number;
  readonly maxInfoFieldLengthReceive: number;
  readonly windowSizeTransmit: number;
  readonly windowSizeReceive: number;
}

/** What one end may do after the negotiation. */
export interface HdlcLimits {
  readonly sendInfoLength: number;
  readonly receiveInfoLength: number;
  readonly sendWindow: number;
  readonly receiveWindow: number;
}

const FORMAT_IDENTIFIER = 0x81;
const GROUP_IDENTIFIER = 0x80;
const FIELDS: Readonly<Record<number, keyof HdlcParameters>> = {
  5: 'maxInfoFieldLengthTransmit',
  6: 'maxInfoFieldLengthReceive',
  7: 'windowSizeTransmit',
  8: 'windowSizeReceive',
};

/** The same proposal in both directions. */
export function symmetricParameters(infoLength: number, window: number): HdlcParameters {
  return {
    maxInfoFieldLengthTransmit: infoLength,
    maxInfoFieldLengthReceive: infoLength,
    windowSizeTransmit: window,
    windowSizeReceive: window,
  };
}

export function encodeParameters(parameters: HdlcParameters): Uint8Array {
  const group = new ByteWriter();
  for (const [identifier, field] of Object.entries(FIELDS)) {
    const value = parameters[field];
    group.u8(Number(identifier));
    if (Number(identifier) >= 7) group.u8(4).u32(value);
    else if (value > 0xff) group.u8(2).u16(value);
    else group.u8(1).u8(value);
  }
  return new ByteWriter().u8(FORMAT_IDENTIFIER).u8(GROUP_IDENTIFIER).u8(group.length).bytes(group.finish()).finish();
}

/**
 * The parameters that an information field names; unknown ones are passed over.
 * Throws MALFORMED or TRUNCATED when it is no negotiation field.
 */
export function decodeParameters(information: Uint8Array): Partial<HdlcParameters> {
  const reader = new ByteReader(information, 'hdlc');
  const found: { -readonly [Field in keyof HdlcParameters]?: number } = {};
  if (reader.u8('format identifier') !== FORMAT_IDENTIFIER || reader.u8('group identifier') !== GROUP_IDENTIFIER) {
    reader.fail('MALFORMED', 'link parameters begin with 81 80');
  }
  const group = new ByteReader(reader.take(reader.u8('group length'), 'parameter group'), 'hdlc');
  while (group.remaining > 0) {
    const identifier = group.u8('parameter identifier');
    const value = group.take(group.u8('parameter length'), 'parameter value');
    const field = FIELDS[identifier];
    if (field === undefined) continue;
    if (value.length < 1 || value.length > 4) {
      group.fail('MALFORMED', `parameter ${identifier} has ${value.length} octets`);
    }
    found[field] = value.reduce((sum, octet) => sum * 256 + octet, 0);
  }
  return found;
}

/**
 * What holds after the other station answered with `theirs` to our `ours`: their receive is our transmit and the other
 * way round, and each takes the smaller of the two. A missing or zero parameter means the default.
 */
export function negotiated(ours: HdlcParameters, theirs: Partial<HdlcParameters>): HdlcLimits {
  const info = (mine: number, other: number | undefined): number => Math.min(mine, other || DEFAULT_INFO_LENGTH);
  const window = (mine: number, other: number | undefined): number =>
    Math.min(mine, other || DEFAULT_WINDOW, MAX_WINDOW);
  return {
    sendInfoLength: info(ours.maxInfoFieldLengthTransmit, theirs.maxInfoFieldLengthReceive),
    receiveInfoLength: info(ours.maxInfoFieldLengthReceive, theirs.maxInfoFieldLengthTransmit),
    sendWindow: window(ours.windowSizeTransmit, theirs.windowSizeReceive),
    receiveWindow: window(ours.windowSizeReceive, theirs.windowSizeTransmit),
  };
}

/** The limits as the parameters that tell the other station of them: what a server writes into its UA. */
export function parametersOf(limits: HdlcLimits): HdlcParameters {
  return {
    maxInfoFieldLengthTransmit: limits.sendInfoLength,
    maxInfoFieldLengthReceive: limits.receiveInfoLength,
    windowSizeTransmit: limits.sendWindow,
    windowSizeReceive: limits.receiveWindow,
  };
}

export interface FrameReject {
  /** The control field that was refused. */
  readonly rejectedFrameType: string;
  /** The sender's V(S) and V(R) at that time. */
  readonly vs: number;
  readonly vr: number;
  readonly reasons: readonly string[];
}

/** Meaning of the bits W, X, Y, Z (ISO/IEC 13239, 5.5.3.4.2). */
const REJECT_REASONS: readonly (readonly [bit: number, meaning: string])[] = [
  [1, 'unknown control field'],
  [2, 'information field not permitted'],
  [4, 'information field too long'],
  [8, 'N(R) acknowledges what was never sent'],
];

/** Decodes the information field of a FRMR; null when the meter gave none. */
export function decodeFrameReject(information: Uint8Array | null): FrameReject | null {
  if (information === null || information.length < 3) return null;
  const [control = 0, variables = 0, bits = 0] = information;
  return {
    rejectedFrameType: decodeControl(control).frameType,
    vs: (variables >> 1) & 7,
    vr: variables >> 5,
    reasons: REJECT_REASONS.filter(([bit]) => (bits & bit) !== 0).map(([, meaning]) => meaning),
  };
}

export function encodeFrameReject(control: number, vs: number, vr: number, bits: number): Uint8Array {
  return Uint8Array.of(control, (vr << 5) | (vs << 1), bits);
}
