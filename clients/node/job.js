import { EventEmitter, once } from 'node:events';
import { AbortError, CallbackError, CancelledError, InvalidHandleError, TIMED_OUT, failure } from './errors.js';
import { SLICE_MS, expectOk, make, open } from './native.js';
import { uint64 } from './options.js';
import { toProgress, toResult } from './values.js';

// How jobs failed whose result nobody has asked for. They are told once nobody can: when the job is collected, or the program
// has nothing left to do.
const unseen = new Set();
function tell(outcome) {
  if (unseen.delete(outcome)) process.emitWarning(`nobody asked how a job ended: ${outcome.error.message}`, 'LbBackupWarning');
}
const forgotten = new FinalizationRegistry(tell);
process.on('beforeExit', () => unseen.forEach(tell));

/** A backup, restore or verification that was started. */
export class Job extends EventEmitter {
  static #running = new Set();
  static #watching = false;

  #handle;
  #interval;
  #onProgress;
  #signal;
  #last;
  #reported = -Infinity;
  #changed = new EventEmitter().setMaxListeners(0);
  #thrown;
  #ended = false;
  #closed = false;
  #outcome = { asked: false, error: null };
  #result;
  #settle;

  constructor(handle, { onProgress, signal, progressIntervalMs }) {
    super();
    this.#handle = handle;
    this.#interval = progressIntervalMs;
    this.#onProgress = onProgress;
    this.#signal = signal;
    this.#result = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.#result.catch(() => {});
    forgotten.register(this, this.#outcome);
    this.#look();
    signal?.addEventListener('abort', Job.#abort); // once, however many of its jobs run: Node warns of more than ten listeners
    Job.#running.add(this);
    if (!Job.#watching) Job.#watchAll();
  }

  /** Waits for the newest job, on one thread for all of them, and looks at every one after each slice. */
  static #watchAll() {
    let newest;
    let slice = SLICE_MS;
    for (newest of Job.#running) slice = Math.min(slice, newest.#interval);
    Job.#watching = newest !== undefined;
    if (!Job.#watching) return;
    try {
      open().wait.async(newest.#handle, slice, Job.#seeAll);
    } catch {
      setTimeout(Job.#seeAll, slice); // koffi has as many calls as it takes, of others
    }
  }

  static #seeAll() {
    for (const job of Job.#running) job.#see();
    Job.#watchAll();
  }

  static #abort({ target }) {
    for (const job of Job.#running) if (job.#signal === target) job.cancel();
  }

  #see() {
    const ended = open().wait(this.#handle, 0) !== TIMED_OUT;
    const now = performance.now();
    if (!ended && now - this.#reported < this.#interval) return;
    this.#reported = now;
    this.#look();
    if (ended) {
      this.#end();
    } else {
      this.#report();
    }
  }

  #look() {
    if (this.#ended) return this.#last;
    const now = make('lb_progress');
    if (open().progress(this.#handle, now) === 0) this.#last = toProgress(now);
    return this.#last;
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
    const status = open().join(this.#handle, out);
    this.#ended = true;
    Job.#running.delete(this);
    if (![...Job.#running].some((job) => job.#signal === this.#signal)) this.#signal?.removeEventListener('abort', Job.#abort);
    this.#report();
    const result = toResult(out);
    let error = status === 0 ? null : failure({ ...out, status }, result);
    if (error instanceof CancelledError && this.#signal?.aborted) {
      error = new AbortError(error.message, { result, cause: this.#signal.reason });
    }
    if (this.#thrown) error = new CallbackError(this.#thrown.cause, result, error);
    if (!error) {
      this.#settle.resolve(result);
      return;
    }
    this.#settle.reject(error);
    if (!this.#outcome.asked && !(error instanceof CancelledError)) {
      this.#outcome.error = error;
      unseen.add(this.#outcome);
    }
  }

  /** The outcome, for as many as ask. */
  get result() {
    this.#outcome.asked = true;
    unseen.delete(this.#outcome);
    return this.#result;
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
    if (!this.#ended) open().cancel(this.#handle);
  }

  /** Changes the throttle: bytes of the image per second, 0 for no limit. */
  setRate(bytesPerSecond) {
    this.#open('setRate');
    uint64('setRate', bytesPerSecond);
    if (!this.#ended) expectOk('Job.setRate', open().setRate(this.#handle, bytesPerSecond));
  }

  /** Cancels the job if it has not ended, and waits until it has. */
  async close() {
    this.#closed = true;
    this.cancel();
    await this.#result.catch(() => {});
  }

  #open(method) {
    if (this.#closed) throw new InvalidHandleError(`Job.${method}: the job was closed`);
  }
}
if (Symbol.asyncDispose) Job.prototype[Symbol.asyncDispose] = Job.prototype.close;
