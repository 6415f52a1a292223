/** Every state with every input: where the tables say that it leads, it leads; what they do not list is refused. */
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import { AssociationClient } from '../../src/dlms/association/association.ts';
import { type AssociationState, TRANSITIONS } from '../../src/dlms/association/states.ts';
import { GetExchange } from '../../src/dlms/exchange/get-exchange.ts';
import { HdlcClientLink } from '../../src/dlms/hdlc/client-link.ts';
import {
  COMMANDS,
  type HdlcClientState,
  LEADS_TO,
  type LinkCommand,
  REACTIONS,
} from '../../src/dlms/hdlc/client-states.ts';
import type { HdlcControl, HdlcFrameType } from '../../src/dlms/hdlc/frame.ts';
import { ModeESignOn } from '../../src/dlms/mode-e/sign-on.ts';
import { SIGN_ON_TRANSITIONS, type SignOnInput, type SignOnState } from '../../src/dlms/mode-e/sign-on-states.ts';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../src/dlms/settings.ts';
import { frame, meterFrame } from '../support/links.ts';

const keysOf = <Key extends string>(table: Readonly<Record<Key, unknown>>): Key[] => Object.keys(table) as Key[];

/** The state that comes of it, or `refused`. */
function after<State>(act: () => unknown, state: () => State): State | 'refused' {
  try {
    act();
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    return 'refused';
  }
  return state();
}

describe('HDLC link', () => {
  const REQUEST = fromHex('c001');
  const reach: Readonly<Record<HdlcClientState, (link: HdlcClientLink) => void>> = {
    disconnected: () => undefined,
    connecting: (link) => link.connect(),
    connected: (link) => {
      link.connect();
      link.receive(frame.ua());
    },
    awaiting: (link) => {
      reach.connected(link);
      link.send(REQUEST);
    },
    polling: (link) => {
      reach.connected(link);
      link.keepAlive();
    },
    disconnecting: (link) => {
      reach.connected(link);
      link.disconnect();
    },
  };
  const linkIn = (state: HdlcClientState): HdlcClientLink => {
    const link = new HdlcClientLink({ ...DEFAULT_METER_SETTINGS, physical: 17 });
    reach[state](link);
    expect(link.stateName).toBe(state);
    return link;
  };
  const commands: Readonly<Record<LinkCommand, (link: HdlcClientLink) => unknown>> = {
    connect: (link) => link.connect(),
    send: (link) => link.send(REQUEST),
    listen: (link) => link.listen(),
    keepAlive: (link) => link.keepAlive(),
    notify: (link) => link.notify(REQUEST),
    disconnect: (link) => link.disconnect(),
    'retries used up': (link) => [link.timeout(), link.timeout(), link.timeout()],
  };
  const cells = keysOf(COMMANDS).flatMap((state) => keysOf(commands).map((command) => ({ state, command })));

  test.each(cells)('$command while $state', ({ state, command }) => {
    const link = linkIn(state);
    // Time-outs are nothing where nothing is awaited.
    const expected = COMMANDS[state][command] ?? (command === 'retries used up' ? state : 'refused');
    expect(
      after(
        () => commands[command](link),
        () => link.stateName,
      ),
    ).toBe(expected);
  });

  const control = (frameType: HdlcFrameType): HdlcControl => {
    if (frameType === 'I') return { frameType, ns: 0, nr: 0, pollFinal: true };
    if (frameType === 'RR' || frameType === 'RNR' || frameType === 'REJ') return { frameType, nr: 0, pollFinal: true };
    return frameType === 'unknown' ? { frameType, octet: 0xf3, pollFinal: true } : { frameType, pollFinal: true };
  };
  const frames = keysOf(REACTIONS).flatMap((state) =>
    keysOf(REACTIONS[state]).map((frameType) => ({ state, frameType })),
  );

  test.each(frames)('$frameType while $state', ({ state, frameType }) => {
    const link = linkIn(state);
    const information = frameType === 'I' || frameType === 'UI' ? { information: 'e6e700c401' } : {};
    link.receive(meterFrame(control(frameType), information));
    const reaction = REACTIONS[state][frameType];
    // The first refusal is answered by an SNRM without parameters.
    expect(link.stateName).toBe(reaction === 'refused' ? 'connecting' : (LEADS_TO[reaction] ?? state));
    if (reaction !== 'refused') return;
    link.receive(meterFrame(control(frameType)));
    expect(link.stateName).toBe('disconnected');
  });
});

