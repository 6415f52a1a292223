/**
 * What the bridge says of devices as client attributes in ThingsBoard, pure: who a meter is and how it does, and what the
 * bridge itself is. What is not known is left out, and stays in ThingsBoard as it was.
 */
import { decimal, normalised, scaledText } from '../../core/decimal.ts';
import { settingNamed, settingText } from '../../core/setting.ts';
import type { ReadingValue } from '../../reading/reading.ts';
import { BRIDGE_SETTINGS, type BridgeSettings } from '../../store/fleet/bridge-settings.ts';
import type { Meter, PointGroup } from '../../store/fleet/types.ts';
import type { MeterStatus } from '../status/status-board.ts';
import { intervalKeys } from './interval-keys.ts';
import { SHARED_SETTINGS } from './shared-wishes.ts';

export type Attributes = Readonly<Record<string, ReadingValue>>;

export interface DescribedMeter {
  readonly meter: Pick<Meter, 'enabled' | 'template'>;
  readonly groups: readonly Pick<PointGroup, 'name' | 'intervalMs'>[];
  readonly status: Pick<MeterStatus, 'state' | 'identity' | 'error'>;
  /** Versions by the OBIS code of their object. */
  readonly firmware: ReadonlyMap<string, string>;
}

/** A meter on its way from one state to another is still in the one before. */
const LASTING: ReadonlySet<MeterStatus['state']> = new Set(['connected', 'error', 'suspended']);
/** Active firmware identifier, of the meter and of the first of its parts (Blue Book 6.2.4). */
const FIRMWARE = ['1.0.0.2.0.255', '0.0.0.2.0.255', '1.1.0.2.0.255', '0.1.0.2.0.255'];

export function meterAttributes({ meter, groups, status, firmware }: DescribedMeter): Attributes {
  const { logicalDeviceName = null, serialNumber = null } = status.identity?.pinned ?? {};
  const state = meter.enabled ? status.state : 'disabled';
  return present({
    logicalDeviceName,
    serialNumber,
    manufacturer: manufacturerOf(logicalDeviceName),
    firmwareVersion: FIRMWARE.map((obis) => firmware.get(obis)).find((version) => version !== undefined) ?? null,
    template: meter.template,
    state: state === 'disabled' || LASTING.has(state) ? state : null,
    lastError: status.error?.code ?? null,
    ...Object.fromEntries(
      [...intervalKeys(groups)].map(([key, { intervalMs }]) => [key, normalised(decimal(intervalMs, -3))]),
    ),
  });
}

export interface DescribedBridge {
  readonly version: string;
  readonly hostname: string;
  /** Meters that are enabled. */
  readonly meters: number;
  readonly settings: BridgeSettings;
  /** A setting counts from the next start. */
  readonly restartRequired: boolean;
}

export function bridgeAttributes({
  version,
  hostname,
  meters,
  settings,
  restartRequired,
}: DescribedBridge): Attributes {
  const stored = SHARED_SETTINGS.map((name) => [name, settingValue(name, settings[name as keyof BridgeSettings])]);
  return { version, hostname, meters: decimal(meters), ...Object.fromEntries(stored), restartRequired };
}

function settingValue(name: string, value: BridgeSettings[keyof BridgeSettings]): ReadingValue {
  return typeof value === 'number' ? decimal(value) : settingText(settingNamed(BRIDGE_SETTINGS, name), value);
}

/** Three letters, with which a logical device name begins (Blue Book 4.1.8.2). */
function manufacturerOf(logicalDeviceName: string | null): string | null {
  return /^[A-Z]{3}/.exec(logicalDeviceName ?? '')?.[0] ?? null;
}

function present(values: Readonly<Record<string, ReadingValue | null>>): Attributes {
  const entries = Object.entries(values).filter((entry): entry is [string, ReadingValue] => entry[1] !== null);
  return Object.fromEntries(entries);
}

/** As text in which two values are the same only if ThingsBoard has them so. */
export function valueText(value: ReadingValue): string {
  return typeof value === 'object' ? scaledText(value) : JSON.stringify(value);
}
