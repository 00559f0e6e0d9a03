"""Verified backups of SQLite databases that are in use.

    result = lb_backup.backup("game.db", "game.db.zst")

README.md of the package tells the rest: threads, fork, signals. SPDX-License-Identifier: MIT OR Apache-2.0
"""

from ._api import (
    BackupOptions,
    RestoreOptions,
    VerifyOptions,
    backup,
    backup_async,
    backup_connection,
    configure,
    inspect,
    jobs,
    library_version,
    restore,
    restore_async,
    shutdown,
    start_backup,
    start_restore,
    start_verify,
    verify,
    verify_async,
)
from ._errors import (
    AlreadyExistsError,
    BusyError,
    CancelledError,
    CorruptError,
    Error,
    InternalError,
    InvalidArgumentError,
    InvalidHandleError,
    IoError,
    NoSpaceError,
    NotADatabaseError,
    NotFoundError,
    OutOfMemoryError,
    PermissionDeniedError,
    QueueFullError,
    ShutDownError,
    SourceChangedError,
    Status,
    TimedOutError,
    UnsupportedError,
    WalLimitError,
    WouldDeadlockError,
    WrongProcessError,
)
from ._ffi import load
from ._job import Job
from ._types import ArchiveInfo, Check, Format, JobInfo, JobState, Kind, Phase, Priority, Progress, Result, Verify

__version__ = "0.1.0"

__all__ = [name for name in dir() if not name.startswith("_")]
