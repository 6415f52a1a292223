/** Reading attributes: packed into lists, and what is done with meters that cannot answer one. */
import { expect, test } from 'vitest';
import { BridgeError, type ErrorCode } from '../../src/core/errors.ts';
import type { AttributeReference, GetResult } from '../../src/dlms/xdlms/services.ts';
import { readAttributes } from '../../src/meter/client.ts';
import { longestListOf } from '../../src/meter/services.ts';
import type { MeterSession } from '../../src/meter/session.ts';

const ATTRIBUTES = [1, 2, 3].map((c) => ({ classId: 3, instanceId: `1.0.${c}.8.0.255`, attributeId: 2 }));

/** A session that answers single GETs, and fails on lists with `code`; `standing`: the association outlives it. */
function session(code: ErrorCode | null, standing: boolean, maxRequestPdu = 0) {
  const asked: number[] = [];
  const fake = {
    isAssociated: true,
    listLimit: Number.POSITIVE_INFINITY,
    get longestList() {
      return Math.min(fake.listLimit, longestListOf({ header: 4, item: 10 }, maxRequestPdu));
    },
    async get(attributes: readonly AttributeReference[]): Promise<readonly GetResult[]> {
      asked.push(attributes.length);
      if (code !== null && attributes.length > 1) {
        fake.isAssociated = standing;
        throw new BridgeError(code, 'the list');
      }
      return attributes.map(() => ({ data: { type: 'unsigned', value: 7 } }));
    },
  };
  return { fake, asked, session: fake as unknown as MeterSession };
}

test('one list where the PDU allows it, several where it does not', async () => {
  const whole = session(null, true);
  await readAttributes(whole.session, ATTRIBUTES);
  expect(whole.asked).toEqual([3]);
  const small = session(null, true, 26);
  await readAttributes(small.session, ATTRIBUTES);
  expect(small.asked).toEqual([2, 1]);
});

test.each(['EXCEPTION_RESPONSE', 'SERVICE_ERROR', 'DATA_ACCESS_READ_WRITE_DENIED'] as const)(
  'a list that is refused (%s): single GETs, now and from now on',
  async (code) => {
    const { session: meter, asked, fake } = session(code, true);
    expect(await readAttributes(meter, ATTRIBUTES)).toHaveLength(3);
    expect(asked).toEqual([3, 1, 1, 1]);
    await readAttributes(meter, ATTRIBUTES);
    expect(asked).toEqual([3, 1, 1, 1, 1, 1, 1]);
    expect(fake.listLimit).toBe(1);
  },
);

test('a meter that takes lists of two only: half the length until it answers, and no more refusals', async () => {
  const { session: meter, asked, fake } = session(null, true);
  const answer = fake.get;
  fake.get = async (attributes) => {
    if (attributes.length <= 2) return answer(attributes);
    asked.push(attributes.length);
    throw new BridgeError('EXCEPTION_RESPONSE', 'the list');
  };
  const nine = Array.from({ length: 9 }, (_, c) => ({ classId: 3, instanceId: `1.0.${c}.8.0.255`, attributeId: 2 }));
  expect(await readAttributes(meter, nine)).toHaveLength(9);
  expect(asked).toEqual([9, 4, 2, 2, 2, 2, 1]);
  asked.length = 0;
  expect(await readAttributes(meter, nine)).toHaveLength(9);
  expect(asked).toEqual([2, 2, 2, 2, 1]);
  expect(fake.listLimit).toBe(2);
});

test.each(['MALFORMED', 'TRAILING_BYTES', 'TRUNCATED', 'UNEXPECTED_RESPONSE'] as const)(
  'a list answer that is none (%s) costs the association; the next attempt does without lists',
  async (code) => {
    const { session: meter, asked, fake } = session(code, false);
    await expect(readAttributes(meter, ATTRIBUTES)).rejects.toMatchObject({ code });
    fake.isAssociated = true;
    expect(await readAttributes(meter, ATTRIBUTES)).toHaveLength(3);
    expect(asked).toEqual([3, 1, 1, 1]);
  },
);

test('what is not the fault of the list is thrown, and lists go on', async () => {
  const { session: meter, fake } = session('METER_TIMEOUT', false);
  await expect(readAttributes(meter, ATTRIBUTES)).rejects.toMatchObject({ code: 'METER_TIMEOUT' });
  expect(fake.listLimit).toBe(Number.POSITIVE_INFINITY);
});
