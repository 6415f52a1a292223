/** docs/settings.md shows the declarations as they are. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as words from '../src/core/setting.ts';
import { METER_SETTINGS } from '../src/dlms/settings.ts';
import { BRIDGE_SETTINGS } from '../src/store/fleet/bridge-settings.ts';
import { TARGET_SETTINGS } from '../src/store/fleet/target-settings.ts';
import { LINE_SETTINGS } from '../src/transport/line-settings.ts';

const script = new URL('../scripts/settings-reference.mjs', import.meta.url);

test('the reference is that of the declarations', async () => {
  const { renderSettings } = (await import(script.href)) as {
    renderSettings(tables: object, words: object): string;
  };
  const tables = { bridge: BRIDGE_SETTINGS, target: TARGET_SETTINGS, line: LINE_SETTINGS, meter: METER_SETTINGS };
  const written = readFileSync(new URL('../docs/settings.md', import.meta.url), 'utf8');
  expect(written, 'run: npm run build && node scripts/settings-reference.mjs').toBe(renderSettings(tables, words));
});
