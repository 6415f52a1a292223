/** What a push says about itself. */
import type { PushContent } from './receiver.ts';
import { pushRegisters } from './registers.ts';

const DEVICE_NAME = '0.0.42.0.0.255';
const METADATA = /^0\.(?:0\.1\.0\.0|0\.42\.0\.0|\d+\.25\.9\.0)\.255$/;

/** Whether an object is no measured value: the clock, the logical device name, the push setup. */
export function isAboutPush(obis: string): boolean {
  return METADATA.test(obis);
}

/** The logical device name, where the push tells it. */
export function deviceNameIn(content: PushContent): string | null {
  if (!('body' in content)) return null;
  const named = pushRegisters(content.body.items).find(({ obis }) => obis === DEVICE_NAME)?.data;
  if (named?.type === 'octet-string') return String.fromCharCode(...named.value).trim();
  return named?.type === 'visible-string' ? named.value.trim() : null;
}
