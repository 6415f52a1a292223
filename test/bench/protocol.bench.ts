/**
 * What the protocol stack does in a second on this machine: `npm run bench`. Figures are for comparing within
 * one run; one line is printed for each, and nothing is asserted.
 */
import { performance } from 'node:perf_hooks';
import { test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { type Data, dataBytes, parseData } from '../../src/dlms/axdr/data.ts';
import { HdlcDeframer } from '../../src/dlms/hdlc/deframer.ts';
import { isGloDed, protectApdu, unprotectApdu } from '../../src/dlms/security/apdu-protection.ts';
import { securityControlFor } from '../../src/dlms/security/suite.ts';
import { decodeApdu } from '../../src/dlms/xdlms/apdu.ts';

const SECONDS = 0.5;

/** Runs for half a second after a warm-up; returns calls per second. */
function rate(run: () => void): number {
  for (let warm = 0; warm < 200; warm += 1) run();
  const end = performance.now() + SECONDS * 1000;
  let calls = 0;
  const begun = performance.now();
  while (performance.now() < end) {
    for (let inner = 0; inner < 50; inner += 1) run();
    calls += 50;
  }
  return (calls * 1000) / (performance.now() - begun);
}

function print(what: string, value: number, unit: string): void {
  const shown = value >= 1000 ? Math.round(value).toLocaleString('en') : value.toFixed(2);
  process.stdout.write(`${what.padEnd(58)} ${shown.padStart(14)} ${unit}\n`);
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

  const frame = fromHex('7ea02c02232110af9fe6e600601da109060760857405080101be10040e01000000065f1f0400001e1dffffc5e47e');
  const stream = Uint8Array.from({ length: frame.length * 200 }, (_, index) => frame[index % frame.length] ?? 0);
  const octets = [...stream].map((octet) => Uint8Array.of(octet));
  const megabytes = stream.length / 1e6;
  let sum = 0;
  const bare = rate(() => {
    for (const octet of stream) sum = (sum + octet) & 0xffff;
  });
  const chunks = rate(() => void new HdlcDeframer().push(stream));
  const single = rate(() => {
    const deframer = new HdlcDeframer();
    for (const octet of octets) deframer.push(octet);
  });
  print('deframe HDLC, in one chunk', chunks * megabytes, 'MB/s');
  print('deframe HDLC, octet by octet', single * megabytes, 'MB/s');
  print('a bare loop over the octets (the same run)', bare * megabytes, 'MB/s');
  print('  bare loop / deframing in one chunk', bare / chunks, 'times');
  if (sum < 0) throw new Error('unreachable');
});
