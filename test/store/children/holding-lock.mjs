// Takes the daemon lock, says how that went, and holds it until it is killed. argv: directory of the build, database.
const [, , built, path] = process.argv;
const { acquireDaemonLock, daemonRuns } = await import(`${built}/store/daemon-lock.js`);
const runs = daemonRuns(path);
try {
  const lock = acquireDaemonLock(path);
  console.log(JSON.stringify({ runs, taken: true }));
  // A lock that nobody refers to is let go of when its memory is collected.
  setInterval(() => lock, 1000);
} catch (error) {
  console.log(JSON.stringify({ runs, taken: false, code: error.code }));
}
