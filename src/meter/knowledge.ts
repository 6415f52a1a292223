/** What was learned of a meter and is kept by others for it, so that a steady-state poll asks for values only. */
import type { ScalerUnit } from '../dlms/cosem/scaler-unit.ts';
import { type ShortNamedObject, ShortNames } from '../dlms/cosem/short-names.ts';
import type { AccessWay } from './profile-access.ts';
import type { MeterSession } from './session.ts';

/** How a fact is kept: a kind and a JSON text, whatever the keeper is. */
export interface LearnedFact {
  readonly kind: string;
  readonly json: string;
}

export interface Knowledge {
  /** By `class:obis`; null: the object was asked and has none. */
  readonly scalerUnits: Map<string, ScalerUnit | null>;
  /** By OBIS code of a profile: the ways of selective access that the meter has refused. */
  readonly profileAccess: Map<string, ReadonlySet<AccessWay>>;
  /** Class of each object in the object list by OBIS; null while the list was not read. */
  classes: ReadonlyMap<string, number> | null;
  /** The list was read by this process: an object that it has not is not looked for again. */
  classesAreFresh: boolean;
  /** The longest GET-with-list that the meter answered, where it refused a longer one. */
  listLimit: number | null;
  /** What objects that hold a firmware version said last, by OBIS code, as text. */
  readonly firmware: Map<string, string>;
  /** null for a meter that speaks logical names, and while they were not read. */
  shortNames: ShortNames | null;
}

const SCALER_UNIT = 'scaler-unit:';
const PROFILE_ACCESS = 'profile-access:';
const CLASSES = 'object-classes';
const SHORT_NAMES = 'short-names';
const LIST_LIMIT = 'list-limit';
const FIRMWARE = 'firmware:';
/** In the place of a scaler that is to be asked again. */
const STALE = JSON.stringify('stale');

export function objectKey(classId: number, obis: string): string {
  return `${classId}:${obis}`;
}

/** From the facts kept, by kind. */
export function knowledgeOf(learned: ReadonlyMap<string, string>): Knowledge {
  const scalerUnits = new Map<string, ScalerUnit | null>();
  const profileAccess = new Map<string, ReadonlySet<AccessWay>>();
  const firmware = new Map<string, string>();
  for (const [kind, json] of learned) {
    if (kind.startsWith(PROFILE_ACCESS)) {
      profileAccess.set(kind.slice(PROFILE_ACCESS.length), new Set(JSON.parse(json) as AccessWay[]));
    }
    if (kind.startsWith(FIRMWARE)) firmware.set(kind.slice(FIRMWARE.length), JSON.parse(json) as string);
    if (kind.startsWith(SCALER_UNIT) && json !== STALE)
      scalerUnits.set(kind.slice(SCALER_UNIT.length), JSON.parse(json) as ScalerUnit | null);
  }
  const classes = learned.get(CLASSES);
  const names = learned.get(SHORT_NAMES);
  return {
    scalerUnits,
    profileAccess,
    classes: classes === undefined || classes === 'null' ? null : new Map(JSON.parse(classes) as [string, number][]),
    classesAreFresh: false,
    listLimit: JSON.parse(learned.get(LIST_LIMIT) ?? 'null') as number | null,
    firmware,
    shortNames: names === undefined ? null : new ShortNames(JSON.parse(names) as readonly ShortNamedObject[]),
  };
}

export function scalerUnitFact(key: string, scalerUnit: ScalerUnit | null): LearnedFact {
  return { kind: SCALER_UNIT + key, json: JSON.stringify(scalerUnit) };
}

export function profileAccessFact(obis: string, refused: ReadonlySet<AccessWay>): LearnedFact {
  return { kind: PROFILE_ACCESS + obis, json: JSON.stringify([...refused]) };
}

export function classesFact(classes: ReadonlyMap<string, number>): LearnedFact {
  return { kind: CLASSES, json: JSON.stringify([...classes]) };
}

/** Lets the session use the short names that are known. */
export function recallShortNames(session: MeterSession, { shortNames }: Knowledge): void {
  if (shortNames !== null) session.recallShortNames(shortNames);
}

/** What the session learned of short names and is worth keeping; `knowledge` has it then. */
export function learnedShortNames(session: MeterSession, knowledge: Knowledge): readonly LearnedFact[] {
  const { shortNames } = session;
  if (shortNames === null || shortNames === knowledge.shortNames) return [];
  knowledge.shortNames = shortNames;
  return [{ kind: SHORT_NAMES, json: JSON.stringify(shortNames.objects) }];
}

/** Lets the session know which lists the meter refused before. */
export function recallListLimit(session: MeterSession, { listLimit }: Knowledge): void {
  if (listLimit !== null && listLimit < session.listLimit) session.listLimit = listLimit;
}

/** That the meter refused longer lists, when the session has just found out; `knowledge` has it then. */
export function learnedListLimit(session: MeterSession, knowledge: Knowledge): readonly LearnedFact[] {
  const { listLimit } = session;
  if (!(listLimit < (knowledge.listLimit ?? Number.POSITIVE_INFINITY))) return [];
  knowledge.listLimit = listLimit;
  return [{ kind: LIST_LIMIT, json: JSON.stringify(listLimit) }];
}

/** The version that a firmware object told, when it is another than before or the first; `knowledge` has it then. */
export function firmwareFact(knowledge: Knowledge, obis: string, version: string): LearnedFact {
  knowledge.firmware.set(obis, version);
  return { kind: FIRMWARE + obis, json: JSON.stringify(version) };
}

/** A scaler is to be asked again. The fact keeps a restart from believing the old one. */
export function forgetScaler(knowledge: Knowledge, key: string): LearnedFact {
  knowledge.scalerUnits.delete(key);
  return { kind: SCALER_UNIT + key, json: STALE };
}

/** The meter has another firmware: what its objects are, and what it refused, is to be found out again. */
export function forgetObjects(session: MeterSession, knowledge: Knowledge): readonly LearnedFact[] {
  const facts = [...knowledge.scalerUnits.keys()].map((key) => forgetScaler(knowledge, key));
  if (knowledge.classes !== null) facts.push({ kind: CLASSES, json: 'null' });
  if (knowledge.listLimit !== null) facts.push({ kind: LIST_LIMIT, json: 'null' });
  facts.push(...[...knowledge.profileAccess.keys()].map((obis) => profileAccessFact(obis, new Set())));
  knowledge.profileAccess.clear();
  knowledge.classes = null;
  knowledge.classesAreFresh = false;
  knowledge.listLimit = null;
  session.listLimit = Number.POSITIVE_INFINITY;
  return facts;
}
