/** Meters whose utility gives no authentication key: opened only when that is asked for; and releases of ciphered associations. */
import { afterEach, describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { decodeAcse } from '../../src/dlms/acse/acse.ts';
import { AssociationClient } from '../../src/dlms/association/association.ts';
import { isGloDed, unprotectApdu } from '../../src/dlms/security/apdu-protection.ts';
import { DEFAULT_METER_SETTINGS, type MeterSettings, NO_SECRETS } from '../../src/dlms/settings.ts';
import { decodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import { readAttributes } from '../../src/meter/client.ts';
import { CosemServer } from '../../src/simulator/meter/cosem-server.ts';
import { MeterModel } from '../../src/simulator/meter/meter-model.ts';
import { defaultKeys } from '../../src/simulator/meter/meter-security.ts';
import { type Conversation, conversation } from '../support/conversation.ts';

const ENERGY = { classId: 3, instanceId: '1.0.1.8.0.255', attributeId: 2 };
const KEYS = defaultKeys(0);
const CLIENT = fromHex('444d4d0000000001');

let open: Conversation | null = null;
afterEach(async () => {
  await open?.end();
  open = null;
});

describe('without the authentication key', () => {
  /** Encrypted by us, and by the meter too, which puts tags on. */
  async function read(acceptUnverified: boolean, blockCipherKey = KEYS.blockCipherKey): Promise<unknown> {
    const settings: Partial<MeterSettings> = { authentication: 'low', security: 'encrypted', acceptUnverified };
    const secrets = { secret: Buffer.from('secret'), blockCipherKey };
    const meter = {
      auth: 'low' as const,
      password: 'secret',
      security: 'encrypted' as const,
      ...KEYS,
      tagsAnswers: true,
    };
    open = await conversation(meter, settings, secrets);
    return open
      .run((session) => readAttributes(session, [ENERGY]))
      .then(
        ([result]) => 'data' in (result ?? {}),
        (error: { code: string }) => error.code,
      );
  }

  test('nothing that is authenticated is opened', async () => {
    expect(await read(false)).toBe('KEY_MISSING');
  });

  test('it is when that is asked for', async () => {
    expect(await read(true)).toBe(true);
  });

  test('a wrong key is noticed all the same', async () => {
    expect(await read(true, new Uint8Array(16))).toMatch(/^(DECRYPT_FAILED|ASSOCIATION_REJECTED|EXCEPTION_RESPONSE)$/);
  });
});

describe('the release of a ciphered association', () => {
  function associated(): { client: AssociationClient; meter: CosemServer } {
    const model = new MeterModel({
      ...{ seed: 1, index: 0, server: 1, phases: 3 as const, authentication: 'low' as const, maxPdu: 1024 },
      password: Buffer.from('secret'),
      security: { security: 'both', ...KEYS },
    });
    const meter = new CosemServer(model, 1);
    let counter = 1;
    const client = new AssociationClient({
      settings: { ...DEFAULT_METER_SETTINGS, client: 1, authentication: 'low', security: 'both' },
      secrets: { ...NO_SECRETS, ...KEYS, secret: Buffer.from('secret') },
      random: (octets) => new Uint8Array(octets),
      takeCounter: () => counter++,
      systemTitle: CLIENT,
    });
    client.receive(meter.receive(client.open(), 0).apdu ?? new Uint8Array());
    expect(client.state).toBe('associated');
    return { client, meter };
  }

  test('carries a ciphered initiateRequest, which proves who releases; the answer in kind ends it', () => {
    const { client, meter } = associated();
    const octets = client.release();
    const rlrq = decodeAcse(octets);
    expect(rlrq).toMatchObject({ apdu: 'rlrq', reason: 'normal' });
    const contents = rlrq.userInformation?.decoded;
    if (contents === undefined || contents === null || !isGloDed(contents)) throw new Error('not ciphered');
    expect(contents).toMatchObject({ apdu: 'glo-initiateRequest', invocationCounter: 2 });
    const { plaintext } = unprotectApdu(contents, {
      ...{ unicast: KEYS.blockCipherKey, broadcast: null, dedicated: null },
      ...{ authentication: KEYS.authenticationKey, systemTitle: CLIENT },
    });
    expect(decodeApdu(plaintext)).toMatchObject({ apdu: 'initiateRequest' });
    const rlre = meter.receive(octets, 0).apdu ?? new Uint8Array();
    expect(rlre[0]).toBe(0x63);
    expect(decodeAcse(rlre).userInformation?.decoded).toMatchObject({ apdu: 'glo-initiateResponse' });
    expect(client.receive(rlre).event).toEqual({ kind: 'released' });
    expect(client.state).toBe('closed');
  });

  test.each([
    ['a plain RLRE', '6303800100'],
    ['an RLRE whose lengths are wrong', '6324800100be2204202820300000000'.padEnd(60, '0')],
    ['an RLRE that is cut short', '63'],
    ['a refusal', '6303800101'],
    ['an exception', 'd80101'],
    ['an answer to something else', 'c40141000600000001'],
    ['noise', 'ffffff'],
  ])('%s ends it too', (_, answer) => {
    const { client } = associated();
    client.release();
    expect(client.receive(fromHex(answer)).event).toEqual({ kind: 'released' });
    expect(client.state).toBe('closed');
  });
});
