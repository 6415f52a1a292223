/** How tokens and meter secrets stand in the database: sealed for their row and column. */
import { fromHex, toHex } from '../../core/bytes.ts';
import { type MeterSecrets, NO_SECRETS } from '../../dlms/settings.ts';
import type { Sealing } from '../sealing.ts';

export function sealToken(sealing: Sealing, connectionId: number, token: string): Uint8Array {
  return sealing.seal(`connection/token/${connectionId}`, Buffer.from(token));
}

export function openToken(sealing: Sealing, connectionId: number, sealed: Uint8Array): string {
  return Buffer.from(sealing.open(`connection/token/${connectionId}`, sealed)).toString();
}

/** Sealed as JSON with the octets in hex. */
export function sealSecrets(sealing: Sealing, meterId: number, secrets: MeterSecrets): Uint8Array {
  const hex = Object.entries(secrets).map(([name, value]) => [name, value === null ? null : toHex(value)]);
  return sealing.seal(`meter/secrets/${meterId}`, Buffer.from(JSON.stringify(Object.fromEntries(hex))));
}

/** Secrets that were not known when the meter was stored are null. */
export function openSecrets(sealing: Sealing, meterId: number, sealed: Uint8Array): MeterSecrets {
  const text = Buffer.from(sealing.open(`meter/secrets/${meterId}`, sealed)).toString();
  const hex = JSON.parse(text) as Readonly<Record<string, string | null>>;
  const opened = Object.entries(hex).map(([name, value]) => [name, value === null ? null : fromHex(value)]);
  return { ...NO_SECRETS, ...(Object.fromEntries(opened) as Partial<MeterSecrets>) };
}
