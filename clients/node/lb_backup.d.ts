/** Verified backups of live SQLite databases. What each option and field means is told at length by lb_backup.h. */
import { EventEmitter } from 'node:events';

/** A file: a string or a `file:` URL. */
export type Path = string | URL;

/** One of those, or a number that only a library newer than this client has a name for. */
export type OrNewer<T> = T | `unknown ${number}`;

/** One look at a job; values never go backwards. */
export interface Progress {
  readonly state: OrNewer<'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'>;
  readonly phase: OrNewer<'waiting' | 'copying' | 'compressing' | 'syncing' | 'verifying' | 'restoring' | 'done'>;
  /** Of the whole job, 0 to 100; 100 only once it has succeeded. */
  readonly percent: number;
  readonly retries: number;
  readonly bytesDone: number;
  /** 0 until the snapshot stands. */
  readonly bytesTotal: number;
  readonly bytesWritten: number;
  readonly bytesReused: number;
  readonly elapsedMs: number;
  /** null while there is no estimate. */
  readonly etaMs: number | null;
}

export interface Result {
  readonly format: OrNewer<'image' | 'zstd'> | null;
  readonly pageSize: number;
  readonly pages: number;
  readonly imageBytes: number;
  readonly archiveBytes: number;
  readonly bytesReused: number;
  readonly retries: number;
  /** Of the archive file, in hexadecimal. */
  readonly sha256: string | null;
  readonly startedAt: Date;
  readonly endedAt: Date;
  readonly waitingMs: number;
  readonly readingMs: number;
  readonly compressingMs: number;
  readonly writingMs: number;
  readonly syncingMs: number;
  readonly verifyingMs: number;
  readonly sourceLockMs: number;
  readonly walGrowthBytes: number;
  readonly failedCheck: OrNewer<'structure' | 'frame' | 'content' | 'integrity' | 'foreign keys'> | null;
  readonly failedChunk: number | null;
  readonly failedPage: number | null;
}

export interface JobOptions {
  /** Cancels the job, which then ends as an AbortError. */
  signal?: AbortSignal;
  /**
   * Called on the event loop while the job runs, and once with its last state. May do anything. If it throws, the job goes on,
   * and its promise is rejected with a CallbackError.
   */
  onProgress?: (progress: Progress) => void;
  /** Least milliseconds between two progress reports; 100. */
  progressIntervalMs?: number;
  verify?: 'quick' | 'full' | 'none';
  /** Bytes of the image; 0 is no limit. */
  maxBytesPerSecond?: number | bigint;
}

export interface WriteOptions extends JobOptions {
  /** 'refuse' unless given. */
  existing?: 'refuse' | 'replace';
  /** 5000. Rounded up to whole milliseconds, 1 at least. */
  busyTimeoutMs?: number;
}

export interface BackupOptions extends WriteOptions {
  /** By the destination's name unless given: `.zst` compresses. */
  format?: 'by name' | 'image' | 'zstd';
  /** Zstandard level, -7 to 19; 3, also for 0. */
  level?: number;
  digest?: 'sha256' | 'none';
  /** 65536 to 8388608; adapts if it is 0 or missing. */
  chunkSize?: number | bigint;
  /** Most bytes by which the -wal may grow meanwhile; 0 is no limit. */
  walLimitBytes?: number | bigint;
  /** An earlier archive, whose unchanged chunks are taken over. */
  reuse?: Path;
}

export interface RestoreOptions extends WriteOptions {
  /** Where a backup of the present destination goes first. */
  keepPrevious?: Path;
}

export interface VerifyOptions extends JobOptions {}

