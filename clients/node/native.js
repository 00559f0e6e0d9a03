// The C interface as it is: structures, functions, and no more.
import koffi from 'koffi';
import { failure } from './errors.js';

const text = (size) => koffi.array('char', size, 'String');
const bytes = (size) => koffi.array('uint8_t', size, 'Typed');
const repeat = (names, type) => Object.fromEntries(names.split(' ').map((name) => [name, type]));

// The structures of lb_backup.h; tests/layout.test.js compares them with it. The callbacks are always NULL here: the library's
// thread would wait for the event loop in them, and the event loop must be free to wait for that thread.
export const structures = {
  lb_error: { struct_size: 'uint32_t', ...repeat('status sqlite_code sys_errno', 'int32_t'), message: text(1024) },
  lb_progress: {
    ...repeat('struct_size state phase retries', 'uint32_t'),
    ...repeat('bytes_done bytes_total bytes_written bytes_reused elapsed_ns eta_ns', 'uint64_t'),
    percent: 'double',
  },
  lb_result: {
    struct_size: 'uint32_t',
    ...repeat('status sqlite_code sys_errno', 'int32_t'),
    message: text(1024),
    ...repeat('format page_size', 'uint32_t'),
    ...repeat('pages image_bytes archive_bytes bytes_reused', 'uint64_t'),
    ...repeat('has_sha256 retries', 'uint32_t'),
    sha256: bytes(32),
    ...repeat('start_unix_ns end_unix_ns', 'int64_t'),
    ...repeat('waiting_ns reading_ns compressing_ns writing_ns syncing_ns verifying_ns source_lock_ns', 'uint64_t'),
    wal_growth_bytes: 'uint64_t',
    ...repeat('failed_check reserved', 'uint32_t'),
    ...repeat('failed_chunk failed_page', 'uint64_t'),
  },
  lb_backup_options: {
    ...repeat('struct_size format', 'uint32_t'),
    compression_level: 'int32_t',
    ...repeat('existing verify digest', 'uint32_t'),
    ...repeat('chunk_size max_bytes_per_second', 'uint64_t'),
    ...repeat('busy_timeout_ms progress_interval_ms', 'uint32_t'),
    wal_limit_bytes: 'uint64_t',
    ...repeat('user_data on_progress on_complete', 'void *'),
    reuse_path: 'const char *',
  },
  lb_restore_options: {
    ...repeat('struct_size existing verify busy_timeout_ms', 'uint32_t'),
    max_bytes_per_second: 'uint64_t',
    ...repeat('progress_interval_ms reserved', 'uint32_t'),
    keep_previous: 'const char *',
    ...repeat('user_data on_progress on_complete', 'void *'),
  },
  lb_verify_options: {
    ...repeat('struct_size verify', 'uint32_t'),
    max_bytes_per_second: 'uint64_t',
    ...repeat('progress_interval_ms reserved', 'uint32_t'),
    ...repeat('user_data on_progress on_complete', 'void *'),
  },
  lb_archive_info: {
    ...repeat('struct_size kind format_version page_size', 'uint32_t'),
    ...repeat('pages image_bytes archive_bytes chunk_size chunks', 'uint64_t'),
    created_unix_ns: 'int64_t',
    application_id: 'uint32_t',
    ...repeat('user_version compression_level', 'int32_t'),
    has_parent: 'uint32_t',
    ...repeat('archive_id parent_id', bytes(16)),
    ...repeat('library_version sqlite_version zstd_version', text(32)),
  },
  lb_job_info: {
    ...repeat('struct_size state', 'uint32_t'),
    ...repeat('job user_data bytes_done bytes_total', 'uint64_t'),
    percent: 'double',
    dest_name: text(256),
  },
  lb_config: {
    ...repeat('struct_size flags workers max_concurrent_jobs queue_length priority', 'uint32_t'),
    ...repeat('user_data on_log', 'void *'),
  },
};
// Without names: koffi has one space of them for every copy of this module.
export const types = Object.fromEntries(
  Object.entries(structures).map(([name, members]) => [name, koffi.struct(members)]),
);

