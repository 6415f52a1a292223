/**
 * What the protocol stack does in a second on this machine: `npm run bench`. Figures are for comparing within
 * one run; one line is printed for each, and nothing is asserted.
 */
import { performance } from 'node:perf_hooks';
import { memoryUsage } from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'vitest';
import type { Data } from '../../src/dlms/axdr/data.ts';
import { built } from './built.ts';

const { concat, fromHex } = await built<typeof import('../../src/core/bytes.ts')>('core/bytes.js');
const { dataBytes, parseData } = await built<typeof import('../../src/dlms/axdr/data.ts')>('dlms/axdr/data.js');
const { clientAddress, serverAddress } =
  await built<typeof import('../../src/dlms/hdlc/address.ts')>('dlms/hdlc/address.js');
const { HdlcDeframer } = await built<typeof import('../../src/dlms/hdlc/deframer.ts')>('dlms/hdlc/deframer.js');
const { encodeFrame } = await built<typeof import('../../src/dlms/hdlc/frame.ts')>('dlms/hdlc/frame.js');
const { isGloDed, protectApdu, unprotectApdu } = await built<
  typeof import('../../src/dlms/security/apdu-protection.ts')
>('dlms/security/apdu-protection.js');
const { securityControlFor } = await built<typeof import('../../src/dlms/security/suite.ts')>('dlms/security/suite.js');
const { encodeWrapper, WrapperDeframer } = await built<typeof import('../../src/dlms/wrapper.ts')>('dlms/wrapper.js');
const { decodeApdu } = await built<typeof import('../../src/dlms/xdlms/apdu.ts')>('dlms/xdlms/apdu.js');

const SLICES = 8;
const SLICE_MS = 80;
const STREAM_OCTETS = 9200;

/** Calls per second after a warm-up: the best of several slices, so that what else this machine does counts less. */
function rate(run: () => void): number {
  for (let warm = 0; warm < 200; warm += 1) run();
  let best = 0;
  for (let slice = 0; slice < SLICES; slice += 1) {
    const begun = performance.now();
    let calls = 0;
    do {
      for (let inner = 0; inner < 50; inner += 1) run();
      calls += 50;
    } while (performance.now() - begun < SLICE_MS);
    best = Math.max(best, (calls * 1000) / (performance.now() - begun));
  }
  return best;
}

