"""What options and results are made of."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Optional, Type, TypeVar

from . import _ffi
from ._errors import Status, status_of, text

E = TypeVar("E", bound="_Open")


class _Open(enum.IntEnum):
    # A later library may have values that this package does not know: they are numbers without a known name.
    @classmethod
    def _missing_(cls: Type[E], value: object) -> Optional[E]:
        if not isinstance(value, int):
            return None
        unknown = int.__new__(cls, value)
        unknown._name_ = f"UNKNOWN_{value}"
        unknown._value_ = value
        return unknown


class Format(_Open):
    """What a backup file holds."""

    BY_NAME = 0
    """``.zst`` compresses, any other name is a plain image"""
    IMAGE = 1
    """a plain database file"""
    ZSTD = 2
    """Zstandard; ``zstd -d`` gives the plain image"""


class Verify(_Open):
    """How to verify."""

    QUICK = 0
    """the hash of every piece"""
    FULL = 1
    """quick, and SQLite's own integrity checks"""
    NONE = 2
    """trust the file system"""


class Kind(_Open):
    """Kinds of backup files."""

    IMAGE = 1
    """a plain database file"""
    ARCHIVE = 2
    """an archive of lb_backup"""
    ZSTD = 3
    """another tool's Zstandard file"""
    GZIP = 4
    """a gzip file"""


class Check(_Open):
    """Which check an archive failed."""

    NONE = 0
    STRUCTURE = 1
    FRAME = 2
    CONTENT = 3
    INTEGRITY = 4
    FOREIGN_KEYS = 5


class JobState(_Open):
    """The life of a job. From SUCCEEDED on it has ended."""

    QUEUED = 0
    RUNNING = 1
    SUCCEEDED = 2
    FAILED = 3
    CANCELLED = 4


class Phase(_Open):
    """What a running job is doing. A later phase has a greater number: compare, do not enumerate."""

    WAITING = 0
    COPYING = 1
    COMPRESSING = 2
    SYNCING = 3
    VERIFYING = 4
    RESTORING = 5
    DONE = 6


class Priority(_Open):
    """Who goes first, the library's threads or the program's."""

    BACKGROUND = 0
    NORMAL = 1


@dataclass(frozen=True)
class Progress:
    """One look at a job. Values never go backwards from one look to the next."""

    state: JobState
    phase: Phase
    bytes_done: int
    """Bytes of the image that are done."""
    bytes_total: int
    """Bytes of the image; 0 until they are known."""
    bytes_written: int
    """Bytes written to the file."""
    bytes_reused: int
    """Bytes taken over from an earlier archive, or that an existing database had already."""
    retries: int
    """Transient errors (a lock, an interrupted call) that were waited out."""
    elapsed: timedelta
    """Since the job was accepted; stands still once it has ended."""
    eta: Optional[timedelta]
    """Estimated time to the end; None while there is no estimate."""
    percent: float
    """The whole job, verification and all, from 0 to 100. 100 only with success."""


@dataclass(frozen=True)
class Result:
    """What became of a job. Of a job that failed (Error.result) the fields hold what was known by then."""

    source: Path
    """What was read: the database, or the archive that was restored or verified."""
    dest: Optional[Path]
    """What was made; None for a verification."""
    status: int
    """A Status."""
    message: str = field(repr=False)
    """Empty on success."""
    sqlite_code: int = field(repr=False)
    """SQLite's extended result code, or 0."""
    sys_errno: int = field(repr=False)
    """errno, or 0."""
    format: Format
    page_size: int
    """Bytes of a database page; 0 for the archive of an empty database."""
    pages: int
    image_bytes: int
    archive_bytes: int
    bytes_reused: int
    retries: int
    sha256: Optional[str]
    """SHA-256 of the archive file in hexadecimal, as hashlib and sha256sum print it."""
    started: datetime
    """When the job was accepted, UTC."""
    finished: datetime
    """When it ended, UTC."""
    waiting: timedelta = field(repr=False)
    """In the queue, in lock waits and in the throttle."""
    reading: timedelta = field(repr=False)
    compressing: timedelta = field(repr=False)
    """Processor time, all threads added up."""
    writing: timedelta = field(repr=False)
    syncing: timedelta = field(repr=False)
    """Waiting for the disk, all threads added up."""
    verifying: timedelta = field(repr=False)
    source_lock: timedelta = field(repr=False)
    """For how long writers of a rollback-journal source had to wait; 0 in WAL mode."""
    wal_growth_bytes: int = field(repr=False)
    failed_check: Check = field(repr=False)
    failed_chunk: Optional[int] = field(repr=False)
    """Index of the chunk that failed, from 0 on."""
    failed_page: Optional[int] = field(repr=False)
    """Number of the database page that failed, from 1 on."""


