// Asks for 200 commits, one every 5 ms, on a disk whose commits take 100 ms, and watches its own event loop meanwhile.
// argv: directory of the build, database.
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';

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

await writer.commitCycle(cycle(0));
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const groups = new Set();
const begun = performance.now();
const commits = [];
for (let n = 1; n <= 200; n += 1) {
  // Those of one group resolve in one turn of the event loop.
  commits.push(writer.commitCycle(cycle(n)).then(() => groups.add(Math.round(performance.now() / 20))));
  await wait(5);
}
await Promise.all(commits);
const elapsedMs = performance.now() - begun;
delay.disable();
await writer.close();
console.log(
  JSON.stringify({
    groups: groups.size,
    elapsedMs,
    longestDelayMs: delay.max / 1e6,
    p99DelayMs: delay.percentile(99) / 1e6,
  }),
);
