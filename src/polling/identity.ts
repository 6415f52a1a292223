/** Is this the meter that we know? Logical device name and serial number against what was pinned at first contact. */
import { type Decimal, scaledText } from '../core/decimal.ts';
import type { Data } from '../dlms/axdr/data.ts';
import { cosemValue } from '../dlms/cosem/data-value.ts';
import type { MeterIdentity } from '../store/fleet/identity.ts';

/**
 * pin: nothing contradicts, and something is new; same: as pinned; stranger: a name differs; unknown: the meter shows
 * nothing that could be compared, and is not judged.
 */
export type IdentityVerdict = 'pin' | 'same' | 'stranger' | 'unknown';

export function judgeIdentity(pinned: MeterIdentity | null, shown: MeterIdentity): IdentityVerdict {
  const names = ['logicalDeviceName', 'serialNumber'] as const;
  const told = names.filter((name) => shown[name] !== null);
  if (told.length === 0) return 'unknown';
  if (pinned === null) return 'pin';
  const known = told.filter((name) => pinned[name] !== null);
  if (known.length === 0) return 'unknown';
  if (known.some((name) => pinned[name] !== shown[name])) return 'stranger';
  return known.length < told.length ? 'pin' : 'same';
}

/** What is pinned when `shown` is the same meter: what is known of both. */
export function pinnedWith(pinned: MeterIdentity | null, shown: MeterIdentity): MeterIdentity {
  return {
    logicalDeviceName: shown.logicalDeviceName ?? pinned?.logicalDeviceName ?? null,
    serialNumber: shown.serialNumber ?? pinned?.serialNumber ?? null,
  };
}

/** A name as a meter shows it: text where its octets are printable, else hex; null for none or an empty one. */
export function identityName(data: Data | null): string | null {
  const value = data === null ? null : cosemValue(data);
  if (value === null || typeof value === 'boolean' || Array.isArray(value)) return null;
  const text = (typeof value === 'string' ? value : scaledText(value as Decimal)).trim();
  return text === '' ? null : text;
}
