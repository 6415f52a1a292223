/** `alerts`: what is or was wrong, from the database, with or without a daemon; `alerts ack` takes note. */
import type { Command } from 'commander';
import pc from 'picocolors';
import { ALERT_RULES, type AlertRule, isAlertCode } from '../../alert/rules.ts';
import { fail } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { systemClock } from '../../runtime/clock.ts';
import { acknowledgeAlerts, loadAlerts, type StoredAlert } from '../../store/local/alerts.ts';
import { type Context, verb } from '../context.ts';
import { age } from '../views/figures.ts';
import { table } from '../views/table.ts';
import { withDatabase, withReadOnlyDatabase } from '../with-database.ts';

export function registerAlerts(program: Command): void {
  const alerts = program
    .command('alerts')
    .description('alerts that are active, and those that are over')
    .option('--active', 'only those that are active')
    .action(verb(list));
  alerts
    .command('ack <code> [subject]')
    .description('take note of active alerts: of one subject, or of all with this code')
    .action(verb(acknowledge));
}

function list(context: Context, command: Command): undefined {
  const { active = false } = command.opts<{ active?: boolean }>();
  const alerts = withReadOnlyDatabase(context, loadAlerts).filter(({ cleared }) => !active || cleared === null);
  context.print(alerts.map(described), () => text(alerts));
  return undefined;
}

/** As CLI.md promises it. */
function described({ code, subject, since, cleared, acknowledged, detail, rival }: StoredAlert): JsonValue {
  const { severity, hint }: AlertRule = ALERT_RULES[code];
  return {
    code,
    severity,
    state: stateOf({ cleared, acknowledged }),
    subject,
    since: new Date(since).toISOString(),
    cleared: cleared === null ? null : new Date(cleared).toISOString(),
    detail,
    hint,
    ...(rival !== null && { rival: { ...rival } }),
  };
}

function stateOf({ cleared, acknowledged }: Pick<StoredAlert, 'cleared' | 'acknowledged'>): string {
  if (cleared !== null) return 'cleared';
  return acknowledged === null ? 'active' : 'acknowledged';
}

function text(alerts: readonly StoredAlert[]): string {
  if (alerts.length === 0) return 'No alerts.';
  const colour = pc.createColors(process.stdout.isTTY === true);
  const now = systemClock.now();
  return table(
    ['ALERT', 'SEVERITY', 'STATE', 'ABOUT', 'SINCE', 'DETAIL'],
    alerts.map((alert) => {
      const state = stateOf(alert);
      const { severity }: AlertRule = ALERT_RULES[alert.code];
      return [
        alert.code,
        severity,
        state === 'active' ? colour.red(state) : state,
        alert.subject,
        age(alert.since, now),
        rivalText(alert) ?? alert.detail,
      ];
    }),
  );
}

function rivalText({ rival }: StoredAlert): string | null {
  if (rival === null) return null;
  const who = rival.command === null ? `a process of user ${rival.uid}` : `${rival.command} (process ${rival.pid})`;
  return `${who} uses our access token${rival.unit === null ? '' : `: systemctl stop ${rival.unit}`}`;
}

function acknowledge(context: Context, command: Command): undefined {
  const [code = '', subject = null] = command.args;
  if (!isAlertCode(code)) {
    fail('INVALID_VALUE', `"${code}" is no alert`, { hint: `one of ${Object.keys(ALERT_RULES).join(', ')}` });
  }
  const acknowledged = withDatabase(context, (database) =>
    acknowledgeAlerts(database, code, subject, systemClock.now()),
  );
  context.print(
    { code, subject, acknowledged },
    () => `${acknowledged} ${acknowledged === 1 ? 'alert' : 'alerts'} acknowledged.`,
  );
  return undefined;
}
