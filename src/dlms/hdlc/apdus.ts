/** Several APDUs in one message of the link: each has an LLC header of its own then. */
import { ByteReader } from '../../core/bytes.ts';
import { BridgeError } from '../../core/errors.ts';
import { readApdu } from '../xdlms/apdu.ts';
import { LLC_COMMAND, splitLlc } from './llc.ts';

const LLC_BEGINS = LLC_COMMAND[0] as number;

/**
 * The APDUs in the information of one message. As a rule it is one; some meters put several there, each with an LLC header of
 * its own. The octets of a header may also stand inside of an APDU, so it counts only where the APDU before it ends.
 */
export function apdusIn(information: Uint8Array): Uint8Array[] {
  const apdus: Uint8Array[] = [];
  let { rest } = splitLlc(information);
  while (rest.length > 0) {
    const end = holdsLlc(rest) ? endOfFirst(rest) : rest.length;
    apdus.push(rest.subarray(0, end));
    rest = splitLlc(rest.subarray(end)).rest;
  }
  return apdus;
}

function holdsLlc(octets: Uint8Array): boolean {
  for (let at = octets.indexOf(LLC_BEGINS); at >= 0; at = octets.indexOf(LLC_BEGINS, at + 1)) {
    if (splitLlc(octets.subarray(at)).llc !== null) return true;
  }
  return false;
}

/** Where the first APDU ends if an LLC header follows it; otherwise all octets belong to it. */
function endOfFirst(octets: Uint8Array): number {
  const reader = new ByteReader(octets, 'hdlc');
  try {
    readApdu(reader);
  } catch (error) {
    if (error instanceof BridgeError && error.code !== 'INTERNAL') return octets.length;
    throw error;
  }
  return splitLlc(octets.subarray(reader.offset)).llc === null ? octets.length : reader.offset;
}
