/** What the settings of the bridge mean for a running daemon: log levels at once, others from the next start. */

import type { AdmissionLimits } from '../line/admission.ts';
import { type LogLevels, roomLevelsOf } from '../runtime/log-levels.ts';
import { BRIDGE_SETTINGS, type BridgeSettings } from '../store/fleet/bridge-settings.ts';

export class BridgeConduct {
  private readonly levels: Pick<LogLevels, 'prefer'>;
  private readonly atStart: BridgeSettings;
  private now: BridgeSettings;

  constructor(levels: Pick<LogLevels, 'prefer'>, settings: BridgeSettings) {
    this.levels = levels;
    this.atStart = settings;
    this.now = settings;
  }

  apply(settings: BridgeSettings): void {
    this.now = settings;
    const { logLevel, logRooms } = settings;
    this.levels.prefer({ general: logLevel, rooms: logRooms === null ? {} : roomLevelsOf(logRooms) });
  }

  get settings(): BridgeSettings {
    return this.now;
  }

  /** Names of the settings that are others since the start and count from the next one. */
  restartRequired(): readonly string[] {
    return Object.entries(BRIDGE_SETTINGS)
      .filter(([, { applies }]) => applies === 'restart')
      .map(([name]) => name as keyof BridgeSettings)
      .filter((name) => this.now[name] !== this.atStart[name]);
  }
}

/** Bounds of connecting to meters, with what a flag says in place of what is stored. */
export function admissionOf(settings: BridgeSettings, flags: Partial<BridgeSettings> = {}): AdmissionLimits {
  const { connecting, connectingPerHost, connectsPerSecond, connectsPerSecondPerHost } = { ...settings, ...flags };
  return {
    daemon: { underWay: connecting, perSecond: connectsPerSecond },
    host: { underWay: connectingPerHost, perSecond: connectsPerSecondPerHost },
  };
}
