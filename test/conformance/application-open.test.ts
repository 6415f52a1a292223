/**
 * COSEM-OPEN, in the manner of the conformance cases T_APPL_IDLE N1 and OPEN 1/3/4/5/6/7/9/11/12/14: one variation of an AARQ
 * each, what a virtual meter answers, and what our client makes of that answer.
 */
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { asBridgeError } from '../../src/core/errors.ts';
import { aarqOf, encodeAcse, userInformationOf } from '../../src/dlms/acse/acse.ts';
import type { Aarq } from '../../src/dlms/acse/types.ts';
import { AssociationClient } from '../../src/dlms/association/association.ts';
import type { AuthenticationLevel } from '../../src/dlms/settings.ts';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../src/dlms/settings.ts';
import { type InitiateRequest, initiateRequestOf } from '../../src/dlms/xdlms/initiate.ts';
import { CosemServer } from '../../src/simulator/meter/cosem-server.ts';
import { apduIn, EVERYTHING, getNormal, model, NOW, PASSWORD } from '../simulator/meter-support.ts';

const INITIATE: InitiateRequest = initiateRequestOf(EVERYTHING, 65535);

interface Variation {
  readonly aarq?: Partial<Aarq>;
  readonly initiate?: Partial<InitiateRequest>;
  readonly authentication?: AuthenticationLevel;
  readonly password?: string;
  /** What the meter wants. */
  readonly meter?: AuthenticationLevel;
}

/** What came of it at both ends: `associated`, or the code of our client's error. */
function open({ aarq = {}, initiate = {}, authentication = 'none', password, meter = 'none' }: Variation): string[] {
  const server = new CosemServer(model({ authentication: meter }), 1);
  const request: Aarq = {
    ...aarqOf({
      referencing: 'ln',
      authentication,
      authenticationValue: password === undefined ? null : Buffer.from(password),
      userInformation: { ...INITIATE, ...initiate },
    }),
    ...aarq,
  };
  const answer = server.receive(encodeAcse(request), NOW).apdu;
  const client = new AssociationClient({
    settings: { ...DEFAULT_METER_SETTINGS, authentication: authentication === 'low' ? 'low' : 'none' },
    secrets: { ...NO_SECRETS, secret: Buffer.from(password ?? '') },
    random: (octets) => new Uint8Array(octets),
    takeCounter: () => 0,
    systemTitle: new Uint8Array(8),
  });
  client.open();
  const { event } = client.receive(answer ?? new Uint8Array(0));
  const ours = event !== null && 'error' in event ? asBridgeError(event.error).code : (event?.kind ?? 'nothing');
  return [server.isAssociated ? 'associated' : 'not associated', ours];
}

const STANDS = ['associated', 'associated'];
const REJECTED = ['not associated', 'ASSOCIATION_REJECTED'];

test('IDLE N1: a GET before the AARQ is refused by an exception', () => {
  const server = new CosemServer(model(), 1);
  expect(apduIn(server.receive(getNormal('3:1.0.1.8.0.255'), NOW).apdu)).toMatchObject({
    apdu: 'exception-response',
    stateError: 'service-not-allowed',
  });
});

describe('OPEN', () => {
  test('1: the mandatory fields alone', () => expect(open({})).toEqual(STANDS));
  test('1: the same client again takes the place of its old association', () => {
    const server = new CosemServer(model(), 1);
    const aarq = encodeAcse(
      aarqOf({ referencing: 'ln', authentication: 'none', authenticationValue: null, userInformation: INITIATE }),
    );
    for (let round = 0; round < 2; round += 1) server.receive(aarq, NOW);
    expect(server.isAssociated).toBe(true);
  });
  test('3: a protocol version, the default one', () => {
    expect(open({ aarq: { protocolVersion: fromHex('0780') } })).toEqual(STANDS);
  });
  test.each([
    ['names of another kind', 'SN' as const],
    ['ciphering that this meter has no keys for', 'LN_WITH_CIPHERING' as const],
  ])('4: a context of %s', (_, context) => {
    const { applicationContextName } = aarqOf({
      referencing: context === 'SN' ? 'sn' : 'ln',
      ciphered: context === 'LN_WITH_CIPHERING',
      authentication: 'none',
      authenticationValue: null,
      userInformation: INITIATE,
    });
    expect(open({ aarq: { applicationContextName } })).toEqual(['not associated', 'CONTEXT_NOT_SUPPORTED']);
  });
  test('5: titles, qualifiers and invocation ids that nobody needs', () => {
    const title = fromHex('4d4d4d0000000001');
    const aarq = { callingAPTitle: title, calledAPTitle: title, callingAEInvocationId: 1, calledAPInvocationId: 2 };
    expect(open({ aarq })).toEqual(STANDS);
  });
  describe('6: authentication', () => {
    const low = { meter: 'low', authentication: 'low' } as const;
    test('the password', () => expect(open({ ...low, password: PASSWORD })).toEqual(STANDS));
    test('another password', () => {
      expect(open({ ...low, password: 'wrong123' })).toEqual(['not associated', 'AUTHENTICATION_FAILED']);
    });
    test('none where one is wanted', () => {
      expect(open({ meter: 'low' })).toEqual(['not associated', 'AUTHENTICATION_REQUIRED']);
    });
    test('one where none is wanted', () => {
      expect(open({ authentication: 'low', password: PASSWORD })[0]).toBe('not associated');
    });
  });
  test('7: implementation information', () => {
    expect(open({ aarq: { implementationInformation: fromHex('0102') } })).toEqual(STANDS);
  });
  test('9: a dedicated key in a context without ciphering', () => {
    expect(open({ initiate: { dedicatedKey: new Uint8Array(16) } })).toEqual(REJECTED);
  });
  test('9: user-information that holds something else', () => {
    const userInformation = userInformationOf(apduIn(getNormal('3:1.0.1.8.0.255')));
    expect(open({ aarq: { userInformation } })).toEqual(REJECTED);
  });
  test('11: nothing in common in the conformance', () => {
    const { proposedConformance } = initiateRequestOf(['read'], 65535);
    expect(open({ initiate: { proposedConformance } })).toEqual(REJECTED);
  });
  test.each([
    [5, REJECTED],
    [6, STANDS],
    [7, STANDS],
  ])('12: DLMS version %i', (proposedDlmsVersion, expected) => {
    expect(open({ initiate: { proposedDlmsVersion } })).toEqual(expected);
  });
  test.each([
    [0, STANDS],
    [11, REJECTED],
    [12, STANDS],
    [65535, STANDS],
  ])('14: a client that receives %i octets', (clientMaxReceivePduSize, expected) => {
    expect(open({ initiate: { clientMaxReceivePduSize } })).toEqual(expected);
  });
});
