import { AbortError, TIMED_OUT } from './errors.js';
import { Job } from './job.js';
import { SLICE_MS, check, checkAsync, decodeJobs, expectOk, jobInfoSize, make, open } from './native.js';
import { time, toNative, toPath, wrong } from './options.js';
import { toArchiveInfo, toJobInfo } from './values.js';

export {
  AbortError, AlreadyExistsError, BusyError, CallbackError, CancelledError, CorruptError, InternalError, InvalidArgumentError,
  InvalidHandleError, IoError, LbError, NoSpaceError, NotADatabaseError, NotFoundError, OutOfMemoryError, PermissionDeniedError,
  QueueFullError, ShutDownError, SourceChangedError, TimedOutError, UnsupportedError, WalLimitError, WouldDeadlockError,
  WrongProcessError,
} from './errors.js';
export { Job };

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

let inspected = Promise.resolve();

/** Tells what a backup says about itself. */
export async function inspect(archive) {
  const [native, path, out] = [open().inspect, toPath('archive', archive), make('lb_archive_info')];
  // One after the other: any number of them takes one thread of libuv's pool.
  const done = inspected.then(() => checkAsync(native, path, out));
  inspected = done.catch(() => {});
  await done;
  return toArchiveInfo(out);
}

/** The jobs whose handles are open, those of other users of the library in this process included. */
export function jobs() {
  let capacity = 64;
  for (;;) {
    const memory = Buffer.alloc(capacity * jobInfoSize);
    memory.writeUInt32LE(jobInfoSize);
    const count = [0];
    expectOk('jobs', open().jobs(memory, capacity, count));
    const found = Number(count[0]);
    if (found <= capacity) return decodeJobs(memory, capacity).slice(0, found).map(toJobInfo);
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
      open().shutdown.async(SLICE_MS, (broken, value) => (broken ? reject(broken) : resolve(value))),
    );
    if (status !== TIMED_OUT) return expectOk('shutdown', status);
  }
}

/** The versions of the library, its SQLite and its Zstandard. */
export const version = () => open().version();

/** Loads the library from a path; without this it is LB_BACKUP_LIBRARY, or liblb_backup.so.0 where the linker finds it. */
export function load(path) {
  open(path);
}
