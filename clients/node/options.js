// What a caller says, as the C interface has it: each value is checked, and named if it is wrong.
import { fileURLToPath } from 'node:url';
import { InvalidArgumentError } from './errors.js';
import { make } from './native.js';

const MAX_UINT32 = 0xffffffff;
const MAX_UINT64 = 2n ** 64n - 1n;

export function wrong(message) {
  return new InvalidArgumentError(message);
}

export function toPath(what, path) {
  if (path instanceof URL) path = fileURLToPath(path);
  if (typeof path !== 'string') throw wrong(`${what}: a string or a file: URL is wanted`);
  // Neither could be said in UTF-8 that ends with a NUL: another file would be meant.
  if (path.includes('\0') || !path.isWellFormed()) throw wrong(`${what}: no path can be ${JSON.stringify(path)}`);
  return path;
}

const integer = (least, most) => (what, value) => {
  const whole = typeof value === 'bigint' || Number.isSafeInteger(value);
  if (!whole || value < least || value > most) {
    throw wrong(`${what}: ${String(value)} is no whole number from ${least} to ${most}`);
  }
  return value;
};
const uint32 = integer(0, MAX_UINT32);
const int32 = integer(-0x80000000, 0x7fffffff);
export const uint64 = integer(0, MAX_UINT64);

const choice = (...values) => (what, value) => {
  if (!values.includes(value)) throw wrong(`${what}: ${String(value)} is none of ${values.join(', ')}`);
  return values.indexOf(value);
};

/** Whole milliseconds, 1 at least: zero would be the default. */
export function time(what, value) {
  if (typeof value !== 'number' || !(value >= 0)) throw wrong(`${what}: ${String(value)} is no time in milliseconds`);
  return Math.min(MAX_UINT32, Math.max(1, Math.ceil(value)));
}

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

export function toNative(name, options) {
  const members = {};
  for (const [option, value] of Object.entries(options)) {
    if (!Object.hasOwn(optionsOf[name], option)) throw wrong(`there is no option ${option} here`);
    const [member, convert] = optionsOf[name][option];
    if (value !== undefined) members[member] = convert(option, value);
  }
  return make(name, members);
}
