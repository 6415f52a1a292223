/** From messages to pushes: several APDUs in one frame, blocks of several senders, protection, confirmation, bad lines. */
import { describe, expect, test } from 'vitest';
import { concat, fromHex, toHex } from '../../src/core/bytes.ts';
import { fail } from '../../src/core/errors.ts';
import type { Data } from '../../src/dlms/axdr/data.ts';
import { encodeFrame } from '../../src/dlms/hdlc/frame.ts';
import { encodeMbus } from '../../src/dlms/mbus.ts';
import { confirmationOf } from '../../src/dlms/push/confirm.ts';
import { HdlcPushFraming, MbusPushFraming, type PushFramingEvent } from '../../src/dlms/push/framing.ts';
import { type PushEvent, PushReceiver } from '../../src/dlms/push/receiver.ts';
import { securityControlOf } from '../../src/dlms/security/ciphered.ts';
import { decodeApdu, encodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import { splitIntoBlocks, unconfirmedBlocks } from '../../src/dlms/xdlms/block-sender.ts';
import { longInvokeIdAndPriority } from '../../src/dlms/xdlms/invoke-id.ts';
import { bytesOf, loadVectors } from '../support/vectors.ts';

const LLC = fromHex('e6e700');

function notification(invokeId: number, body: Data = { type: 'unsigned', value: invokeId }): Uint8Array {
  return encodeApdu({
    apdu: 'data-notification',
    longInvokeIdAndPriority: longInvokeIdAndPriority(invokeId),
    dateTime: null,
    body,
  });
}
const blocksOf = (apdu: Uint8Array): Uint8Array[] =>
  unconfirmedBlocks(splitIntoBlocks(apdu, 12)).map((block) => encodeApdu(block));

const receiver = (): PushReceiver => new PushReceiver({ open: null });
const shown = (events: readonly PushEvent[]): string[] =>
  events.map((event) => {
    if (event.kind === 'failed') return event.error.code;
    if (event.kind === 'acknowledge') return toHex(event.apdu);
    const { content } = event.push;
    return content.kind === 'data-notification'
      ? `push ${content.apdu.longInvokeIdAndPriority.invokeId}`
      : content.kind;
  });

describe('one message', () => {
  test('with and without LLC', () => {
    expect(shown(receiver().take('a', notification(1)))).toEqual(['push 1']);
    expect(shown(receiver().take('a', concat([LLC, notification(1)])))).toEqual(['push 1']);
  });
  test('three APDUs in it, each with its LLC', () => {
    const message = concat([1, 2, 3].flatMap((id) => [LLC, notification(id)]));
    expect(shown(receiver().take('a', message))).toEqual(['push 1', 'push 2', 'push 3']);
    expect(shown(receiver().take('a', message.subarray(3)))).toEqual(['push 1', 'push 2', 'push 3']);
  });
  test('the second of three is malformed: the first is kept, the rest cannot be found', () => {
    const message = concat([LLC, notification(1), LLC, fromHex('0fff'), LLC, notification(3)]);
    expect(shown(receiver().take('a', message))).toEqual(['push 1', 'MALFORMED']);
  });
  test('octets behind the APDU are told', () => {
    const [event] = receiver().take('a', concat([notification(1), fromHex('0000')]));
    expect(event).toMatchObject({ kind: 'push', push: { trailing: fromHex('0000') } });
  });
  test('nothing', () => {
    expect(shown(receiver().take('a', new Uint8Array(0)))).toEqual(['TRUNCATED']);
    expect(shown(receiver().take('a', LLC))).toEqual(['TRUNCATED']);
  });
  test('an event notification names its object', () => {
    const apdu = encodeApdu({
      apdu: 'event-notification-request',
      time: null,
      attribute: { classId: 1, instanceId: '0.0.96.11.0.255', attributeId: 2 },
      value: { type: 'unsigned', value: 5 },
    });
    expect(receiver().take('a', apdu)).toMatchObject([
      {
        push: {
          content: { body: { items: [{ obis: '0.0.96.11.0.255', attribute: { classId: 1, attributeId: 2 } }] } },
        },
      },
    ]);
  });
  test('another APDU is handed on as it is', () => {
    expect(receiver().take('a', fromHex('d80101'))).toMatchObject([
      { push: { content: { kind: 'apdu', apdu: { apdu: 'exception-response' } } } },
    ]);
  });
});

describe('blocks', () => {
  const long = notification(7, { type: 'octet-string', value: new Uint8Array(30) });
  const blocks = blocksOf(long);

  test('are joined, whether each has an LLC header or only the first', () => {
    expect(blocks.length).toBeGreaterThan(3);
    const one = receiver();
    expect(shown(blocks.flatMap((block) => one.take('a', block)))).toEqual(['push 7']);
    expect(shown(blocks.flatMap((block) => one.take('a', concat([LLC, block]))))).toEqual(['push 7']);
    expect(shown(one.take('a', concat(blocks)))).toEqual(['push 7']);
  });
  test('tell what they were', () => {
    const one = receiver();
    const last = blocks.flatMap((block) => one.take('a', block)).at(-1);
    if (last?.kind !== 'push') throw new Error('no push');
    expect(last.push.blocks.map(({ blockNumber }) => blockNumber)).toEqual(blocks.map((_, index) => index + 1));
    expect(last.push.blocks.at(-1)).toMatchObject({ lastBlock: true, streaming: true, window: 0, blockNumberAck: 0 });
  });
  test('of two senders come in turn, with whole messages between', () => {
    const one = receiver();
    const events = blocks.flatMap((block) => [
      ...one.take('a', block),
      ...one.take('b', block),
      ...one.take('a', notification(1)),
    ]);
    expect(shown(events).filter((text) => text === 'push 7')).toHaveLength(2);
    expect(shown(events).filter((text) => text === 'push 1')).toHaveLength(blocks.length);
  });
  test('a lost one spoils its message only, and is told', () => {
    const one = receiver();
    const other = blocksOf(notification(8, { type: 'octet-string', value: new Uint8Array(30).fill(1) }));
    const events = [...blocks.slice(0, 2), ...blocks.slice(3), ...other].flatMap((block) => one.take('a', block));
    expect(shown(events)).toEqual(['TRUNCATED', 'push 8']);
  });
  test('that never end are given up', () => {
    const one = receiver();
    one.take('a', blocks[0] as Uint8Array);
    expect(shown(one.flush())).toEqual(['TRUNCATED']);
    expect(one.flush()).toEqual([]);
    expect(shown(blocks.flatMap((block) => one.take('a', block)))).toEqual(['push 7']);
  });
  test('that begin in the middle are no message', () => {
    const one = receiver();
    expect(shown(blocks.slice(1).flatMap((block) => one.take('a', block)))).toEqual([]);
    expect(shown(one.flush())).toEqual(['TRUNCATED']);
  });
  test('of too many senders: the oldest goes', () => {
    const one = receiver();
    const events = Array.from({ length: 20 }, (_, index) => one.take(`s${index}`, blocks[0] as Uint8Array)).flat();
    expect(events.map((event) => event.kind === 'failed' && event.source)).toEqual(['s0', 's1', 's2', 's3']);
  });
  test('too much of them', () => {
    const one = receiver();
    const [first] = unconfirmedBlocks([new Uint8Array(40_000)]);
    if (first === undefined) throw new Error('no block');
    const events = [1, 2].flatMap((blockNumber) =>
      one.take('a', encodeApdu({ ...first, lastBlock: false, blockNumber })),
    );
    expect(shown(events)).toEqual(['LIMIT_EXCEEDED']);
  });
  test('of a sender that wants to be acknowledged', () => {
    const one = receiver();
    const parts = unconfirmedBlocks(splitIntoBlocks(long, 30)).map((block) => ({
      ...block,
      window: 1,
      streaming: false,
    }));
    const events = parts.flatMap((block) => one.take('a', encodeApdu(block)));
    expect(shown(events)).toEqual(['e0bf0001000100', 'push 7']);
  });
});

describe('protection', () => {
  const outer = (inner: Uint8Array): Uint8Array =>
    encodeApdu({
      apdu: 'general-glo-ciphering',
      systemTitle: fromHex('4d4d4d0000000001'),
      securityControl: securityControlOf(0x20),
      invocationCounter: 1,
      ciphertextOrPlain: inner,
      authenticationTag: null,
    });
  /** Opens by doing nothing: what a cipher does is tested elsewhere. */
  const opening = (tagVerified: boolean | null): PushReceiver =>
    new PushReceiver({
      open: (apdu) =>
        'ciphertextOrPlain' in apdu
          ? { plaintext: apdu.ciphertextOrPlain, tagVerified }
          : fail('SECURITY_UNSUPPORTED', apdu.apdu),
    });

  test('around blocks, in blocks, and both', () => {
    const one = opening(true);
    expect(shown(one.take('a', outer(notification(1))))).toEqual(['push 1']);
    expect(shown(blocksOf(outer(notification(2))).flatMap((block) => one.take('a', block)))).toEqual(['push 2']);
    expect(shown(blocksOf(notification(3)).flatMap((block) => one.take('a', outer(block))))).toEqual(['push 3']);
    const [event] = one.take('a', outer(outer(notification(4))));
    expect(event).toMatchObject({ push: { protection: [{}, {}] } });
  });
  test('without a key is the content', () => {
    expect(receiver().take('a', outer(notification(1)))).toMatchObject([
      { push: { protection: [], content: { kind: 'apdu', apdu: { apdu: 'general-glo-ciphering' } } } },
    ]);
  });
  test('what was decrypted without a tag and is nothing known: the key is wrong', () => {
    expect(shown(opening(null).take('a', outer(fromHex('99aabb'))))).toEqual(['DECRYPT_FAILED']);
    expect(shown(opening(null).take('a', outer(concat([notification(1), fromHex('00')]))))).toEqual(['DECRYPT_FAILED']);
    expect(shown(opening(true).take('a', outer(fromHex('99aabb'))))).toEqual(['MALFORMED']);
  });
  test('octets behind a ciphered APDU are refused', () => {
    expect(shown(opening(true).take('a', concat([outer(notification(1)), fromHex('00')])))).toEqual(['TRAILING_BYTES']);
  });
  test('that does not end', () => {
    let nested = notification(1);
    for (let depth = 0; depth < 20; depth += 1) nested = outer(nested);
    expect(shown(opening(true).take('a', nested))).toEqual(['LIMIT_EXCEEDED']);
  });
  test('an error of the opener is told', () => {
    const refusing = new PushReceiver({ open: () => fail('KEY_MISSING', 'no key') });
    expect(shown(refusing.take('a', outer(notification(1))))).toEqual(['KEY_MISSING']);
    const broken = new PushReceiver({
      open: () => {
        throw new Error('a fault of ours');
      },
    });
    expect(() => broken.take('a', outer(notification(1)))).toThrow('a fault of ours');
  });
});

test('a confirmed notification is confirmed, an unconfirmed one is not', () => {
  const confirmed = longInvokeIdAndPriority(5, { serviceClass: 'confirmed', priority: 'high' });
  const answer = confirmationOf({ longInvokeIdAndPriority: confirmed });
  if (answer === null) throw new Error('no confirmation');
  expect(toHex(encodeApdu(answer))).toBe('10c000000500');
  expect(decodeApdu(fromHex('10c000000500'))).toEqual(answer);
  expect(confirmationOf({ longInvokeIdAndPriority: longInvokeIdAndPriority(5) })).toBeNull();
});

describe('HDLC frames of several meters on one line', () => {
  const frame = (
    source: number,
    segmented: boolean,
    information: Uint8Array,
    frameType: 'UI' | 'SNRM' = 'UI',
  ): Uint8Array =>
    encodeFrame({
      destination: { upper: 103, lower: null, length: 1 },
      source: { upper: source, lower: null, length: 1 },
      control: { frameType, pollFinal: true },
      segmented,
      information,
    });
  const body = { type: 'octet-string', value: new Uint8Array(40) } as const;
  const halves = (id: number): [Uint8Array, Uint8Array] => {
    const message = concat([LLC, notification(id, body)]);
    return [message.subarray(0, 20), message.subarray(20)];
  };
  const text = (events: readonly PushFramingEvent[]): string[] =>
    events.map((event) =>
      event.kind === 'message' ? `${event.source}: ${event.octets.length}` : event.discarded.reason,
    );

  test('segments of two come in turn', () => {
    const framing = new HdlcPushFraming();
    const [a1, a2] = halves(1);
    const [b1, b2] = halves(2);
    const stream = concat([frame(1, true, a1), frame(2, true, b1), frame(1, false, a2), frame(2, false, b2)]);
    expect(text(framing.receive(stream))).toEqual(['1: 48', '2: 48']);
  });
  test('a message that begins before the last one has ended', () => {
    const framing = new HdlcPushFraming();
    const [first, second] = halves(1);
    const events = framing.receive(concat([frame(1, true, first), frame(1, true, first), frame(1, false, second)]));
    expect(text(events)).toEqual(['a UI message begins before the one before it has ended', '1: 48']);
  });
  test('a damaged segment: the message is given up, the next one comes', () => {
    const framing = new HdlcPushFraming();
    const [first, second] = halves(1);
    const damaged = frame(1, false, second).map((octet, index) => (index === 12 ? octet ^ 1 : octet));
    const events = framing.receive(concat([frame(1, true, first), damaged, frame(1, false, concat(halves(2)))]));
    expect(text(events)).toContain('a segment was lost');
    expect(text(events).at(-1)).toBe('1: 48');
  });
  test('one octet of noise between segments does not harm', () => {
    const framing = new HdlcPushFraming();
    const [first, second] = halves(1);
    const events = framing.receive(concat([frame(1, true, first), Uint8Array.of(0x55), frame(1, false, second)]));
    expect(text(events).at(-1)).toBe('1: 48');
  });
  test('other frames, and a last segment that never comes, are told', () => {
    const framing = new HdlcPushFraming();
    expect(text(framing.receive(frame(1, false, new Uint8Array(1), 'SNRM')))).toEqual(['a frame SNRM']);
    framing.receive(frame(1, true, halves(1)[0]));
    const [event] = framing.flush();
    expect(event).toMatchObject({ discarded: { reason: 'the last segment is missing', length: 31 } });
    expect(framing.flush()).toEqual([]);
  });
  test('segments of too many senders: the oldest go', () => {
    const framing = new HdlcPushFraming();
    const events = Array.from({ length: 20 }, (_, index) =>
      framing.receive(frame(index + 1, true, halves(1)[0])),
    ).flat();
    expect(text(events)).toEqual(new Array(4).fill('too many senders at once'));
  });
  test('M-Bus: a lost segment, then a whole message', () => {
    const framing = new MbusPushFraming();
    const part = (segment: number, fin: boolean, ...data: number[]): Uint8Array =>
      encodeMbus({ c: 0x53, a: 0xff, segment, fin, stsap: 1, dtsap: 103, data: Uint8Array.from(data) });
    const events = framing.receive(concat([part(0, false, 1), part(2, true, 3), part(0, false, 4), part(1, true, 5)]));
    expect(text(events)).toEqual(['segment 1 is missing before segment 2', 'M-Bus 255/1: 2']);
    framing.receive(part(0, false, 1));
    expect(text(framing.flush())).toEqual(['the last segment is missing']);
  });
});

test('a captured push, from the line to the values', () => {
  const vector = loadVectors('push').find(({ id }) => id === 'push-lg-e450-alt-config');
  if (vector === undefined) throw new Error('no vector');
  const framing = new HdlcPushFraming();
  const one = receiver();
  const messages = framing.receive(bytesOf(vector)).filter((event) => event.kind === 'message');
  const events = messages.flatMap(({ source, octets }) => one.take(source, octets));
  expect(events).toMatchObject([{ kind: 'push', push: { content: { body: { layout: 'push-object-list' } } } }]);
});
