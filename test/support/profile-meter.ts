/** A session with a meter that has one profile and answers as it is told: which selectors it knows, and how it refuses the others. */
import { BridgeError, fail } from '../../src/core/errors.ts';
import type { Data } from '../../src/dlms/axdr/data.ts';
import { type CaptureObject, captureObjectData } from '../../src/dlms/cosem/profile-generic.ts';
import { type ScalerUnit, scalerUnitData } from '../../src/dlms/cosem/scaler-unit.ts';
import { type Quirks, quirksOf } from '../../src/dlms/quirks.ts';
import { dataAccessResult } from '../../src/dlms/xdlms/data-access-result.ts';
import type { AccessSelection, AttributeReference, GetResult } from '../../src/dlms/xdlms/services.ts';
import type { AttributeRequest } from '../../src/meter/services.ts';
import type { MeterSession } from '../../src/meter/session.ts';

export interface ProfileMeterOptions {
  readonly columns: readonly CaptureObject[];
  /** Rows in the order of the buffer. */
  readonly rows: readonly (readonly Data[])[];
  /** By attribute of the profile: 4 capture period, 5 sort method, 6 sort object, 7 entries in use. */
  readonly attributes?: Readonly<Record<number, Data | number>>;
  /** By attribute of the clock; a number is a data-access-result. */
  readonly clock?: Readonly<Record<number, Data | number>>;
  /** By `class:obis`; a number is a data-access-result. */
  readonly scalers?: Readonly<Record<string, ScalerUnit | number>>;
  /** The rows for a selection, a data-access-result, or an error that is thrown. */
  readonly select?: (selection: AccessSelection) => readonly (readonly Data[])[] | number | BridgeError;
  readonly lists?: boolean;
  readonly quirks?: Partial<Quirks>;
  /** Configured, IANA. */
  readonly timeZone?: string;
}

export interface ProfileMeter {
  readonly session: MeterSession;
  /** Every GET, its attributes in short: `7:1.0.99.1.0.255:3`, with `/1` behind it for a selector. */
  readonly asked: string[][];
  readonly selections: AccessSelection[];
  /** How often the association was made again. */
  associations(): number;
}

const PROFILE = 7;
const BUFFER = 2;
const CLOCK = 8;
const SCALER = 3;

export function profileMeter(options: ProfileMeterOptions): ProfileMeter {
  const { columns, rows, attributes = {}, clock = {}, scalers = {}, select, lists = true, quirks = {} } = options;
  const asked: string[][] = [];
  const selections: AccessSelection[] = [];
  let associated = true;
  let associations = 0;

  const told = (value: Data | number | undefined): GetResult =>
    value === undefined || typeof value === 'number'
      ? { dataAccessResult: dataAccessResult(value ?? 4) }
      : { data: value };

  const answer = ({ classId, instanceId, attributeId }: AttributeReference, selection: AccessSelection | null) => {
    if (classId === CLOCK) return told(clock[attributeId]);
    if (classId === PROFILE && attributeId === BUFFER) return bufferOf(selection);
    if (classId === PROFILE && attributeId === 3) {
      return told(attributes[3] ?? { type: 'array', value: columns.map(captureObjectData) });
    }
    if (classId === PROFILE) return told(attributes[attributeId]);
    const scaler = attributeId === SCALER ? scalers[`${classId}:${instanceId}`] : undefined;
    return told(typeof scaler === 'object' ? scalerUnitData(scaler) : scaler);
  };

  const bufferOf = (selection: AccessSelection | null): GetResult => {
    if (selection === null) return { data: bufferData(rows) };
    selections.push(selection);
    const selected = select?.(selection) ?? 13;
    if (selected instanceof BridgeError) {
      associated = selected.code !== 'EXCEPTION_RESPONSE';
      throw selected;
    }
    return typeof selected === 'number' ? told(selected) : { data: bufferData(selected) };
  };

  const session = {
    counts: { roundTrips: 0, bytesSent: 0, bytesReceived: 0 },
    get isAssociated() {
      return associated;
    },
    longestList: lists ? 255 : 1,
    shortNames: null,
    quirks: quirksOf({ quirks }),
    timeZone: options.timeZone ?? null,
    async ensureAssociated() {
      if (!associated) associations += 1;
      associated = true;
    },
    async get(attributes: readonly AttributeRequest[]) {
      if (!associated) fail('ASSOCIATION_LOST', 'no association stands');
      asked.push(attributes.map((attribute) => inShort(attribute)));
      return attributes.map((attribute) => answer(attribute, attribute.accessSelection ?? null));
    },
  };
  return { session: session as unknown as MeterSession, asked, selections, associations: () => associations };
}

function inShort({ classId, instanceId, attributeId, accessSelection = null }: AttributeRequest): string {
  const selector = accessSelection === null ? '' : `/${accessSelection.selector}`;
  return `${classId}:${instanceId}:${attributeId}${selector}`;
}

function bufferData(rows: readonly (readonly Data[])[]): Data {
  return { type: 'array', value: rows.map((value) => ({ type: 'structure', value })) };
}
