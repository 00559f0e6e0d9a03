import { fileURLToPath } from 'node:url';
import { AbortError, InvalidArgumentError, failure } from './errors.js';
import { Job } from './job.js';
import { check, checkAsync, decodeJobs, jobInfoSize, make, open } from './native.js';

export * from './errors.js';
export { Job };

const BUSY_SLICE_MS = 10;
const TIMED_OUT = 12;
const MAX_UINT32 = 0xffffffff;
const MAX_UINT64 = 2n ** 64n - 1n;

function wrong(message) {
  return new InvalidArgumentError(message);
}

function toPath(what, path) {
  if (path instanceof URL) path = fileURLToPath(path);
  if (typeof path !== 'string') throw wrong(`${what}: a string or a file: URL is wanted`);
  if (path.includes('\0')) throw wrong(`${what}: a NUL in ${JSON.stringify(path)}`);
  return path;
}

const integer = (least, most) => (what, value) => {
  const whole = typeof value === 'bigint' || Number.isSafeInteger(value);
  if (!whole || value < least || value > most) throw wrong(`${what}: ${value} is no whole number from ${least} to ${most}`);
  return value;
};
const uint32 = integer(0, MAX_UINT32);
const uint64 = integer(0, MAX_UINT64);
const int32 = integer(-0x80000000, 0x7fffffff);
const choice = (...values) => (what, value) => {
  if (!values.includes(value)) throw wrong(`${what}: ${String(value)} is none of ${values.join(', ')}`);
  return values.indexOf(value);
};
// Zero would be the default.
const time = (what, value) => {
  if (typeof value !== 'number' || !(value >= 0)) throw wrong(`${what}: ${String(value)} is no time in milliseconds`);
  return Math.min(MAX_UINT32, Math.max(1, Math.ceil(value)));
};

// What each option becomes in C: the member's name, and how its value is said there.
const every = {
  verify: ['verify', choice('quick', 'full', 'none')],
  maxBytesPerSecond: ['max_bytes_per_second', uint64],
};
const writing = { ...every, existing: ['existing', choice('refuse', 'replace')], busyTimeoutMs: ['busy_timeout_ms', time] };
const optionsOf = {
  lb_backup_options: {
    ...writing,
    format: ['format', choice('by name', 'image', 'zstd')],
    level: ['compression_level', int32],
    digest: ['digest', choice('sha256', 'none')],
    chunkSize: ['chunk_size', uint64],
    walLimitBytes: ['wal_limit_bytes', uint64],
    reuse: ['reuse_path', toPath],
  },
  lb_restore_options: { ...writing, keepPrevious: ['keep_previous', toPath] },
  lb_verify_options: every,
  lb_config: {
    workers: ['workers', uint32],
    maxConcurrentJobs: ['max_concurrent_jobs', uint32],
    queueLength: ['queue_length', uint32],
    priority: ['priority', choice('background', 'normal')],
    sourceNotOpenInProcess: ['flags', (what, value) => (value ? 1 : 0)],
  },
};

function toNative(name, options) {
  const members = {};
  for (const [option, value] of Object.entries(options)) {
    if (!Object.hasOwn(optionsOf[name], option)) throw wrong(`there is no option ${option} here`);
    const [member, convert] = optionsOf[name][option];
    if (value !== undefined) members[member] = convert(option, value);
  }
  return make(name, members);
}

function start(name, native, paths, { signal, onProgress, progressIntervalMs = 100, ...options } = {}) {
  progressIntervalMs = time('progressIntervalMs', progressIntervalMs);
  if (onProgress !== undefined && typeof onProgress !== 'function') throw wrong('onProgress: a function is wanted');
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw wrong('signal: an AbortSignal is wanted');
  const out = [0];
  const given = toNative(name, options);
  if (signal?.aborted) throw new AbortError('cancelled before the start', { cause: signal.reason });
  check((error) => native(...paths, given, out, error));
  return new Job(out[0], { signal, onProgress, progressIntervalMs });
}

/** Starts a backup of the live database src into the new file dst, and returns at once. */
export function startBackup(src, dst, options) {
  return start('lb_backup_options', open().backupStart, [toPath('src', src), toPath('dst', dst)], options);
}

/** Starts restoring a backup of any kind to dst. */
export function startRestore(archive, dst, options) {
  return start('lb_restore_options', open().restoreStart, [toPath('archive', archive), toPath('dst', dst)], options);
}

/** Starts verifying a backup of any kind. */
export function startVerify(archive, options) {
  return start('lb_verify_options', open().verifyStart, [toPath('archive', archive)], options);
}

export async function backup(src, dst, options) {
  return startBackup(src, dst, options).result;
}

export async function restore(archive, dst, options) {
  return startRestore(archive, dst, options).result;
}

export async function verify(archive, options) {
  return startVerify(archive, options).result;
}

const kinds = [null, 'image', 'archive', 'zstd', 'gzip'];
const hex = (bytes) => Buffer.from(bytes).toString('hex');

/** Tells what a backup says about itself. */
export async function inspect(archive) {
  const out = make('lb_archive_info');
  await checkAsync(open().inspect, toPath('archive', archive), out);
  const own = out.kind === kinds.indexOf('archive');
  return {
    kind: kinds[out.kind] ?? null, formatVersion: out.format_version, pageSize: out.page_size, pages: Number(out.pages),
    imageBytes: Number(out.image_bytes), archiveBytes: Number(out.archive_bytes), chunkSize: Number(out.chunk_size),
    chunks: Number(out.chunks), createdAt: new Date(Number(out.created_unix_ns) / 1e6), applicationId: out.application_id,
    userVersion: out.user_version, level: out.compression_level, archiveId: own ? hex(out.archive_id) : null,
    parentId: out.has_parent ? hex(out.parent_id) : null, libraryVersion: out.library_version, sqliteVersion: out.sqlite_version,
    zstdVersion: out.zstd_version,
  };
}

const states = ['queued', 'running', 'succeeded', 'failed', 'cancelled'];

/** The jobs whose handles are open, those of other users of the library in this process included. */
export function jobs() {
  let capacity = 64;
  for (;;) {
    const memory = Buffer.alloc(capacity * jobInfoSize);
    memory.writeUInt32LE(jobInfoSize);
    const count = [0];
    const status = open().jobs(memory, capacity, count);
    if (status !== 0) throw failure({ status, sqlite_code: 0, sys_errno: 0, message: '' });
    const found = Number(count[0]);
    if (found <= capacity) {
      return decodeJobs(memory, capacity).slice(0, found).map((job) => ({
        state: states[job.state], bytesDone: Number(job.bytes_done), bytesTotal: Number(job.bytes_total), percent: job.percent,
        destName: job.dest_name,
      }));
    }
    capacity = found * 2;
  }
}

/** Sets up the library, before its first job or after shutdown. */
export function configure(options = {}) {
  const config = toNative('lb_config', options);
  check((error) => open().configure(config, error));
}

/** Cancels every job and ends the library's threads; a later start begins afresh. */
export async function shutdown() {
  for (;;) {
    const status = await new Promise((resolve, reject) =>
      open().shutdown.async(BUSY_SLICE_MS, (broken, value) => (broken ? reject(broken) : resolve(value))),
    );
    if (status === 0) return;
    if (status !== TIMED_OUT) throw failure({ status, sqlite_code: 0, sys_errno: 0, message: '' });
  }
}

/** The versions of the library, its SQLite and its Zstandard. */
export const version = () => open().version();

/** Loads the library from a path; without this it is LB_BACKUP_LIBRARY, or liblb_backup.so.0 where the linker finds it. */
export function load(path) {
  open(path);
}
