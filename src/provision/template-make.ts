/** A template of a real meter: what its object list shows, sorted into groups, as a YAML text for people to finish. */
import { stringify } from 'yaml';
import { obisName } from '../dlms/cosem/obis-names.ts';
import type { CosemObject } from '../dlms/cosem/object-list.ts';
import type { MeterSettings } from '../dlms/settings.ts';
import { kindOfProfile, writtenSettings } from './schema.ts';

/** A logical device of the meter, as its SAP assignment tells. */
export interface LogicalDevice {
  readonly sap: number;
  readonly name: string;
}

export interface WalkedMeter {
  /** Name of the template: lower-case letters, digits, hyphens. */
  readonly template: string;
  readonly settings: MeterSettings;
  readonly devices: readonly LogicalDevice[];
  readonly objects: readonly CosemObject[];
  /** Seconds by OBIS of profiles that told it; 0 is a profile without a period. */
  readonly capturePeriods: ReadonlyMap<string, number>;
}

interface Group {
  readonly name: string;
  readonly interval: number;
  readonly options: string;
  holds(object: CosemObject): boolean;
}

const DATA = 1;
const REGISTER = 3;
const EXTENDED_REGISTER = 4;
const DEMAND_REGISTER = 5;
const PROFILE_GENERIC = 7;
const VALUE = 2;

/** Logical device name, device IDs, firmware versions, electricity IDs (Blue Book 6.2). */
const IDENTIFICATION = /^(?:0\.\d+\.42\.0\.0|0\.\d+\.96\.1\.\d+|[01]\.\d+\.0\.2\.\d+|1\.\d+\.0\.0\.\d+)\.255$/;
const isElectricity = ({ obis }: CosemObject): boolean => obis.startsWith('1.');
const groupD = ({ obis }: CosemObject): number => Number(obis.split('.')[3]);
const isRegister = ({ classId }: CosemObject): boolean =>
  [REGISTER, EXTENDED_REGISTER, DEMAND_REGISTER].includes(classId);

/** In this order; an object goes into the first that holds it. */
const GROUPS: readonly Group[] = [
  {
    name: 'identification',
    interval: 86_400,
    options: '@attribute',
    holds: (object) => object.classId === DATA && IDENTIFICATION.test(object.obis),
  },
  {
    name: 'instantaneous',
    interval: 60,
    options: '',
    holds: (object) => object.classId === REGISTER && isElectricity(object) && groupD(object) === 7,
  },
  {
    name: 'energy',
    interval: 900,
    options: '',
    holds: (object) => object.classId === REGISTER && isElectricity(object) && groupD(object) === 8,
  },
  { name: 'registers', interval: 3600, options: '', holds: isRegister },
];
/** Of the current value: registers of earlier billing periods are in the billing profile. */
const CURRENT_PERIOD = '255';
const SMALLEST_INTERVAL = 900;
const LARGEST_INTERVAL = 86_400;

/** The YAML text, with the name of each object behind it. */
export function templateText({ template, settings, devices, objects, capturePeriods }: WalkedMeter): string {
  const readable = objects.filter(
    ({ obis, attributes }) =>
      obis.endsWith(`.${CURRENT_PERIOD}`) &&
      attributes.some(({ id, access }) => id === VALUE && access.includes('read')),
  );
  const keys = new Set<string>();
  const groups = GROUPS.map((group) => ({
    group,
    members: readable.filter((object) => GROUPS.find((one) => one.holds(object)) === group),
  })).filter(({ members }) => members.length > 0);
  const profiles = readable.filter(({ classId }) => classId === PROFILE_GENERIC);
  const own = writtenSettings(settings);
  return [
    ...devices.map(({ sap, name }) => `# logical device ${sap}: ${name}`),
    `# ${objects.length} objects; those that can be read and are registers, identification or profiles stand below.`,
    `template: ${template}`,
    'version: 1',
    `description: ${stringify(`made of ${devices[0]?.name ?? 'a meter'}`).trim()}`,
    "source: the meter's own object list",
    ...(Object.keys(own).length === 0 ? [] : ['settings:', ...indented(stringify(own), '  ')]),
    'groups:',
    ...groups.flatMap(({ group, members }) => [
      `  - name: ${group.name}`,
      `    interval: ${group.interval}`,
      '    points:',
      ...members.map((object) => pointLine(object, group.options, keys)),
    ]),
    ...(profiles.length === 0 ? [] : ['profiles:']),
    ...profiles.flatMap(({ obis }) => [
      `  - obis: ${obis}${comment(obis)}`,
      `    kind: ${kindOfProfile(obis)}`,
      `    interval: ${intervalOf(capturePeriods.get(obis) ?? 0)}`,
    ]),
    '',
  ].join('\n');
}

function pointLine({ classId, obis }: CosemObject, options: string, keys: Set<string>): string {
  const wanted = keyOf(obis);
  const key = keys.has(wanted) ? obisKey(obis) : wanted;
  keys.add(key);
  return `      - ${classId}:${obis}=${key}${options}${comment(obis)}`;
}

function comment(obis: string): string {
  const name = obisName(obis);
  return name === null ? '' : ` # ${name}`;
}

/** The name of the object in camel case, or its code. */
function keyOf(obis: string): string {
  const words = obisName(obis)?.match(/[A-Za-z0-9]+/g) ?? [];
  const [first, ...rest] = words.map((word) => word.toLowerCase());
  if (first === undefined) return obisKey(obis);
  return first + rest.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

function obisKey(obis: string): string {
  return `obis_${obis.replaceAll('.', '_')}`;
}

/** A profile is looked for new rows as often as it gets them, within reason. */
function intervalOf(capturePeriod: number): number {
  if (capturePeriod === 0) return SMALLEST_INTERVAL;
  return Math.min(Math.max(capturePeriod, SMALLEST_INTERVAL), LARGEST_INTERVAL);
}

function indented(text: string, margin: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => margin + line);
}