function print(what: string, value: number, unit: string): void {
  const shown = value >= 1000 ? Math.round(value).toLocaleString('en') : value.toFixed(2);
  process.stdout.write(`${what.padEnd(58)} ${shown.padStart(14)} ${unit}\n`);
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Heap octets that one call allocates, and those that its result keeps; octets of array buffers count. */
function allocation(run: () => unknown): { readonly allocated: number; readonly kept: number } {
  const used = (): number => {
    const { heapUsed, arrayBuffers } = memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const CALLS = 500;
  const results: unknown[] = new Array(CALLS).fill(null);
  const steps: number[] = [];
  collectGarbage();
  const begun = used();
  for (let call = 0; call < CALLS; call += 1) {
    const before = used();
    results[call] = run();
    steps.push(used() - before);
  }
  collectGarbage();
  const kept = (used() - begun) / results.length;
  // The collector ran during some of them; asking for the figure allocates a little too, much less than a call.
  steps.sort((a, b) => a - b);
  return { allocated: steps[CALLS / 2]!, kept };
}

function profile(rows: number): Uint8Array {
  const row = (index: number): Data => ({
    type: 'structure',
    value: [
      { type: 'octet-string', value: fromHex('07ea0b1405140f00ffffc400') },
      { type: 'unsigned', value: index & 0xff },
      { type: 'double-long-unsigned', value: 33_402_206 + index },
      { type: 'double-long-unsigned', value: 893_549 + index },
    ],
  });
  return dataBytes({ type: 'array', value: Array.from({ length: rows }, (_, index) => row(index)) });
}

test('the protocol stack', () => {
  const hundredRows = profile(100);
  print('decode a load profile of 100 rows x 4 columns', rate(() => void parseData(hundredRows)) * 100, 'rows/s');
  const { allocated, kept } = allocation(() => parseData(hundredRows));
  print('  allocated for a row, what is thrown away at once included', allocated / 100, 'octets');
  print('  kept for a row', kept / 100, 'octets');

  const registerResponse = fromHex('c401c1000600001391');
  print(
    'decode a register response',
    rate(() => void decodeApdu(registerResponse)),
    'APDU/s',
  );

  const key = fromHex('000102030405060708090a0b0c0d0e0f');
  const authenticationKey = fromHex('d0d1d2d3d4d5d6d7d8d9dadbdcdddedf');
  const systemTitle = fromHex('4d4d4d0000bc614e');
  const request = fromHex('c001c1000301000108' + '00ff0200');
  print(
    'protect and open a register read (suite 0, both)',
    rate(() => {
      const securityControl = securityControlFor(0, 'both');
      const sealed = decodeApdu(
        protectApdu(request, 'glo', {
          securityControl,
          invocationCounter: 1,
          encryptionKey: key,
          authenticationKey,
          systemTitle,
        }),
      );
      if (!isGloDed(sealed)) throw new Error('not ciphered');
      unprotectApdu(sealed, {
        unicast: key,
        broadcast: null,
        dedicated: null,
        authentication: authenticationKey,
        systemTitle,
      });
    }),
    'times/s',
  );
});

const TABLE = Uint16Array.from({ length: 256 }, (_, octet) => {
  let crc = octet;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x8408 : crc >>> 1;
  return crc;
});

/** The bare loop: no frames, no copies, only what nobody can do without: the check sequence of every octet by one table. */
function checkSequence(octets: Uint8Array): number {
  let crc = 0xffff;
  for (let at = 0; at < octets.length; at += 1) crc = (crc >>> 8) ^ TABLE[(crc ^ octets[at]!) & 0xff]!;
  return crc;
}

/** A barer one, which does nothing useful. */
function sum(octets: Uint8Array): number {
  let total = 0;
  for (let at = 0; at < octets.length; at += 1) total = (total + octets[at]!) & 0xffff;
  return total;
}

function uiFrame(informationLength: number): Uint8Array {
  const information = Uint8Array.from({ length: informationLength }, (_, index) => index * 7);
  return encodeFrame({
    destination: clientAddress(16),
    source: serverAddress(1, 17, null),
    control: { frameType: 'UI', pollFinal: true },
    segmented: false,
    information,
  });
}

function repeated(frame: Uint8Array): Uint8Array {
  const times = Math.ceil(STREAM_OCTETS / frame.length);
  return concat(Array.from({ length: times }, () => frame));
}

test.each([
  ['HDLC, frames of 46 octets', () => new HdlcDeframer(), uiFrame(33)],
  ['HDLC, frames of 141 octets', () => new HdlcDeframer(), uiFrame(128)],
  ['HDLC, frames of 1037 octets', () => new HdlcDeframer(), uiFrame(1024)],
  ['wrapper, messages of 136 octets', () => new WrapperDeframer(), encodeWrapper(1, 16, new Uint8Array(128))],
])('deframing: %s', (name, deframer, frame) => {
  const stream = repeated(frame);
  const octets = Array.from(stream, (octet) => Uint8Array.of(octet));
  const megabytes = stream.length / 1e6;
  let sink = 0;
  const crc = rate(() => {
    sink += checkSequence(stream);
  });
  const bare = rate(() => {
    sink += sum(stream);
  });
  const chunk = rate(() => {
    sink += deframer().push(stream).length;
  });
  const single = rate(() => {
    const one = deframer();
    for (const octet of octets) sink += one.push(octet).length;
  });
  print(`deframe ${name}, in one chunk`, chunk * megabytes, 'MB/s');
  print('  octet by octet', single * megabytes, 'MB/s');
  print('  bare loop: the check sequence of every octet', crc * megabytes, 'MB/s');
  print('  a loop that only sums', bare * megabytes, 'MB/s');
  print('  bare loop / deframing in one chunk', crc / chunk, 'times');
  if (sink < 0) throw new Error('unreachable');
});
