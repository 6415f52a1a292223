/** The store compiled for Node itself: worker threads and child processes cannot load TypeScript. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

/** Where a script of `test/store/children` lies. */
export function childScript(name: string): string {
  return fileURLToPath(new URL(`./children/${name}`, import.meta.url));
}

export interface Built {
  /** Holds `store/`, `core/` ... as JavaScript of this checkout. */
  readonly directory: string;
  remove(): void;
}

/** Compiles what the writer needs into a directory of its own, so that a stale `dist` cannot be tested by mistake. */
export function buildStore(): Built {
  const directory = mkdtempSync(join(tmpdir(), 'dlms-store-built-'));
  symlinkSync(join(PROJECT, 'node_modules'), join(directory, 'node_modules'));
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  const sources = [
    'local/writer.ts',
    'local/writer-worker.ts',
    'fleet/targets.ts',
    'daemon-lock.ts',
    'backup/restore.ts',
    'key-rotation.ts',
  ];
  const config = {
    extends: join(PROJECT, 'tsconfig.json'),
    compilerOptions: {
      rootDir: join(PROJECT, 'src'),
      outDir: directory,
      declaration: false,
      sourceMap: false,
      typeRoots: [join(PROJECT, 'node_modules/@types')],
    },
    files: sources.map((file) => join(PROJECT, 'src/store', file)),
    include: [],
  };
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(config));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  try {
    execFileSync(join(PROJECT, 'node_modules/.bin/tsc'), ['-p', directory], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  } catch (error) {
    remove();
    throw error;
  }
  return { directory, remove };
}
