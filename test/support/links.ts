/** Helpers for links: what an output says, and HDLC frames as a meter would send them. */
import { fromHex, toHex } from '../../src/core/bytes.ts';
import { clientAddress, type HdlcAddress, serverAddress } from '../../src/dlms/hdlc/address.ts';
import { decodeFrame, encodeFrame, type HdlcControl } from '../../src/dlms/hdlc/frame.ts';
import type { LinkOutput } from '../../src/dlms/link.ts';

/** Frames in short: `SNRM`, `I 0/1 P e6e600c0..`, `RR 1 P`; `+` when segmented. */
export function sentFrames(output: LinkOutput): string[] {
  return output.send.map((bytes) => {
    const { control, segmented, information } = decodeFrame(bytes);
    const words: string[] = [control.frameType];
    if (control.frameType === 'I') words.push(`${control.ns}/${control.nr}`);
    if (control.frameType === 'RR' || control.frameType === 'RNR' || control.frameType === 'REJ')
      words.push(`${control.nr}`);
    if (['I', 'RR', 'REJ'].includes(control.frameType)) words.push(control.pollFinal ? 'P' : '-');
    if (information !== null && control.frameType !== 'SNRM') words.push(toHex(information));
    if (segmented) words.push('+');
    return words.join(' ');
  });
}

/** Events in short: `connected`, `apdu c401`, `unsolicited 0f00`, `failed METER_TIMEOUT`, `discarded own echo`. */
export function eventsOf(output: LinkOutput): string[] {
  return output.events.map((event) => {
    switch (event.kind) {
      case 'apdu':
        return `${event.unsolicited ? 'unsolicited' : 'apdu'} ${toHex(event.apdu)}`;
      case 'failed':
        return `failed ${event.error.code}`;
      case 'discarded':
        return `discarded ${event.discarded.reason}`;
      default:
        return event.kind;
    }
  });
}

export function failureOf(output: LinkOutput): string {
  const event = output.events.find(({ kind }) => kind === 'failed');
  return event?.kind === 'failed' ? `${event.error.code}: ${event.error.message}` : 'no failure';
}

interface MeterFrame {
  readonly information?: string | Uint8Array;
  readonly segmented?: boolean;
  readonly source?: HdlcAddress;
  readonly destination?: HdlcAddress;
}

/** A frame from server 1/17 to client 16, unless said otherwise. */
export function meterFrame(control: HdlcControl, options: MeterFrame = {}): Uint8Array {
  const { information, segmented = false } = options;
  return encodeFrame({
    source: options.source ?? serverAddress(1, 17, null),
    destination: options.destination ?? clientAddress(16),
    control,
    segmented,
    information: typeof information === 'string' ? fromHex(information) : (information ?? null),
  });
}

export const frame = {
  ua: (information?: string): Uint8Array =>
    meterFrame({ frameType: 'UA', pollFinal: true }, information === undefined ? {} : { information }),
  dm: (): Uint8Array => meterFrame({ frameType: 'DM', pollFinal: true }),
  i: (ns: number, nr: number, information: string | Uint8Array, flags: '' | '+' | '-' | '+-' = ''): Uint8Array =>
    meterFrame(
      { frameType: 'I', ns, nr, pollFinal: !flags.includes('-') },
      { information, segmented: flags.includes('+') },
    ),
  rr: (nr: number, pollFinal = true): Uint8Array => meterFrame({ frameType: 'RR', nr, pollFinal }),
  rnr: (nr: number): Uint8Array => meterFrame({ frameType: 'RNR', nr, pollFinal: true }),
  rej: (nr: number): Uint8Array => meterFrame({ frameType: 'REJ', nr, pollFinal: true }),
  ui: (information: string, flags: '' | '+' = ''): Uint8Array =>
    meterFrame({ frameType: 'UI', pollFinal: flags === '' }, { information, segmented: flags === '+' }),
} as const;
