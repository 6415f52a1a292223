/** Fleet files: what comes in, what stays, what is refused and where, and that a refusal changes nothing. */
import { describe, expect, test } from 'vitest';
import { loadFleet, loadLearned } from '../../src/store/fleet/load.ts';
import { revision } from '../../src/store/fleet/revision.ts';
import { wholeMeter } from '../../src/store/fleet/whole.ts';
import { newDatabase, newFleet } from '../store/support.ts';
import { exported, imported, problemsOf } from './fleet-support.ts';

const FLEET = `targets:
  - { name: main, url: mqtt://127.0.0.1:1883, token: GATEWAY }
lines:
  - link: tcp://10.0.0.1:4059
    settings: { turnaroundMs: 50, echo: true }
meters:
  - name: house1
    link: tcp://10.0.0.1
    template: is-15959-category-d
    settings: { server: 3 }
    secrets: { secret: "hex:3132" }
    points: [3:1.0.99.7.0.255=extra]
    interval: 5
  - name: house2
    link: tcp+hdlc://10.0.0.2:4001
    enabled: false
    points: 1.0.1.8.0.255=a,1.0.2.8.0.255=b@integer
  - name: house3
    link: tcp://10.0.0.1:4059
    groups:
      - { name: fast, interval: 0.5, points: [1.0.1.8.0.255=x] }
    profiles:
      - { obis: 1.0.99.1.0.255, interval: 900, columns: [3:1.0.1.8.0.255=y], events: { 7: seven } }
`;

describe('settings in a file', () => {
  const WITH_SETTINGS = FLEET.replace(
    'token: GATEWAY }',
    'token: GATEWAY, settings: { onConflict: wait, outboxMaxBytes: 1000000 } }',
  ).replace('targets:', 'settings: { alertStaleIntervals: 9, alertWebhook: "https://hooks.example/x" }\ntargets:');

  test('of bridge and target are taken, exported and found unchanged', () => {
    const database = newDatabase();
    expect(imported(database, 'yaml', WITH_SETTINGS).settings).toEqual(['alertStaleIntervals', 'alertWebhook']);
    const { settings, targets } = loadFleet(database);
    expect(settings).toMatchObject({ alertStaleIntervals: 9, alertWebhook: 'https://hooks.example/x' });
    expect(targets[0]?.settings).toMatchObject({
      onConflict: 'wait',
      outboxMaxBytes: 1e6,
      outboxPolicy: 'refuse-polls',
    });
    const text = exported(database, 'yaml');
    expect(imported(database, 'yaml', text)).toMatchObject({ settings: [], targets: [] });
    const other = newDatabase();
    imported(other, 'yaml', text);
    expect(exported(other, 'yaml')).toBe(text);
    expect(exported(database, 'yaml', false)).not.toContain('hooks.example');
  });

  test.each([
    ['alertStaleIntervals: 9', 'alertStaleIntervals: 1', /^f\.yaml:1:\d+: alertStaleIntervals takes 2 to/],
    ['alertStaleIntervals: 9', 'staleness: 9', /^f\.yaml:1:\d+: there is no setting "staleness"/],
    ['onConflict: wait', 'onConflict: fight', /^f\.yaml:3:\d+: targets\[0\]\.settings: onConflict takes turns/],
    [
      'onConflict: wait',
      'onconflict: wait',
      /^f\.yaml:3:\d+: targets\[0\]\.settings: onconflict is no setting of a target/,
    ],
    ['alertStaleIntervals: 9', 'alertPublishRateBelow: 90', /^f\.yaml:1:\d+: alertPublishRateAbove \(80\) is below/],
  ])('%s as %s is refused where it stands, and nothing is changed', (good, bad, problem) => {
    const database = newDatabase();
    const before = loadFleet(database);
    expect(problemsOf(database, 'yaml', WITH_SETTINGS.replace(good, bad))).toEqual([expect.stringMatching(problem)]);
    expect(loadFleet(database)).toEqual(before);
  });
});

