/** `settings list/set/reset`: what concerns the bridge as a whole. A running daemon takes a change up within a second. */
import type { Command } from 'commander';
import type { JsonValue } from '../../core/json.ts';
import { isSecret, parseSetting, settingNamed, settingText, takesText } from '../../core/setting.ts';
import {
  BRIDGE_SETTINGS,
  type BridgeSettings,
  changeBridgeSettings,
  shownBridgeSettings,
} from '../../store/fleet/bridge-settings.ts';
import { type Context, verb } from '../context.ts';
import { parseSecretText } from '../flags/values.ts';
import { table } from '../views/table.ts';
import { withDatabase, withReadOnlyDatabase } from '../with-database.ts';

export function registerSettings(program: Command): void {
  const settings = program.command('settings').description('settings of the bridge as a whole').action(verb(list));
  settings.command('list').description('all settings, their defaults and limits').action(verb(list));
  settings
    .command('set <name> <value>')
    .description('change one; secrets may be given as file:PATH or env:NAME')
    .action(verb(set));
  settings.command('reset <name>').description('back to the default').action(verb(reset));
}

function described(name: string, values: BridgeSettings): Readonly<Record<string, JsonValue>> {
  const setting = settingNamed(BRIDGE_SETTINGS, name);
  return {
    name,
    value: values[name as keyof BridgeSettings],
    default: setting.default as JsonValue,
    takes: takesText(setting),
    applies: setting.applies,
    about: setting.about,
  };
}

function list(context: Context): undefined {
  const values = withReadOnlyDatabase(context, shownBridgeSettings);
  const names = Object.keys(BRIDGE_SETTINGS);
  context.print({ settings: names.map((name) => described(name, values)) }, () =>
    table(
      ['SETTING', 'VALUE', 'DEFAULT', 'TAKES', 'APPLIES'],
      names.map((name) => {
        const setting = settingNamed(BRIDGE_SETTINGS, name);
        const value = values[name as keyof BridgeSettings];
        return [
          name,
          settingText(setting, value),
          settingText(setting, setting.default),
          takesText(setting),
          setting.applies,
        ];
      }),
    ),
  );
  return undefined;
}

function set(context: Context, command: Command): undefined {
  const [name = '', written = ''] = command.args;
  const setting = settingNamed(BRIDGE_SETTINGS, name);
  return change(context, name, parseSetting(name, setting, isSecret(setting) ? parseSecretText(written) : written));
}

function reset(context: Context, command: Command): undefined {
  const [name = ''] = command.args;
  return change(context, name, settingNamed(BRIDGE_SETTINGS, name).default);
}

function change(context: Context, name: string, value: unknown): undefined {
  const [isChanged, values] = withDatabase(context, (database) => [
    changeBridgeSettings(database, { [name]: value }).length > 0,
    shownBridgeSettings(database),
  ]);
  const result = isChanged ? 'changed' : 'unchanged';
  const setting = settingNamed(BRIDGE_SETTINGS, name);
  context.print({ ...described(name, values), result }, () => {
    const after = isChanged && setting.applies === 'restart' ? ' It counts from the next start of the daemon.' : '';
    return `${name} is ${settingText(setting, values[name as keyof BridgeSettings])}.${after}`;
  });
  return undefined;
}
