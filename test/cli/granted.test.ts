/** `read` and `scan` of virtual meters that grant little: ACCESS alone, general block transfer, with blocks that get lost. */
import { describe, expect, test } from 'vitest';
import { newBench } from '../support/cli.ts';
import { simulateMeters } from '../support/scene.ts';

const POINTS = ['3:1.0.1.8.0.255', '3:1.0.32.7.0.255', '8:0.0.1.0.0.255:2', '0.0.96.1.0.255'];

interface ReadDocument {
  readonly results: readonly { readonly value: unknown; readonly error: unknown }[];
  readonly roundTrips: number;
}

describe.concurrent('simulate meters --grant', () => {
  test.for([
    ['access', 'wrapper', ''],
    ['access', 'hdlc', ''],
    ['access,general-block-transfer', 'wrapper', 'lose-block:4'],
    ['access,general-block-transfer', 'hdlc', 'lose-block:4'],
    ['get,general-block-transfer', 'wrapper', 'repeat-block'],
    ['get,multiple-references,general-block-transfer', 'hdlc', 'disorder-blocks'],
    ['access', 'wrapper', 'notify-confirmed'],
  ] as const)('%s over %s, %s', async ([grant, framing, faults], { onTestFinished }) => {
    const bench = newBench(onTestFinished);
    // Without blocks the object list must fit one APDU.
    const pdu = grant.includes('general-block-transfer') ? '200' : '65535';
    const { meters } = await simulateMeters(bench, [
      ...['--framing', framing, '--grant', grant, '--max-pdu', pdu],
      ...(faults === '' ? [] : ['--faults', faults]),
    ]);
    const [meter] = meters;
    const flags = ['--client', '1', '--timeout', '500'];
    const physical = meter?.physical === null ? [] : ['--physical', String(meter?.physical)];
    const read = await bench.json<ReadDocument>(['read', meter?.link ?? '', ...POINTS, ...flags, ...physical]);
    expect(read.results.map(({ error }) => error)).toEqual(POINTS.map(() => null));
    expect(read.results.every(({ value }) => value !== null)).toBe(true);
  });
  test('a service that there is not', async ({ onTestFinished }) => {
    const { status, stderr } = await newBench(onTestFinished).run(['simulate', 'meters', '--grant', 'flying']);
    expect(status).not.toBe(0);
    expect(stderr).toContain('--grant');
  });
});
