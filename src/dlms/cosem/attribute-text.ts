/** Structured attributes with a well-known meaning, as one line for people. What is not known here is printed as it is. */
import type { Data } from '../axdr/data.ts';
import { className } from './classes.ts';
import { type CaptureObject, parseCaptureObject } from './profile-generic.ts';
import { pushDestinationOf } from './push-setup.ts';
import { parseScalerUnit } from './scaler-unit.ts';
import { unitSymbol } from './units.ts';

type Describe = (data: Data) => string | null;

/** By `class:attribute`. */
const DESCRIPTIONS: Readonly<Record<string, Describe>> = {
  '3:3': scalerUnit,
  '4:3': scalerUnit,
  '5:4': scalerUnit,
  '7:3': captureObjects,
  '7:5': enumerated(['', 'fifo', 'lifo', 'largest', 'smallest', 'nearest-to-zero', 'farthest-from-zero'], ''),
  '7:6': captureObject,
  '8:9': enumerated(['not-defined', 'internal-crystal', 'mains-50-hz', 'mains-60-hz', 'gps', 'radio-controlled']),
  '17:2': sapAssignment,
  '18:6': enumerated([
    'not-initiated',
    'initiated',
    'verification-initiated',
    'verification-successful',
    'verification-failed',
    'activation-initiated',
    'activation-successful',
    'activation-failed',
  ]),
  '40:2': captureObjects,
  '40:3': destination,
  '62:3': captureObjects,
  '64:3': enumerated(['suite 0: AES-GCM-128', 'suite 1: ECDSA-P256 AES-GCM-128', 'suite 2: ECDSA-P384 AES-GCM-256']),
  '70:3': enumerated(['disconnected', 'connected', 'ready-for-reconnection']),
};

/** The text, or null where there is nothing better than the value itself. */
export function attributeText(classId: number | null, attribute: number, data: Data): string | null {
  return DESCRIPTIONS[`${classId}:${attribute}`]?.(data) ?? null;
}

function enumerated(names: readonly string[], none = 'unknown'): Describe {
  return (data) => {
    if (data.type !== 'enum') return null;
    const name = names[data.value] ?? none;
    return name === '' ? null : `${data.value} (${name})`;
  };
}

function scalerUnit(data: Data): string | null {
  const known = parseScalerUnit(data);
  return known === null ? null : `10^${known.scaler} ${unitSymbol(known.unit) ?? '(no unit)'}`;
}

/** `Register 1.0.1.8.0.255 attribute 2`. */
export function captureObjectText({ classId, obis, attribute, dataIndex }: CaptureObject): string {
  return `${className(classId)} ${obis} attribute ${attribute}${dataIndex === 0 ? '' : ` element ${dataIndex}`}`;
}

function captureObject(data: Data): string | null {
  const object = parseCaptureObject(data);
  return object === null ? null : captureObjectText(object);
}

function captureObjects(data: Data): string | null {
  if (data.type !== 'array') return null;
  const texts = data.value.map(captureObject);
  return texts.includes(null) ? null : texts.join('\n');
}

function sapAssignment(data: Data): string | null {
  if (data.type !== 'array') return null;
  const texts = data.value.map((entry) => {
    const [sap, name] = entry.type === 'structure' ? entry.value : [];
    if (sap?.type !== 'long-unsigned' || name?.type !== 'octet-string') return null;
    return `${sap.value} ${Buffer.from(name.value).toString('latin1')}`;
  });
  return texts.includes(null) ? null : texts.join('\n');
}

function destination(data: Data): string | null {
  const found = pushDestinationOf(data);
  return found === null ? null : `${found.service} to ${found.destination}, ${found.message}`;
}