describe('a YAML file', () => {
  test('into an empty database', () => {
    const database = newDatabase();
    expect(imported(database, 'yaml', FLEET)).toEqual({
      added: ['house1', 'house2', 'house3'],
      changed: [],
      removed: [],
      unchanged: 0,
      targets: ['main'],
      lines: ['tcp://10.0.0.1:4059'],
      settings: [],
    });
    const fleet = loadFleet(database);
    expect(fleet.targets).toMatchObject([{ name: 'main', mode: 'gateway', protocol: '5' }]);
    expect(fleet.lines[0]?.settings).toMatchObject({ turnaroundMs: 50, echo: true, interFrameMs: 0 });
    expect(wholeMeter(fleet, 'house1')).toMatchObject({
      link: 'tcp://10.0.0.1:4059',
      template: 'is-15959-category-d@1',
      settings: { client: 32, server: 3, authentication: 'low' },
      secrets: { secret: Uint8Array.of(0x31, 0x32) },
      groups: [{ name: 'default', intervalMs: 5000 }, { name: 'instantaneous' }, {}, {}, {}, {}],
    });
    expect(wholeMeter(fleet, 'house2')).toMatchObject({
      enabled: false,
      groups: [{ intervalMs: 60_000, points: [{}, {}] }],
    });
    expect(wholeMeter(fleet, 'house3')).toMatchObject({
      groups: [{ name: 'fast', intervalMs: 500 }],
      profiles: [{ obis: '1.0.99.1.0.255', columns: [{ key: 'y' }], eventNames: { 7: 'seven' } }],
    });
  });

  test('the same again changes nothing; what is changed keeps its id and what was learned', () => {
    const database = newDatabase();
    imported(database, 'yaml', FLEET);
    const before = loadFleet(database);
    const id = before.meters[1]?.id ?? 0;
    database.sql.prepare('INSERT INTO learned (meter_id, kind, json) VALUES (?, ?, ?)').run(id, 'fact', '1');
    expect(imported(database, 'yaml', FLEET)).toMatchObject({
      added: [],
      changed: [],
      unchanged: 3,
      targets: [],
      lines: [],
    });
    expect(loadFleet(database)).toEqual(before);
    const changed = 'meters: [{ name: house2, settings: { client: 1 }, enabled: true }]';
    expect(imported(database, 'yaml', changed)).toMatchObject({ changed: ['house2'], unchanged: 0, removed: [] });
    const after = loadFleet(database);
    expect(after.revision).toBe(before.revision + 1);
    expect(wholeMeter(after, 'house2')).toMatchObject({
      enabled: true,
      link: 'tcp+hdlc://10.0.0.2:4001',
      settings: { client: 1 },
      groups: [{ points: [{ key: 'a' }, { key: 'b' }] }],
    });
    expect(after.meters.find(({ name }) => name === 'house2')?.id).toBe(id);
    expect(after.groups.map(({ id }) => id)).toEqual(before.groups.map(({ id }) => id));
    expect(loadLearned(database, id)).toEqual(new Map([['fact', '1']]));
  });

  test('--replace removes what is not in it; --dry-run tells and does nothing', () => {
    const database = newDatabase();
    imported(database, 'yaml', FLEET);
    const before = loadFleet(database);
    const one = 'meters: [{ name: house2 }, { name: house9, link: tcp://10.0.0.9, points: 1.0.1.8.0.255=a }]';
    const expected = { added: ['house9'], removed: ['house1', 'house3'], unchanged: 1 };
    expect(imported(database, 'yaml', one, { replace: true, dryRun: true })).toMatchObject(expected);
    expect(loadFleet(database)).toEqual(before);
    expect(imported(database, 'yaml', one, { replace: true })).toMatchObject(expected);
    expect(loadFleet(database).meters.map(({ name }) => name)).toEqual(['house2', 'house9']);
    expect(loadFleet(database).targets).toHaveLength(1);
  });

  test('a target: another token and URL; its mode stays', () => {
    const database = newDatabase();
    imported(database, 'yaml', FLEET);
    const target = (more: string): string => `targets: [{ name: main, url: mqtt://10.9.9.9, ${more} }]`;
    expect(imported(database, 'yaml', target('protocol: 3.1.1'))).toMatchObject({ targets: ['main'] });
    const fleet = loadFleet(database);
    expect(fleet.targets[0]).toMatchObject({ url: 'mqtt://10.9.9.9:1883', protocol: '3.1.1' });
    expect(fleet.connections[0]).toMatchObject({ token: 'GATEWAY' });
    expect(imported(database, 'yaml', target('protocol: 3.1.1, token: OTHER'))).toMatchObject({ targets: ['main'] });
    expect(loadFleet(database).connections).toMatchObject([{ id: 1, token: 'OTHER' }]);
    expect(problemsOf(database, 'yaml', target('mode: device'))).toEqual([
      'f.yaml:1:11: the mode of the target "main" cannot be changed',
    ]);
  });

  test('device mode: tokens of meters, two of which are the same', () => {
    const database = newDatabase();
    const device = (token: string): string => `targets: [{ name: main, url: mqtt://a, mode: device, token: BRIDGE }]
meters:
  - { name: house1, link: tcp://10.0.0.1, points: 1.0.1.8.0.255=a, token: ONE }
  - { name: house2, link: tcp://10.0.0.2, points: 1.0.1.8.0.255=a${token} }
`;
    expect(problemsOf(database, 'yaml', device(''))).toMatchObject([
      expect.stringMatching(/^f\.yaml:4:5: in device mode/),
    ]);
    expect(problemsOf(database, 'yaml', device(', token: ONE'))).toMatchObject([
      expect.stringMatching(/^f\.yaml:4:5: the token is in use/),
    ]);
    expect(loadFleet(database).targets).toEqual([]);
    imported(database, 'yaml', device(', token: TWO'));
    imported(database, 'yaml', 'meters: [{ name: house2, token: THREE }]');
    expect(loadFleet(database).connections.map(({ token }) => token)).toEqual(['BRIDGE', 'ONE', 'THREE']);
  });
});

