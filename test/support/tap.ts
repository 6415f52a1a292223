/** A relay in front of a meter that keeps what clients say to it, connection by connection. */
import { connect } from 'node:net';
import type { Bench } from './cli.ts';
import { tcpServer } from './tcp-server.ts';

export interface Tap {
  readonly port: number;
  /** How many clients connected so far. */
  readonly connections: number;
  /** Every APDU said to the meter so far, in order, out of wrapper frames. */
  apdus(): readonly Buffer[];
}

export async function tapOn(bench: Bench, serverPort: number): Promise<Tap> {
  const said: Buffer[][] = [];
  const { port } = await tcpServer(bench, (client) => {
    const octets: Buffer[] = [];
    said.push(octets);
    const server = connect(serverPort, '127.0.0.1');
    client.on('data', (chunk) => {
      octets.push(chunk);
      server.write(chunk);
    });
    server.on('data', (chunk) => client.write(chunk));
    server.on('error', () => client.destroy());
    server.on('close', () => client.destroy());
    client.on('close', () => server.destroy());
  });
  return {
    port,
    get connections() {
      return said.length;
    },
    apdus: () => said.flatMap((chunks) => unwrapped(Buffer.concat(chunks))),
  };
}

const HEADER_OCTETS = 8;

function unwrapped(octets: Buffer): Buffer[] {
  const apdus: Buffer[] = [];
  for (let at = 0; at + HEADER_OCTETS <= octets.length; ) {
    const end = at + HEADER_OCTETS + octets.readUInt16BE(at + 6);
    if (end > octets.length) break;
    apdus.push(octets.subarray(at + HEADER_OCTETS, end));
    at = end;
  }
  return apdus;
}

/** First octets of APDUs (Green Book 9.5). */
export const TAG = { aarq: 0x60, setRequest: 0xc1, actionRequest: 0xc3, release: 0x62 } as const;

export function countOf(apdus: readonly Buffer[], tag: number): number {
  return apdus.filter((apdu) => apdu[0] === tag).length;
}

/** The invocation counters of global and dedicated protection, in the order sent (Green Book 9.2.7.2). */
export function invocationCounters(apdus: readonly Buffer[]): number[] {
  return apdus.flatMap((apdu) => {
    const tag = apdu[0] ?? 0;
    if (tag === TAG.aarq) return countersWithin(apdu);
    // General protection names the system title first.
    if (tag === 0xdb || tag === 0xdc) return [counterAt(apdu, 2 + (apdu[1] ?? 0))];
    return tag >= 0xc8 && tag <= 0xd7 ? [counterAt(apdu, 1)] : [];
  });
}

/** A protected initiate request (tag 33) in the user information of an AARQ. */
function countersWithin(aarq: Buffer): number[] {
  for (let at = aarq.indexOf(0xbe); at >= 0; at = aarq.indexOf(0xbe, at + 1)) {
    if (aarq[at + 2] === 0x04 && aarq[at + 4] === 0x21) return [counterAt(aarq, at + 5)];
  }
  return [];
}

/** Length, security control octet, counter. */
function counterAt(octets: Buffer, at: number): number {
  const length = octets[at] ?? 0;
  return octets.readUInt32BE(at + (length < 0x80 ? 1 : 1 + (length & 0x7f)) + 1);
}
