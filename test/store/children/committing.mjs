// Commits for ever, several at once, and prints the id of each row once it is told that the row is durable; also
// acknowledges every third. argv: directory of the build, database.
import { writeSync } from 'node:fs';

const [, , built, path] = process.argv;
const { openWriter } = await import(`${built}/store/local/writer.js`);
const writer = await openWriter(path);

async function commitForEver(name) {
  for (let n = 0; ; n += 1) {
    const cycleId = `${name}.${n}`;
    const value = { coefficient: BigInt(n), exponent: -1 };
    const readings = [{ key: 'k', ts: n, value, unit: null, obis: '', quality: 'good' }];
    const ids = await writer.commitCycle({
      cycleId,
      meterId: 1,
      device: name,
      createdAt: n,
      connectionIds: [1],
      readings,
    });
    writeSync(1, `${ids[0]} ${cycleId}\n`);
    if (n % 3 === 0) {
      writeSync(1, `${ids[0]} asked\n`);
      await writer.acknowledge(ids);
      writeSync(1, `${ids[0]} gone\n`);
    }
  }
}

await Promise.all(['a', 'b', 'c', 'd'].map(commitForEver));
