/** Associations that stand without AARQ and RLRQ: what is sent, what is used, and what is refused. */
import { afterEach, describe, expect, test } from 'vitest';
import { DEFAULT_METER_SETTINGS, type MeterSettings, type PreEstablished } from '../../src/dlms/settings.ts';
import { readAttributes } from '../../src/meter/client.ts';
import type { CounterStore } from '../../src/meter/counters.ts';
import { defaultKeys } from '../../src/simulator/meter/meter-security.ts';
import { CLIENT_TITLE, METER_TITLE } from '../support/certificates.ts';
import { type Conversation, conversation } from '../support/conversation.ts';

const ENERGY = { classId: 3, instanceId: '1.0.1.8.0.255', attributeId: 2 };
const OBJECT_LIST = { classId: 15, instanceId: '0.0.40.0.0.255', attributeId: 2 };
const GRANTED: PreEstablished = {
  conformance: ['get', 'multiple-references', 'block-transfer-with-get-or-read', 'general-protection'],
  serverMaxPdu: 1024,
};
const WRAPPER_HEADER = 8;
const KEYS = defaultKeys(0);

let open: Conversation | null = null;
afterEach(async () => {
  await open?.end();
  open = null;
});

/** Counters that were used before: nothing is asked of the public client. */
function usedCounters(): CounterStore {
  let next = 100;
  return {
    async reserve(count) {
      next += count;
      return next - count;
    },
    async raise(atLeast) {
      next = Math.max(next, atLeast);
    },
  };
}

const PLAIN: Partial<MeterSettings> = { preEstablished: GRANTED };
const CIPHERED: Partial<MeterSettings> = {
  ...PLAIN,
  security: 'both',
  systemTitle: CLIENT_TITLE,
  serverSystemTitle: METER_TITLE,
};

describe.each(['wrapper', 'hdlc'] as const)('%s', (framing) => {
  test('a plain one', async () => {
    open = await conversation({ framing, preEstablished: { clientTitle: null } }, PLAIN);
    const results = await open.run((session) => readAttributes(session, [ENERGY, OBJECT_LIST]));
    for (const result of results) expect(result).toHaveProperty('data');
  });

  test.each(['negotiated', 'service', 'identified'] as const)('a ciphered one, protection %s', async (protection) => {
    const meter = { security: 'both' as const, ...KEYS, systemTitle: METER_TITLE };
    open = await conversation(
      { framing, ...meter, preEstablished: { clientTitle: CLIENT_TITLE } },
      { ...CIPHERED, protection },
      KEYS,
      usedCounters(),
    );
    const [result] = await open.run((session) => readAttributes(session, [ENERGY]));
    expect(result).toHaveProperty('data');
    const tag = { negotiated: 0xdb, service: 0xc8, identified: 0xdd }[protection];
    if (framing === 'wrapper') expect(open.sent[0]?.octets[WRAPPER_HEADER]).toBe(tag);
  });
});

test('nothing but the service is sent, neither before nor behind it', async () => {
  open = await conversation({ preEstablished: { clientTitle: null } }, PLAIN);
  const talking = open;
  await talking.run(async (session) => {
    await readAttributes(session, [ENERGY]);
    await session.release();
    await session.ensureAssociated();
    await readAttributes(session, [ENERGY]);
    await session.release();
  });
  expect(talking.sent.map(({ octets }) => octets[WRAPPER_HEADER])).toEqual([0xc0, 0xc0]);
});

test('what is not granted by configuration is not used', async () => {
  const preEstablished: PreEstablished = { ...GRANTED, conformance: ['get'] };
  open = await conversation({ preEstablished: { clientTitle: null } }, { preEstablished });
  const talking = open;
  await talking.run((session) => readAttributes(session, [ENERGY, ENERGY]));
  expect(talking.sent.map(({ octets }) => octets[WRAPPER_HEADER + 1])).toEqual([1, 1]);
  await expect(talking.run((session) => session.action([]))).rejects.toMatchObject({ code: 'SERVICE_NOT_GRANTED' });
});

test('general ciphering needs general protection in what is configured', async () => {
  const preEstablished: PreEstablished = { ...GRANTED, conformance: ['get'] };
  const settings = { ...CIPHERED, preEstablished, protection: 'identified' as const };
  open = await conversation({}, settings, KEYS, usedCounters());
  await expect(open.run((session) => readAttributes(session, [ENERGY]))).rejects.toMatchObject({
    code: 'SERVICE_NOT_GRANTED',
  });
});

test('the title of the meter is never learned: without it nothing is opened', async () => {
  const meter = { security: 'both' as const, ...KEYS, systemTitle: METER_TITLE };
  const settings = { ...CIPHERED, protection: 'service' as const, serverSystemTitle: null };
  open = await conversation(
    { ...meter, preEstablished: { clientTitle: CLIENT_TITLE } },
    settings,
    KEYS,
    usedCounters(),
  );
  await expect(open.run((session) => readAttributes(session, [ENERGY]))).rejects.toMatchObject({ code: 'KEY_MISSING' });
});

test('settings that were stored before have none', () => {
  expect(DEFAULT_METER_SETTINGS.preEstablished).toBeNull();
});
