/** Whose turn it is on an HDLC link: several APDUs in a frame or a burst, more than one answer, keep-alive, REJ. */
import { describe, expect, test } from 'vitest';
import { concat, fromHex } from '../../src/core/bytes.ts';
import { clientAddress, serverAddress } from '../../src/dlms/hdlc/address.ts';
import { apdusIn } from '../../src/dlms/hdlc/apdus.ts';
import { HdlcClientLink } from '../../src/dlms/hdlc/client-link.ts';
import { decodeFrame } from '../../src/dlms/hdlc/frame.ts';
import { symmetricParameters } from '../../src/dlms/hdlc/parameters.ts';
import { HdlcServerLink } from '../../src/dlms/hdlc/server-link.ts';
import { codeOf } from '../support/error-code.ts';
import { eventsOf, failureOf, frame, meterFrame, sentFrames } from '../support/links.ts';

const SETTINGS = { client: 16, server: 1, physical: 17, addressSize: null, window: 1, infoLength: 128 } as const;
const REQUEST = fromHex('c001c100');
const WINDOW_3 = '818014 05020080 06020080 070400000003 080400000003';
const NOTIFICATION = '0f00000001000600000007';
const ANSWER = 'c401c10006000000ff';

const connected = (window = 1): HdlcClientLink => {
  const link = new HdlcClientLink({ ...SETTINGS, window });
  link.connect();
  link.receive(frame.ua(window === 1 ? undefined : WINDOW_3));
  return link;
};

describe('several APDUs in one frame', () => {
  test('each has its LLC header; the octets of one inside of an APDU are none', () => {
    const inside = 'c401c1000909e6e700e6e60001020304'.slice(0, -2);
    const parts = (hex: string): string[] => apdusIn(fromHex(hex)).map((apdu) => Buffer.from(apdu).toString('hex'));
    expect(parts(`e6e700${ANSWER}`)).toEqual([ANSWER]);
    expect(parts(`e6e700${NOTIFICATION}e6e700${ANSWER}e6e700${NOTIFICATION}`)).toEqual([
      NOTIFICATION,
      ANSWER,
      NOTIFICATION,
    ]);
    expect(parts(`e6e700${inside}`)).toEqual([inside]);
    expect(parts('e6e700ffe6e700')).toEqual(['ffe6e700']);
    expect(parts('')).toEqual([]);
  });
  test('three in an I frame: the answer and two notifications', () => {
    const link = connected();
    link.send(REQUEST);
    const information = `e6e700${NOTIFICATION}e6e700${ANSWER}e6e700${NOTIFICATION}`;
    expect(eventsOf(link.receive(frame.i(0, 1, information)))).toEqual([
      `unsolicited ${NOTIFICATION}`,
      `apdu ${ANSWER}`,
      `unsolicited ${NOTIFICATION}`,
    ]);
    expect(sentFrames(link.send(REQUEST))).toEqual(['I 1/1 P e6e600c001c100']);
  });
  test('three in a UI frame, and three segments of one', () => {
    const link = connected();
    const information = `e6e700${NOTIFICATION}`.repeat(3);
    const whole = eventsOf(link.receive(frame.ui(information)));
    expect(whole).toEqual(Array(3).fill(`unsolicited ${NOTIFICATION}`));
    const segments = [frame.ui(information.slice(0, 40), '+'), frame.ui(information.slice(40))];
    expect(segments.flatMap((bytes) => eventsOf(link.receive(bytes)))).toEqual(whole);
  });
  test('the server end takes them apart as well', () => {
    const server = serverLink();
    const bytes = meterFrame(
      { frameType: 'UI', pollFinal: false },
      {
        information: `e6e600${NOTIFICATION}`.repeat(2),
        source: clientAddress(16),
        destination: serverAddress(1, 17, null),
      },
    );
    expect(eventsOf(server.receive(decodeFrame(bytes)))).toEqual(Array(2).fill(`unsolicited ${NOTIFICATION}`));
  });
});

describe('more than one answer', () => {
  test('a notification in an I frame does not answer; the meter gets its turn again', () => {
    const link = connected();
    link.send(REQUEST);
    const first = link.receive(frame.i(0, 1, `e6e700${NOTIFICATION}`));
    expect([eventsOf(first), sentFrames(first)]).toEqual([[`unsolicited ${NOTIFICATION}`], ['RR 1 P']]);
    expect(eventsOf(link.receive(frame.i(1, 1, `e6e700${ANSWER}`)))).toEqual([`apdu ${ANSWER}`]);
  });
  test('notifications without end do not keep us polling', () => {
    const link = connected();
    link.send(REQUEST);
    const polls = Array.from({ length: 60 }, (_, count) =>
      sentFrames(link.receive(frame.i(count % 8, 1, `e6e700${NOTIFICATION}`))),
    ).flat();
    expect(polls).toHaveLength(20);
  });
  test('an empty I frame is no answer', () => {
    const link = connected();
    link.send(REQUEST);
    const output = link.receive(frame.i(0, 1, 'e6e700'));
    expect([eventsOf(output), sentFrames(output)]).toEqual([[], ['RR 1 P']]);
  });
  test('what came was not the answer: RR, and the next one is', () => {
    const link = connected();
    link.send(REQUEST);
    link.receive(frame.i(0, 1, 'e6e700c401'));
    expect(sentFrames(link.listen())).toEqual(['RR 1 P']);
    expect(eventsOf(link.receive(frame.i(1, 1, 'e6e700c402')))).toEqual(['apdu c402']);
  });
  test('a meter that has not given the turn back is not interrupted', () => {
    const link = connected(3);
    link.send(REQUEST);
    link.receive(frame.i(0, 1, 'e6e700c401', '-'));
    expect(sentFrames(link.listen())).toEqual([]);
    expect(eventsOf(link.receive(frame.i(1, 1, 'e6e700c402')))).toEqual(['apdu c402']);
    link.listen();
    expect(sentFrames(link.timeout())).toEqual(['RR 2 P']);
  });
  test('waiting for more ends as waiting for an answer does', () => {
    const link = connected();
    link.send(REQUEST);
    link.receive(frame.i(0, 1, 'e6e700c401'));
    link.listen();
    expect([link.timeout(), link.timeout()].flatMap(sentFrames)).toEqual(['RR 1 P', 'RR 1 P']);
    expect(failureOf(link.timeout())).toMatch(/^METER_TIMEOUT/);
  });
});

