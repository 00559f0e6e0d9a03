import { EventEmitter, once } from 'node:events';
import { AbortError, CallbackError, CancelledError, InvalidHandleError, failure } from './errors.js';
import { make, open } from './native.js';

const TIMED_OUT = 12;
const UNKNOWN = 0xffffffffffffffffn;
const states = ['queued', 'running', 'succeeded', 'failed', 'cancelled'];
const phases = ['waiting', 'copying', 'compressing', 'syncing', 'verifying', 'restoring', 'done'];
const formats = [null, 'image', 'zstd'];
const checks = [null, 'structure', 'frame', 'content', 'integrity', 'foreign keys'];

const milliseconds = (ns) => Number(ns) / 1e6;
const hex = (bytes) => Buffer.from(bytes).toString('hex');

function toProgress(p) {
  return {
    state: states[p.state], phase: phases[p.phase], percent: p.percent, retries: p.retries,
    bytesDone: Number(p.bytes_done), bytesTotal: Number(p.bytes_total), bytesWritten: Number(p.bytes_written),
    bytesReused: Number(p.bytes_reused), elapsedMs: milliseconds(p.elapsed_ns),
    etaMs: BigInt(p.eta_ns) === UNKNOWN ? null : milliseconds(p.eta_ns),
  };
}

function toResult(r) {
  return {
    format: formats[r.format] ?? null, pageSize: r.page_size, pages: Number(r.pages), imageBytes: Number(r.image_bytes),
    archiveBytes: Number(r.archive_bytes), bytesReused: Number(r.bytes_reused), retries: r.retries,
    sha256: r.has_sha256 ? hex(r.sha256) : null,
    startedAt: new Date(milliseconds(r.start_unix_ns)), endedAt: new Date(milliseconds(r.end_unix_ns)),
    waitingMs: milliseconds(r.waiting_ns), readingMs: milliseconds(r.reading_ns), compressingMs: milliseconds(r.compressing_ns),
    writingMs: milliseconds(r.writing_ns), syncingMs: milliseconds(r.syncing_ns), verifyingMs: milliseconds(r.verifying_ns),
    sourceLockMs: milliseconds(r.source_lock_ns), walGrowthBytes: Number(r.wal_growth_bytes),
    failedCheck: checks[r.failed_check] ?? null, failedChunk: BigInt(r.failed_chunk) === UNKNOWN ? null : Number(r.failed_chunk),
    failedPage: Number(r.failed_page) || null,
  };
}

const running = new Set();
let watching = false;

// The longest that a job's end can go unseen, and that a thread of libuv's pool cannot be asked to stop: process.exit waits
// for that pool.
const SLICE_MS = 10;

/** Waits for the newest job, on one thread for all of them, and looks at every one after each slice. */
function watch() {
  let newest;
  let slice = SLICE_MS;
  for (newest of running) slice = Math.min(slice, newest.interval);
  watching = newest !== undefined;
  if (watching) {
    open().wait.async(newest.handle, slice, () => {
      for (const job of running) job.watched();
      watch();
    });
  }
}

/** A backup, restore or verification that was started. */
export class Job extends EventEmitter {
  #last;
  #reported = -Infinity;
  #onProgress;
  #signal;
  #abort = () => this.cancel();
  #thrown;
  #closed = false;
  #ended = false;
  #settle;
  #changed = new EventEmitter().setMaxListeners(0);

  constructor(handle, { onProgress, signal, progressIntervalMs }) {
    super();
    this.handle = handle;
    this.interval = progressIntervalMs;
    this.#onProgress = onProgress;
    this.#signal = signal;
    this.result = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.result.catch(() => {}); // nobody has to ask how a forgotten job ended
    for (const hidden of ['handle', 'interval']) Object.defineProperty(this, hidden, { enumerable: false });
    this.#look();
    signal?.addEventListener('abort', this.#abort, { once: true });
    running.add(this);
    if (!watching) watch();
  }

  #look() {
    if (this.#ended) return this.#last;
    const now = make('lb_progress');
    if (open().progress(this.handle, now) === 0) this.#last = toProgress(now);
    return this.#last;
  }

  /** For watch only. */
  watched() {
    const ended = open().wait(this.handle, 0) !== TIMED_OUT;
    const now = performance.now();
    if (!ended && now - this.#reported < this.interval) return;
    this.#reported = now;
    this.#look();
    if (ended) {
      this.#end();
    } else {
      this.#report();
    }
  }

  #report() {
    this.#changed.emit('progress');
    if (this.#thrown) return;
    try {
      this.#onProgress?.(this.#last);
      this.emit('progress', this.#last);
    } catch (thrown) {
      this.#thrown = { cause: thrown };
    }
  }

  #end() {
    const out = make('lb_result');
    const status = open().join(this.handle, out);
    this.#ended = true;
    running.delete(this);
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#report();
    const result = toResult(out);
    let error = status === 0 ? null : failure({ ...out, status }, result);
    if (error instanceof CancelledError && this.#signal?.aborted) {
      error = new AbortError(error.message, { result, cause: this.#signal.reason });
    }
    if (this.#thrown) error = new CallbackError(this.#thrown.cause, result, error);
    if (error) this.#settle.reject(error);
    else this.#settle.resolve(result);
  }

  /** Looks at the job, at once. */
  look() {
    this.#open('look');
    return this.#look();
  }

  /** Progress until the job's end, the last state included; the latest value wins. */
  async *progress() {
    for (let seen; ; ) {
      if (this.#last !== seen) yield (seen = this.#last);
      if (this.#ended && seen === this.#last) return;
      if (this.#last === seen) await once(this.#changed, 'progress');
    }
  }

  /** Asks the job to end, and returns at once. */
  cancel() {
    if (!this.#ended) open().cancel(this.handle);
  }

  /** Changes the throttle: bytes of the image per second, 0 for no limit. */
  setRate(bytesPerSecond) {
    this.#open('setRate');
    if (!this.#ended) open().setRate(this.handle, bytesPerSecond);
  }

  /** Cancels the job if it has not ended, and waits until it has. */
  async close() {
    this.#closed = true;
    this.cancel();
    await this.result.catch(() => {});
  }

  #open(method) {
    if (this.#closed) throw new InvalidHandleError(`Job.${method}: the job was closed`);
  }
}
if (Symbol.asyncDispose) Job.prototype[Symbol.asyncDispose] = Job.prototype.close;
