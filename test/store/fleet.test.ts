import { describe, expect, test } from 'vitest';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../src/dlms/settings.ts';
import { setLineSettings } from '../../src/store/fleet/lines.ts';
import { connectionsOfMeter, loadFleet, loadLearned } from '../../src/store/fleet/load.ts';
import { addMeter, removeMeter, resumeMeter, setMeterEnabled, suspendMeter } from '../../src/store/fleet/meters.ts';
import { revision } from '../../src/store/fleet/revision.ts';
import { addTarget } from '../../src/store/fleet/targets.ts';
import type { NewMeter, NewTarget } from '../../src/store/fleet/types.ts';
import { openWriter } from '../../src/store/local/writer.ts';
import { DEFAULT_LINE_SETTINGS } from '../../src/transport/line-settings.ts';
import { codeOf, cycle, GATEWAY_TOKEN, newDatabase, newFleet, newMeter, newTarget } from './support.ts';

describe('targets', () => {
  test('are stored with their token', () => {
    const database = newDatabase();
    const id = addTarget(database, newTarget('gateway', { caFile: '/etc/ca.pem', protocol: '3.1.1' }));
    const fleet = loadFleet(database);
    expect(fleet.targets).toEqual([
      { id, name: 'main', url: 'mqtt://127.0.0.1:1883', protocol: '3.1.1', mode: 'gateway', caFile: '/etc/ca.pem' },
    ]);
    expect(fleet.connections).toEqual([{ id: 1, targetId: id, meterId: null, token: GATEWAY_TOKEN, retired: false }]);
    expect(fleet.revision).toBe(1);
  });

  test.each([
    ['mqtt://Broker.Example', 'mqtt://broker.example:1883'],
    ['mqtts://broker.example/', 'mqtts://broker.example:8883'],
    ['mqtt://[::1]:1884', 'mqtt://[::1]:1884'],
  ])('%s is kept as %s', (given, kept) => {
    const database = newDatabase();
    addTarget(database, newTarget('gateway', { url: given }));
    expect(loadFleet(database).targets[0]?.url).toBe(kept);
  });

  const refused: readonly (readonly [string, Partial<NewTarget>])[] = [
    ['http', { url: 'http://broker' }],
    ['no URL', { url: 'broker:1883' }],
    ['no host', { url: 'mqtt://' }],
    ['credentials in the URL', { url: 'mqtt://user:password@broker' }],
    ['a path', { url: 'mqtt://broker/path' }],
    ['no name', { name: '' }],
    ['a token with blanks', { token: 'a b' }],
    ['no token', { token: '' }],
  ];
  test.each(refused)('%s is refused, and nothing of it stays', (_, changes) => {
    const database = newDatabase();
    expect(codeOf(() => addTarget(database, newTarget('gateway', changes)))).toBe('INVALID_VALUE');
    expect(loadFleet(database)).toMatchObject({ revision: 0, targets: [], connections: [] });
  });

  test('an error does not repeat what may be a password', () => {
    const database = newDatabase();
    for (const url of ['mqtt://user:hunter2@broker', 'nonsense:hunter2']) {
      expect(() => addTarget(database, newTarget('gateway', { url }))).toThrow(/^(?!.*hunter2)/);
    }
  });

  test('names and tokens stand once; another broker may know the same token', () => {
    const database = newFleet();
    expect(codeOf(() => addTarget(database, newTarget('gateway', { token: 'other' })))).toBe('ALREADY_EXISTS');
    const same = newTarget('gateway', { name: 'again', url: 'mqtt://127.0.0.1' });
    expect(codeOf(() => addTarget(database, same))).toBe('DUPLICATE_TOKEN');
    expect(loadFleet(database).revision).toBe(1);
    addTarget(database, newTarget('gateway', { name: 'elsewhere', url: 'mqtt://127.0.0.2' }));
    expect(loadFleet(database)).toMatchObject({ revision: 2, targets: [{}, {}], connections: [{}, {}] });
  });

  test('one target at most is in device mode, and it comes before the meters', () => {
    const database = newFleet('device');
    const second = newTarget('device', { name: 'second', url: 'mqtt://127.0.0.2' });
    expect(codeOf(() => addTarget(database, second))).toBe('INVALID_VALUE');
    const other = newFleet();
    addMeter(other, newMeter('house1'));
    expect(codeOf(() => addTarget(other, second))).toBe('INVALID_VALUE');
  });
});

