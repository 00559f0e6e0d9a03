"""One exception for each status of the library."""

from __future__ import annotations

import enum
import errno
import os
from concurrent.futures import CancelledError as _FutureCancelledError
from typing import TYPE_CHECKING, Dict, Optional, Tuple, Type

from . import _ffi

if TYPE_CHECKING:
    from ._types import Result


class Status(enum.IntEnum):
    """The outcome of a call or of a job. Frozen values; a later library may have more."""

    OK = 0
    INVALID_ARGUMENT = 1
    INVALID_HANDLE = 2
    NOT_FOUND = 3
    ALREADY_EXISTS = 4
    PERMISSION_DENIED = 5
    NOT_A_DATABASE = 6
    CORRUPT = 7
    BUSY = 8
    NO_SPACE = 9
    IO = 10
    CANCELLED = 11
    TIMED_OUT = 12
    QUEUE_FULL = 13
    SOURCE_CHANGED = 14
    WAL_LIMIT = 15
    UNSUPPORTED = 16
    OUT_OF_MEMORY = 17
    WRONG_PROCESS = 18
    WOULD_DEADLOCK = 19
    SHUT_DOWN = 20
    INTERNAL = 21


class Error(Exception):
    """A call that failed, or a job that did not succeed. ``str(error)`` names the operation, the path, the reason."""

    status: int
    """A Status; a plain number if this package does not know it."""
    sqlite_code: int
    """SQLite's extended result code, or 0 where SQLite was not the cause."""
    sys_errno: int
    """The operating system's errno, or 0 where it was not the cause."""
    result: Optional[Result]
    """Of a job that failed, its whole result, as far as it was known by then. None if no job ran."""
    _errno = 0  # of an OSError, where the operating system gave none

    def __init__(
        self,
        message: str,
        status: int = Status.INTERNAL,
        sqlite_code: int = 0,
        sys_errno: int = 0,
        result: Optional[Result] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.sqlite_code = sqlite_code
        self.sys_errno = sys_errno
        self.result = result
        if isinstance(self, OSError):
            super().__setattr__("errno", sys_errno or self._errno)
            super().__setattr__("strerror", os.strerror(sys_errno or self._errno))

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> Tuple[Type[Error], Tuple[str, int, int, int, Optional[Result]]]:
        return type(self), (self.message, self.status, self.sqlite_code, self.sys_errno, self.result)


class InvalidArgumentError(Error, ValueError):
    """An argument or an option is wrong; the message names it."""


class InvalidHandleError(Error, ValueError):
    """The job has ended, and can no longer be changed."""


class NotFoundError(Error, FileNotFoundError):
    """The source, or the destination's directory, does not exist."""

    _errno = errno.ENOENT


class AlreadyExistsError(Error, FileExistsError):
    """The destination exists, and replacing it was not asked for."""

    _errno = errno.EEXIST


class PermissionDeniedError(Error, PermissionError):
    """The operating system refused access."""

    _errno = errno.EACCES


class NotADatabaseError(Error):
    """The file is no SQLite database and no backup, or it is encrypted."""


class CorruptError(Error):
    """The source or the backup is damaged, or what was written does not read back the same."""


class BusyError(Error):
    """Somebody else holds a lock, and still did after the busy timeout. Try later."""


class NoSpaceError(Error, OSError):
    """No room: a full disk, a quota, or a file-size limit."""

    _errno = errno.ENOSPC


class IoError(Error, OSError):
    """The operating system failed to read or write."""

    _errno = errno.EIO


class CancelledError(Error, _FutureCancelledError):
    """The job was cancelled. Not asyncio.CancelledError: the job was cancelled, not the task that awaits it."""


class TimedOutError(Error, TimeoutError):
    """Not yet done."""

    _errno = errno.ETIMEDOUT


class QueueFullError(Error):
    """Too many jobs wait, or too many handles are open."""


class SourceChangedError(Error):
    """The source was replaced or unlinked while it was read."""


class WalLimitError(Error):
    """The source's write-ahead log outgrew the caller's limit."""


class UnsupportedError(Error):
    """This system cannot do what is needed; the message says what is missing."""


class OutOfMemoryError(Error, MemoryError):
    """Memory could not be allocated."""


class WrongProcessError(Error, RuntimeError):
    """The process was forked after the library's first use; a child has no jobs."""


class WouldDeadlockError(Error, RuntimeError):
    """A progress function asked to wait for an unfinished job, which could never finish."""


class ShutDownError(Error, RuntimeError):
    """The library, or the interpreter, is shutting down."""


class InternalError(Error, RuntimeError):
    """A defect of the library; please report the message."""


ERRORS: Dict[int, Type[Error]] = {
    Status.INVALID_ARGUMENT: InvalidArgumentError,
    Status.INVALID_HANDLE: InvalidHandleError,
    Status.NOT_FOUND: NotFoundError,
    Status.ALREADY_EXISTS: AlreadyExistsError,
    Status.PERMISSION_DENIED: PermissionDeniedError,
    Status.NOT_A_DATABASE: NotADatabaseError,
    Status.CORRUPT: CorruptError,
    Status.BUSY: BusyError,
    Status.NO_SPACE: NoSpaceError,
    Status.IO: IoError,
    Status.CANCELLED: CancelledError,
    Status.TIMED_OUT: TimedOutError,
    Status.QUEUE_FULL: QueueFullError,
    Status.SOURCE_CHANGED: SourceChangedError,
    Status.WAL_LIMIT: WalLimitError,
    Status.UNSUPPORTED: UnsupportedError,
    Status.OUT_OF_MEMORY: OutOfMemoryError,
    Status.WRONG_PROCESS: WrongProcessError,
    Status.WOULD_DEADLOCK: WouldDeadlockError,
    Status.SHUT_DOWN: ShutDownError,
    Status.INTERNAL: InternalError,
}


def status_of(value: int) -> int:
    """A Status, or the number itself if a later library has more of them."""
    return Status(value) if value in ERRORS or value == Status.OK else value


def make_error(
    status: int, message: str, sqlite_code: int = 0, sys_errno: int = 0, result: Optional[Result] = None
) -> Error:
    """The exception that a status is; Error itself for one that this package does not know."""
    return ERRORS.get(status, Error)(message, status_of(status), sqlite_code, sys_errno, result)


def text(raw: bytes) -> str:
    """What the library says. A name that is not UTF-8 must not make an error of an error."""
    return raw.decode("utf-8", "replace")


def raise_error(error: _ffi.lb_error) -> None:
    """Raises what the library told of a call that failed."""
    raise make_error(error.status, text(error.message), error.sqlite_code, error.sys_errno)


def check(status: int, call: str) -> None:
    """Raises unless a call without an lb_error was a success."""
    if status != Status.OK:
        meaning = text(_ffi.library().lb_status_message(status))
        raise make_error(status, f"{call}: {meaning}")
