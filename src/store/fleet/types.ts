/** The fleet: what is configured. Ids are never given twice, so an id that was removed never comes to mean another. */
import type { MeterSecrets, MeterSettings } from '../../dlms/settings.ts';
import type { PointOptions } from '../../reading/point-options.ts';
import type { KeyedPoint } from '../../reading/point-text.ts';
import type { LineSettings } from '../../transport/line-settings.ts';
import type { BridgeSettings } from './bridge-settings.ts';
import type { TargetSettings } from './target-settings.ts';

export type MqttProtocol = '5' | '3.1.1';

/** gateway: one token for all meters, each its own ThingsBoard device by name; device: one token per meter. */
export type TargetMode = 'gateway' | 'device';

/** One ThingsBoard. */
export interface Target {
  readonly id: number;
  readonly name: string;
  /** Canonical: `mqtt://host:port` or `mqtts://host:port`, lower case, the port always there. */
  readonly url: string;
  readonly protocol: MqttProtocol;
  readonly mode: TargetMode;
  /** PEM file of the authority to trust besides the system's. */
  readonly caFile: string | null;
  /** The defaults when absent. */
  readonly settings?: TargetSettings;
}

/** One token on a target = one MQTT session. `meterId` null: the gateway's, or (device mode) the bridge's own device. */
export interface Connection {
  readonly id: number;
  readonly targetId: number;
  readonly meterId: number | null;
  /** Or other credentials, as `credentialsText` writes them. In clear here in memory, sealed on disk. Never log it. */
  readonly token: string;
  /** Its meter was removed (`meterId` is null) and rows are left to deliver: no new rows, and it goes with the last. */
  readonly retired: boolean;
}

/** A physical way to meters. */
export interface Line {
  readonly id: number;
  /** Canonical link text, unique. */
  readonly link: string;
  readonly settings: LineSettings;
}

export interface Meter {
  readonly id: number;
  readonly lineId: number;
  readonly name: string;
  readonly enabled: boolean;
  /** By an operator: it belongs to the fleet and nobody talks to it. */
  readonly suspended: boolean;
  /** The connection behind which its device was deleted in ThingsBoard: it is suspended until an operator resumes it. */
  readonly deletedFrom: number | null;
  /** How often an operator wanted it tried anew. */
  readonly resumes: number;
  readonly settings: MeterSettings;
  readonly secrets: MeterSecrets;
  /** `name@version` of the template it was made of. */
  readonly template: string | null;
}

/** Points of one meter with one interval. */
export interface PointGroup {
  readonly id: number;
  readonly meterId: number;
  readonly name: string;
  readonly intervalMs: number;
}

/** One attribute of one object that is read. */
export interface Point {
  readonly id: number;
  readonly groupId: number;
  /** null: to be looked up in the meter's object list. */
  readonly classId: number | null;
  /** Dotted, six value groups: `1.0.1.8.0.255`. */
  readonly obis: string;
  readonly attribute: number;
  /** Telemetry or attribute key, unique within the meter. */
  readonly key: string;
  readonly options: PointOptions;
}

export type ProfileKind = 'load' | 'events';

/** A load profile or event log of one meter that is fetched row by row. */
export interface Profile {
  readonly id: number;
  readonly meterId: number;
  /** Dotted; unique within the meter. */
  readonly obis: string;
  readonly kind: ProfileKind;
  /** How often it is looked for new rows. */
  readonly intervalMs: number;
  /** Key and options of its columns; a column that is not among them gets a key of its own making. */
  readonly columns: readonly KeyedPoint[];
  /** Names of event codes, by the code in decimal. */
  readonly eventNames: Readonly<Record<string, string>>;
  /** What the keys of columns begin with that are not among `columns`. */
  readonly prefix?: string;
  /** From where it is fetched at first: milliseconds UTC, or all there is; a day back when absent. */
  readonly backfillFrom?: number | 'all';
}

export interface Fleet {
  /** Moves with every change of what is below. */
  readonly revision: number;
  /** Of the bridge as a whole. */
  readonly settings: BridgeSettings;
  readonly targets: readonly Target[];
  readonly connections: readonly Connection[];
  readonly lines: readonly Line[];
  readonly meters: readonly Meter[];
  readonly groups: readonly PointGroup[];
  readonly points: readonly Point[];
  readonly profiles: readonly Profile[];
}

export interface NewTarget {
  readonly name: string;
  readonly url: string;
  readonly protocol: MqttProtocol;
  readonly mode: TargetMode;
  readonly caFile: string | null;
  /** The defaults when absent. */
  readonly settings?: TargetSettings;
  /** The gateway's token, or (device mode) that of the bridge's own device; or what `credentialsText` made. */
  readonly token: string;
}

export interface NewPoint {
  readonly classId: number | null;
  readonly obis: string;
  readonly attribute: number;
  readonly key: string;
  /** The defaults when absent. */
  readonly options?: PointOptions;
}

export interface NewPointGroup {
  readonly name: string;
  readonly intervalMs: number;
  readonly points: readonly NewPoint[];
}

export type NewProfile = Omit<Profile, 'id' | 'meterId'>;

export interface NewMeter {
  readonly name: string;
  /** Canonical link text. */
  readonly link: string;
  readonly settings: MeterSettings;
  readonly secrets: MeterSecrets;
  readonly groups: readonly NewPointGroup[];
  /** None when absent. */
  readonly profiles?: readonly NewProfile[];
  /** `name@version` of the template it is made of. */
  readonly template?: string | null;
  /** Device mode only, and needed there. */
  readonly token?: string;
  /** True when absent. */
  readonly enabled?: boolean;
}
