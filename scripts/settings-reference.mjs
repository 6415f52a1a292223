// Writes docs/settings.md from the declarations. `npm run build` first; test/docs-settings.test.ts compares.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const CHAPTERS = [
  {
    title: 'The bridge',
    table: 'bridge',
    says: 'Changed with `dlms settings set NAME VALUE`, or `settings:` of a fleet file. Those about connecting can be overridden for one run by flags of `run`.',
  },
  {
    title: 'A target',
    table: 'target',
    says: 'Changed with `dlms target edit NAME`, or `settings:` of a target in a fleet file.',
  },
  {
    title: 'A line',
    table: 'line',
    says: 'Changed with `dlms line edit LINK`, or `settings:` of a line in a fleet file.',
  },
  {
    title: 'A meter',
    table: 'meter',
    says: 'Changed with `dlms meter edit NAME`, or `settings:` of a meter in a fleet file or template.',
  },
];

/** The document, from the tables and the functions that put a setting into words. */
export function renderSettings(tables, { settingText, takesText }) {
  const cell = (text) => text.replaceAll('|', '\\|');
  const row = ([name, setting]) =>
    `| \`${name}\` | ${cell(settingText(setting, setting.default)) || '(empty)'} | ${cell(takesText(setting))} | ${setting.applies} | ${cell(setting.about)} |`;
  const chapters = CHAPTERS.map(
    ({ title, table, says }) =>
      `## ${title}\n\n${says}\n\n| setting | default | takes | applies | means |\n|---|---|---|---|---|\n${Object.entries(tables[table]).map(row).join('\n')}\n`,
  );
  return `# Settings

Written by \`node scripts/settings-reference.mjs\` from the declarations in the code; do not edit.

A change is taken up by a running daemon within a second. What that takes:

| applies | means |
|---|---|
| live | at once, nothing is interrupted |
| line | the line, meter or connection that it is about is started anew |
| restart | it counts from the next start of the daemon; until then \`dlms status\` lists it under \`restartRequired\` |

In files \`none\`, \`never\`, \`auto\` and their like are written as \`null\`.

${chapters.join('\n')}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const of = (path) => import(new URL(`../dist/${path}`, import.meta.url));
  const { BRIDGE_SETTINGS } = await of('store/fleet/bridge-settings.js');
  const { TARGET_SETTINGS } = await of('store/fleet/target-settings.js');
  const { LINE_SETTINGS } = await of('transport/line-settings.js');
  const { METER_SETTINGS } = await of('dlms/settings.js');
  const tables = { bridge: BRIDGE_SETTINGS, target: TARGET_SETTINGS, line: LINE_SETTINGS, meter: METER_SETTINGS };
  const words = await of('core/setting.js');
  writeFileSync(new URL('../docs/settings.md', import.meta.url), renderSettings(tables, words));
}
