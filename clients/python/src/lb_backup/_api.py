"""The functions of the package, in the order: backup, restore, verify, inspect, the whole library."""

from __future__ import annotations

import ctypes
import operator
import os
from ctypes import c_size_t
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple, Type, TypedDict, Union

from . import _ffi, _job
from ._errors import InvalidArgumentError, Status, check, raise_error, text
from ._job import Job
from ._progress import observer_of, observing
from ._types import ArchiveInfo, Format, JobInfo, JobState, Priority, Result, Verify, to_archive_info, to_job_info

if TYPE_CHECKING:
    import sqlite3

    from typing_extensions import Literal, Unpack

    from ._job import ProgressLike, ProgressOrClass

    PathLike = Union[str, os.PathLike[str]]
    Seconds = Union[float, timedelta]

# ---- options


class RestoreOptions(TypedDict, total=False):
    """Keyword arguments of restore, start_restore and restore_async."""

    replace: bool
    """False: the destination must not exist. True: an existing database gets the archive's content in one transaction,
    so that programs that have it open see the old content or the new one."""
    verify: Union[Verify, Literal["quick", "full", "none"]]
    """Before the destination is touched: every hash of the archive (quick, the default); SQLite's own checks of the
    content, too (full); only what has to be decompressed anyhow (none)."""
    busy_timeout: Optional[Seconds]
    """How long a locked destination is tried again; seconds or a timedelta. None: 5 s."""
    max_bytes_per_second: Optional[int]
    """Throttle, bytes of the image. None: no limit. Not while a live destination's write transaction is open."""
    keep_previous: Optional[PathLike]
    """Where a backup of the present destination goes first. Must not exist."""
    progress_interval: Seconds
    """Least time between two looks of ``progress``; 0.1 s."""


class VerifyOptions(TypedDict, total=False):
    """Keyword arguments of verify, start_verify and verify_async."""

    verify: Union[Verify, Literal["quick", "full"]]
    """The hash of every frame (quick, the default); everything decompressed, compared, and judged by SQLite (full)."""
    max_bytes_per_second: Optional[int]
    """Throttle, bytes of the image. None: no limit."""
    progress_interval: Seconds
    """Least time between two looks of ``progress``; 0.1 s."""


class BackupOptions(TypedDict, total=False):
    """Keyword arguments of backup, start_backup and backup_async."""

    format: Union[Format, Literal["by_name", "image", "zstd"]]
    """What to make: by the name of ``dest`` (``.zst`` compresses), a plain database file, or Zstandard."""
    compression_level: Optional[int]
    """Zstandard level, -7 (fastest) to 19 (smallest). None: 3."""
    replace: bool
    """False: the destination must not exist. True: it is replaced in one step, and only by a verified backup."""
    verify: Union[Verify, Literal["quick", "full", "none"]]
    """Before the backup appears: what was written is read back and compared (quick, the default); that from the disk,
    and SQLite's integrity_check (full); nothing (none)."""
    digest: bool
    """Whether Result.sha256 is computed. True."""
    chunk_size: Optional[int]
    """Bytes of a chunk, 65536 to 8388608. None adapts."""
    max_bytes_per_second: Optional[int]
    """Throttle, bytes of the image; Job.set_rate changes it. None: no limit."""
    busy_timeout: Optional[Seconds]
    """How long a locked source is tried again; seconds or a timedelta. None: 5 s."""
    wal_limit_bytes: Optional[int]
    """Most growth of the source's -wal file while its snapshot stands; then WalLimitError. None: no limit."""
    reuse: Optional[PathLike]
    """An earlier compressed archive of the same database: unchanged chunks are taken from it."""
    progress_interval: Seconds
    """Least time between two looks of ``progress``; 0.1 s."""