@dataclass(frozen=True)
class ArchiveInfo:
    """What a backup file says about itself. What its kind does not tell is 0, empty or None."""

    path: Path
    kind: Kind
    format_version: int
    page_size: int
    pages: int
    image_bytes: int
    archive_bytes: int
    chunk_size: int
    chunks: int
    created: datetime
    """When the backup was begun, UTC; of a plain file, when it was last modified."""
    application_id: int
    user_version: int
    compression_level: int
    archive_id: Optional[str]
    """Hexadecimal: no other archive has it."""
    parent_id: Optional[str]
    """The archive_id of the archive that was reused."""
    library_version: str
    sqlite_version: str
    zstd_version: str


@dataclass(frozen=True)
class JobInfo:
    """One job of this process, whoever started it."""

    state: JobState
    handle: int
    bytes_done: int
    bytes_total: int
    percent: float
    dest_name: str
    """The file name of the destination, without its directory."""


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def _duration(ns: int) -> timedelta:
    return timedelta(microseconds=ns // 1000)


def _moment(unix_ns: int) -> datetime:
    return _EPOCH + _duration(unix_ns)


def to_progress(raw: _ffi.lb_progress) -> Progress:
    return Progress(
        state=JobState(raw.state),
        phase=Phase(raw.phase),
        bytes_done=raw.bytes_done,
        bytes_total=raw.bytes_total,
        bytes_written=raw.bytes_written,
        bytes_reused=raw.bytes_reused,
        retries=raw.retries,
        elapsed=_duration(raw.elapsed_ns),
        eta=None if raw.eta_ns == _ffi.UINT64_MAX else _duration(raw.eta_ns),
        percent=raw.percent,
    )


def to_result(raw: _ffi.lb_result, source: Path, dest: Optional[Path]) -> Result:
    failed = raw.status != Status.OK
    return Result(
        source=source,
        dest=dest,
        status=status_of(raw.status),
        message=text(raw.message),
        sqlite_code=raw.sqlite_code,
        sys_errno=raw.sys_errno,
        format=Format(raw.format),
        page_size=raw.page_size,
        pages=raw.pages,
        image_bytes=raw.image_bytes,
        archive_bytes=raw.archive_bytes,
        bytes_reused=raw.bytes_reused,
        retries=raw.retries,
        sha256=bytes(raw.sha256).hex() if raw.has_sha256 else None,
        started=_moment(raw.start_unix_ns),
        finished=_moment(raw.end_unix_ns),
        waiting=_duration(raw.waiting_ns),
        reading=_duration(raw.reading_ns),
        compressing=_duration(raw.compressing_ns),
        writing=_duration(raw.writing_ns),
        syncing=_duration(raw.syncing_ns),
        verifying=_duration(raw.verifying_ns),
        source_lock=_duration(raw.source_lock_ns),
        wal_growth_bytes=raw.wal_growth_bytes,
        failed_check=Check(raw.failed_check),
        failed_chunk=raw.failed_chunk if failed and raw.failed_chunk != _ffi.NO_CHUNK else None,
        failed_page=raw.failed_page or None,
    )


def to_archive_info(raw: _ffi.lb_archive_info, path: Path) -> ArchiveInfo:
    return ArchiveInfo(
        path=path,
        kind=Kind(raw.kind),
        format_version=raw.format_version,
        page_size=raw.page_size,
        pages=raw.pages,
        image_bytes=raw.image_bytes,
        archive_bytes=raw.archive_bytes,
        chunk_size=raw.chunk_size,
        chunks=raw.chunks,
        created=_moment(raw.created_unix_ns),
        application_id=raw.application_id,
        user_version=raw.user_version,
        compression_level=raw.compression_level,
        archive_id=bytes(raw.archive_id).hex() if raw.kind == Kind.ARCHIVE else None,
        parent_id=bytes(raw.parent_id).hex() if raw.has_parent else None,
        library_version=text(raw.library_version),
        sqlite_version=text(raw.sqlite_version),
        zstd_version=text(raw.zstd_version),
    )


def to_job_info(raw: _ffi.lb_job_info) -> JobInfo:
    return JobInfo(JobState(raw.state), raw.job or 0, raw.bytes_done, raw.bytes_total, raw.percent, text(raw.dest_name))
