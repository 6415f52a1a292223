/** Templates: those that come with the program, what a wrong one is told, and what is made of a meter's object list. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import type { CosemObject } from '../../src/dlms/cosem/object-list.ts';
import { DEFAULT_METER_SETTINGS } from '../../src/dlms/settings.ts';
import { loadTemplate, parseTemplate, templateNames } from '../../src/provision/template.ts';
import { templateText } from '../../src/provision/template-make.ts';
import { codeOf } from '../support/error-code.ts';

const GOOD = `template: mine
version: 2
description: a meter
source: nobody
settings: { client: 32, authentication: low }
groups:
  - name: fast
    interval: 10
    points:
      - 3:1.0.32.7.0.255=voltage@decimal:1
      - 1:0.0.96.1.0.255=serial@attribute
profiles:
  - obis: 1-0:99.1.0
    interval: 900
    columns: [3:1.0.1.8.0.255=energy]
  - { obis: 0.0.99.98.0.255, interval: 60, events: { 1: power down, 254: cleared } }
`;

/** `line:column: message` of each problem. */
function problemsOf(text: string): string[] {
  try {
    parseTemplate('t.yaml', text);
  } catch (error) {
    if (error instanceof BridgeError && error.code === 'FILE_INVALID') return error.message.split('\n');
    throw error;
  }
  return [];
}

describe('those that come with the program', () => {
  test('are there', () => {
    expect(templateNames()).toEqual([
      'dsmr-5',
      'generic-single-phase',
      'generic-three-phase',
      'idis',
      'is-15959-category-a',
      'is-15959-category-d',
      'kaifa-iskraemeco',
      'landis-gyr-e450',
    ]);
  });

  test.each(templateNames())('%s can be read, is called like its file, and identifies the meter', (name) => {
    const template = loadTemplate(name);
    expect(template.name).toBe(name);
    const points = template.groups.flatMap((group) => group.points);
    expect(points.every(({ classId }) => classId !== null)).toBe(true);
    const attributes = points.filter(({ options }) => options?.kind === 'attribute').map(({ obis }) => obis);
    expect(attributes).toEqual(expect.arrayContaining(['0.0.42.0.0.255', '0.0.96.1.0.255']));
  });
});

