// bench.mjs [ROUNDS]: the event loop's delay beside a backup of 1 GiB, what this client costs over C for 1 MiB, and what loading
// it costs. LB_BACKUP_LIBRARY names the library; everything is made in TMPDIR, which should be on a disk and have 3 GiB free.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { backup, startBackup } from 'lb_backup';

const here = fileURLToPath(new URL('.', import.meta.url));
const clients = [join(here, '..'), join(here, '../../../clients')].find((path) => existsSync(join(path, 'bench.c')));
const rounds = Number(process.argv[2] ?? 200);
const directory = mkdtempSync(join(tmpdir(), 'lb-node-bench-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
const [source, big, dest] = ['source.db', 'big.db', 'dest.db'].map((name) => join(directory, name));
const ms = (number) => `${number.toFixed(3)} ms`;
const sorted = (times) => times.toSorted((a, b) => a - b);
const median = (times) => sorted(times)[times.length >> 1];

/** Half of it compresses. */
function makeDatabase(path, rows) {
  execFileSync('sqlite3', [path, `CREATE TABLE t(x);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ${rows})
    INSERT INTO t SELECT randomblob(4000) || zeroblob(4000) FROM n`]);
  return statSync(path).size;
}

/** The delay of the event loop as Node sees it, and how late a timer of 1 ms is, while something goes on. */
async function delays(name, work) {
  const [node, late] = [monitorEventLoopDelay({ resolution: 1 }), createHistogram()];
  let due = performance.now() + 1;
  const timer = setInterval(() => {
    const now = performance.now();
    late.record(Math.max(1, Math.round((now - due) * 1e6)));
    due = now + 1;
  }, 1);
  node.enable();
  const before = performance.now();
  await work();
  const taken = (performance.now() - before) / 1000;
  node.disable();
  clearInterval(timer);
  for (const [what, histogram] of [['monitorEventLoopDelay', node], ['lateness of a timer', late]]) {
    const [p50, p99, most] = [histogram.percentile(50), histogram.percentile(99), histogram.max].map((ns) => ms(ns / 1e6));
    console.log(`${name}, ${taken.toFixed(1)} s: ${what} p50 ${p50}, p99 ${p99}, max ${most} (${histogram.count} samples)`);
  }
}

const load = () => `load ${loadavg().map((n) => n.toFixed(1)).join(' ')}`;
console.log(`Node ${process.version}, ${cpus().length} processors (${cpus()[0].model}), ${load()}`);

console.log(`database of ${makeDatabase(big, 133000)} bytes`);
await delays('nothing', () => sleep(5000));
for (const name of ['big-copy.db', 'big-copy.db.zst']) {
  let reports = 0;
  const copy = join(directory, name);
  await delays(name, () => backup(big, copy, { onProgress: () => reports++, progressIntervalMs: 16 }));
  console.log(`${name}: ${reports} reports`);
  rmSync(copy);
}
rmSync(big);

const program = join(directory, 'bench');
execFileSync('cc', ['-std=c11', '-O2', '-I', join(clients, '../include'), join(clients, 'bench.c'), '-o', program]);
console.log(`database of ${makeDatabase(source, 127)} bytes, ${rounds} rounds`);
const c = spawn(program, [process.env.LB_BACKUP_LIBRARY, source, dest], { stdio: ['pipe', 'pipe', 'inherit'] });
const lines = createInterface({ input: c.stdout })[Symbol.asyncIterator]();

const timed = (call) => async () => {
  const before = performance.now();
  await call();
  const taken = performance.now() - before;
  rmSync(dest);
  return taken;
};
const ways = {
  C: async () => {
    c.stdin.write('\n');
    return Number((await lines.next()).value) / 1e6;
  },
  'await backup()': timed(() => backup(source, dest)),
  'for await over progress()': timed(async () => {
    const job = startBackup(source, dest);
    for await (const look of job.progress()) void look;
    await job.result;
  }),
};
const taken = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
for (let round = -3; round < rounds; round++) { // the first ones start threads and fill caches
  for (const [name, way] of Object.entries(ways)) {
    const time = await way();
    if (round >= 0) taken[name].push(time);
  }
}
c.stdin.end();
for (const [name, times] of Object.entries(taken)) {
  const over = median(times) - median(taken.C);
  console.log(`${name}: median ${ms(median(times))}, ${ms(over)} over C; least ${ms(Math.min(...times))}`);
}

const job = startBackup(source, dest, { maxBytesPerSecond: 1, chunkSize: 65536 });
const before = performance.now();
for (let i = 0; i < 10000; i++) job.look();
console.log(`job.look(): ${((performance.now() - before) / 10).toFixed(2)} us`);
await job.close();

const loads = Array.from({ length: 30 }, () =>
  Number(execFileSync(process.execPath, ['--input-type=module', '-e', `
    const before = performance.now();
    (await import('lb_backup')).load();
    console.log(performance.now() - before);`], { cwd: here, encoding: 'utf8' })));
console.log(`import and load(), ${loads.length} new processes: median ${ms(median(loads))}, most ${ms(Math.max(...loads))}`);
console.log(load());