describe('meters', () => {
  test('are stored with everything, in the order given', () => {
    const database = newFleet();
    const id = addMeter(database, {
      name: 'house 1 äöü',
      link: 'tcp://10.0.0.7:4059',
      settings: { ...DEFAULT_METER_SETTINGS, client: 17, authentication: 'low', physical: 42 },
      secrets: { ...NO_SECRETS, secret: Uint8Array.of(0, 255, 16) },
      groups: [
        {
          name: 'fast',
          intervalMs: 1000,
          points: [
            { classId: 3, obis: '1.0.32.7.0.255', attribute: 2, key: 'voltageL1' },
            { classId: null, obis: '1.0.1.8.0.255', attribute: -3, key: 'activeEnergyImport' },
          ],
        },
        {
          name: 'slow',
          intervalMs: 900_000,
          points: [{ classId: 1, obis: '0.0.42.0.0.255', attribute: 2, key: 'ldn' }],
        },
      ],
    });
    expect(loadFleet(database)).toMatchObject({
      revision: 2,
      lines: [{ id: 1, link: 'tcp://10.0.0.7:4059' }],
      meters: [
        {
          id,
          lineId: 1,
          name: 'house 1 äöü',
          enabled: true,
          settings: { ...DEFAULT_METER_SETTINGS, client: 17, authentication: 'low', physical: 42 },
          secrets: { ...NO_SECRETS, secret: Uint8Array.of(0, 255, 16) },
        },
      ],
      groups: [
        { id: 1, meterId: id, name: 'fast', intervalMs: 1000 },
        { id: 2, meterId: id, name: 'slow', intervalMs: 900_000 },
      ],
      points: [
        { id: 1, groupId: 1, classId: 3, obis: '1.0.32.7.0.255', attribute: 2, key: 'voltageL1' },
        { id: 2, groupId: 1, classId: null, obis: '1.0.1.8.0.255', attribute: -3, key: 'activeEnergyImport' },
        { id: 3, groupId: 2, classId: 1, obis: '0.0.42.0.0.255', attribute: 2, key: 'ldn' },
      ],
    });
  });

  test('are suspended and resumed; each resumption is a new beginning', () => {
    const database = newFleet();
    addMeter(database, newMeter('a'));
    const began = loadFleet(database).revision;
    suspendMeter(database, 'a');
    suspendMeter(database, 'a');
    expect(loadFleet(database)).toMatchObject({ revision: began + 1, meters: [{ suspended: true, resumes: 0 }] });
    resumeMeter(database, 'a');
    resumeMeter(database, 'a');
    expect(loadFleet(database)).toMatchObject({ revision: began + 3, meters: [{ suspended: false, resumes: 2 }] });
    expect(codeOf(() => suspendMeter(database, 'nobody'))).toBe('NOT_FOUND');
  });

  test('line settings: what differs from the defaults is kept, and its meters are tried anew', () => {
    const database = newFleet();
    const meter = newMeter('a');
    addMeter(database, meter);
    setLineSettings(database, meter.link, { ...DEFAULT_LINE_SETTINGS, interFrameMs: 20, idleCloseMs: 5000 });
    expect(database.sql.prepare('SELECT settings FROM line').pluck().get()).toBe(
      '{"interFrameMs":20,"idleCloseMs":5000}',
    );
    expect(loadFleet(database)).toMatchObject({
      lines: [{ settings: { interFrameMs: 20, idleCloseMs: 5000, echo: false, session: 'auto' } }],
      meters: [{ resumes: 1 }],
    });
    const broken = { ...DEFAULT_LINE_SETTINGS, turnaroundMs: -1 };
    expect(codeOf(() => setLineSettings(database, meter.link, broken))).toBe('INVALID_VALUE');
    expect(codeOf(() => setLineSettings(database, 'tcp://x:1', DEFAULT_LINE_SETTINGS))).toBe('NOT_FOUND');
  });

  test('share a line by its link, and the last one takes it away', () => {
    const database = newFleet();
    addMeter(database, newMeter('a'));
    addMeter(database, newMeter('b'));
    addMeter(database, newMeter('c', { link: 'tcp://127.0.0.1:4060' }));
    expect(loadFleet(database).lines).toHaveLength(2);
    removeMeter(database, 'a');
    expect(loadFleet(database).lines).toHaveLength(2);
    removeMeter(database, 'b');
    expect(loadFleet(database).lines).toMatchObject([{ id: 2, link: 'tcp://127.0.0.1:4060' }]);
    expect(loadFleet(database)).toMatchObject({ meters: [{ name: 'c' }], groups: [{ meterId: 3 }], points: [{}] });
  });

  test('ids are not given again', () => {
    const database = newFleet();
    const first = addMeter(database, newMeter('a'));
    removeMeter(database, 'a');
    expect(addMeter(database, newMeter('a'))).toBeGreaterThan(first);
  });

  const point = { classId: 3, obis: '1.0.1.8.0.255', attribute: 2, key: 'energy' };
  const withPoints = (...points: NewMeter['groups'][number]['points']): Partial<NewMeter> => ({
    groups: [{ name: 'default', intervalMs: 1000, points }],
  });
  const refused: readonly (readonly [string, string, Partial<NewMeter>])[] = [
    ['an empty name', 'INVALID_VALUE', { name: '' }],
    ['a name with a blank at its end', 'INVALID_VALUE', { name: 'a ' }],
    ['a name on two lines', 'INVALID_VALUE', { name: 'a\nb' }],
    ['a name like a link', 'INVALID_VALUE', { name: 'tcp://host:1' }],
    ['a name like a flag', 'INVALID_VALUE', { name: '--json' }],
    ['an empty link', 'INVALID_LINK', { link: '' }],
    ['an interval of nothing', 'INVALID_VALUE', { groups: [{ name: 'default', intervalMs: 0, points: [] }] }],
    ['a broken interval', 'INVALID_VALUE', { groups: [{ name: 'default', intervalMs: 0.5, points: [] }] }],
    ['an OBIS code of five', 'INVALID_POINT', withPoints({ ...point, obis: '1.0.1.8.0' })],
    ['an OBIS code out of range', 'INVALID_POINT', withPoints({ ...point, obis: '1.0.1.8.0.256' })],
    ['an OBIS code not in canonical form', 'INVALID_POINT', withPoints({ ...point, obis: '1.0.01.8.0.255' })],
    ['a class out of range', 'INVALID_POINT', withPoints({ ...point, classId: 65536 })],
    ['attribute 0', 'INVALID_POINT', withPoints({ ...point, attribute: 0 })],
    ['an empty key', 'INVALID_POINT', withPoints({ ...point, key: '' })],
    ['a key twice in a group', 'DUPLICATE_KEY', withPoints(point, { ...point, attribute: 3 })],
    [
      'a key twice in two groups',
      'DUPLICATE_KEY',
      {
        groups: [
          { name: 'a', intervalMs: 1, points: [point] },
          { name: 'b', intervalMs: 2, points: [point] },
        ],
      },
    ],
    [
      'a group twice',
      'INVALID_VALUE',
      {
        groups: [
          { name: 'a', intervalMs: 1, points: [] },
          { name: 'a', intervalMs: 2, points: [] },
        ],
      },
    ],
    ['a name that is taken', 'ALREADY_EXISTS', { name: 'taken' }],
    ['a token in gateway mode', 'INVALID_VALUE', { token: 'METER-TOKEN' }],
  ];
  test.each(refused)('%s is refused as %s, and nothing of it stays', (_, code, changes) => {
    const database = newFleet();
    addMeter(database, newMeter('taken'));
    const before = loadFleet(database);
    const meter = newMeter('house1', { link: 'tcp://127.0.0.9:4059', ...changes });
    expect(codeOf(() => addMeter(database, meter))).toBe(code);
    expect(loadFleet(database)).toEqual(before);
  });

  test('need a target first', () => {
    const database = newDatabase();
    expect(codeOf(() => addMeter(database, newMeter('house1')))).toBe('NOT_INITIALISED');
    expect(loadFleet(database)).toMatchObject({ revision: 0, lines: [], meters: [] });
  });

  test('the database itself keeps a key unique within its meter', () => {
    const database = newFleet();
    addMeter(database, newMeter('a'));
    addMeter(database, newMeter('b'));
    const insert = database.sql.prepare(
      "INSERT INTO point (group_id, meter_id, obis, attribute, key) VALUES (?, ?, '1.0.1.8.0.255', 2, 'activeEnergyImport')",
    );
    expect(() => insert.run(1, 1)).toThrow(/UNIQUE/);
    expect(() => insert.run(1, 2)).toThrow(/UNIQUE|FOREIGN KEY/);
  });

  test('are switched off and on; the revision moves only when something changes', () => {
    const database = newFleet();
    addMeter(database, newMeter('house1'));
    setMeterEnabled(database, 'house1', true);
    expect(revision(database)).toBe(2);
    setMeterEnabled(database, 'house1', false);
    expect(loadFleet(database)).toMatchObject({ revision: 3, meters: [{ enabled: false }] });
    expect(codeOf(() => setMeterEnabled(database, 'house2', false))).toBe('NOT_FOUND');
    expect(codeOf(() => removeMeter(database, 'house2'))).toBe('NOT_FOUND');
    expect(revision(database)).toBe(3);
  });

  test('settings and secrets that came later have their defaults', () => {
    const database = newFleet();
    addMeter(database, newMeter('house1'));
    database.sql.exec(`UPDATE meter SET settings = '{"client":1}'`);
    expect(loadFleet(database).meters[0]?.settings).toEqual({ ...DEFAULT_METER_SETTINGS, client: 1 });
  });
});

