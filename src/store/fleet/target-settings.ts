/** How one target wants to be treated: plain data; in the database stands what differs from the defaults. */
import { fail } from '../../core/errors.ts';

export const CONFLICT_POLICIES = ['turns', 'wait'] as const;
export const OUTBOX_POLICIES = ['refuse-polls', 'drop-oldest'] as const;

export interface TargetSettings {
  /** What to do while another client uses a token: deliver in turns, or wait. */
  readonly onConflict: (typeof CONFLICT_POLICIES)[number];
  /** The name that the server's certificate has to have, sent as SNI; null: the host of the URL. */
  readonly serverName: string | null;
  /** What happens when a limit of the outbox is reached. */
  readonly outboxPolicy: (typeof OUTBOX_POLICIES)[number];
  /** Of each connection's rows that wait; null for none. */
  readonly outboxMaxBytes: number | null;
  readonly outboxMaxAgeMs: number | null;
}

export const DEFAULT_TARGET_SETTINGS: TargetSettings = {
  onConflict: 'turns',
  serverName: null,
  outboxPolicy: 'refuse-polls',
  outboxMaxBytes: null,
  outboxMaxAgeMs: null,
};

const LEAST_BYTES = 65_536;
const LEAST_AGE_MS = 60_000;

/** Throws INVALID_VALUE. */
export function validTargetSettings(settings: TargetSettings): TargetSettings {
  const { serverName, outboxMaxBytes, outboxMaxAgeMs } = settings;
  if (serverName !== null && !/^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253})$/.test(serverName)) {
    fail('INVALID_VALUE', 'the server name is no host name');
  }
  if (outboxMaxBytes !== null && outboxMaxBytes < LEAST_BYTES) {
    fail('INVALID_VALUE', `the outbox of a target takes ${LEAST_BYTES} octets at least`);
  }
  if (outboxMaxAgeMs !== null && outboxMaxAgeMs < LEAST_AGE_MS) {
    fail('INVALID_VALUE', 'rows of the outbox may grow a minute old at least');
  }
  return settings;
}

/** What differs from the defaults, as JSON. */
export function targetSettingsText(settings: TargetSettings): string {
  const differing = Object.entries(settings).filter(
    ([name, value]) => value !== DEFAULT_TARGET_SETTINGS[name as keyof TargetSettings],
  );
  return JSON.stringify(Object.fromEntries(differing));
}

/** As `targetSettingsText` wrote them; settings that came later have their defaults. */
export function targetSettingsOf(text: string): TargetSettings {
  return { ...DEFAULT_TARGET_SETTINGS, ...(JSON.parse(text) as Partial<TargetSettings>) };
}
