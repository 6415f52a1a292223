/** `image`: an image carried to a virtual meter, over everything that may go wrong on the way. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Bench, newBench } from '../support/cli.ts';
import { ownMeters } from '../support/scene.ts';

interface ImageDocument {
  readonly size: number;
  readonly blocks: number;
  readonly blockSize: number;
  readonly sent: number;
  readonly resumedFrom: number | null;
  readonly status: string;
}

const CLIENT = ['--client', '1'];
/** Five blocks of 200 octets, and one of 1. */
const SIZE = 1001;

function imageFile({ directory }: Bench, content: Buffer = Buffer.alloc(SIZE, 'firmware')): string {
  const path = join(directory, 'FW-2.0.bin');
  writeFileSync(path, content);
  return path;
}

async function firmwareOf(bench: Bench, link: string): Promise<unknown> {
  const { results } = await bench.json<{ results: { value: unknown }[] }>(['read', link, '1:1.0.0.2.0.255', ...CLIENT]);
  return results[0]?.value;
}

describe.concurrent('image', () => {
  test.for(['wrapper', 'hdlc'] as const)(
    'over %s: transferred, verified, activated',
    async (framing, { onTestFinished }) => {
      const bench = newBench(onTestFinished);
      const { links } = await ownMeters(bench, { framing });
      const args = ['image', links[0] ?? '', imageFile(bench), '--identifier', 'FW-2.0', '--activate', ...CLIENT];
      expect(await bench.json<ImageDocument>(args)).toMatchObject({
        size: SIZE,
        blocks: 6,
        blockSize: 200,
        sent: 6,
        resumedFrom: null,
        status: 'activated',
      });
      expect(await firmwareOf(bench, links[0] ?? '')).toBe('FW-2.0');
    },
  );

  test('a meter whose PDU is smaller than a block takes it in parts', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links } = await ownMeters(bench, { maxPdu: 100 });
    const document = await bench.json<ImageDocument>(['image', links[0] ?? '', imageFile(bench), ...CLIENT]);
    expect(document).toMatchObject({ sent: 6, status: 'verified' });
  });

  test('blocks that get lost are sent again; a meter that is busy is asked again', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links } = await ownMeters(bench, { faults: ['lose-image-block:3', 'verify-pending:1'] });
    const { status, stdout, stderr } = await bench.run(['image', links[0] ?? '', imageFile(bench), ...CLIENT]);
    expect(stderr).toBe('enable\ninitiate\ntransfer: block 0 of 6\nverify\ndone\n');
    expect(stdout).toMatch(/^tcp:\S+ has verified the image; it is not active yet .*\. 8 of 6 blocks sent\.\n$/);
    expect(status).toBe(0);
  });

  test('a line that breaks: what the meter has is not sent again', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links } = await ownMeters(bench, { faults: ['close-after-n:9'] });
    const link = links[0] ?? '';
    const args = ['image', link, imageFile(bench), '--resume', '--identifier', 'FW-2.1', ...CLIENT];
    // AARE, look, enable, look, initiate, look, three blocks: then it closes.
    expect(await bench.failure(args)).toMatchObject({ status: 1 });
    const second = await bench.json<ImageDocument>(args).catch(() => bench.json<ImageDocument>(args));
    expect(second).toMatchObject({ resumedFrom: expect.any(Number), status: 'verified' });
    expect(second.resumedFrom).toBeGreaterThan(0);
    expect(second.sent).toBe(6 - (second.resumedFrom ?? 0));
    // Verified before, activated now: nothing is sent.
    const third = await bench.json<ImageDocument>([...args, '--activate']);
    expect(third).toMatchObject({ sent: 0, status: 'activated' });
  });

  test('what goes wrong', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links } = await ownMeters(bench);
    const link = links[0] ?? '';
    const failureOf = async (...args: readonly string[]) => {
      const { status, code } = await bench.failure(['image', ...args, ...CLIENT]);
      return `${status} ${code}`;
    };
    expect(await failureOf(link, imageFile(bench, Buffer.alloc(500, 'spoiled')))).toBe('1 IMAGE_REJECTED');
    const file = imageFile(bench);
    expect(await failureOf(link, file, '--object', '0.0.44.0.9.255')).toMatch(/^1 (?:MALFORMED|DATA_ACCESS_.*)$/);
    expect(await failureOf(link, file, '--object', '3:0.0.44.0.0.255')).toBe('2 INVALID_POINT');
    expect(await failureOf(link, file, '--identifier', 'x'.repeat(65))).toBe('2 INVALID_VALUE');
    expect(await failureOf(link, join(bench.directory, 'none.bin'))).toBe('2 INVALID_VALUE');
    expect(await failureOf(link, imageFile(bench, Buffer.alloc(0)))).toBe('2 INVALID_VALUE');
    const lossy = await ownMeters(bench, { faults: ['lose-image-block:1'] });
    expect(await failureOf(lossy.links[0] ?? '', imageFile(bench))).toBe('1 IMAGE_TRANSFER_FAILED');
  });
});
