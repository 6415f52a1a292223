/** What a virtual meter keeps and clients can change. Everything else about it follows from seed and time. */
import type { Data } from '../../dlms/axdr/data.ts';
import { ImageState } from './image-object.ts';

/** control_state of a disconnect control, Blue Book 4.5.8. */
export const CONTROL_STATE = { disconnected: 0, connected: 1, readyForReconnection: 2 } as const;
export type ControlState = (typeof CONTROL_STATE)[keyof typeof CONTROL_STATE];

/** Codes of the standard event log, as IDIS numbers them. */
export const EVENT = {
  powerDown: 1,
  powerUp: 2,
  clockAdjustedFrom: 4,
  clockAdjustedTo: 5,
  logCleared: 255,
  remoteDisconnection: 62,
  remoteConnection: 63,
} as const;

export interface MeterEvent {
  /** Milliseconds UTC. */
  readonly at: number;
  readonly code: number;
}

interface Reset {
  readonly at: number;
  /** What the register had counted then, in steps of its scaler. */
  readonly counted: bigint;
}

export class MeterState {
  /** How much the meter's clock is ahead, milliseconds. It shows in the clock only: what is captured keeps true time. */
  clockOffset: number;
  controlState: ControlState = CONTROL_STATE.connected;
  /** The octets of the object that is there to be written. */
  notes: Uint8Array = new Uint8Array(0);
  readonly image = new ImageState();
  /** send_destination_and_method; null until it is set. */
  pushDestination: Data | null = null;
  /** How many were sent. */
  pushes = 0;
  /** Version that runs; null for the one that the meter came with. */
  firmware: string | null = null;
  /** Invoke ids of notifications that clients have confirmed, in order. */
  readonly confirmed: number[] = [];
  private readonly resets = new Map<string, Reset[]>();
  private readonly cleared = new Map<string, number>();
  private readonly logged: MeterEvent[] = [];

  constructor(clockOffset = 0) {
    this.clockOffset = clockOffset;
  }

  /** A register begins from zero. */
  reset(obis: string, at: number, counted: bigint): void {
    this.resets.set(obis, [...(this.resets.get(obis) ?? []), { at, counted }]);
  }

  /** The reset that a register's value at a moment counts from; null when it was never reset before. */
  resetBefore(obis: string, at: number): Reset | null {
    return this.resets.get(obis)?.findLast((reset) => reset.at <= at) ?? null;
  }

  /** A profile loses what it has. */
  clear(obis: string, at: number): void {
    this.cleared.set(obis, at);
  }

  /** Milliseconds UTC; -Infinity for a profile that was never cleared. */
  clearedAt(obis: string): number {
    return this.cleared.get(obis) ?? -Infinity;
  }

  /** Events have the resolution of date-times, hundredths of a second. */
  log(at: number, code: number): void {
    this.logged.push({ at: Math.floor(at / 10) * 10, code });
  }

  /** What happened since the meter was started, oldest first. */
  get events(): readonly MeterEvent[] {
    return this.logged;
  }
}
