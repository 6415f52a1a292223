/** Client and virtual meter over every authentication level, security policy, suite and kind of protection. */
import { afterEach, describe, expect, test } from 'vitest';
import { readPrivateKey, readPublicKey } from '../../src/dlms/security/key-material.ts';
import { type SecurityPolicy, type SuiteId, securitySuite } from '../../src/dlms/security/suite.ts';
import {
  AUTHENTICATION_LEVELS,
  type MeterSecrets,
  type MeterSettings,
  PROTECTIONS,
  type Protection,
} from '../../src/dlms/settings.ts';
import { readAttributes } from '../../src/meter/client.ts';
import type { VirtualMetersOptions } from '../../src/simulator/meter/fleet.ts';
import { defaultKeys } from '../../src/simulator/meter/meter-security.ts';
import { CLIENT_TITLE, P256, P384 } from '../support/certificates.ts';
import { type Conversation, conversation } from '../support/conversation.ts';

const ENERGY = { classId: 3, instanceId: '1.0.1.8.0.255', attributeId: 2 };
const OBJECT_LIST = { classId: 15, instanceId: '0.0.40.0.0.255', attributeId: 2 };
const SECRET = 'a secret of HLS';
const HEADER = 8;

const privateKey = (pem: string): Uint8Array => readPrivateKey(Buffer.from(pem), 'it').key;
const publicKey = (pem: string): Uint8Array => readPublicKey(Buffer.from(pem), 'it').key;

/** The same key pairs serve for signatures and key agreement here; meters have different ones. */
function keysOf(suite: SuiteId): { ours: Partial<MeterSecrets>; theirs: Partial<VirtualMetersOptions> } {
  const symmetric = defaultKeys(suite);
  const masterKey = new Uint8Array(securitySuite(suite).keyOctets).fill(0x77);
  if (suite === 0) return { ours: { ...symmetric, masterKey }, theirs: { ...symmetric, masterKey } };
  const { clientKey, clientCertificate, meterKey, meterCertificate } = suite === 1 ? P256 : P384;
  return {
    ours: {
      ...{ ...symmetric, masterKey, signingKey: privateKey(clientKey), agreementKey: privateKey(clientKey) },
      serverSigningKey: publicKey(meterCertificate),
      serverAgreementKey: publicKey(meterCertificate),
    },
    theirs: {
      ...{ ...symmetric, masterKey, signingKey: privateKey(meterKey), agreementKey: privateKey(meterKey) },
      clientPublicKey: publicKey(clientCertificate),
      clientAgreementKey: publicKey(clientCertificate),
    },
  };
}

let open: Conversation | null = null;
afterEach(async () => {
  await open?.end();
  open = null;
});

async function talk(
  settings: Partial<MeterSettings>,
  meter: Partial<VirtualMetersOptions> = {},
): Promise<Conversation> {
  const { suite = 0, authentication = 'none', security = 'none' } = settings;
  const { ours, theirs } = keysOf(suite);
  open = await conversation(
    { auth: authentication, password: SECRET, security, suite, ...theirs, ...meter },
    { systemTitle: CLIENT_TITLE, ...settings },
    { secret: Buffer.from(SECRET), ...ours },
  );
  return open;
}

/** Tags of what the client sent after AARQ and proof. */
async function tagsOfReading(settings: Partial<MeterSettings>): Promise<string[]> {
  const talking = await talk(settings);
  const results = await talking.run((session) => readAttributes(session, [ENERGY, OBJECT_LIST]));
  for (const result of results) expect(result).toHaveProperty('data');
  const aarq = talking.sent.findLastIndex(({ octets }) => octets[HEADER] === 0x60);
  const after = talking.sent.slice(aarq + 1).map(({ octets }) => (octets[HEADER] ?? 0).toString(16));
  const isHls = !['none', 'low'].includes(settings.authentication ?? 'none');
  return [...new Set(isHls ? after.slice(1) : after)];
}

const SUITES = [0, 1, 2] as const;
const POLICIES: readonly SecurityPolicy[] = ['none', 'authenticated', 'encrypted', 'both'];

describe.each(SUITES)('suite %i', (suite) => {
  const levels = AUTHENTICATION_LEVELS.filter((level) => suite > 0 || level !== 'ecdsa');

  test.each(levels.flatMap((level) => POLICIES.map((policy) => [level, policy] as const)))(
    'authentication %s, security %s',
    async (authentication, security) => {
      const tags = await tagsOfReading({ authentication, security, suite });
      expect(tags).toEqual([security === 'none' ? 'c0' : 'db']);
    },
  );

  const protections = PROTECTIONS.filter((kind) => suite > 0 || (kind !== 'one-pass' && kind !== 'static-unified'));
  const EXPECTED: Readonly<Record<Protection, string>> = {
    negotiated: 'db',
    service: 'c8',
    identified: 'dd',
    wrapped: 'dd',
    'one-pass': 'dd',
    'static-unified': 'dd',
  };

  test.each(protections.flatMap((kind) => POLICIES.slice(1).map((policy) => [kind, policy] as const)))(
    'protection %s, security %s',
    async (protection, security) => {
      const authentication = suite === 0 ? 'gmac' : 'ecdsa';
      expect(await tagsOfReading({ authentication, security, suite, protection })).toEqual([EXPECTED[protection]]);
    },
  );

  if (suite > 0) {
    test.each(protections.filter((kind) => kind !== 'service'))('signed, protection %s', async (protection) => {
      const settings = { authentication: 'gmac', security: 'both', suite, protection, signing: true } as const;
      expect(await tagsOfReading(settings)).toEqual(['df']);
    });
  }

  test('a dedicated key, service-specific and general', async () => {
    const settings = { authentication: 'low', security: 'both', suite, dedicatedKey: true } as const;
    expect(await tagsOfReading({ ...settings, protection: 'service' })).toEqual(['d0']);
    await open?.end();
    expect(await tagsOfReading(settings)).toEqual(['dc']);
  });
});
