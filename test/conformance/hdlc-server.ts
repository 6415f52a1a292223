/** A virtual meter's end of an HDLC line, without I/O: octets in, frames out. */
import { concat, fromHex } from '../../src/core/bytes.ts';
import { clientAddress, type HdlcAddress, serverAddress } from '../../src/dlms/hdlc/address.ts';
import { crc16, crcOctets } from '../../src/dlms/hdlc/crc.ts';
import { decodeFrame, encodeFrame, type HdlcControl, type HdlcFrame } from '../../src/dlms/hdlc/frame.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { type Endpoint, endpointOf } from '../../src/simulator/meter/endpoint.ts';
import { VirtualMeter } from '../../src/simulator/meter/virtual-meter.ts';
import { model } from '../simulator/meter-support.ts';

export const CLIENT = clientAddress(16);
export const SERVER = serverAddress(1, 17, 2);
export const SNRM: HdlcControl = { frameType: 'SNRM', pollFinal: true };
export const DISC: HdlcControl = { frameType: 'DISC', pollFinal: true };
export const rr = (nr: number): HdlcControl => ({ frameType: 'RR', nr, pollFinal: true });
export const i = (ns: number, nr: number): HdlcControl => ({ frameType: 'I', ns, nr, pollFinal: true });
/** A GET of the association object that nobody may do before an AARQ: answered by an exception in an I frame. */
export const REQUEST = fromHex('e6e600c001c1000f0000280000ff0200');

/** A meter at logical device 1, lower address 17. */
export function meterEnd(): Endpoint {
  const meter = new VirtualMeter({ model: model(), physical: 17, faults: [], seed: 1, clock: new VirtualClock() });
  return endpointOf('hdlc', {
    find: (server, physical) => (server === 1 && (physical === 17 || physical === null) ? meter : null),
  });
}

interface Parts {
  readonly information?: Uint8Array;
  readonly segmented?: boolean;
  readonly client?: HdlcAddress;
  readonly server?: HdlcAddress;
}

/** A frame from the client to the meter. */
export function toMeter(control: HdlcControl, parts: Parts = {}): Uint8Array {
  const { information = null, segmented = false, client = CLIENT, server = SERVER } = parts;
  return encodeFrame({ destination: server, source: client, control, segmented, information });
}

/** What the meter answers to these octets, as frames. */
export function answers(meter: Endpoint, ...octets: readonly Uint8Array[]): HdlcFrame[] {
  return meter.receive(concat(octets)).map(({ frame }) => decodeFrame(frame));
}

export function kinds(meter: Endpoint, ...octets: readonly Uint8Array[]): string[] {
  return answers(meter, ...octets).map(({ control }) => control.frameType);
}

/** The same octets with some replaced and both check sequences made right again, so that only the change is wrong. */
export function altered(frame: Uint8Array, at: number, octet: number): Uint8Array {
  const copy = frame.slice();
  copy[at] = octet;
  const end = copy.length - 3;
  copy.set(crcOctets(crc16(copy, 1, end)), end);
  return copy;
}
