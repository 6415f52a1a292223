/** Services that virtual meters really have, by the names that they speak; they offer all of them, unless told otherwise. */
import type { MeterSettings } from '../../dlms/settings.ts';
import type { ConformanceBit } from '../../dlms/xdlms/conformance.ts';

export const OFFERED: Readonly<Record<MeterSettings['referencing'], readonly ConformanceBit[]>> = {
  ln: [
    'get',
    'set',
    'action',
    'access',
    'selective-access',
    'multiple-references',
    'block-transfer-with-get-or-read',
    'block-transfer-with-set-or-write',
    'block-transfer-with-action',
    'general-block-transfer',
    'data-notification',
  ],
  sn: [
    'read',
    'write',
    'unconfirmed-write',
    'parameterized-access',
    'multiple-references',
    'block-transfer-with-get-or-read',
    'block-transfer-with-set-or-write',
  ],
};
