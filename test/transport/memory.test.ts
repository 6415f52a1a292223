/** The pair without a wire. */
import { expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import { Recorder, rejection } from '../support/recorder.ts';

test('what one end writes, the other receives, later and in order', async () => {
  const [a, b] = memoryPair();
  const [atA, atB] = [new Recorder(), new Recorder()];
  await a.open(atA);
  await b.open(atB);
  const octets = fromHex('0102');
  const writing = a.write(octets);
  octets.fill(0);
  expect(atB.portions).toEqual([]);
  await writing;
  await b.write(fromHex('03'));
  expect(await atB.octets(2)).toBe('0102');
  expect(await atA.octets(1)).toBe('03');
});

test('closing one end closes the other; both may be opened again', async () => {
  const [a, b] = memoryPair();
  const atB = new Recorder();
  await a.open(new Recorder());
  await b.open(atB);
  await a.close();
  expect(await atB.gone()).toBe('LINE_CLOSED');
  expect(await rejection(a.write(Uint8Array.of(1)))).toBe('LINE_CLOSED');
  const again = new Recorder();
  await a.open(new Recorder());
  await b.open(again);
  await a.write(Uint8Array.of(7));
  expect(await again.octets(1)).toBe('07');
});

test('an end is opened once', async () => {
  const [a] = memoryPair();
  await a.open(new Recorder());
  expect(await rejection(a.open(new Recorder()))).toBe('INTERNAL');
});
