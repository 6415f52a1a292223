// Asks for 200 commits on a disk whose commits take 100 ms, and counts how often its own event loop turns meanwhile.
// argv: directory of the build, database.
const [, , built, path] = process.argv;
const { openWriter } = await import(`${built}/store/local/writer.js`);
const writer = await openWriter(path, { commitDelayMs: 100 });

const cycle = (n) => ({
  cycleId: `c${n}`,
  meterId: 1,
  device: 'house1',
  createdAt: n,
  connectionIds: [1],
  readings: [{ key: 'k', ts: 1, value: { coefficient: 1n, exponent: 0 }, unit: null, obis: '', quality: 'good' }],
});

let turns = 0;
let counting = true;
const count = () => {
  turns += 1;
  if (counting) setImmediate(count);
};
setImmediate(count);

// One commit asked for at every turn of the loop: those of one group resolve in one turn.
const groups = new Set();
const commits = [];
for (let n = 0; n <= 200; n += 1) {
  commits.push(writer.commitCycle(cycle(n)).then(() => groups.add(turns)));
  await new Promise((resolve) => setImmediate(resolve));
}
await Promise.all(commits);
counting = false;
await writer.close();
console.log(JSON.stringify({ groups: groups.size, turns }));