// What koffi makes of a structure's bytes that are all zero.
const zeroes = Object.fromEntries(
  Object.entries(types).map(([name, type]) => {
    const zero = koffi.decode(Buffer.alloc(koffi.sizeof(type)), type);
    return [name, { ...zero, struct_size: koffi.sizeof(type) }];
  }),
);

/** A structure with its size set and everything else zero, but for what is given. */
export const make = (name, members) => ({ ...zeroes[name], ...members });

const string = 'const char *';
const into = (name) => koffi.pointer(types[name]);
const both = (name) => koffi.inout(into(name));
const out = (type) => koffi.out(koffi.pointer(type));
const signatures = {
  backupStart: ['lb_backup_start', [string, string, into('lb_backup_options'), out('uint64_t'), both('lb_error')]],
  restoreStart: ['lb_restore_start', [string, string, into('lb_restore_options'), out('uint64_t'), both('lb_error')]],
  verifyStart: ['lb_verify_start', [string, into('lb_verify_options'), out('uint64_t'), both('lb_error')]],
  inspect: ['lb_backup_inspect', [string, both('lb_archive_info'), both('lb_error')]],
  progress: ['lb_backup_progress', ['uint64_t', both('lb_progress')]],
  cancel: ['lb_backup_cancel', ['uint64_t']],
  wait: ['lb_backup_wait', ['uint64_t', 'uint32_t']],
  join: ['lb_backup_join', ['uint64_t', both('lb_result')]],
  setRate: ['lb_backup_set_rate', ['uint64_t', 'uint64_t']],
  jobs: ['lb_backup_jobs', ['void *', 'size_t', out('size_t')]],
  configure: ['lb_configure', [into('lb_config'), both('lb_error')]],
  shutdown: ['lb_shutdown', ['uint32_t']],
  statusMessage: ['lb_status_message', ['int32_t'], string],
  version: ['lb_version', [], string],
  abiVersion: ['lb_abi_version', [], 'uint32_t'],
};
const ABI_VERSION = 0;

/**
 * The longest that a call on libuv's pool waits: for so long a job's end can go unseen, and process.exit is held up, which waits
 * for that pool.
 */
export const SLICE_MS = 10;

let loaded;

/** Loads the library, or gives it once it is. A process has one, for good. */
export function open(path) {
  if (loaded) {
    if (path !== undefined && path !== loaded.path) {
      throw new Error(`lb_backup: ${path} cannot be loaded: the process has ${loaded.path} already`);
    }
    return loaded;
  }
  path ??= process.env.LB_BACKUP_LIBRARY || 'liblb_backup.so.0';
  const functions = { path };
  try {
    const library = koffi.load(path);
    for (const [name, [symbol, takes, gives = 'int']] of Object.entries(signatures)) {
      functions[name] = library.func(symbol, gives, takes);
    }
  } catch (cause) {
    throw new Error(`lb_backup: ${path}: ${cause.message} (LB_BACKUP_LIBRARY names another file)`, { cause });
  }
  if (functions.abiVersion() !== ABI_VERSION) {
    throw new Error(`lb_backup: ${path} has ABI version ${functions.abiVersion()}, not ${ABI_VERSION}`);
  }
  return (loaded = functions);
}

/** Calls a function that takes an lb_error last. */
export function check(call) {
  const error = make('lb_error');
  const status = call(error);
  if (status !== 0) throw failure({ ...error, status });
}

/** Looks at what a function has given that takes no lb_error; `what` was called to the caller. */
export function expectOk(what, status) {
  if (status !== 0) throw failure({ status, message: `${what}: ${open().statusMessage(status)}` });
}

/** The same as check() on a thread of libuv's pool. */
export function checkAsync(native, ...args) {
  const error = make('lb_error');
  return new Promise((resolve, reject) => {
    native.async(...args, error, (broken, status) => {
      if (broken) reject(broken);
      else if (status !== 0) reject(failure({ ...error, status }));
      else resolve();
    });
  });
}

export const decodeJobs = (memory, count) => koffi.decode(memory, koffi.array(types.lb_job_info, count));
export const jobInfoSize = koffi.sizeof(types.lb_job_info);
