/** docs/states.md shows the tables as they are. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { TRANSITIONS } from '../src/dlms/association/states.ts';
import * as link from '../src/dlms/hdlc/client-states.ts';
import { SIGN_ON_TRANSITIONS } from '../src/dlms/mode-e/sign-on-states.ts';
import { CONNECTION_TRANSITIONS } from '../src/line/states.ts';

const script = new URL('../scripts/state-diagrams.mjs', import.meta.url);

test('the diagrams are those of the tables', async () => {
  const { renderStates } = (await import(script.href)) as { renderStates(tables: object): string };
  const written = readFileSync(new URL('../docs/states.md', import.meta.url), 'utf8');
  expect(written, 'run: npm run build && node scripts/state-diagrams.mjs').toBe(
    renderStates({ TRANSITIONS, link, SIGN_ON_TRANSITIONS, CONNECTION_TRANSITIONS }),
  );
});
