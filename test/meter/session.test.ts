/** The client's session with virtual meters of every authentication level and policy, over both framings. */
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import type { BridgeError } from '../../src/core/errors.ts';
import { DEFAULT_METER_SETTINGS, type MeterSecrets, type MeterSettings, NO_SECRETS } from '../../src/dlms/settings.ts';
import { LineWorker } from '../../src/line/worker.ts';
import { readAttributes, readObjectList } from '../../src/meter/client.ts';
import { type CounterStore, unkeptCounters } from '../../src/meter/counters.ts';
import type { MeterSession } from '../../src/meter/session.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { startVirtualMeters, type VirtualMetersOptions } from '../../src/simulator/meter/fleet.ts';
import type { Framing } from '../../src/transport/link-address.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import { until } from '../support/until.ts';

const KEYS = {
  blockCipherKey: fromHex('000102030405060708090a0b0c0d0e0f'),
  authenticationKey: fromHex('d0d1d2d3d4d5d6d7d8d9dadbdcdddedf'),
};
const SECRET = 'a secret of HLS';
const ENERGY = { classId: 3, instanceId: '1.0.1.8.0.255', attributeId: 2 };

interface Case {
  readonly framing?: Framing;
  readonly settings?: Partial<MeterSettings>;
  readonly secrets?: Partial<MeterSecrets>;
  readonly meter?: Partial<VirtualMetersOptions>;
  readonly counters?: CounterStore;
}

async function converse<T>(
  { framing = 'wrapper', settings, secrets, meter, counters }: Case,
  run: (session: MeterSession) => Promise<T>,
) {
  const clock = new VirtualClock();
  const [ours, theirs] = memoryPair();
  const meters = await startVirtualMeters({
    count: 1,
    port: 0,
    auth: 'none',
    framing,
    clock,
    transport: theirs,
    ...meter,
  });
  const worker = new LineWorker({ transport: ours, framing, signsOn: false, clock, log: silentLogger });
  const [address] = meters.addresses;
  worker.setMeter({
    id: 1,
    name: 'house1',
    settings: {
      ...DEFAULT_METER_SETTINGS,
      client: 1,
      server: 1,
      physical: address?.physical ?? null,
      timeoutMs: 1000,
      ...settings,
    },
    secrets: { ...NO_SECRETS, ...secrets },
    security: { systemTitle: fromHex('444d4d0000000001'), counters: counters ?? unkeptCounters() },
  });
  let outcome: T | BridgeError | undefined;
  worker.submit({ meterId: 1, priority: 'command', due: 0, run }).then(
    (value) => {
      outcome = value;
    },
    (error: BridgeError) => {
      outcome = error;
    },
  );
  await until('the conversation is over', () => outcome !== undefined, { clock, stepMs: 20 });
  return outcome as T | BridgeError;
}

async function readEnergy(session: MeterSession): Promise<string> {
  const [result] = await readAttributes(session, [ENERGY]);
  return result !== undefined && 'data' in result ? result.data.type : 'refused';
}

const LEVELS = ['md5', 'sha1', 'sha256'] as const;
const POLICIES = ['authenticated', 'encrypted', 'both'] as const;

describe.each(['wrapper', 'hdlc'] as const)('%s', (framing) => {
  test.each(LEVELS)('HLS %s', async (authentication) => {
    const secrets = { secret: new TextEncoder().encode(SECRET) };
    const meter = { auth: authentication, password: SECRET };
    expect(await converse({ framing, settings: { authentication }, secrets, meter }, readEnergy)).toBe(
      'double-long-unsigned',
    );
  });

  test.each(POLICIES)('GMAC with security %s', async (security) => {
    const meter = { auth: 'gmac' as const, security, ...KEYS };
    const settings = { authentication: 'gmac' as const, security };
    expect(await converse({ framing, settings, secrets: KEYS, meter }, readEnergy)).toBe('double-long-unsigned');
  });

  test('a dedicated key, and answers in blocks', async () => {
    const meter = { auth: 'gmac' as const, security: 'both' as const, ...KEYS };
    const settings = { authentication: 'gmac' as const, security: 'both' as const, dedicatedKey: true, maxPdu: 200 };
    const outcome = await converse(
      { framing, settings, secrets: KEYS, meter },
      async (session) => (await readObjectList(session)).objects.length,
    );
    expect(outcome).toBeGreaterThan(20);
  });
});

describe('wrong secrets are told apart', () => {
  test('HLS secret', async () => {
    const secrets = { secret: new TextEncoder().encode('another') };
    const outcome = await converse(
      { settings: { authentication: 'sha256' }, secrets, meter: { auth: 'sha256', password: SECRET } },
      readEnergy,
    );
    expect(outcome).toMatchObject({ code: 'AUTHENTICATION_FAILED', fault: 'credentials' });
  });

  test('block cipher key', async () => {
    const meter = { auth: 'gmac' as const, security: 'both' as const, ...KEYS };
    const settings = { authentication: 'gmac' as const, security: 'both' as const };
    const secrets = { ...KEYS, blockCipherKey: fromHex('ff0102030405060708090a0b0c0d0e0f') };
    const outcome = await converse({ settings, secrets, meter }, readEnergy);
    expect(outcome).toMatchObject({ code: 'DECRYPT_FAILED', fault: 'credentials' });
  });

  test('a level that the meter wants and we do not offer', async () => {
    const outcome = await converse(
      { settings: { authentication: 'none' }, meter: { auth: 'md5', password: SECRET } },
      readEnergy,
    );
    expect(outcome).toMatchObject({ code: 'AUTHENTICATION_REQUIRED', fault: 'credentials' });
  });
});

describe('invocation counters', () => {
  const ciphered = {
    settings: { authentication: 'gmac' as const, security: 'both' as const },
    secrets: KEYS,
    meter: { auth: 'gmac' as const, security: 'both' as const, ...KEYS },
  };

  test('none is taken twice, over associations that come and go', async () => {
    const reserved: number[] = [];
    const kept = unkeptCounters();
    const counters: CounterStore = {
      async reserve(count) {
        const first = await kept.reserve(count);
        for (let counter = first; counter < first + count; counter += 1) reserved.push(counter);
        return first;
      },
      raise: (atLeast) => kept.raise(atLeast),
    };
    await converse({ ...ciphered, counters }, async (session) => {
      for (let turn = 0; turn < 5; turn += 1) {
        await session.ensureAssociated();
        await readEnergy(session);
        await session.release();
      }
      return 0;
    });
    expect(new Set(reserved).size).toBe(reserved.length);
  });

  test('one that is too low is raised to what the meter expects, once, and the association made anew', async () => {
    const counters = unkeptCounters();
    await counters.reserve(1);
    const meter = { ...ciphered.meter, invocationCounter: 5000 };
    expect(await converse({ ...ciphered, meter, counters }, readEnergy)).toBe('double-long-unsigned');
    expect(await counters.reserve(1)).toBeGreaterThan(5000);
  });
});