/** A backup, restore or verification that was started. One that is forgotten goes on to its end and holds nothing after it. */
export class Job extends EventEmitter<{ progress: [Progress] }> implements AsyncDisposable {
  private constructor();
  /** The outcome. Need not be waited for: it never counts as an unhandled rejection. */
  readonly result: Promise<Result>;
  /** Progress to the job's end, last state included; the latest value wins. How it ended is told by `result`. */
  progress(): AsyncGenerator<Progress, void, undefined>;
  /** Looks at the job at once, well under a millisecond. Throws InvalidHandleError after close. */
  look(): Progress;
  /** Asks the job to end as a CancelledError, and returns at once. One that was published succeeds all the same. */
  cancel(): void;
  /** Changes the throttle, at once; 0 is no limit. Throws InvalidHandleError after close. */
  setRate(bytesPerSecond: number | bigint): void;
  /** Cancels the job if it has not ended, and waits until it has. Never rejects. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export function startBackup(src: Path, dst: Path, options?: BackupOptions): Job;
export function startRestore(archive: Path, dst: Path, options?: RestoreOptions): Job;
export function startVerify(archive: Path, options?: VerifyOptions): Job;
export function backup(src: Path, dst: Path, options?: BackupOptions): Promise<Result>;
export function restore(archive: Path, dst: Path, options?: RestoreOptions): Promise<Result>;
export function verify(archive: Path, options?: VerifyOptions): Promise<Result>;

export interface ArchiveInfo {
  readonly kind: OrNewer<'image' | 'archive' | 'zstd' | 'gzip'> | null;
  readonly formatVersion: number;
  readonly pageSize: number;
  readonly pages: number;
  readonly imageBytes: number;
  readonly archiveBytes: number;
  readonly chunkSize: number;
  readonly chunks: number;
  readonly createdAt: Date;
  readonly applicationId: number;
  readonly userVersion: number;
  readonly level: number;
  readonly archiveId: string | null;
  readonly parentId: string | null;
  readonly libraryVersion: string;
  readonly sqliteVersion: string;
  readonly zstdVersion: string;
}
export function inspect(archive: Path): Promise<ArchiveInfo>;

export interface JobInfo {
  readonly state: Progress['state'];
  readonly bytesDone: number;
  readonly bytesTotal: number;
  readonly percent: number;
  readonly destName: string;
}
export function jobs(): JobInfo[];

export interface Config {
  workers?: number;
  maxConcurrentJobs?: number;
  queueLength?: number;
  priority?: 'background' | 'normal';
  sourceNotOpenInProcess?: boolean;
}
/** Before the first job, or after shutdown. */
export function configure(config?: Config): void;
/** Cancels every job and ends the library's threads. A later start begins afresh. */
export function shutdown(): Promise<void>;
export function version(): string;
/** Loads the library from a path. Without it: LB_BACKUP_LIBRARY, or liblb_backup.so.0 where the dynamic linker finds it. */
export function load(path?: string): void;

/** Every failure of a call or a job of the library. */
export class LbError extends Error {
  /** As in lb_backup.h, such as "LB_STATUS_BUSY". */
  readonly code: string;
  readonly status: number;
  /** SQLite's extended code, or 0. */
  readonly sqliteCode: number;
  readonly errno: number;
  /** What was known when the job failed; null if none ran. */
  readonly result: Result | null;
}
export class InvalidArgumentError extends LbError {}
export class InvalidHandleError extends LbError {}
export class NotFoundError extends LbError {}
export class AlreadyExistsError extends LbError {}
export class PermissionDeniedError extends LbError {}
export class NotADatabaseError extends LbError {}
export class CorruptError extends LbError {}
export class BusyError extends LbError {}
export class NoSpaceError extends LbError {}
export class IoError extends LbError {}
export class CancelledError extends LbError {}
export class TimedOutError extends LbError {}
export class QueueFullError extends LbError {}
export class SourceChangedError extends LbError {}
export class WalLimitError extends LbError {}
export class UnsupportedError extends LbError {}
export class OutOfMemoryError extends LbError {}
export class WrongProcessError extends LbError {}
export class WouldDeadlockError extends LbError {}
export class ShutDownError extends LbError {}
export class InternalError extends LbError {}
/** Cancelled by its signal: `name` is AbortError, `code` ABORT_ERR, `cause` the signal's reason. */
export class AbortError extends CancelledError {}
/** A progress callback threw `cause`. */
export class CallbackError extends Error {
  /** Of the job, which had gone on to its end. */
  readonly result: Result;
  readonly error: LbError | null;
}