describe('what is refused, and where', () => {
  test.each([
    ['name: house2', 'name: house1', 'f.yaml:14:11: "house1" stands twice'],
    ['link: tcp://10.0.0.1\n', 'link: tcp:/10\n', /^f\.yaml:8:11: meters\[0\]\.link: "tcp:\/10" is no link/],
    ['category-d', 'category-z', 'f.yaml:9:15: there is no template "is-15959-category-z"'],
    ['category-d\n', 'category-d@2\n', /^f\.yaml:9:15: the template "is-15959-category-d" has version 1 here, not 2/],
    ['server: 3', 'server: -3', /^f\.yaml:10:25: meters\[0\]\.settings\.server: /],
    ['server: 3', 'servers: 3', 'f.yaml:10:17: meters[0].settings.servers is not known here'],
    ['"hex:3132"', '"hex:xyz"', /^f\.yaml:11:24: /],
    ['    secrets: { secret: "hex:3132" }\n', '', 'f.yaml:7:5: low needs a secret'],
    ['=b@integer', '=a', /^f\.yaml:14:5: the key "a" stands twice/],
    ['=b@integer', '=b@whole', /^f\.yaml:17:13: meters\[1\]\.points\[1\]: "whole" in /],
    ['turnaroundMs: 50', 'turnaroundMs: fast', /^f\.yaml:5:15: lines\[0\]\.settings: turnaroundMs/],
    ['turnaroundMs: 50', 'turnaround: 50', /^f\.yaml:5:15: lines\[0\]\.settings: turnaround is no setting/],
    [
      'link: tcp://10.0.0.1:4059\n    settings',
      'link: tcp://10.0.0.7:4059\n    settings',
      /^f\.yaml:4:5: there is no line tcp:\/\/10\.0\.0\.7:4059/,
    ],
    [', token: GATEWAY', '', 'f.yaml:2:5: the target "main" is new: it needs a token'],
    ['mqtt://127', 'http://127', /^f\.yaml:2:5: the target URL is not/],
    ['    link: tcp+hdlc://10.0.0.2:4001\n', '', 'f.yaml:14:5: the meter "house2" is new: it needs a link'],
    [
      '    points: 1.0.1.8.0.255=a,1.0.2.8.0.255=b@integer\n',
      '',
      'f.yaml:14:5: the meter "house2" is new: it needs a template, groups or points',
    ],
  ])('"%s" -> "%s"', (from, to, problem) => {
    const database = newDatabase();
    const text = FLEET.replace(from, to);
    expect(text).not.toBe(FLEET);
    const problems = problemsOf(database, 'yaml', text);
    expect(problems).toMatchObject([typeof problem === 'string' ? problem : expect.stringMatching(problem)]);
    expect(loadFleet(database)).toMatchObject({ targets: [], meters: [], lines: [] });
    expect(revision(database)).toBe(0);
  });

  test('all of it at once', () => {
    const text = FLEET.replace('server: 3', 'server: x')
      .replace('=b@integer', '=')
      .replace('interval: 900', 'interval: x');
    expect(problemsOf(newDatabase(), 'yaml', text).map((line) => line.split(':')[1])).toEqual(['10', '17', '23']);
  });
});