def _wrong(name: str, why: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{name} {why}", Status.INVALID_ARGUMENT)


def _path(name: str, value: PathLike) -> bytes:
    raw = os.fsencode(value)
    if b"\0" in raw:
        raise _wrong(name, "holds a NUL character")
    return raw


def _optional_path(name: str, value: Optional[PathLike]) -> Optional[bytes]:
    return None if value is None else _path(name, value)


def _number(bits: int) -> Callable[[str, Optional[int]], int]:
    def convert(name: str, value: Optional[int]) -> int:
        if value is None:
            return 0
        number = operator.index(value)
        if not 0 < number < 2**bits:  # ctypes would cut off what does not fit
            raise _wrong(name, f"is {number}; it must be positive, or None for the default")
        return number

    return convert


def _level(name: str, value: Optional[int]) -> int:
    level = 0 if value is None else operator.index(value)
    if not -(2**31) <= level < 2**31:
        raise _wrong(name, f"is {level}; -7 to 19 are possible")
    return level


def _milliseconds(name: str, value: Optional[Seconds]) -> int:
    if value is None:
        return 0
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if not seconds >= 0:
        raise _wrong(name, "is negative")
    # 0 would be the default: the next best is the least that there is.
    return int(min(max(seconds * 1000, 1), _ffi.UINT32_MAX))


def _choice(kind: Type[Any]) -> Callable[[str, Any], int]:
    def convert(name: str, value: Any) -> int:
        if isinstance(value, kind):
            return int(value)
        if isinstance(value, str) and value.upper() in kind.__members__:
            return int(kind[value.upper()])
        raise _wrong(name, f"is {value!r}; it must be one of {', '.join(kind.__members__).lower()}")

    return convert


def _flag(name: str, value: bool) -> int:
    return int(bool(value))


def _not_flag(name: str, value: bool) -> int:
    return int(not value)


# Option: the field of the structure, and the way into it.
_OPTIONS: Dict[str, Tuple[str, Callable[[str, Any], Any]]] = {
    "format": ("format", _choice(Format)),
    "compression_level": ("compression_level", _level),
    "replace": ("existing", _flag),
    "verify": ("verify", _choice(Verify)),
    "digest": ("digest", _not_flag),
    "chunk_size": ("chunk_size", _number(64)),
    "max_bytes_per_second": ("max_bytes_per_second", _number(64)),
    "busy_timeout": ("busy_timeout_ms", _milliseconds),
    "wal_limit_bytes": ("wal_limit_bytes", _number(64)),
    "reuse": ("reuse_path", _optional_path),
    "keep_previous": ("keep_previous", _optional_path),
    "progress_interval": ("progress_interval_ms", _milliseconds),
}


class _Call:
    """A call of one of the start functions, ready to be made."""

    def __init__(
        self, function: str, kind: Type[_ffi.Sized], allowed: Type[Any], paths: Dict[str, PathLike], options: Any
    ) -> None:
        self.function = function
        self.paths = tuple(_path(name, path) for name, path in paths.items())
        self.options = kind()
        for name, value in options.items():
            if name not in allowed.__annotations__:
                raise TypeError(f"{function}: {name!r} is no option of it")
            field, convert = _OPTIONS[name]
            setattr(self.options, field, convert(name, value))
        interval = options.get("progress_interval", 0.1)
        self.interval = interval.total_seconds() if isinstance(interval, timedelta) else float(interval)
        source, *dest = (Path(path) for path in paths.values())
        self.job = Job(source, dest[0] if dest else None)

    def start(self, progress: Any = None) -> Job:
        self.job._start(self.function, self.paths, self.options, observer_of(progress))
        return self.job

    def run(self, progress: Any) -> Result:
        job = self.job
        with observing(progress) as observer:
            try:
                self.start()
                if observer is not None:
                    for look in job.watch(self.interval):
                        observer(look)
                return job.result()
            except BaseException:
                if not job.done():
                    job._abandon()
                raise

    async def run_async(self, progress: Any) -> Result:
        job = self.job
        with observing(progress) as observer:
            async with self.start():
                if observer is not None:
                    async for look in job.watch_async(self.interval):
                        observer(look)
                return await job


def _backup(source: PathLike, dest: PathLike, options: Any) -> _Call:
    paths = {"source": source, "dest": dest}
    return _Call("lb_backup_start", _ffi.lb_backup_options, BackupOptions, paths, options)


def _restore(archive: PathLike, dest: PathLike, options: Any) -> _Call:
    paths = {"archive": archive, "dest": dest}
    return _Call("lb_restore_start", _ffi.lb_restore_options, RestoreOptions, paths, options)


def _verify(archive: PathLike, options: Any) -> _Call:
    return _Call("lb_verify_start", _ffi.lb_verify_options, VerifyOptions, {"archive": archive}, options)


# ---- backup


def backup(
    source: PathLike,
    dest: PathLike,
    *,
    progress: Optional[ProgressOrClass] = None,
    **options: Unpack[BackupOptions],
) -> Result:
    """Backs up the SQLite database ``source``, which may be in use, into the new file ``dest``, and waits for it.

    ``progress`` is called in this thread with a Progress every ``progress_interval`` seconds and once at the end; or it
    is a progress bar of tqdm's kind, or its class, ``progress=tqdm``, or a functools.partial of that. What it raises
    comes out of here, and so does KeyboardInterrupt: the job is cancelled first, and over by then.

    Raises the Error that the job ended with.
    """
    return _backup(source, dest, options).run(progress)


def start_backup(
    source: PathLike,
    dest: PathLike,
    *,
    progress: Optional[ProgressLike] = None,
    **options: Unpack[BackupOptions],
) -> Job:
    """Starts a backup and returns at once.

    ``progress`` is called on the library's thread, of which there is one for all jobs: be brief. What it raises cancels
    the job and comes out of Job.result(). A progress bar is the caller's to make and to close: no class of one.
    """
    return _backup(source, dest, options).start(progress)


async def backup_async(
    source: PathLike,
    dest: PathLike,
    *,
    progress: Optional[ProgressOrClass] = None,
    **options: Unpack[BackupOptions],
) -> Result:
    """As backup(), in asyncio. ``progress`` is called in the event loop; cancelling the task cancels the job."""
    return await _backup(source, dest, options).run_async(progress)


def backup_connection(
    source: sqlite3.Connection,
    target: Union[sqlite3.Connection, PathLike],
    *,
    pages: int = -1,
    progress: Optional[Callable[[int, int, int], object]] = None,
    name: str = "main",
    sleep: float = 0.250,
    **options: Unpack[RestoreOptions],
) -> None:
    """``sqlite3.Connection.backup`` by this library: ``source.backup(target, ...)`` with the same arguments.

    ``progress`` is called as there, with the status (0 while it runs, 101 at the end: SQLITE_OK, SQLITE_DONE), the
    pages that remain and all pages; in this thread, every ``progress_interval`` seconds and at the end. What it raises
    comes out of here.

    Unlike there, ``pages`` and ``sleep`` have no effect, because there is nothing to divide or to pause: the copy is of
    one snapshot, on threads of its own, and never starts over when somebody commits. ``source``, and a ``target`` that
    is a connection, must be of files. Changes that ``source`` has not committed are not in the copy. A target that
    exists gets the new content in one transaction, which others who have it open see whole or not at all.
    """
    if progress is not None and not callable(progress):
        raise TypeError("progress argument must be a callable")
    for argument, kind in (("pages", pages), ("sleep", sleep)):
        if not isinstance(kind, (int, float)):
            raise TypeError(f"{argument} must be a number")
    from_path = _file_of(source, name)
    to_path = target if isinstance(target, (str, os.PathLike)) else _file_of(target, "main")
    page_size: int = _ask(source, f"PRAGMA {_quoted(name)}.page_size")[0]

    def observer(look: Any) -> None:
        total = look.bytes_total // page_size
        done = 101 if look.state == JobState.SUCCEEDED else 0
        assert progress is not None
        progress(done, total - look.bytes_done // page_size, total)

    options.setdefault("replace", True)
    _restore(from_path, to_path, options).run(observer if progress is not None else None)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _file_of(connection: sqlite3.Connection, name: str) -> str:
    # A BLOB, because the caller's text_factory may make anything of a text.
    found = _ask(connection, "SELECT CAST(file AS BLOB) FROM pragma_database_list WHERE name = ?", name)
    if not found or not found[0]:
        raise _wrong(name, "is no database in a file of this connection")
    return os.fsdecode(found[0])


def _ask(connection: sqlite3.Connection, statement: str, *arguments: str) -> Any:
    cursor = connection.cursor()
    cursor.row_factory = None  # not the caller's
    return cursor.execute(statement, arguments).fetchone()


# ---- restore, verify, inspect


def restore(
    archive: PathLike,
    dest: PathLike,
    *,
    progress: Optional[ProgressOrClass] = None,
    **options: Unpack[RestoreOptions],
) -> Result:
    """Makes the database ``dest`` of a backup, and waits for it; ``progress`` as in backup().

    Takes plain databases, archives of this library, and other tools' Zstandard and gzip files of a database.
    """
    return _restore(archive, dest, options).run(progress)


def start_restore(
    archive: PathLike,
    dest: PathLike,
    *,
    progress: Optional[ProgressLike] = None,
    **options: Unpack[RestoreOptions],
) -> Job:
    """Starts a restore and returns at once; ``progress`` as in start_backup()."""
    return _restore(archive, dest, options).start(progress)


async def restore_async(
    archive: PathLike,
    dest: PathLike,
    *,
    progress: Optional[ProgressOrClass] = None,
    **options: Unpack[RestoreOptions],
) -> Result:
    """As restore(), in asyncio; ``progress`` as in backup_async()."""
    return await _restore(archive, dest, options).run_async(progress)


def verify(
    archive: PathLike, *, progress: Optional[ProgressOrClass] = None, **options: Unpack[VerifyOptions]
) -> Result:
    """Checks a backup of any kind that restore() takes, and waits for it; ``progress`` as in backup().

    Raises CorruptError for a damaged one; its ``result`` says which check failed, and where.
    """
    return _verify(archive, options).run(progress)


def start_verify(
    archive: PathLike, *, progress: Optional[ProgressLike] = None, **options: Unpack[VerifyOptions]
) -> Job:
    """Starts a verification and returns at once; ``progress`` as in start_backup()."""
    return _verify(archive, options).start(progress)


async def verify_async(
    archive: PathLike, *, progress: Optional[ProgressOrClass] = None, **options: Unpack[VerifyOptions]
) -> Result:
    """As verify(), in asyncio; ``progress`` as in backup_async()."""
    return await _verify(archive, options).run_async(progress)


def inspect(archive: PathLike) -> ArchiveInfo:
    """What a backup file says about itself, from a few kilobytes of it. Verifies no more than that."""
    raw, error = _ffi.lb_archive_info(), _ffi.lb_error()
    path = _path("archive", archive)
    if _ffi.library().lb_backup_inspect(path, ctypes.byref(raw), ctypes.byref(error)) != Status.OK:
        raise_error(error)
    return to_archive_info(raw, Path(archive))


# ---- the whole library


def jobs() -> List[JobInfo]:
    """The jobs of this process, whoever started them, in no particular order."""
    _job._let_go()
    library, count, room = _ffi.library(), c_size_t(0), 16
    while True:
        found = (_ffi.lb_job_info * room)()
        found[0].struct_size = ctypes.sizeof(_ffi.lb_job_info)
        check(library.lb_backup_jobs(found, room, ctypes.byref(count)), "jobs")
        if count.value <= room:
            return [to_job_info(raw) for raw in found[: count.value]]
        room = count.value + 16  # jobs may be started meanwhile


_log: Any = None  # kept alive: the library calls it


def configure(
    *,
    workers: Optional[int] = None,
    max_concurrent_jobs: Optional[int] = None,
    queue_length: Optional[int] = None,
    priority: Priority = Priority.BACKGROUND,
    source_not_open_in_process: bool = False,
    on_warning: Optional[Callable[[str], object]] = None,
) -> None:
    """Sets up the library, before its first job or after shutdown().

    workers: threads that compress, 1 to 64; None: one per processor. max_concurrent_jobs: 1 to 64. queue_length: jobs
    that may wait, 1 to 65536; None: 4096. priority: of the library's threads. source_not_open_in_process: go on where
    the system cannot keep the library's file locks apart from this process's; read the caveats of lb_backup.h first.
    on_warning: called on the library's thread with each warning, which otherwise nobody sees; the library then is shut
    down, with all its jobs, before the interpreter ends.

    Raises BusyError if the library already runs.
    """
    global _log
    config, error, number = _ffi.lb_config(), _ffi.lb_error(), _number(32)
    config.workers = number("workers", workers)
    config.max_concurrent_jobs = number("max_concurrent_jobs", max_concurrent_jobs)
    config.queue_length = number("queue_length", queue_length)
    config.priority = _choice(Priority)("priority", priority)
    config.flags = _ffi.CONFIG_SOURCE_NOT_OPEN_IN_PROCESS if source_not_open_in_process else 0
    log = None
    if on_warning is not None:

        def tell(level: int, message: bytes, _: int) -> None:
            if level == 1:
                on_warning(text(message))

        log = config.on_log = _ffi.lb_log_fn(tell)
    if _ffi.library().lb_configure(ctypes.byref(config), ctypes.byref(error)) != Status.OK:
        raise_error(error)
    _log = log
    _job._shut_down_at_exit = log is not None


def shutdown(timeout: Optional[float] = None) -> bool:
    """Cancels every job of the process and ends the library's threads. A later start begins afresh.

    Returns whether it has ended within so many seconds; it goes on after that.
    """
    milliseconds = _ffi.UINT32_MAX if timeout is None else min(int(timeout * 1000), _ffi.UINT32_MAX - 1)
    status = _ffi.library().lb_shutdown(milliseconds)
    if status == Status.TIMED_OUT:
        return False
    check(status, "shutdown")
    return True


def library_version() -> str:
    """The versions of the shared library, its SQLite and its Zstandard."""
    return text(_ffi.library().lb_version())