describe('keep-alive', () => {
  test.each([
    ['RR', frame.rr(0)],
    ['RNR', frame.rnr(0)],
    ['REJ', frame.rej(0)],
  ])('RR, answered by %s', (_, answer) => {
    const link = connected();
    expect(sentFrames(link.keepAlive())).toEqual(['RR 0 P']);
    expect(eventsOf(link.receive(answer))).toEqual(['alive']);
    expect(sentFrames(link.send(REQUEST))).toEqual(['I 0/0 P e6e600c001c100']);
  });
  test('a meter that uses its turn to push is alive', () => {
    const link = connected();
    link.keepAlive();
    expect(eventsOf(link.receive(frame.i(0, 0, `e6e700${NOTIFICATION}`)))).toEqual([
      `unsolicited ${NOTIFICATION}`,
      'alive',
    ]);
  });
  test('DM: the link is lost', () => {
    const link = connected();
    link.keepAlive();
    expect(failureOf(link.receive(frame.dm()))).toMatch(/^LINK_LOST/);
  });
  test('silence: two more RR, then METER_TIMEOUT', () => {
    const link = connected();
    link.keepAlive();
    expect([link.timeout(), link.timeout()].flatMap(sentFrames)).toEqual(['RR 0 P', 'RR 0 P']);
    expect(failureOf(link.timeout())).toBe('METER_TIMEOUT: no octet of RR to the keep-alive came in time');
  });
  test('not on a link that is down, and not in the middle of a request', () => {
    expect(codeOf(() => new HdlcClientLink(SETTINGS).keepAlive())).toBe('LINK_LOST');
    const link = connected();
    link.send(REQUEST);
    expect(codeOf(() => link.keepAlive())).toBe('INTERNAL');
  });
});

describe('REJ', () => {
  const gap = (link: HdlcClientLink): string[] => sentFrames(link.receive(frame.i(2, 1, 'a2')));

  test('a meter that has not shown that it knows REJ is asked by RR', () => {
    const link = connected(3);
    link.send(REQUEST);
    link.receive(frame.i(0, 1, 'e6e700a0', '+-'));
    expect(gap(link)).toEqual(['RR 1 P']);
  });
  test('one that has sent REJ is sent REJ, once for each gap', () => {
    const link = connected(3);
    link.send(REQUEST);
    expect(sentFrames(link.receive(frame.rej(0)))).toEqual(['I 0/0 P e6e600c001c100']);
    link.receive(frame.i(0, 1, 'e6e700a0', '+-'));
    expect(gap(link)).toEqual(['REJ 1 P']);
    expect(gap(link)).toEqual([]);
    link.receive(frame.i(1, 1, 'a1', '+-'));
    expect(eventsOf(link.receive(frame.i(2, 1, 'a2')))).toEqual(['apdu a0a1a2']);
  });
  test.each([
    [true, 'REJ 1 P'],
    [false, 'RR 1 P'],
  ])('a server with REJ %s answers a gap by %s', (rejects, answer) => {
    const server = serverLink(3, rejects);
    const i = (ns: number, pollFinal: boolean): Uint8Array =>
      command({ frameType: 'I', ns, nr: 0, pollFinal }, `${ns === 0 ? 'e6e600' : ''}c${ns}`, ns < 2);
    server.receive(decodeFrame(i(0, false)));
    expect(sentFrames(server.receive(decodeFrame(i(2, true))))).toEqual([answer]);
    const poll = command({ frameType: 'RR', nr: 0, pollFinal: true });
    expect(sentFrames(server.receive(decodeFrame(poll)))).toEqual(['RR 1 P']);
    server.receive(decodeFrame(i(1, false)));
    expect(eventsOf(server.receive(decodeFrame(i(2, true))))).toEqual(['apdu c0c1c2']);
  });
});

function command(control: Parameters<typeof meterFrame>[0], information?: string, segmented = false): Uint8Array {
  return meterFrame(control, {
    source: clientAddress(16),
    destination: serverAddress(1, 17, null),
    segmented,
    ...(information === undefined ? {} : { information }),
  });
}

/** A connected server end. */
function serverLink(window = 1, rejects = false): HdlcServerLink {
  const server = new HdlcServerLink({
    client: clientAddress(16),
    server: serverAddress(1, 17, null),
    parameters: symmetricParameters(128, window),
    rejects,
  });
  const parameters = '818014 05020080 06020080 070400000007 080400000007';
  server.receive(decodeFrame(command({ frameType: 'SNRM', pollFinal: true }, parameters)));
  return server;
}

test('echoes on a two-wire line are told apart from a meter’s frames by direction', () => {
  const link = connected();
  const { send } = link.keepAlive();
  expect(eventsOf(link.receive(concat([...send, frame.rr(0)])))).toEqual(['discarded own echo', 'alive']);
});
