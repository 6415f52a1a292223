/** What can be asked of a meter, as plain data: the arguments of a command in the journal. */
import { fromHex, toHex } from '../core/bytes.ts';
import { fail } from '../core/errors.ts';
import { type Data, dataBytes, parseData } from '../dlms/axdr/data.ts';
import type { PointReference } from '../meter/points.ts';
import type { ProfileSelection } from '../meter/profile-access.ts';
import type { KeyedPoint } from '../reading/point-text.ts';

/** A point, and how its user wrote it. */
export interface NamedPoint extends PointReference {
  readonly point: string;
}

export interface ReadRequest {
  readonly verb: 'read';
  readonly points: readonly NamedPoint[];
}

export interface ScanRequest {
  readonly verb: 'scan';
}

export interface ProfileRequest {
  readonly verb: 'profile';
  readonly obis: string;
  readonly selection: ProfileSelection;
}

export interface SetRequest {
  readonly verb: 'set';
  readonly point: NamedPoint;
  /** With its type, or text that takes the type of the value which stands there. */
  readonly value: { readonly data: Data } | { readonly text: string };
  readonly readBack: boolean;
}

export interface CallRequest {
  readonly verb: 'call';
  /** As its user wrote it. */
  readonly point: string;
  /** null: to be looked up in the object list. */
  readonly classId: number | null;
  readonly obis: string;
  readonly method: number;
  readonly parameters: Data | null;
}

export interface ClockRequest {
  readonly verb: 'clock';
  readonly set: boolean;
}

export interface RelayRequest {
  readonly verb: 'relay';
  /** null: tell its state. */
  readonly action: 'connect' | 'disconnect' | null;
}

export interface TestRequest {
  readonly verb: 'test';
  readonly points: readonly { readonly group: string; readonly point: KeyedPoint }[];
}

export type MeterRequest =
  | ReadRequest
  | TestRequest
  | ScanRequest
  | ProfileRequest
  | SetRequest
  | CallRequest
  | ClockRequest
  | RelayRequest;

/** Whether it changes the meter: such a command is never repeated by itself. */
export function isWrite(request: MeterRequest): boolean {
  switch (request.verb) {
    case 'set':
    case 'call':
      return true;
    case 'clock':
      return request.set;
    case 'relay':
      return request.action !== null;
    case 'read':
    case 'test':
    case 'scan':
    case 'profile':
      return false;
  }
}

/** What it is about, for lists: never a value. */
export function subjectOf(request: MeterRequest): string {
  switch (request.verb) {
    case 'read':
      return request.points.map(({ point }) => point).join(' ');
    case 'test':
      return request.points.map(({ point }) => point.key).join(' ');
    case 'scan':
      return '';
    case 'profile':
      return request.obis;
    case 'set':
      return request.point.point;
    case 'call':
      return request.point;
    case 'clock':
      return request.set ? 'set' : '';
    case 'relay':
      return request.action ?? '';
  }
}

/** As JSON; data of the meter as the octets of its encoding. */
export function encodeRequest(request: MeterRequest): string {
  return JSON.stringify(request, (key, value: unknown) =>
    value !== null && (key === 'data' || key === 'parameters') ? { octets: toHex(dataBytes(value as Data)) } : value,
  );
}

/** Throws INTERNAL for a text that is not of `encodeRequest`. */
export function decodeRequest(text: string): MeterRequest {
  try {
    return JSON.parse(text, (_, value: unknown) =>
      typeof value === 'object' && value !== null && 'octets' in value
        ? parseData(fromHex(String(value.octets)))
        : value,
    ) as MeterRequest;
  } catch (cause) {
    return fail('INTERNAL', 'the arguments of a command cannot be read', { layer: 'command', cause });
  }
}
