// Takes counters of one key for ever, in portions of different size, and prints first and count of each once it is told
// that they are its own; several at once where it can. argv: directory of the build, database, writer | command.
import { writeSync } from 'node:fs';

const [, , built, path, as] = process.argv;
const keyId = new Uint8Array(32).fill(7);

async function takeForEver(seed, reserve) {
  for (let n = seed; ; n += 1) {
    const count = 1 + (n % 16);
    writeSync(1, `${await reserve(count)} ${count}\n`);
  }
}

if (as === 'writer') {
  const { openWriter } = await import(`${built}/store/local/writer.js`);
  const writer = await openWriter(path);
  await Promise.all([1, 4, 9].map((seed) => takeForEver(seed, (count) => writer.reserveCounters(keyId, count))));
} else {
  const { openDatabase } = await import(`${built}/store/database.js`);
  const { reserveCounters } = await import(`${built}/store/local/counters.js`);
  const database = openDatabase(path);
  await takeForEver(1, (count) => reserveCounters(database, keyId, count));
}