describe('a spreadsheet', () => {
  const header = 'name;link;template;points;interval;secret;client;groups';
  const rows = [
    'house1;tcp://10.0.0.1;generic-single-phase;;;;;',
    '"house ""2""";tcp://10.0.0.2;;"1.0.1.8.0.255=a,1.0.2.8.0.255=b";5;hex:31;17;"g@9:1.0.3.8.0.255=c\nh@10:1.0.4.8.0.255=d"',
  ];

  test.each([
    ['semicolons, CRLF and a byte order mark', `\ufeff${[header, ...rows].join('\r\n')}\r\n`],
    ['line feeds, no end of the last line', [header, ...rows].join('\n')],
    ['blank lines and rows', [header, '', ...rows, ';;;;;;;'].join('\n')],
  ])('%s', (_, text) => {
    const database = newFleet();
    expect(imported(database, 'csv', text)).toMatchObject({ added: ['house1', 'house "2"'] });
    const fleet = loadFleet(database);
    expect(wholeMeter(fleet, 'house1')).toMatchObject({ template: 'generic-single-phase@1' });
    expect(wholeMeter(fleet, 'house "2"')).toMatchObject({
      settings: { client: 17 },
      secrets: { secret: Uint8Array.of(0x31) },
      groups: [
        { name: 'default', intervalMs: 5000, points: [{ key: 'a' }, { key: 'b' }] },
        { name: 'g' },
        { name: 'h', intervalMs: 10_000 },
      ],
    });
  });

  test('a column that is not there, and an empty cell, leave what is stored', () => {
    const database = newFleet();
    imported(database, 'csv', [header, ...rows].join('\n'));
    const before = wholeMeter(loadFleet(database), 'house "2"');
    expect(imported(database, 'csv', 'name,link,client\n"house ""2""",,\n')).toMatchObject({
      changed: [],
      unchanged: 1,
    });
    imported(database, 'csv', 'name\tserver\tenabled\n"house ""2"""\t4\tFALSE\n');
    const settings = { ...before?.settings, server: 4 };
    expect(wholeMeter(loadFleet(database), 'house "2"')).toEqual({ ...before, enabled: false, settings });
  });

  test.each([
    ['name,link,colour\n', ['f.csv:1:3: there is no column "colour"']],
    ['name,name\n', ['f.csv:1:2: the column "name" stands twice']],
    ['', ['f.csv:1:1: the file is empty']],
    ['name,link\nhouse1,tcp://a,x\n', ['f.csv:2:3: more cells than columns']],
    ['name,link,client\n\nh1,tcp://a,many\n', [expect.stringMatching(/^f\.csv:3:3: client: /)]],
    [
      'name,link,points\nh1,tcp://a,1.0.1.8.0.255\n',
      [expect.stringMatching(/^f\.csv:2:3: points\[0\]: .* no telemetry key/)],
    ],
    ['name,link,points\nh1,"tcp://a\n', [expect.stringMatching(/^f\.csv:\d+: /)]],
    [
      'name,link,points,groups\nh1,tcp://a,,"g@1:1.0.1.8.0.255=a\n\nwhat"\nh2,tcp://a,1.0.1.8.0.255=a,\nh3,b,1.0.1.8.0.255=a,\n',
      [expect.stringMatching(/^f\.csv:2:4: groups\[1\]: /), expect.stringMatching(/^f\.csv:6:2: link: "b" is no link/)],
    ],
  ])('%j', (text, problems) => {
    const database = newFleet();
    expect(problemsOf(database, 'csv', text)).toEqual(problems);
    expect(loadFleet(database).meters).toEqual([]);
  });
});

test('without secrets none of them is in the file, in no format', () => {
  const database = newDatabase();
  imported(database, 'yaml', FLEET.replace('hex:3132', 'hex:5e5e5e'));
  for (const format of ['yaml', 'json', 'csv'] as const) {
    expect(exported(database, format, true)).toContain('5e5e5e');
    const text = exported(database, format, false);
    expect(text).not.toContain('5e5e5e');
    expect(text).not.toContain('GATEWAY');
    expect(imported(database, format, text)).toMatchObject({ added: [], changed: [], targets: [] });
  }
});