describe('a file', () => {
  test('as it should be', () => {
    expect(parseTemplate('t.yaml', GOOD)).toMatchObject({
      name: 'mine',
      version: 2,
      settings: { client: 32, authentication: 'low' },
      groups: [{ name: 'fast', intervalMs: 10_000, points: [{ key: 'voltage' }, { key: 'serial' }] }],
      profiles: [
        { obis: '1.0.99.1.0.255', kind: 'load', intervalMs: 900_000, columns: [{ key: 'energy' }], eventNames: {} },
        { obis: '0.0.99.98.0.255', kind: 'events', eventNames: { 1: 'power down', 254: 'cleared' } },
      ],
    });
  });

  test.each([
    ['template: mine', 'template: Mine!', /^t\.yaml:1:11: template: a template has a name/],
    ['interval: 10\n', 'interval: 0\n', /^t\.yaml:8:15: groups\[0\]\.interval: /],
    ['=voltage@decimal:1', '', /^t\.yaml:10:9: groups\[0\]\.points\[0\]: .* has no telemetry key$/],
    ['@decimal:1', '@nonsense', /^t\.yaml:10:9: groups\[0\]\.points\[0\]: "nonsense" in /],
    ['=serial@attribute', '=voltage', /^t\.yaml:11:9: the key "voltage" stands twice$/],
    ['client: 32', 'client: 99999', /^t\.yaml:5:21: settings\.client: /],
    ['client: 32', 'klient: 32', /^t\.yaml:5:13: settings\.klient is not known here$/],
    ['1-0:99.1.0', '1-0:99', /^t\.yaml:13:11: profiles\[0\]\.obis: /],
    ['version: 2', 'version: 2\nversion: 3', /^t\.yaml:3:1: Map keys must be unique/],
    ['version: 2', 'version: [2', /^t\.yaml:\d+:\d+: /],
    ['source: nobody\n', '', /^t\.yaml:1:1: source: /],
  ])('"%s" -> "%s"', (from, to, problem) => {
    const text = GOOD.replace(from, to);
    expect(text).not.toBe(GOOD);
    expect(problemsOf(text).join('\n')).toMatch(problem);
  });

  test('everything that is wrong is told at once, by line', () => {
    const text = GOOD.replace('version: 2', 'version: x')
      .replace('@decimal:1', '@no')
      .replace('interval: 900', 'interval: -1');
    expect(problemsOf(text).map((line) => line.split(':')[1])).toEqual(['2', '10', '14']);
  });

  test('aliases cannot unfold without bound', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
    for (let n = 1; n < 9; n += 1) {
      const [name, before] = [String.fromCharCode(97 + n), String.fromCharCode(96 + n)];
      bomb.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(',')}]`);
    }
    expect(codeOf(() => parseTemplate('t.yaml', bomb.join('\n')))).toBe('FILE_INVALID');
  });

  test('none of that name', () => {
    expect(codeOf(() => loadTemplate('nothing'))).toBe('NOT_FOUND');
    expect(codeOf(() => loadTemplate('/nowhere/x.yaml'))).toBe('NOT_FOUND');
  });
});

describe('made of a meter', () => {
  const object = (classId: number, obis: string, access: CosemObject['attributes'][number]['access'] = 'read') =>
    ({ classId, version: 0, obis, attributes: [{ id: 2, access }], methods: [] }) as unknown as CosemObject;

  test('what it shows and may be read, in groups; every key once', () => {
    const text = templateText({
      template: 'made',
      settings: { ...DEFAULT_METER_SETTINGS, client: 1, authentication: 'low', quirks: { noList: true, listLimit: 4 } },
      devices: [{ sap: 1, name: 'ABC1: "x"' }],
      objects: [
        object(1, '0.0.42.0.0.255'),
        object(1, '0.0.96.1.0.255'),
        object(1, '0.0.96.1.1.255'),
        object(3, '1.0.32.7.0.255'),
        object(3, '1.0.1.8.0.255'),
        object(3, '1.0.1.8.0.101'),
        object(3, '1.0.52.7.0.255', 'no-access'),
        object(4, '1.0.1.6.0.255'),
        object(3, '0.0.128.9.9.255'),
        object(7, '1.0.99.1.0.255'),
        object(7, '0.0.99.98.0.255'),
        object(8, '0.0.1.0.0.255'),
      ],
      capturePeriods: new Map([['1.0.99.1.0.255', 3600]]),
    });
    const { groups, profiles, settings } = parseTemplate('made.yaml', text);
    expect(settings).toEqual({ client: 1, authentication: 'low', quirks: { noList: true, listLimit: 4 } });
    expect(groups.map(({ name, points }) => [name, points.map(({ obis }) => obis)])).toEqual([
      ['identification', ['0.0.42.0.0.255', '0.0.96.1.0.255', '0.0.96.1.1.255']],
      ['instantaneous', ['1.0.32.7.0.255']],
      ['energy', ['1.0.1.8.0.255']],
      ['registers', ['1.0.1.6.0.255', '0.0.128.9.9.255']],
    ]);
    expect(profiles.map(({ obis, kind, intervalMs }) => [obis, kind, intervalMs])).toEqual([
      ['1.0.99.1.0.255', 'load', 3_600_000],
      ['0.0.99.98.0.255', 'events', 900_000],
    ]);
    expect(text).toContain('voltageL1Instantaneous');
  });
});

test('the example of the documentation is a template', () => {
  const text = readFileSync(new URL('../../docs/templates.md', import.meta.url), 'utf8');
  const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(text) ?? [];
  expect(parseTemplate('templates.md', yaml)).toMatchObject({
    name: 'our-meter',
    settings: { quirks: { noList: true } },
  });
});
