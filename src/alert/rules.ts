/** What is worth an alert: one row for each code. Limits have hysteresis, so that a value on the edge says it once. */

export type Severity = 'critical' | 'major' | 'minor' | 'warning';

/** `raise`: crossing this raises; `clear`: crossing this the other way clears. */
export type Limit =
  | { readonly kind: 'state' }
  | { readonly kind: 'above'; readonly raise: number; readonly clear: number }
  | { readonly kind: 'below'; readonly raise: number; readonly clear: number };

export interface AlertRule {
  readonly severity: Severity;
  readonly limit: Limit;
  /** The condition has to hold, or not to hold, for so long, milliseconds. */
  readonly raiseAfterMs: number;
  readonly clearAfterMs: number;
  /** What a person can do about it. */
  readonly hint: string;
}

const STATE: Limit = { kind: 'state' };
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const MILLION = 1e6;

export const ALERT_RULES = {
  TOKEN_CONFLICT: {
    severity: 'critical',
    limit: STATE,
    raiseAfterMs: 0,
    clearAfterMs: 0,
    hint: 'another client uses the same access token: find and stop it, or give the device new credentials',
  },
  PUBLISH_RATE_LOW: {
    severity: 'critical',
    limit: { kind: 'below', raise: 0.5, clear: 0.8 },
    raiseAfterMs: 0,
    clearAfterMs: 10 * SECOND,
    hint: 'readings are stored and not delivered: see the state of the target in `status`',
  },
  CREDENTIALS_REFUSED: {
    severity: 'critical',
    limit: STATE,
    raiseAfterMs: 0,
    clearAfterMs: 0,
    hint: 'ThingsBoard refuses the access token: compare it with the credentials of the device',
  },
  TARGET_UNREACHABLE: {
    severity: 'major',
    limit: STATE,
    raiseAfterMs: MINUTE,
    clearAfterMs: 0,
    hint: 'there is no connection to ThingsBoard: see its state in `status`; readings wait in the outbox',
  },
  METER_STRANGER: {
    severity: 'major',
    limit: STATE,
    raiseAfterMs: 0,
    clearAfterMs: 0,
    hint: 'another meter answers: compare the serial numbers, then `dlms meter accept` or `dlms meter reject`',
  },
  DEVICE_DELETED: {
    severity: 'major',
    limit: STATE,
    raiseAfterMs: 0,
    clearAfterMs: 0,
    hint: 'its device was deleted in ThingsBoard: `dlms meter resume METER` makes it anew, `dlms meter remove METER` ends it',
  },
  METER_CLOCK_OFF: {
    severity: 'minor',
    limit: STATE,
    raiseAfterMs: 0,
    clearAfterMs: 0,
    hint: 'look with `dlms clock METER`, set it with `--set`, or let the daemon: `--clock-set-within`',
  },
  METER_OFFLINE: {
    severity: 'major',
    limit: STATE,
    raiseAfterMs: MINUTE,
    clearAfterMs: 0,
    hint: 'the meter does not answer: `dlms diagnose METER` says where the way ends',
  },
  DATA_STALE: {
    severity: 'major',
    limit: STATE,
    raiseAfterMs: 0,
    clearAfterMs: 0,
    hint: 'nothing was read of the meter for five of its intervals: `dlms diagnose METER`',
  },
  LINE_DOWN: {
    severity: 'major',
    limit: STATE,
    raiseAfterMs: MINUTE,
    clearAfterMs: 0,
    hint: 'the line cannot be opened: is the adapter plugged in, the host reachable?',
  },
  OUTBOX_GROWING: {
    severity: 'major',
    // Age of the eldest row that waits, seconds.
    limit: { kind: 'above', raise: 600, clear: 60 },
    raiseAfterMs: 0,
    clearAfterMs: 0,
    hint: 'readings wait for long: see the state of the target in `status`',
  },
  OUTBOX_FULL: {
    severity: 'critical',
    limit: STATE,
    raiseAfterMs: 0,
    // What is delivered makes room for the next poll, and the outbox is full again.
    clearAfterMs: MINUTE,
    hint: 'polls wait until rows were delivered: see the state of the target in `status`, or `dlms target edit --outbox-policy`',
  },
  OUTBOX_DROPPED: {
    severity: 'critical',
    // Rows that went, while an hour has not passed since the last.
    limit: { kind: 'above', raise: 0, clear: 1 },
    raiseAfterMs: 0,
    clearAfterMs: 0,
    hint: 'the outbox is at its limit and readings are lost: see the state of the target in `status`, and how many in `dlms outbox`',
  },
  READINGS_QUARANTINED: {
    severity: 'minor',
    limit: { kind: 'above', raise: 0, clear: 1 },
    raiseAfterMs: 0,
    clearAfterMs: 0,
    hint: 'readings were set aside because ThingsBoard would not have them: see `dlms outbox`',
  },
  DISK_LOW: {
    severity: 'major',
    // Free octets where the database lies.
    limit: { kind: 'below', raise: 256e6, clear: 512e6 },
    raiseAfterMs: 0,
    clearAfterMs: 0,
    hint: 'the disk of the database is nearly full: make room',
  },
  CERTIFICATE_EXPIRING: {
    severity: 'major',
    // Days that are left.
    limit: { kind: 'below', raise: 14, clear: 15 },
    raiseAfterMs: 0,
    clearAfterMs: 0,
    hint: 'renew the certificate, that of the server or ours (`dlms target edit --cert --cert-key`), before delivery stops',
  },
  KEY_COUNTER_NEAR_END: {
    severity: 'minor',
    // Invocation counters that are left of 2^32; at one a second 200 million last for six years.
    limit: { kind: 'below', raise: 200 * MILLION, clear: 400 * MILLION },
    raiseAfterMs: 0,
    clearAfterMs: 0,
    hint: 'give the meter a new block cipher key while it still answers: `dlms key change METER`',
  },
  HOST_CLOCK_DOUBTED: {
    severity: 'minor',
    limit: STATE,
    raiseAfterMs: 0,
    clearAfterMs: 0,
    hint: 'readings are kept back until the clock of this host is believed: `timedatectl`',
  },
  DATABASE_REFUSES: {
    severity: 'critical',
    limit: STATE,
    raiseAfterMs: 5 * SECOND,
    clearAfterMs: 5 * SECOND,
    hint: 'readings cannot be stored: see the error of the meters in `status`',
  },
  DATABASE_REPAIRED: {
    severity: 'critical',
    limit: STATE,
    raiseAfterMs: 0,
    clearAfterMs: 0,
    hint: 'look after the disk (dmesg, smartctl), compare the configuration; then `dlms alerts ack DATABASE_REPAIRED`',
  },
} as const satisfies Readonly<Record<string, AlertRule>>;

export type AlertCode = keyof typeof ALERT_RULES;

/** Those whose subject is a meter by its name. */
export const METER_ALERTS: readonly AlertCode[] = [
  'METER_OFFLINE',
  'DATA_STALE',
  'DATABASE_REFUSES',
  'METER_STRANGER',
  'METER_CLOCK_OFF',
  'KEY_COUNTER_NEAR_END',
  'DEVICE_DELETED',
];

export function isAlertCode(text: string): text is AlertCode {
  return Object.hasOwn(ALERT_RULES, text);
}
