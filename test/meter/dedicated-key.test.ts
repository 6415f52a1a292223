/** Which key protects what: the dedicated key only once the association stands; peers cannot open the proof of HLS with it. */
import { expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { AssociationClient } from '../../src/dlms/association/association.ts';
import { GetExchange } from '../../src/dlms/exchange/get-exchange.ts';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../src/dlms/settings.ts';
import { CosemServer } from '../../src/simulator/meter/cosem-server.ts';
import { MeterModel } from '../../src/simulator/meter/meter-model.ts';

const KEYS = {
  blockCipherKey: fromHex('000102030405060708090a0b0c0d0e0f'),
  authenticationKey: fromHex('d0d1d2d3d4d5d6d7d8d9dadbdcdddedf'),
};
const SECRET = new TextEncoder().encode('a secret of HLS');
const ENERGY = { classId: 3, instanceId: '1.0.1.8.0.255', attributeId: 2, accessSelection: null };
const AARQ = 0x60;
const GENERAL_GLO = 0xdb;
const GENERAL_DED = 0xdc;

test.each([
  ['gmac', [AARQ, GENERAL_GLO, GENERAL_DED]],
  ['sha256', [AARQ, GENERAL_GLO, GENERAL_DED]],
  ['low', [AARQ, GENERAL_DED]],
] as const)('%s with a dedicated key', (authentication, expected) => {
  const model = new MeterModel({
    seed: 1,
    index: 0,
    server: 1,
    phases: 3,
    authentication,
    password: SECRET,
    maxPdu: 1024,
    security: { security: 'both', ...KEYS },
  });
  const meter = new CosemServer(model, 1);
  let counter = 0;
  const client = new AssociationClient({
    settings: { ...DEFAULT_METER_SETTINGS, client: 1, authentication, security: 'both', dedicatedKey: true },
    secrets: { ...NO_SECRETS, ...KEYS, secret: SECRET },
    random: (octets) => Uint8Array.from({ length: octets }, (_, index) => index),
    takeCounter: () => counter++,
    systemTitle: fromHex('444d4d0000000001'),
  });
  const sent: number[] = [];
  const converse = (first: readonly Uint8Array[]): string | undefined => {
    for (let [send] = first; send !== undefined; ) {
      sent.push(send[0] ?? 0);
      const step = client.receive(meter.receive(send, 0).apdu ?? new Uint8Array());
      if (step.event !== null) return step.event.kind;
      [send] = step.send;
    }
    return undefined;
  };
  expect(converse([client.open()])).toBe('associated');
  expect(converse(client.begin(new GetExchange([ENERGY])))).toBe('answered');
  expect(sent).toEqual(expected);
});