describe('association', () => {
  const AARE = fromHex('6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f0400001e1d04c80007');
  const REJECTED = fromHex('6117a109060760857405080101a203020101a305a10302010d');
  const CHALLENGE = fromHex(
    '6142a109060760857405080101a203020100a305a10302010e88020780890760857405080205aa0a8008503677524a323146be10040e0800065f1f040000501f01f40007',
  );
  const get = (): GetExchange =>
    new GetExchange([{ classId: 3, instanceId: '1.0.1.8.0.255', attributeId: 2, accessSelection: null }]);
  const newClient = (): AssociationClient =>
    new AssociationClient({
      settings: {
        ...DEFAULT_METER_SETTINGS,
        authentication: 'gmac',
        systemTitle: '4d4d4d0000000001',
        serverSystemTitle: '4d4d4d0000bc614e',
      },
      secrets: { ...NO_SECRETS, blockCipherKey: new Uint8Array(16), authenticationKey: new Uint8Array(16) },
      random: (octets) => new Uint8Array(octets),
      takeCounter: () => 1,
      systemTitle: new Uint8Array(8),
    });
  const plainClient = (): AssociationClient =>
    new AssociationClient({
      settings: DEFAULT_METER_SETTINGS,
      secrets: NO_SECRETS,
      random: (octets) => new Uint8Array(octets),
      takeCounter: () => 1,
      systemTitle: new Uint8Array(8),
    });
  const reach: Readonly<Record<AssociationState, () => AssociationClient>> = {
    closed: plainClient,
    associating: () => opened(plainClient()),
    authenticating: () => {
      const client = opened(newClient());
      client.receive(CHALLENGE);
      return client;
    },
    associated: () => {
      const client = opened(plainClient());
      client.receive(AARE);
      return client;
    },
    requesting: () => {
      const client = reach.associated();
      client.begin(get());
      return client;
    },
    releasing: () => {
      const client = reach.associated();
      client.release();
      return client;
    },
  };
  function opened(client: AssociationClient): AssociationClient {
    client.open();
    return client;
  }
  const owner = {
    open: (client: AssociationClient) => client.open(),
    request: (client: AssociationClient) => client.begin(get()),
    release: (client: AssociationClient) => client.release(),
    lost: (client: AssociationClient) => client.lost(),
  } as const;
  const cells = keysOf(TRANSITIONS).flatMap((state) => keysOf(owner).map((input) => ({ state, input })));

  test.each(cells)('$input while $state', ({ state, input }) => {
    const client = reach[state]();
    expect(client.state).toBe(state);
    expect(
      after(
        () => owner[input](client),
        () => client.state,
      ),
    ).toBe(TRANSITIONS[state][input] ?? 'refused');
  });

  /** What a meter may send, and the inputs of the table that it can come to; none: it changes nothing. */
  const RLRE = fromHex('6303800100');
  const ANSWER = fromHex('c401c10006000000ff');
  const GARBAGE = fromHex('ff00');
  const meant: Readonly<Record<AssociationState, readonly (readonly [string, Uint8Array, AssociationState])[]>> = {
    closed: [AARE, REJECTED, RLRE, ANSWER, GARBAGE].map((octets) => ['anything', octets, 'closed'] as const),
    associating: [
      ['accepted', AARE, 'associated'],
      ['refused', REJECTED, 'closed'],
      ['lost', RLRE, 'closed'],
      ['lost', ANSWER, 'closed'],
      ['lost', GARBAGE, 'closed'],
    ],
    authenticating: [
      ['a second AARE', AARE, 'authenticating'],
      ['refused', fromHex('c701c1000100090101'), 'closed'],
      ['lost', GARBAGE, 'closed'],
    ],
    associated: [
      ['a second AARE', AARE, 'associated'],
      ['an answer to nothing', ANSWER, 'associated'],
      ['lost', GARBAGE, 'closed'],
    ],
    requesting: [
      ['answered', ANSWER, 'associated'],
      ['a second AARE', AARE, 'requesting'],
      ['lost', GARBAGE, 'closed'],
    ],
    releasing: [
      ['released', RLRE, 'closed'],
      ['released, whatever answers', ANSWER, 'closed'],
      ['released, whatever answers', GARBAGE, 'closed'],
    ],
  };
  const received = keysOf(meant).flatMap((state) =>
    meant[state].map(([name, octets, to]) => ({ state, name, octets, to })),
  );
  test.each(received)('$name while $state', ({ state, octets, to }) => {
    const client = reach[state]();
    client.receive(octets);
    expect(client.state).toBe(to);
  });
  test('a challenge leads to authenticating', () => {
    const client = opened(newClient());
    client.receive(CHALLENGE);
    expect(client.state).toBe(TRANSITIONS.associating.challenged);
  });
});

describe('sign-on in mode E', () => {
  const IDENTIFICATION = Buffer.from('/LGZ5\\2ZMD3104407.B32\r\n', 'latin1');
  const inputs: Readonly<Record<SignOnInput, (signOn: ModeESignOn) => unknown>> = {
    start: (signOn) => signOn.start(),
    octets: (signOn) => signOn.receive(Uint8Array.of(0)),
    identified: (signOn) => signOn.receive(IDENTIFICATION),
    'retries used up': (signOn) => [1, 2, 3].map(() => signOn.timeout()),
  };
  const reach: Readonly<Record<SignOnState, (signOn: ModeESignOn) => unknown>> = {
    idle: () => undefined,
    identifying: (signOn) => signOn.start(),
    ended: (signOn) => [signOn.start(), signOn.receive(IDENTIFICATION)],
  };
  /** After the end an identification is octets of HDLC, and time-outs are nothing where nothing is awaited. */
  const unlisted = (state: SignOnState, input: SignOnInput): SignOnState | 'refused' =>
    input === 'retries used up' || state === 'ended' ? state : 'refused';
  const cells = keysOf(SIGN_ON_TRANSITIONS).flatMap((state) => keysOf(inputs).map((input) => ({ state, input })));

  test.each(cells)('$input while $state', ({ state, input }) => {
    const signOn = new ModeESignOn({ address: null, softwareParity: false, switchBaud: true, retries: 2 });
    reach[state](signOn);
    expect(signOn.state).toBe(state);
    const expected = SIGN_ON_TRANSITIONS[state][input] ?? unlisted(state, input);
    expect(
      after(
        () => inputs[input](signOn),
        () => signOn.state,
      ),
    ).toBe(expected);
  });
});
