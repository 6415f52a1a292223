/** Authentication with ECDSA between client and virtual meter: keys that are configured, and keys out of certificates. */
import { afterEach, describe, expect, test } from 'vitest';
import { readCertificate, readPrivateKey, readPublicKey } from '../../src/dlms/security/key-material.ts';
import type { MeterSecrets } from '../../src/dlms/settings.ts';
import { readAttributes } from '../../src/meter/client.ts';
import type { VirtualMetersOptions } from '../../src/simulator/meter/fleet.ts';
import { CLIENT_TITLE, METER_TITLE, P256, P384 } from '../support/certificates.ts';
import { type Conversation, conversation } from '../support/conversation.ts';

const ENERGY = { classId: 3, instanceId: '1.0.1.8.0.255', attributeId: 2 };
const octets = (pem: string): Uint8Array => Buffer.from(pem);
const privateKey = (pem: string): Uint8Array => readPrivateKey(octets(pem), 'it').key;
const publicKey = (pem: string): Uint8Array => readPublicKey(octets(pem), 'it').key;
const certificate = (pem: string): Uint8Array => readCertificate(octets(pem), 'it');

let open: Conversation | null = null;
afterEach(async () => {
  await open?.end();
  open = null;
});

describe.each([
  [1, P256, P384],
  [2, P384, P256],
] as const)('suite %i', (suite, keys, others) => {
  const configured = {
    secrets: { signingKey: privateKey(keys.clientKey), serverSigningKey: publicKey(keys.meterCertificate) },
    meter: { signingKey: privateKey(keys.meterKey), clientPublicKey: publicKey(keys.clientCertificate) },
  };
  const certified = {
    secrets: {
      signingKey: privateKey(keys.clientKey),
      certificate: certificate(keys.clientCertificate),
      serverAuthority: certificate(keys.authority),
    },
    meter: {
      signingKey: privateKey(keys.meterKey),
      certificate: certificate(keys.meterCertificate),
      clientAuthority: certificate(keys.authority),
    },
  };

  async function read(
    { secrets, meter }: { secrets: Partial<MeterSecrets>; meter: Partial<VirtualMetersOptions> },
    title = METER_TITLE,
    referencing: 'ln' | 'sn' = 'ln',
  ): Promise<string> {
    const options = { auth: 'ecdsa' as const, suite, systemTitle: title, referencing, ...meter };
    const settings = { authentication: 'ecdsa' as const, suite, systemTitle: CLIENT_TITLE, referencing };
    open = await conversation(options, settings, secrets);
    const [result] = await open.run((session) => readAttributes(session, [ENERGY]));
    return result !== undefined && 'data' in result ? result.data.type : 'refused';
  }

  test('with the public keys configured on both sides', async () => {
    expect(await read(configured)).toBe('double-long-unsigned');
  });

  test('with the public keys out of certificates, sent in AARQ and AARE', async () => {
    expect(await read(certified)).toBe('double-long-unsigned');
  });

  test('the proofs travel by short names as well', async () => {
    expect(await read(configured, METER_TITLE, 'sn')).toBe('double-long-unsigned');
  });

  test('a configured key goes before one in a certificate', async () => {
    const secrets = { ...certified.secrets, serverSigningKey: publicKey(keys.clientCertificate) };
    await expect(read({ ...certified, secrets })).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
  });

  test('a meter that signs with another key is not believed', async () => {
    const meter = { ...configured.meter, signingKey: privateKey(keys.clientKey) };
    await expect(read({ ...configured, meter })).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
  });

  test('a client that signs with another key is refused', async () => {
    const secrets = { ...configured.secrets, signingKey: privateKey(keys.meterKey) };
    await expect(read({ ...configured, secrets })).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
  });

  test('a certificate is for the title that it names', async () => {
    await expect(read(certified, '53494d0000000002')).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
  });

  test('a certificate of another authority is not believed', async () => {
    const secrets = { ...certified.secrets, serverAuthority: certificate(others.authority) };
    await expect(read({ ...certified, secrets })).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
  });

  test('without any key of the meter nothing is proven', async () => {
    const secrets = { ...configured.secrets, serverSigningKey: null };
    await expect(read({ ...configured, secrets })).rejects.toMatchObject({ code: 'KEY_MISSING' });
  });
});
