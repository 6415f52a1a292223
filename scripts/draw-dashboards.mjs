// Draws the dashboard files into docs/images, with values of virtual meters: what stands where, not how ThingsBoard looks.
// `npm run build` first; needs chromium.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { statePage, WIDTH } from './drawing/page.mjs';

const PICTURES = [
  { file: 'dashboard-fleet', picture: 'thingsboard-fleet' },
  { file: 'dashboard-meter', picture: 'thingsboard-meter' },
];

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'draw-'));
try {
  for (const { file, picture } of PICTURES) {
    const path = `config/thingsboard/${file}.json`;
    const note = `Drawn from ${path} with values of virtual meters. Not a screenshot of ThingsBoard.`;
    const { text, height } = statePage(JSON.parse(readFileSync(join(root, path), 'utf8')), 'default', note);
    const page = join(scratch, `${file}.html`);
    writeFileSync(page, text);
    execFileSync(
      'chromium',
      [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--hide-scrollbars',
        '--disable-lcd-text',
        `--user-data-dir=${join(scratch, 'profile')}`,
        `--screenshot=${join(root, `docs/images/${picture}.png`)}`,
        `--window-size=${WIDTH},${height}`,
        `file://${page}`,
      ],
      { stdio: 'ignore', timeout: 120_000 },
    );
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
