// Restores a database or rotates its key, and is killed before the call with this number: of node:fs, or one that makes
// SQLite do something. Prints how many calls there were when it comes to its end. argv: directory of the build, number,
// verb, database, and for a restore the backup.
import fs from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';

const [, , built, at, verb, path, backup] = process.argv;
const BetterSqlite3 = createRequire(`${built}/package.json`)('better-sqlite3');

let calls = 0;
function counted(owner, name) {
  const original = owner[name];
  owner[name] = function (...parameters) {
    calls += 1;
    if (calls === Number(at)) process.kill(process.pid, 'SIGKILL');
    return Reflect.apply(original, this, parameters);
  };
}
for (const name of [
  'openSync',
  'closeSync',
  'writeSync',
  'fsyncSync',
  'renameSync',
  'linkSync',
  'copyFileSync',
  'rmSync',
])
  counted(fs, name);
syncBuiltinESMExports();
for (const name of ['exec', 'pragma', 'close']) counted(BetterSqlite3.prototype, name);

if (verb === 'restore') {
  const { restoreDatabase } = await import(`${built}/store/backup/restore.js`);
  restoreDatabase({ file: path, backup, now: 1_767_225_700_000 });
} else {
  const { rotateSealingKey } = await import(`${built}/store/key-rotation.js`);
  rotateSealingKey(path, null);
}
fs.writeSync(1, `${calls}\n`);
