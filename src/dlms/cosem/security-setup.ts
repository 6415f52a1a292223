/** Security setup, class 64 (Blue Book 4.4.7): keys travel wrapped under the master key (KEK), each with its id. */
import type { Data } from '../axdr/data.ts';
import { wrapKey } from '../security/key-wrap.ts';

export const SECURITY_SETUP = 64;
export const DEFAULT_SECURITY_SETUP = '0.0.43.0.0.255';

/** Method 2 is global_key_transfer in version 0, key_transfer in version 1; both take the same. */
export const SECURITY_SETUP_METHOD = { activate: 1, transferKeys: 2 } as const;

/** key_id. */
export const TRANSFERRED_KEYS = ['unicast', 'broadcast', 'authentication'] as const;
export type TransferredKey = (typeof TRANSFERRED_KEYS)[number];

/** key_transfer_data: an array of key_id and key_wrapped. Throws INVALID_VALUE for a KEK of another length. */
export function keyTransferData(
  masterKey: Uint8Array,
  keys: readonly { readonly type: TransferredKey; readonly key: Uint8Array }[],
): Data {
  return {
    type: 'array',
    value: keys.map(({ type, key }) => ({
      type: 'structure',
      value: [
        { type: 'enum', value: TRANSFERRED_KEYS.indexOf(type) },
        { type: 'octet-string', value: wrapKey(masterKey, key) },
      ],
    })),
  };
}