describe('device mode', () => {
  test('each meter brings a token of its own', () => {
    const database = newFleet('device');
    expect(codeOf(() => addMeter(database, newMeter('house1')))).toBe('INVALID_VALUE');
    expect(codeOf(() => addMeter(database, newMeter('house1', { token: GATEWAY_TOKEN })))).toBe('DUPLICATE_TOKEN');
    expect(loadFleet(database)).toMatchObject({ revision: 1, lines: [], meters: [] });
    addMeter(database, newMeter('house1', { token: 'T1' }));
    expect(codeOf(() => addMeter(database, newMeter('house2', { token: 'T1' })))).toBe('DUPLICATE_TOKEN');
    addMeter(database, newMeter('house2', { token: 'T2' }));
    const fleet = loadFleet(database);
    expect(fleet.connections).toMatchObject([
      { meterId: null, token: GATEWAY_TOKEN },
      { meterId: 1, token: 'T1' },
      { meterId: 2, token: 'T2' },
    ]);
    expect(connectionsOfMeter(fleet, 2).map(({ token }) => token)).toEqual(['T2']);
  });

  test('a gateway beside it takes all meters too', () => {
    const database = newFleet('device');
    addTarget(database, newTarget('gateway', { name: 'cloud', url: 'mqtts://cloud', token: 'CLOUD' }));
    addMeter(database, newMeter('house1', { token: 'T1' }));
    expect(connectionsOfMeter(loadFleet(database), 1).map(({ token }) => token)).toEqual(['CLOUD', 'T1']);
  });

  test('a removed meter delivers what is left before its connection goes', async () => {
    const database = newFleet('device');
    addMeter(database, newMeter('house1', { token: 'T1' }));
    const writer = await openWriter(database.path, { thread: false });
    const [delivered] = await writer.commitCycle(cycle('c1', { connectionIds: [2] }));
    const [poisoned] = await writer.commitCycle(cycle('c2', { connectionIds: [2] }));
    removeMeter(database, 'house1');
    const fleet = loadFleet(database);
    expect(fleet.connections[1]).toEqual({ id: 2, targetId: 1, meterId: null, token: 'T1', retired: true });
    expect(connectionsOfMeter(fleet, 1)).toEqual([]);
    await writer.quarantine([poisoned ?? 0], 'refused');
    await writer.acknowledge([delivered ?? 0]);
    expect(loadFleet(database)).toMatchObject({ revision: 3, connections: [{ id: 1 }, { id: 2 }] });
    await writer.acknowledge([poisoned ?? 0]);
    expect(loadFleet(database)).toMatchObject({ revision: 4, connections: [{ id: 1 }] });
    await writer.close();
  });

  test('a meter that comes back takes its connection over, rows and all', async () => {
    const database = newFleet('device');
    addMeter(database, newMeter('house1', { token: 'T1' }));
    const writer = await openWriter(database.path, { thread: false });
    await writer.commitCycle(cycle('c1', { connectionIds: [2] }));
    await writer.close();
    removeMeter(database, 'house1');
    const id = addMeter(database, newMeter('house1', { token: 'T1' }));
    expect(loadFleet(database).connections[1]).toEqual({
      id: 2,
      targetId: 1,
      meterId: id,
      token: 'T1',
      retired: false,
    });
  });

  test('a meter without rows goes with its connection', () => {
    const database = newFleet('device');
    addMeter(database, newMeter('house1', { token: 'T1' }));
    removeMeter(database, 'house1');
    expect(loadFleet(database).connections).toHaveLength(1);
  });
});

describe('learned facts', () => {
  test('are kept by kind and go with the meter', async () => {
    const database = newFleet();
    const id = addMeter(database, newMeter('house1'));
    const writer = await openWriter(database.path, { thread: false });
    const learn = (kind: string, json: string): Promise<unknown> =>
      writer.commitCycle(cycle('c', { meterId: id, readings: [], learned: [{ kind, json }] }));
    await learn('objects', '[1]');
    await learn('scaler', '{}');
    await learn('objects', '[1,2]');
    expect([...loadLearned(database, id)].sort()).toEqual([
      ['objects', '[1,2]'],
      ['scaler', '{}'],
    ]);
    removeMeter(database, 'house1');
    expect(loadLearned(database, id).size).toBe(0);
    await learn('objects', '[]');
    expect(loadLearned(database, id).size).toBe(0);
    await writer.close();
  });
});
