// Preloaded into a daemon: kills it with SIGKILL at a transaction of its writer. KILL_AT=KIND:WHEN:N names the Nth with a
// request of the kind, and whether it dies before it, within it (everything written, nothing committed) or behind it
// (committed, and nobody was told).
import BetterSqlite3 from 'better-sqlite3';

const [kind, when, nth] = (process.env.KILL_AT ?? '').split(':');
const { transaction } = BetterSqlite3.prototype;
let count = 0;

BetterSqlite3.prototype.transaction = function (action) {
  let isMeant = false;
  const strike = (now) => {
    if (isMeant && now === when) process.kill(process.pid, 'SIGKILL');
  };
  const wrapped = transaction.call(this, (...args) => {
    const result = action(...args);
    strike('within');
    return result;
  });
  const immediate = (...args) => {
    const [requests] = args;
    const isOfKind = Array.isArray(requests) && requests.some((request) => request.kind === kind);
    if (isOfKind) count += 1;
    isMeant = isOfKind && count === Number(nth);
    strike('before');
    const result = wrapped.immediate(...args);
    strike('behind');
    return result;
  };
  return Object.assign((...args) => wrapped(...args), { immediate, deferred: wrapped.deferred });
};
