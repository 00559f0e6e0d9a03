// The statuses of lb_backup.h, frozen there: the class of each is its name and "Error".
const names = [
  'InvalidArgument', 'InvalidHandle', 'NotFound', 'AlreadyExists', 'PermissionDenied', 'NotADatabase', 'Corrupt', 'Busy',
  'NoSpace', 'Io', 'Cancelled', 'TimedOut', 'QueueFull', 'SourceChanged', 'WalLimit', 'Unsupported', 'OutOfMemory',
  'WrongProcess', 'WouldDeadlock', 'ShutDown', 'Internal',
];

// What lb_backup_wait and lb_shutdown say of what has not ended: no failure.
export const TIMED_OUT = 12;

/** Every failure of a call or a job of the library; of a class of its own for each status. */
export class LbError extends Error {
  constructor(message, { status = 0, sqliteCode = 0, errno = 0, result = null, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
    this.code = codes[status] ?? 'LB_STATUS_UNKNOWN';
    this.sqliteCode = sqliteCode;
    this.errno = errno;
    this.result = result;
  }
  get name() {
    return this.constructor.name;
  }
}

const codes = ['LB_STATUS_OK', ...names.map((name) => `LB_STATUS_${name.replace(/(?<=.)(?=[A-Z])/g, '_').toUpperCase()}`)];
const classes = names.map((name, index) => {
  const title = `${name}Error`;
  return {
    [title]: class extends LbError {
      constructor(message, details) {
        super(message, { ...details, status: index + 1 });
      }
    },
  }[title];
});

export const [
  InvalidArgumentError, InvalidHandleError, NotFoundError, AlreadyExistsError, PermissionDeniedError, NotADatabaseError,
  CorruptError, BusyError, NoSpaceError, IoError, CancelledError, TimedOutError, QueueFullError, SourceChangedError,
  WalLimitError, UnsupportedError, OutOfMemoryError, WrongProcessError, WouldDeadlockError, ShutDownError, InternalError,
] = classes;

/** The end of a job that its AbortSignal cancelled: named and coded as Node's own, with the signal's reason as its cause. */
export class AbortError extends CancelledError {
  constructor(message, details) {
    super(message, details);
    this.code = 'ABORT_ERR';
  }
}

/** What a job's promise is rejected with if onProgress or a listener threw (cause). The job had gone on to its end. */
export class CallbackError extends Error {
  constructor(cause, result, error) {
    super(`a progress callback threw: ${cause?.message ?? cause}`, { cause });
    this.result = result;
    this.error = error;
  }
  get name() {
    return 'CallbackError';
  }
}

/** The error that an lb_error or an lb_result tells of. */
export function failure({ status, sqlite_code = 0, sys_errno = 0, message = '' }, result = null) {
  const details = { status, sqliteCode: sqlite_code, errno: sys_errno, result };
  const type = classes[status - 1] ?? LbError;
  return new type(message || codes[status] || `unknown status ${status}`, details);
}
