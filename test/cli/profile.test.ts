/** `profile` of virtual meters: the contract's document, and the same rows as the meter's own truth. */
import { describe, expect, test } from 'vitest';
import { newBench } from '../support/cli.ts';
import { ownMeters } from '../support/scene.ts';

interface ProfileDocument {
  readonly obis: string;
  readonly capturePeriod: number;
  readonly columns: readonly {
    readonly obis: string;
    readonly classId: number;
    readonly attribute: number;
    readonly unit: string | null;
    readonly scaler: number | null;
  }[];
  readonly rows: readonly {
    readonly ts: string | null;
    readonly status: number | null;
    readonly quality: string;
    readonly flags: readonly string[];
    readonly values: readonly (string | number | null)[];
  }[];
  readonly events: readonly { readonly kind: string }[];
  readonly roundTrips: number;
}

const LOAD = '1.0.99.1.0.255';
const DAILY = '1.0.98.1.0.255';
const CLIENT = ['--client', '1'];
const FROM = Date.UTC(2026, 0, 10);
const TO = Date.UTC(2026, 0, 10, 6);

const iso = (utc: number): string => new Date(utc).toISOString();

describe.concurrent('profile', () => {
  test.for([
    ['whole rows, oldest first', { compressed: false, order: 'fifo' }],
    ['compressed, newest first', { compressed: true, order: 'lifo' }],
  ] as const)('a range of %s', async ([, profiles], { onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { virtual, links } = await ownMeters(bench, { profiles });
    const args = ['profile', links[0] ?? '', '1-0:99.1.0', '--from', iso(FROM), '--to', '2026-01-10T07:00:00+01:00'];
    const document = await bench.json<ProfileDocument>([...args, ...CLIENT]);
    expect(Object.keys(document)).toEqual([
      ...['obis', 'capturePeriod', 'entriesInUse', 'profileEntries'],
      ...['columns', 'rows', 'events', 'roundTrips'],
    ]);
    expect(document.events).toEqual([]);
    expect(document.rows.every(({ quality }) => quality === 'good')).toBe(true);
    expect(document).toMatchObject({ obis: LOAD, capturePeriod: 900, roundTrips: 3 });
    expect(document.columns).toEqual([
      { obis: '0.0.1.0.0.255', classId: 8, attribute: 2, unit: null, scaler: null },
      { obis: '0.0.96.10.1.255', classId: 1, attribute: 2, unit: null, scaler: null },
      { obis: '1.0.1.8.0.255', classId: 3, attribute: 2, unit: 'Wh', scaler: 0 },
      { obis: '1.0.2.8.0.255', classId: 3, attribute: 2, unit: 'Wh', scaler: 0 },
    ]);
    const truth = [...virtual.profileRows(0, LOAD, FROM, TO)];
    if (profiles.order === 'lifo') truth.reverse();
    expect(document.rows.map(({ ts, values }) => ({ ts, values: values.map(String) }))).toEqual(
      truth.map(({ at, values }) => ({ ts: iso(at), values })),
    );
    expect(document.rows).toHaveLength(25);
    expect(document.rows.every(({ status, values }) => status === values[1])).toBe(true);
  });

  test('the last ones, entries, and all there are; digits beyond a float stay', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links } = await ownMeters(bench);
    const rowsOf = async (...flags: readonly string[]) =>
      (await bench.json<ProfileDocument>(['profile', links[0] ?? '', DAILY, ...flags, ...CLIENT])).rows;
    const all = await rowsOf();
    expect(all.length).toBeGreaterThan(300);
    expect(await rowsOf('--last', '3')).toEqual(all.slice(-3));
    expect(await rowsOf('--entries', '2-4')).toEqual(all.slice(1, 4));
    expect(await rowsOf('--entries', `${all.length}-0`)).toEqual(all.slice(-1));
    expect(await rowsOf('--from', all.at(-2)?.ts ?? '')).toEqual(all.slice(-2));
    expect(await rowsOf('--to', all[1]?.ts ?? '')).toEqual(all.slice(0, 2));
    expect(String(all[0]?.values[4])).toMatch(/^\d{13}(?:\.\d{1,3})?$/);
  });

  test('text for people', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links } = await ownMeters(bench);
    const { stdout, status } = await bench.run(['profile', links[0] ?? '', LOAD, '--last', '2', ...CLIENT]);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^0\.0\.1\.0\.0\.255 +0\.0\.96\.10\.1\.255 +1\.0\.1\.8\.0\.255 \[Wh\] +1\.0\.2\.8\.0\.255 \[Wh\]\n(?:\d{4}-\S+ +\d+ +\d+ +\d+\n){2}2 rows, every 900 s\n$/,
    );
  });

  test('what goes wrong', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links } = await ownMeters(bench);
    const link = links[0] ?? '';
    const failureOf = async (...args: readonly string[]) => {
      const { status, code } = await bench.failure(['profile', ...args, ...CLIENT]);
      return `${status} ${code}`;
    };
    expect(await failureOf(link, '1.0.99.99.0.255')).toBe('1 DATA_ACCESS_OBJECT_UNDEFINED');
    expect(await failureOf(link, '1.0.1.8.0.255')).toBe('1 DATA_ACCESS_OBJECT_CLASS_INCONSISTENT');
    // Nothing was asked of the meter, which is not there.
    const nobody = 'tcp://127.0.0.1:1';
    expect(await failureOf(nobody, 'nonsense')).toBe('2 INVALID_POINT');
    expect(await failureOf(nobody, '3:1.0.99.1.0.255')).toBe('2 INVALID_POINT');
    expect(await failureOf(nobody, LOAD, '--last', '3', '--entries', '1-2')).toBe('2 USAGE');
    expect(await failureOf(nobody, LOAD, '--last', '3', '--from', '2026-01-01')).toBe('2 USAGE');
    expect(await failureOf(nobody, LOAD, '--entries', '4-2')).toBe('2 USAGE');
    expect(await failureOf(nobody, LOAD, '--entries', '0-2')).toBe('2 USAGE');
    expect(await failureOf(nobody, LOAD, '--from', '1.1.2026')).toBe('2 USAGE');
    expect(await failureOf(nobody, LOAD, '--from', '2026-01-02', '--to', '2026-01-01')).toBe('2 USAGE');
    expect(await failureOf(nobody, LOAD)).toBe('1 LINE_REFUSED');
  });
});
