import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { getEventListeners, once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import koffi from 'koffi';
import * as lb from 'lb_backup';
import { failure } from '../errors.js';
import { check, expectOk, make, open } from '../native.js';
import { toArchiveInfo, toProgress, toResult } from '../values.js';
import { ROWS, content, held, left, newHost } from './host.js';

const digest = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');
let collected;
const ofClass = (type) => (error) => error instanceof type && error.name === type.name;

test('round trip', async (t) => {
  const host = newHost(t);
  const [archive, restored, previous, second] = ['a.db.zst', 'b.db', 'p.db', 's.db.zst'].map((name) => host.beside(name));
  const result = await lb.backup(host.path, pathToFileURL(archive));
  assert.equal(result.sha256, digest(archive));
  assert.equal(result.format, 'zstd');
  assert.equal(result.imageBytes, result.pages * result.pageSize);
  assert.ok(result.startedAt <= result.endedAt && Math.abs(Date.now() - result.endedAt) < 3600e3);
  const info = await lb.inspect(archive);
  assert.equal(info.kind, 'archive');
  assert.equal(info.pages, result.pages);
  assert.match(info.archiveId, /^[0-9a-f]{32}$/);
  await lb.verify(archive, { verify: 'full' });
  await lb.restore(archive, restored);
  assert.equal(content(restored), `${ROWS}\nok`);

  // Onto the live database: the host's own connection sees the old content.
  host.exec('DELETE FROM t');
  await lb.restore(archive, host.path, { existing: 'replace', keepPrevious: previous });
  assert.equal(host.db.prepare('SELECT count(*) AS n FROM t').get().n, ROWS);
  assert.equal(content(previous), '0\nok');

  const again = await lb.backup(host.path, second, { reuse: archive, level: 1, digest: 'none', busyTimeoutMs: 0 });
  assert.equal(again.sha256, null);
  assert.equal((await lb.inspect(second)).parentId, info.archiveId);
  assert.match(lb.version(), /sqlite/);
  assert.throws(() => lb.load('/elsewhere.so'), /already/);
});

test('progress', async (t) => {
  const host = newHost(t);
  const [calls, events, seen] = [[], [], []];
  const job = await held(host, 'copy.db', { onProgress: (progress) => calls.push(progress) });
  job.on('progress', (progress) => events.push(progress));
  const now = job.look();
  assert.ok(now.state === 'running' && now.bytesTotal > 0 && now.percent < 100);
  assert.deepEqual(lb.jobs().map((other) => other.destName), ['copy.db']);
  job.setRate(0);
  for await (const progress of job.progress()) seen.push(progress);
  await job.result;
  for (const all of [calls, events, seen]) {
    for (let i = 1; i < all.length; i++) {
      assert.ok(all[i].percent >= all[i - 1].percent && all[i].bytesDone >= all[i - 1].bytesDone);
    }
    const { state, phase, percent, etaMs, bytesDone, bytesTotal } = all.at(-1);
    assert.deepEqual([state, phase, percent, etaMs, bytesDone], ['succeeded', 'done', 100, 0, bytesTotal]);
  }
  assert.deepEqual(job.look(), seen.at(-1));
  // After the end there is one value, the last.
  for await (const progress of job.progress()) assert.equal(progress, seen.at(-1));
});

test('cancel', async (t) => {
  const host = newHost(t);
  const job = await held(host, 'cancelled.db');
  job.cancel();
  job.cancel();
  await assert.rejects(job.result, ofClass(lb.CancelledError));
  job.cancel();

  const closed = await held(host, 'cancelled.db');
  await (closed[Symbol.asyncDispose] ?? closed.close).call(closed);
  await assert.rejects(closed.result, ofClass(lb.CancelledError));

  // A signal cancels while the job runs, or before.
  const controller = new AbortController();
  const reason = new Error('the player left');
  const aborted = (error) =>
    error instanceof lb.CancelledError && error.name === 'AbortError' && error.code === 'ABORT_ERR' && error.cause === reason;
  const running = lb.backup(host.path, host.beside('cancelled.db'), {
    signal: controller.signal, maxBytesPerSecond: 1, chunkSize: 65536, progressIntervalMs: 1,
    onProgress: ({ bytesTotal }) => bytesTotal > 0 && controller.abort(reason),
  });
  await assert.rejects(running, aborted);
  await assert.rejects(lb.backup(host.path, host.beside('cancelled.db'), { signal: controller.signal }), aborted);
  assert.deepEqual(left(host.directory), []);
});

test('each status is an error of its own', async (t) => {
  const classes = Object.values(lb).filter((value) => value?.prototype instanceof lb.LbError && value !== lb.AbortError);
  assert.equal(classes.length, 21);
  const header = readFileSync(join(process.env.LB_BACKUP_INCLUDE, 'lb_backup.h'), 'utf8');
  for (const [, code, status] of header.matchAll(/^    (LB_STATUS_\w+) = (\d+),/gm)) {
    const mine = classes.map((type) => new type('')).filter((error) => error.code === code);
    assert.deepEqual(mine.map((error) => error.status), status === '0' ? [] : [Number(status)], code);
    if (status === '0') expectOk('jobs', 0);
    else assert.throws(() => expectOk('jobs', Number(status)), { code, message: /^jobs: (?!unknown)[a-z].*[a-z]$/ });
  }
  assert.throws(() => expectOk('jobs', 99), { code: 'LB_STATUS_UNKNOWN', message: 'jobs: unknown status' });

  const host = newHost(t, 'DELETE');
  const [words, archive, damaged] = ['words', 'whole.db.zst', 'damaged.db.zst'].map((name) => host.beside(name));
  writeFileSync(words, 'no database '.repeat(1000));
  await lb.backup(host.path, archive);
  const bytes = readFileSync(archive);
  bytes[bytes.length >> 1] ^= 1;
  writeFileSync(damaged, bytes);
  const backup = (source, name, options) => lb.backup(source, host.beside(name), options);

  await assert.rejects(backup(host.path, 'x.db', { level: 99 }), ofClass(lb.InvalidArgumentError));
  await assert.rejects(backup(host.path, 'x\0.db'), ofClass(lb.InvalidArgumentError));
  for (const options of [{ busyTimeoutMs: -1 }, { format: 'gzip' }, { keepPrevious: 'x' }, { chunkSize: 1.5 }, { level: null }]) {
    await assert.rejects(backup(host.path, 'x.db', options), ofClass(lb.InvalidArgumentError));
  }
  assert.throws(() => lb.configure({ workers: 1000 }), ofClass(lb.InvalidArgumentError));
  assert.throws(() => lb.configure(), ofClass(lb.BusyError));
  await assert.rejects(backup(host.beside('none.db'), 'x.db'), (error) => ofClass(lb.NotFoundError)(error) && error.errno === 2);
  await assert.rejects(backup(host.path, 'whole.db.zst'), ofClass(lb.AlreadyExistsError));
  await assert.rejects(backup(words, 'x.db'), ofClass(lb.NotADatabaseError));
  await assert.rejects(lb.inspect(words), ofClass(lb.NotADatabaseError));
  await assert.rejects(lb.verify(damaged), ({ constructor, result }) =>
    constructor === lb.CorruptError && result.failedCheck === 'frame' && result.failedChunk >= 0);
  host.exec('BEGIN EXCLUSIVE');
  await assert.rejects(backup(host.path, 'x.db', { busyTimeoutMs: 1 }), (error) =>
    ofClass(lb.BusyError)(error) && error.sqliteCode !== 0);
  host.exec('COMMIT');
  assert.deepEqual(left(host.directory).filter((name) => name.startsWith('x')), []);
});

test('stale handle', async (t) => {
  const job = await held(newHost(t), 'copy.db');
  await Promise.all([job.close(), job.close()]);
  await job.close();
  assert.throws(() => job.look(), ofClass(lb.InvalidHandleError));
  assert.throws(() => job.setRate(1), ofClass(lb.InvalidHandleError));
  job.cancel();
  for await (const { state } of job.progress()) assert.equal(state, 'cancelled');
  await assert.rejects(job.result, ofClass(lb.CancelledError));
});

// A Job knows by itself that it has ended. This asks the library, which takes a token that is stale, or never was one, for such.
test('joined handle is stale for the library', (t) => {
  const host = newHost(t);
  const native = open();
  const out = [0];
  check((error) => native.backupStart(host.path, host.beside('copy.db'), make('lb_backup_options'), out, error));
  assert.equal(native.progress(out[0], make('lb_progress')), 0);
  assert.equal(native.join(out[0], make('lb_result')), 0);
  for (const handle of [out[0], 0, 2n ** 63n + 1n]) {
    for (const [call, ...rest] of [
      ['progress', make('lb_progress')], ['cancel'], ['wait', 0], ['setRate', 1], ['join', make('lb_result')],
    ]) {
      assert.throws(() => expectOk(call, native[call](handle, ...rest)), (error) =>
        ofClass(lb.InvalidHandleError)(error) && error.code === 'LB_STATUS_INVALID_HANDLE' &&
        error.message.startsWith(`${call}: the handle was`));
    }
  }
  assert.equal(content(host.beside('copy.db')), `${ROWS}\nok`);
});

test('callback that throws', async (t) => {
  const host = newHost(t);
  const thrown = new Error('thrown');
  let calls = 0;
  const throws = () => {
    calls++;
    throw thrown;
  };
  const whole = (error) =>
    error instanceof lb.CallbackError && error.cause === thrown && error.result.imageBytes > 0 && !error.error;
  await assert.rejects(lb.backup(host.path, host.beside('copy.db'), { onProgress: throws, progressIntervalMs: 1 }), whole);
  assert.equal(calls, 1);
  assert.equal(content(host.beside('copy.db')), `${ROWS}\nok`);
  const listened = lb.startBackup(host.path, host.beside('listened.db'));
  listened.on('progress', throws);
  await assert.rejects(listened.result, whole);

  // Callbacks run on the event loop, not on the library's thread: what waits in there waits for nobody who waits for it.
  let inner;
  await lb.backup(host.path, host.beside('outer.db'), {
    onProgress: ({ state }) => state === 'succeeded' && (inner = lb.backup(host.path, host.beside('inner.db'))),
  });
  await inner;
});

test('fifty jobs at once', async (t) => {
  const host = newHost(t);
  const names = Array.from({ length: 50 }, (_, i) => host.beside(`copy${i}.db`));
  const results = await Promise.all(names.map((name) => lb.backup(host.path, name)));
  assert.equal(new Set(results.map((result) => result.sha256)).size, 1);
  assert.deepEqual(new Set(names.map(digest)), new Set([results[0].sha256]));
});

test('forgotten job is collected', async (t) => {
  const host = newHost(t);
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  const names = Array.from({ length: 10 }, (_, i) => host.beside(`copy${i}.db`));
  let kept = names.length;
  // Held by the test file, like all that waits for it: who waits for a collection is collected with it otherwise.
  const ended = new Promise((resolve) => (collected = new FinalizationRegistry(() => --kept || resolve())));
  names.forEach((name) => collected.register(lb.startBackup(host.path, name), name)); // so that no frame here keeps one
  collect(); // in mid-job
  const again = setInterval(collect, 20);
  await ended;
  clearInterval(again);
  for (const name of names) assert.equal(content(name), `${ROWS}\nok`);
  assert.deepEqual(lb.jobs(), []);
});

test('leaving the loop over progress leaves the job', async (t) => {
  const host = newHost(t);
  const job = await held(host, 'copy.db');
  for await (const { state } of job.progress()) {
    assert.equal(state, 'running');
    break;
  }
  job.setRate(0);
  assert.equal((await job.result).imageBytes, (await lb.inspect(host.beside('copy.db'))).imageBytes);
  assert.equal(job.listenerCount('progress'), 0);
});

test('signal is let go of, and is harmless after the end', async (t) => {
  const host = newHost(t);
  const controller = new AbortController();
  const { signal } = controller;
  const warnings = [];
  const warned = (warning) => warnings.push(warning);
  process.on('warning', warned);
  const started = Array.from({ length: 20 }, (_, i) => lb.startBackup(host.path, host.beside(`${i}.db`), { signal }));
  await Promise.all(started.map((job) => job.result));
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  controller.abort();
  for (const job of started) assert.equal((await job.result).format, 'image');
  await new Promise(setImmediate);
  process.off('warning', warned);
  assert.deepEqual(warnings, []);
});

test('what only a newer library knows is told, not refused', () => {
  const error = failure({ status: 99, message: 'new' });
  assert.deepEqual([error.constructor, error.status, error.code, error.message], [lb.LbError, 99, 'LB_STATUS_UNKNOWN', 'new']);
  assert.equal(failure({ status: 99 }).message, 'unknown status 99');
  const { state, phase } = toProgress({ ...make('lb_progress'), state: 9, phase: 8 });
  assert.deepEqual([state, phase], ['unknown 9', 'unknown 8']);
  const { format, failedCheck } = toResult({ ...make('lb_result'), format: 7, failed_check: 6 });
  assert.deepEqual([format, failedCheck], ['unknown 7', 'unknown 6']);
  assert.equal(toArchiveInfo({ ...make('lb_archive_info'), kind: 5 }).kind, 'unknown 5');
});

test('more calls than koffi takes at once', async (t) => {
  const host = newHost(t);
  await lb.backup(host.path, host.beside('copy.db'));
  const told = await Promise.all(Array.from({ length: 600 }, () => lb.inspect(host.beside('copy.db'))));
  assert.ok(told.every(({ kind }) => kind === 'image'));
  // Others of this process may have them all.
  const sleep = koffi.load(null).func('int usleep(uint32_t)');
  let sleeping = 0;
  const { max_async_calls } = koffi.config();
  for (; sleeping < max_async_calls; sleeping++) sleep.async(1, () => sleeping--);
  await lb.backup(host.path, host.beside('again.db'));
  while (sleeping > 0) await new Promise(setImmediate);
});

test('copies of the module get along', async (t) => {
  const host = newHost(t);
  const copy = host.beside('copy');
  mkdirSync(copy);
  for (const name of ['lb_backup', 'errors', 'job', 'native', 'options', 'values']) {
    copyFileSync(join(import.meta.dirname, `../${name}.js`), join(copy, `${name}.js`));
  }
  writeFileSync(join(copy, 'package.json'), '{"type": "module"}');
  symlinkSync(join(import.meta.dirname, '../node_modules'), join(copy, 'node_modules'));
  const other = await import(pathToFileURL(join(copy, 'lb_backup.js')));
  assert.notEqual(other.Job, lb.Job);
  const results = await Promise.all([lb, other].map((one, i) => one.backup(host.path, host.beside(`${i}.db`))));
  assert.equal(results[0].sha256, results[1].sha256);
});

test('worker threads have jobs of their own', async (t) => {
  const host = newHost(t);
  const program = `
    const { workerData, parentPort } = require('node:worker_threads');
    import('lb_backup').then(async (lb) => {
      await lb.backup(workerData.source, workerData.dest);
      lb.startBackup(workerData.source, workerData.unfinished, { maxBytesPerSecond: 1, chunkSize: 65536 });
      parentPort.postMessage('done');
    });`;
  const begin = (i) => new Worker(program, {
    eval: true, workerData: { source: host.path, dest: host.beside(`${i}.db`), unfinished: host.beside(`unfinished${i}.db`) },
  });
  const workers = [0, 1, 2].map(begin);
  const mine = lb.backup(host.path, host.beside('mine.db'));
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  // Whoever ends a worker leaves its jobs to the library, with their handles.
  await Promise.all(workers.map((worker) => worker.terminate()));
  await mine;
  for (const name of ['0.db', '1.db', '2.db', 'mine.db']) assert.equal(content(host.beside(name)), `${ROWS}\nok`);
  assert.deepEqual(lb.jobs().map(({ destName }) => destName).sort(), [0, 1, 2].map((i) => `unfinished${i}.db`));
  await lb.shutdown();
  assert.deepEqual(left(host.directory).filter((name) => name.startsWith('unfinished')), []);
});

test('declarations name what the module has', () => {
  const declared = readFileSync(join(import.meta.dirname, '../lb_backup.d.ts'), 'utf8');
  const names = [...declared.matchAll(/^export (?:declare )?(?:class|function) (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(names.sort(), Object.keys(lb).sort());
});

test('event loop that is blocked delays no job, shutdown ends all', async (t) => {
  const host = newHost(t);
  const job = await held(host, 'blocked.db');
  job.setRate(0);
  while (lb.jobs().some(({ state }) => state === 'running')); // nothing of ours runs meanwhile
  assert.equal(content(host.beside('blocked.db')), `${ROWS}\nok`);
  await job.result;
  const ended = await held(host, 'ended.db');
  await lb.shutdown();
  await assert.rejects(ended.result, ofClass(lb.CancelledError));
  lb.configure({ workers: 2, priority: 'normal' });
  await lb.backup(host.path, host.beside('afresh.db'));
});

const example = (name) => join(import.meta.dirname, '../examples', `${name}.mjs`);

test('examples', (t) => {
  const host = newHost(t);
  for (const [name, says] of [
    ['ten_lines', /^(\r[ \d]{3}\.\d %)+\r100\.0 % {2}\d+ bytes, verified\n$/],
    ['progress_bar', /SHA-256 [0-9a-f]{64}\n$/],
  ]) {
    const program = example(name);
    assert.match(execFileSync(process.execPath, [program, host.path, host.beside(name)], { encoding: 'utf8' }), says);
    assert.equal(content(host.beside(name)), `${ROWS}\nok`);
    const failed = spawnSync(process.execPath, [program, host.beside('none'), host.beside('x')], { encoding: 'utf8' });
    assert.equal(failed.status, 1);
    assert.match(failed.stderr, /^\n.*none.*No such file.*\n$/);
  }
});

test('README shows the example', () => {
  const [, shown] = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8').match(/```js\n(.*?)```/s);
  assert.equal(shown, readFileSync(example('ten_lines'), 'utf8'));
});
