/** What may be written into the fleet. Each function returns the value in its canonical form, or throws. */
import { type ErrorCode, fail } from '../../core/errors.ts';
import { optionsFault } from '../../reading/point-options.ts';
import { isCredentials } from './credentials.ts';
import type { NewMeter, NewPoint, NewPointGroup } from './types.ts';

const LONGEST_NAME = 255;
const LONGEST_TOKEN = 1024;
/** A certificate with its chain and key. */
const LONGEST_CREDENTIALS = 65_536;
const DEFAULT_PORT: Readonly<Record<string, string>> = { 'mqtt:': '1883', 'mqtts:': '8883' };
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
const CONTROL = /[\u0000-\u001f\u007f]/;

/** A name or key: some text on one line with no blanks around it. Throws INVALID_VALUE or `code`. */
export function validName(what: string, text: string, code: ErrorCode = 'INVALID_VALUE'): string {
  if (text === '' || text !== text.trim()) fail(code, `${what} is empty or has blanks around it`);
  if (text.length > LONGEST_NAME) fail(code, `${what} is longer than ${LONGEST_NAME} characters`);
  if (CONTROL.test(text)) fail(code, `${what} contains control characters`);
  return text;
}

/** A meter's name must not be taken for a link or a flag on the command line. */
export function validMeterName(text: string): string {
  const name = validName('the meter name', text);
  if (name.includes('://')) fail('INVALID_VALUE', `the meter name "${name}" looks like a link`);
  if (name.startsWith('-')) fail('INVALID_VALUE', `the meter name "${name}" looks like a flag`);
  return name;
}

export function validToken(token: string): string {
  if (token === '' || /\s/.test(token) || CONTROL.test(token)) {
    fail('INVALID_VALUE', 'the token is empty or contains blanks or control characters');
  }
  const longest = isCredentials(token) ? LONGEST_CREDENTIALS : LONGEST_TOKEN;
  if (token.length > longest) fail('INVALID_VALUE', `the token is longer than ${longest} characters`);
  return token;
}

/** `mqtt[s]://host:port`. One broker has one text, or a token could be used twice on it. Throws INVALID_VALUE. */
export function canonicalTargetUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const port = DEFAULT_PORT[url?.protocol ?? ''];
  if (url === null || port === undefined || url.hostname === '') {
    // The text is not repeated: it may carry a password.
    return fail('INVALID_VALUE', 'the target URL is not of the form mqtt://HOST:PORT or mqtts://HOST:PORT');
  }
  if (url.username !== '' || url.password !== '') {
    fail('INVALID_VALUE', 'the target URL carries a user or password: give the access token by itself');
  }
  if (!['', '/'].includes(url.pathname) || url.search !== '' || url.hash !== '') {
    fail('INVALID_VALUE', 'the target URL carries more than host and port');
  }
  return `${url.protocol}//${url.hostname.toLowerCase()}:${url.port === '' ? port : url.port}`;
}

/** Names, links, intervals and points of a new meter; keys that stand twice. Throws INVALID_*, DUPLICATE_KEY. */
export function validateMeter({ name, link, groups, profiles = [] }: NewMeter): void {
  validMeterName(name);
  validName('the link', link, 'INVALID_LINK');
  const groupNames = new Set<string>();
  const keys = new Set<string>();
  for (const group of groups) {
    validateGroup(group);
    if (groupNames.has(group.name)) fail('INVALID_VALUE', `there are two point groups called "${group.name}"`);
    groupNames.add(group.name);
    for (const point of group.points) {
      validatePoint(point);
      if (keys.has(point.key)) fail('DUPLICATE_KEY', `the key "${point.key}" stands twice in meter "${name}"`);
      keys.add(point.key);
    }
  }
  const seen = new Set<string>();
  for (const { obis, intervalMs, columns } of profiles) {
    if (seen.has(obis)) fail('INVALID_VALUE', `the profile ${obis} stands twice in meter "${name}"`);
    seen.add(obis);
    validateGroup({ name: `profile ${obis}`, intervalMs, points: [] });
    for (const column of columns) validatePoint(column);
    validatePoint({ classId: null, obis, attribute: 2, key: obis });
  }
}

function validateGroup({ name, intervalMs }: NewPointGroup): void {
  validName('the name of the point group', name);
  if (!Number.isSafeInteger(intervalMs) || intervalMs < 1) {
    fail('INVALID_VALUE', `the interval of point group "${name}" is no positive number of milliseconds`);
  }
}

function validatePoint({ classId, obis, attribute, key, options }: NewPoint): void {
  const groups = /^\d{1,3}(?:\.\d{1,3}){5}$/.test(obis) ? obis.split('.') : [];
  if (groups.length !== 6 || groups.some((group) => Number(group) > 255 || String(Number(group)) !== group)) {
    fail('INVALID_POINT', `"${obis}" is no OBIS code of six dotted value groups`);
  }
  if (classId !== null && (!Number.isInteger(classId) || classId < 0 || classId > 0xffff)) {
    fail('INVALID_POINT', `${classId} is no class id (0 to 65535)`);
  }
  // int8 on the wire (Cosem-Attribute-Descriptor); manufacturers use the negative half; 0 means all at once.
  if (!Number.isInteger(attribute) || attribute < -128 || attribute > 127 || attribute === 0) {
    fail('INVALID_POINT', `${attribute} is no attribute of an object (-128 to 127, not 0)`);
  }
  validName(`the key of ${obis}`, key, 'INVALID_POINT');
  const fault = options === undefined ? null : optionsFault(options);
  if (fault !== null) fail('INVALID_POINT', `"${key}": ${fault}`);
}
