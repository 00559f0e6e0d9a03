"""What ``python -m lb_backup`` does. The manual page of ``lbbackup`` describes it; tests/test_tool.py compares."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import stat
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Dict, Iterator, List, NoReturn, Optional, Sequence, Tuple

import lb_backup

from . import _ffi
from ._errors import Status, make_error
from ._types import ArchiveInfo, Check, Format, Kind, Phase, Progress, Result

NAME = "lbbackup"
Fields = Dict[str, Any]

# ---- exit codes

_DAMAGED, _USAGE, _TRY_AGAIN, _NO_SPACE, _SYSTEM, _EXISTS, _UNSUPPORTED, _DEFECT, _SIGNAL = 1, 2, 3, 4, 5, 6, 7, 70, 128
_EXIT_CODES: Dict[int, int] = {
    Status.OK: 0,
    Status.CORRUPT: _DAMAGED,
    Status.NOT_A_DATABASE: _DAMAGED,
    Status.INVALID_ARGUMENT: _USAGE,
    Status.BUSY: _TRY_AGAIN,
    Status.SOURCE_CHANGED: _TRY_AGAIN,
    Status.WAL_LIMIT: _TRY_AGAIN,
    Status.QUEUE_FULL: _TRY_AGAIN,
    Status.TIMED_OUT: _TRY_AGAIN,
    Status.NO_SPACE: _NO_SPACE,
    Status.NOT_FOUND: _SYSTEM,
    Status.PERMISSION_DENIED: _SYSTEM,
    Status.IO: _SYSTEM,
    Status.OUT_OF_MEMORY: _SYSTEM,
    Status.ALREADY_EXISTS: _EXISTS,
    Status.UNSUPPORTED: _UNSUPPORTED,
}
_WORST_FIRST = [_DEFECT, _DAMAGED, _UNSUPPORTED, _NO_SPACE, _SYSTEM, _TRY_AGAIN, _EXISTS, _USAGE, 0]
_EXIT_CODES_TEXT = """exit codes:
  0    done, and proven
  1    the backup or the database is damaged, or no database at all
  2    the command line is wrong
  3    locked, or changing too much: try again later
  4    no space
  5    not found, not permitted, or failed to read or write
  6    refused, because something exists (see --replace)
  7    a newer format, or this system lacks something
  70   a defect
  130  cancelled by Ctrl-C; 143 by SIGTERM, 129 by SIGHUP
"""


def _worse(one: int, other: int) -> int:
    # Signals are not in the list, and come before it.
    return min(one, other, key=lambda code: _WORST_FIRST.index(code) if code in _WORST_FIRST else -1)


# ---- text


def _bytes(count: float) -> str:
    for unit, name in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if count >= unit - unit / 20480:  # 1023.95 KiB and more would be printed as 1024.0
            return f"{count / unit:.1f} {name}"
    return f"{count:.0f} B"


def _duration(time: timedelta) -> str:
    seconds = time.total_seconds()
    return f"{seconds:.2f} s" if seconds < 59.995 else str(timedelta(seconds=round(seconds)))


def _printable(text: object) -> str:
    """A name may hold anything; a terminal is not to obey it."""
    return "".join(
        c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 128 else f"\\u{ord(c):04x}" for c in str(text)
    )


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _local(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _ratio(info: Any) -> str:
    return f"{info.image_bytes / info.archive_bytes:.2f}" if info.archive_bytes else "-"


def _ns(time: timedelta) -> int:
    return time // timedelta(microseconds=1) * 1000


def _name(member: Any) -> str:
    return str(member.name).lower()


# ---- objects of --json


def _of_progress(look: Progress) -> Fields:
    return {
        "phase": _name(look.phase),
        "percent": look.percent,
        "bytes_done": look.bytes_done,
        "bytes_total": look.bytes_total,
        "bytes_written": look.bytes_written,
        "bytes_reused": look.bytes_reused,
        "retries": look.retries,
        "elapsed_ns": _ns(look.elapsed),
        "eta_ns": None if look.eta is None else _ns(look.eta),
    }


def _of_result(result: Result, elapsed: timedelta) -> Fields:
    return {
        "format": _name(result.format),
        "page_size": result.page_size,
        "pages": result.pages,
        "image_bytes": result.image_bytes,
        "archive_bytes": result.archive_bytes,
        "bytes_reused": result.bytes_reused,
        "sha256": result.sha256,
        "start": _utc(result.started),
        "end": _utc(result.finished),
        "elapsed_ns": _ns(elapsed),
        "waiting_ns": _ns(result.waiting),
        "reading_ns": _ns(result.reading),
        "compressing_ns": _ns(result.compressing),
        "writing_ns": _ns(result.writing),
        "syncing_ns": _ns(result.syncing),
        "verifying_ns": _ns(result.verifying),
        "source_lock_ns": _ns(result.source_lock),
        "wal_growth_bytes": result.wal_growth_bytes,
        "retries": result.retries,
    }


def _of_finding(result: Optional[Result]) -> Fields:
    none = result is None or result.failed_check == Check.NONE
    return {
        "failed_check": None if none or result is None else _name(result.failed_check),
        "failed_chunk": result and result.failed_chunk,
        "failed_page": result and result.failed_page,
    }


def _of_info(info: ArchiveInfo) -> Fields:
    archive = info.kind == Kind.ARCHIVE
    has_header = archive or info.kind == Kind.IMAGE
    # An archive may well hold an empty database; an image whose header does not tell has zeros.
    return {
        "kind": _name(info.kind),
        "format_version": info.format_version or None,
        "created": _utc(info.created),
        "page_size": info.page_size or None,
        "pages": info.pages if archive else info.pages or None,
        "image_bytes": info.image_bytes if archive else info.image_bytes or None,
        "archive_bytes": info.archive_bytes,
        "chunk_size": info.chunk_size or None,
        "chunks": info.chunks or None,
        "compression_level": info.compression_level if archive else None,
        "application_id": info.application_id if has_header else None,
        "user_version": info.user_version if has_header else None,
        "archive_id": info.archive_id,
        "parent_id": info.parent_id,
        "library_version": info.library_version or None,
        "sqlite_version": info.sqlite_version or None,
        "zstd_version": info.zstd_version or None,
    }


# ---- what is printed, and where


class _Output:
    def __init__(self, arguments: argparse.Namespace, command: Optional[str]) -> None:
        self.json = bool(arguments.json)
        self.quiet = bool(arguments.quiet)
        self.progress_wanted = bool(arguments.progress)
        self.progress_unwanted = bool(arguments.no_progress)
        self.command = command
        self.warnings: List[str] = []
        self._write_error: Optional[OSError] = None

    def say(self, text: str) -> None:
        if not self.json and not self.quiet:
            self._write(text + "\n")

    def tell(self, fields: Fields) -> None:
        if self.json:
            self._object("result", {"ok": True, "status": "LB_STATUS_OK", "exit_code": 0, **fields})

    def tell_progress(self, look: Progress) -> None:
        self._object("progress", _of_progress(look))

    def remark(self, text: str) -> None:
        print(f"{NAME}: {_printable(text)}", file=sys.stderr, flush=True)

    def fail(self, error: lb_backup.Error, fields: Fields, hint: str = "", code: Optional[int] = None) -> int:
        if code is None:
            code = _EXIT_CODES.get(error.status, _DEFECT)
        if self.json:
            told = {
                "ok": False,
                "status": _ffi.library().lb_status_name(error.status).decode(),
                "exit_code": code,
                **fields,
                "message": str(error),
                "hint": hint or None,
                "sqlite_code": error.sqlite_code,
                "sys_errno": error.sys_errno,
            }
            self._object("result", told)
        else:
            self.remark(str(error))
            if hint:
                self.remark(f"hint: {hint}")
        return code

    def end(self, code: int) -> int:
        try:
            sys.stdout.flush()
        except OSError as error:
            self._write_error = error
        if self._write_error is None:
            return code
        if not isinstance(self._write_error, BrokenPipeError):  # a reader that has seen enough went away
            self.remark(f"cannot write the result: {self._write_error.strerror}")
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the interpreter flushes once more at its end
        return code or _SYSTEM

    def _object(self, event: str, fields: Fields) -> None:
        self._write(json.dumps({"event": event, "command": self.command, **fields}) + "\n")

    def _write(self, text: str) -> None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError as error:
            self._write_error = error
        except UnicodeEncodeError:
            sys.stdout.write(text.encode("ascii", "backslashreplace").decode())


class _Display:
    """The progress of one job: a bar on a terminal, lines elsewhere, objects for programs, or nothing."""

    def __init__(self, output: _Output, what: str) -> None:
        self._output = output
        self._what = f"{what} " if what else ""
        silent = output.json or output.quiet or output.progress_unwanted
        self._objects = output.json and output.progress_wanted
        terminal = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._bar = not silent and terminal
        self._lines = not silent and not terminal
        self._shown = False
        self._last: Tuple[Optional[Phase], float] = (None, 0.0)

    def show(self, look: Progress) -> None:
        if self._objects:
            if self._is_time(look, 1):
                self._output.tell_progress(look)
        elif look.elapsed < timedelta(milliseconds=200) or look.phase == Phase.DONE:
            return  # what is over sooner needs no progress: it would only flicker
        elif self._bar:
            columns = shutil.get_terminal_size().columns - 3
            label = f"{self._what}{self._phase(look):11}  "
            figures = f"  {look.percent:5.1f} %  {self._figures(look)}"
            room = min(columns - len(label) - len(figures), 50)
            full = int(look.percent / 100 * room)
            bar = "#" * full + "." * (room - full) if room >= 10 else ""
            print(f"\r{(label + bar + figures)[:max(columns, 0)]}\033[K", end="", file=sys.stderr, flush=True)
            self._shown = True
        elif self._lines and self._is_time(look, 3):
            text = f"{self._what}{self._phase(look)}"
            if look.bytes_total:
                text += f", {look.percent:.1f} %, {self._figures(look)}"
            self._output.remark(text)

    def clear(self) -> None:
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        self._shown = False

    def _is_time(self, look: Progress, seconds: float) -> bool:
        now = look.elapsed.total_seconds()
        if self._last[0] == look.phase and now < self._last[1] + seconds:
            return False
        self._last = (look.phase, now)
        return True

    @staticmethod
    def _phase(look: Progress) -> str:
        return "waiting for a lock" if look.phase == Phase.WAITING and look.retries else _name(look.phase)

    @staticmethod
    def _figures(look: Progress) -> str:
        if not look.bytes_total:
            return ""
        speed = look.bytes_done / max(look.elapsed.total_seconds(), 1e-9)
        left = f"for {_duration(look.elapsed)}" if look.eta is None else f"{look.eta.total_seconds():.0f} s left"
        return f"{_bytes(look.bytes_done)}/{_bytes(look.bytes_total)}, {_bytes(speed)}/s, {left}"


class _Runner:
    """Starts, shows, cancels and awaits a job."""

    def __init__(self, output: _Output) -> None:
        self._output = output
        self._job: Optional[lb_backup.Job] = None
        self.stopped_by = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._stop)
        _configure(output)

    def _stop(self, number: int, frame: Optional[FrameType]) -> None:
        self.stopped_by = self.stopped_by or number
        if self._job is not None:
            self._job.cancel()

    def run(self, start: Callable[[], lb_backup.Job], what: str = "") -> Tuple[Result, timedelta, List[str]]:
        """The result, the time it took, the warnings. Raises the error of a job that fails."""
        if self.stopped_by:
            raise make_error(Status.CANCELLED, "cancelled")
        display = _Display(self._output, what)
        warnings: List[str] = []
        job = self._job = start()
        if self.stopped_by:
            job.cancel()
        try:
            for look in job.watch(0.1):
                self._pass_on(display, warnings)
                display.show(look)
        finally:
            display.clear()
        self._pass_on(display, warnings)
        return job.result(), job.progress.elapsed, warnings

    def _pass_on(self, display: _Display, warnings: List[str]) -> None:
        while self._output.warnings:
            line = self._output.warnings.pop(0)
            warnings.append(line)
            display.clear()
            if not self._output.json:
                self._output.remark(f"warning: {line}")

    def fail(self, error: lb_backup.Error, fields: Fields, hint: str, cancelled: str) -> int:
        if error.status == Status.CANCELLED and self.stopped_by:
            told = make_error(Status.CANCELLED, cancelled)
            return self._output.fail(told, fields, code=_SIGNAL + self.stopped_by)
        return self._output.fail(error, fields, hint)


def _configure(output: _Output) -> None:
    # So that it also works where a sandbox keeps the library from separating its locks from those of its host: nothing
    # in this process but the library opens a database.
    lb_backup.configure(source_not_open_in_process=True, on_warning=output.warnings.append)


# ---- the commands


def _backup(arguments: argparse.Namespace, output: _Output) -> int:
    source, dest = arguments.SOURCE, arguments.DEST
    if os.path.isdir(dest):
        path = Path(source)
        stamp = datetime.now(timezone.utc).strftime("-%Y%m%dT%H%M%SZ")
        ending = "" if arguments.format == "image" else ".zst"
        dest = os.path.join(dest, path.stem + stamp + (path.suffix or ".db") + ending)
    compressed = arguments.format == "zstd" or (arguments.format is None and dest.endswith(".zst"))
    paths = {"source": source, "archive": dest}
    if not compressed and (arguments.level or arguments.reuse):
        error = make_error(
            Status.INVALID_ARGUMENT, f"--level and --reuse are for compressed backups, and {dest} is a plain image"
        )
        return output.fail(
            error, paths, "a DEST that ends in .zst is compressed; --format zstd does it whatever the name"
        )
    runner = _Runner(output)
    try:
        result, elapsed, warnings = runner.run(
            lambda: lb_backup.start_backup(
                source,
                dest,
                format=arguments.format or "by_name",
                compression_level=arguments.level,
                replace=arguments.replace,
                verify=arguments.verify,
                digest=not arguments.no_digest,
                chunk_size=arguments.chunk_size or None,
                max_bytes_per_second=arguments.rate or None,
                busy_timeout=arguments.busy_timeout,
                wal_limit_bytes=arguments.wal_limit or None,
                reuse=arguments.reuse,
            )
        )
    except lb_backup.Error as error:
        hints = {
            Status.ALREADY_EXISTS: ""
            if arguments.replace
            else "--replace puts the new backup in its place, once that is verified",
            Status.BUSY: "another program holds a lock; --busy-timeout 1min waits longer for it",
            Status.NO_SPACE: (
                "--verify full takes as much room again as the database has; quick takes none"
                if arguments.verify == "full" and compressed
                else ""
                if compressed
                else "a DEST that ends in .zst is compressed"
            ),
            Status.WAL_LIMIT: "the database is written faster than --wal-limit allows for",
            Status.SOURCE_CHANGED: "somebody put another file in its place meanwhile; try again",
        }
        hint = hints.get(Status(error.status), "") if error.status in _EXIT_CODES else ""
        return runner.fail(error, paths, hint, "cancelled; nothing was left behind")
    output.tell({**paths, **_of_result(result, elapsed), "warnings": warnings})
    text = f"{_printable(dest)}\n  {_bytes(result.image_bytes)}"
    if result.format == Format.ZSTD:
        text += f" -> {_bytes(result.archive_bytes)} ({_ratio(result)}x)"
    if result.bytes_reused:
        text += f", {_bytes(result.bytes_reused)} of it reused"
    text += {"full": ", verified in full", "none": ", not verified"}.get(arguments.verify, ", verified")
    text += f", in {_duration(elapsed)}"
    output.say(text + (f"\n  SHA-256 {result.sha256}" if result.sha256 else ""))
    return 0


def _restore(arguments: argparse.Namespace, output: _Output) -> int:
    archive, dest = arguments.ARCHIVE, arguments.DEST
    fields: Fields = {"archive": archive, "database": dest}
    runner = _Runner(output)
    try:
        result, elapsed, warnings = runner.run(
            lambda: lb_backup.start_restore(
                archive,
                dest,
                replace=arguments.replace,
                verify=arguments.verify,
                busy_timeout=arguments.busy_timeout,
                max_bytes_per_second=arguments.rate or None,
                keep_previous=arguments.keep_previous,
            )
        )
    except lb_backup.Error as error:
        hint = ""
        if error.status == Status.ALREADY_EXISTS:
            if os.path.isdir(dest):
                hint = "DEST must name a file"
            elif not arguments.replace:
                hint = "--replace restores onto it, and --keep-previous PATH backs it up first"
        elif error.status == Status.BUSY:
            hint = "another program holds a lock; --busy-timeout 1min waits longer for it"
        fields.update(_of_finding(error.result))
        return runner.fail(error, fields, hint, "cancelled; nothing was changed")
    output.tell({**fields, **_of_result(result, elapsed), "warnings": warnings})
    there = f", {_bytes(result.bytes_reused)} of it there already" if result.bytes_reused else ""
    output.say(
        f"{_printable(dest)}\n  {_bytes(result.image_bytes)} from {_printable(archive)}{there}, in {_duration(elapsed)}"
    )
    return 0


def _finding(result: Optional[Result]) -> str:
    if result is None or result.failed_check == Check.NONE:
        return ""
    names = {
        Check.STRUCTURE: "structure",
        Check.FRAME: "compressed data",
        Check.CONTENT: "content",
        Check.INTEGRITY: "integrity_check",
        Check.FOREIGN_KEYS: "foreign_key_check",
    }
    text = f": {names.get(result.failed_check, 'a check unknown to this tool')}"
    if result.failed_chunk is not None:
        text += f", chunk {result.failed_chunk:,}"
    if result.failed_page is not None:
        text += f", page {result.failed_page:,}"
    return text


def _verify(arguments: argparse.Namespace, output: _Output) -> int:
    runner = _Runner(output)
    worst, count = 0, len(arguments.ARCHIVE)
    for i, archive in enumerate(arguments.ARCHIVE, 1):
        try:
            result, elapsed, warnings = runner.run(
                lambda: lb_backup.start_verify(
                    archive,
                    verify="full" if arguments.full else "quick",
                    max_bytes_per_second=arguments.rate or None,
                ),
                f"{i}/{count}" if count > 1 else "",
            )
        except lb_backup.Error as error:
            if error.status in (Status.CORRUPT, Status.NOT_A_DATABASE):
                output.say(f"{_printable(archive)}: FAILED{_finding(error.result)}")
            fields = {"archive": archive, **_of_finding(error.result)}
            worst = _worse(worst, runner.fail(error, fields, "", "cancelled; nothing was changed"))
            if error.status == Status.CANCELLED:
                break
            continue
        output.tell({"archive": archive, **_of_result(result, elapsed), "warnings": warnings})
        how = " in full" if arguments.full else ""
        output.say(f"{_printable(archive)}: OK{how}, {_bytes(result.image_bytes)} in {_duration(elapsed)}")
    return worst


def _described(info: ArchiveInfo) -> Iterator[Tuple[str, str]]:
    archive = info.kind == Kind.ARCHIVE
    unknown = "what it holds is not known before it is decompressed"
    yield "kind", {
        Kind.IMAGE: "plain database",
        Kind.ARCHIVE: f"archive, format {info.format_version}",
        Kind.ZSTD: f"Zstandard file of another tool; {unknown}",
        Kind.GZIP: f"gzip file; {unknown}",
    }.get(info.kind, "of a kind unknown to this tool")
    yield "created" if archive else "modified", _local(info.created)
    if archive or info.image_bytes:
        yield "image", f"{_bytes(info.image_bytes)}, {info.pages:,} pages of {_bytes(info.page_size)}"
    yield "file", _bytes(info.archive_bytes) + (f" ({_ratio(info)}x)" if archive else "")
    if archive:
        yield "chunks", f"{info.chunks:,} of {_bytes(info.chunk_size)}"
        yield "level", str(info.compression_level)
    if archive or info.kind == Kind.IMAGE:
        yield "application_id", str(info.application_id)
        yield "user_version", str(info.user_version)
    yield "id", info.archive_id or ""
    yield "parent", info.parent_id or ""
    versions = (
        ("lb_backup", info.library_version),
        ("SQLite", info.sqlite_version),
        ("Zstandard", info.zstd_version),
    )
    yield "written by", ", ".join(f"{name} {_printable(version)}" for name, version in versions if version)


def _inspect(arguments: argparse.Namespace, output: _Output) -> int:
    _configure(output)
    worst = 0
    for path in arguments.ARCHIVE:
        try:
            info = lb_backup.inspect(path)
        except lb_backup.Error as error:
            worst = _worse(worst, output.fail(error, {"path": path}))
            continue
        output.tell({"path": path, **_of_info(info)})
        rows = [f"  {name:16}{value}" for name, value in _described(info) if value]
        output.say("\n".join([_printable(path), *rows]))
    return worst


class _Entry:
    """A file of a directory, and what it says about itself or why it does not."""

    def __init__(self, path: str, file: os.stat_result) -> None:
        self.path, self.name = path, os.path.basename(path)
        self.info: Optional[ArchiveInfo] = None
        self.error: Optional[lb_backup.Error] = None
        self.size, self.created = file.st_size, datetime.fromtimestamp(file.st_mtime, timezone.utc)
        try:
            self.info = lb_backup.inspect(path)
            self.size, self.created = self.info.archive_bytes, self.info.created
        except lb_backup.Error as error:
            self.error = error

    @property
    def is_other_file(self) -> bool:
        # No trace of a backup in it, which is no trouble in a directory; damaged ones are.
        return self.error is not None and self.error.status == Status.NOT_A_DATABASE

    def row(self) -> List[str]:
        info = self.info
        if info is None:
            status = self.error.status if self.error else Status.IO
            kinds = {Status.NOT_A_DATABASE: "other", Status.CORRUPT: "damaged", Status.UNSUPPORTED: "newer"}
            kind = next((name for known, name in kinds.items() if known == status), "unread")
            return [_printable(self.name), kind, _local(self.created), "-", _bytes(self.size), "-", "-", "-"]
        archive = info.kind == Kind.ARCHIVE
        has_size = archive or info.image_bytes != 0
        return [
            _printable(self.name),
            _name(info.kind),
            _local(info.created),
            _bytes(info.image_bytes) if has_size else "-",
            _bytes(info.archive_bytes),
            _ratio(info) if archive else "-",
            f"{info.pages:,}" if has_size else "-",
            str(info.user_version) if archive or info.kind == Kind.IMAGE else "-",
        ]


def _list(arguments: argparse.Namespace, output: _Output) -> int:
    _configure(output)
    entries: List[_Entry] = []
    try:
        for name in os.listdir(arguments.DIR):
            path = os.path.join(arguments.DIR, name)
            if name.startswith(".") and not arguments.all:
                continue
            with contextlib.suppress(OSError):  # what is gone by now was not there
                file = os.stat(path)
                # Only regular files, of which opening has no effect and reading an end.
                if stat.S_ISREG(file.st_mode):
                    entries.append(_Entry(path, file))
    except OSError as error:
        status = {2: Status.NOT_FOUND, 20: Status.NOT_FOUND, 1: Status.PERMISSION_DENIED, 13: Status.PERMISSION_DENIED}
        told = make_error(
            status.get(error.errno or 0, Status.IO),
            f'cannot list "{arguments.DIR}": {error.strerror}',
            sys_errno=error.errno or 0,
        )
        return output.fail(told, {"path": arguments.DIR})
    entries = sorted(
        (one for one in entries if arguments.all or not one.is_other_file), key=lambda one: (one.created, one.name)
    )
    if entries:
        heading = ["NAME", "KIND", "CREATED", "IMAGE", "FILE", "RATIO", "PAGES", "VERSION"]
        rows = [heading, *(one.row() for one in entries)]
        widths = [max(map(len, column)) for column in zip(*rows)]
        for row in rows:
            cells = (c.ljust(w) if i < 3 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths)))
            output.say("  ".join(cells))
    elif not output.json and not output.quiet:
        output.remark(f"no backups in {arguments.DIR}")
    worst = 0
    for entry in entries:
        if entry.info is not None:
            output.tell({"path": entry.path, **_of_info(entry.info)})
        elif entry.is_other_file:
            output.tell({"path": entry.path, "kind": "other", "archive_bytes": entry.size})
        elif entry.error is not None:
            worst = _worse(worst, output.fail(entry.error, {"path": entry.path}))
    return worst


# ---- the command line


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(?:i?b)?|b)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of bytes, such as 50M")
    return int(float(match[1]) * 1024 ** (" kmgt".index(match[2].lower()) if match[2] else 0))


def _size_but_0(text: str) -> int:
    size = _size(text)
    if size == 0:
        raise argparse.ArgumentTypeError("0 is not one of its values; without it there is no limit")
    return size


def _time(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|min)", text.strip(), re.IGNORECASE)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time, such as 500ms, 30s or 1min")
    return float(match[1]) * {"ms": 0.001, "s": 1, "min": 60}[match[2].lower()]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        command = self.prog.partition(" ")[2] or None
        said = sys.argv[1:]
        arguments = argparse.Namespace(json="--json" in said, quiet=False, progress=False, no_progress=False)
        hint = f"'{self.prog} --help' tells what can be said"
        output = _Output(arguments, command)
        self.exit(output.end(output.fail(make_error(Status.INVALID_ARGUMENT, message), {}, hint)))


def _add_output(parser: argparse.ArgumentParser, default: Any) -> None:
    group = parser.add_argument_group("output")

    def flag(*names: str, **how: Any) -> None:
        group.add_argument(*names, action="store_true", default=default, **how)

    flag("--json", help="one JSON object per result, each on a line")
    flag("-q", "--quiet", help="say nothing but what went wrong")
    flag("--progress", help="with --json: progress as objects, too")
    flag("--no-progress", help="no bar, and no lines of progress")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=NAME,
        description="Verified backups of SQLite databases, also of those that are in use.",
        epilog=_EXIT_CODES_TEXT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="show the versions and exit")
    _add_output(parser, False)
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", parser_class=_Parser)

    def command(name: str, run: Callable[..., int], about: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
        added.set_defaults(run=run)
        _add_output(added, argparse.SUPPRESS)  # what was said before the command stays
        return added

    rate: Any = {"type": _size, "metavar": "BYTES", "help": "most bytes of the database per second, such as 50M"}
    wait = "how long to wait for a lock, such as 500ms or 1min; 5s unless told"
    lock: Any = {"type": _time, "metavar": "TIME", "help": wait}
    how: Any = {"choices": ["quick", "full", "none"], "default": "quick"}

    one = command("backup", _backup, "back up a database, which may be in use")
    one.add_argument("SOURCE", help="the database")
    one.add_argument("DEST", help="the backup to make, compressed if it ends in .zst; or its directory")
    one.add_argument("--replace", action="store_true", help="replace an existing DEST, once the new one is verified")
    one.add_argument("--format", choices=["image", "zstd"], help="plain or compressed, whatever DEST's name")
    levels: Any = {"type": int, "choices": [level for level in range(-7, 20) if level != 0], "metavar": "N"}
    one.add_argument("--level", **levels, help="compression: -7 to 19; 3 unless told")
    one.add_argument("--reuse", metavar="ARCHIVE", help="take unchanged parts from this earlier backup")
    one.add_argument("--verify", **how, help="what is done before DEST appears")
    one.add_argument("--no-digest", action="store_true", help="do without the SHA-256 of the backup")
    one.add_argument("--rate", **rate)
    size: Any = {"type": _size, "metavar": "BYTES"}
    one.add_argument("--chunk-size", **size, help="bytes of a chunk, 64K to 8M; adapts unless told")
    one.add_argument("--busy-timeout", **lock)
    one.add_argument("--wal-limit", type=_size_but_0, metavar="BYTES", help="give up if SOURCE's -wal file grows by more")

    one = command("restore", _restore, "make a database of a backup")
    one.add_argument("ARCHIVE", help="the backup: .db, .db.zst, or another tool's .zst or .gz")
    one.add_argument("DEST", help="the database to make")
    one.add_argument("--replace", action="store_true", help="give an existing DEST the backup's content")
    one.add_argument("--keep-previous", metavar="PATH", help="back up the existing DEST there first")
    one.add_argument("--verify", **how, help="what is done before DEST is touched")
    one.add_argument("--rate", **rate)
    one.add_argument("--busy-timeout", **lock)

    one = command("verify", _verify, "check whether backups are good")
    one.add_argument("ARCHIVE", nargs="+", help="the backups")
    one.add_argument("--full", action="store_true", help="decompress everything, and let SQLite check it")
    one.add_argument("--rate", **rate)

    one = command("inspect", _inspect, "tell what backups say about themselves")
    one.add_argument("ARCHIVE", nargs="+", help="the backups")

    one = command("list", _list, "list the backups in a directory, the oldest first")
    one.add_argument("DIR", nargs="?", default=".", help="the directory; the working directory unless told")
    one.add_argument("-a", "--all", action="store_true", help="also files that are no backups, and hidden ones")
    return parser


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.version:
        print(f"{NAME} {lb_backup.library_version()}")
        return 0
    if arguments.command is None:
        parser.error("a command is required")
    if arguments.progress and (arguments.quiet or arguments.no_progress):
        parser.error("--progress excludes --quiet and --no-progress")
    if arguments.quiet and arguments.json:
        parser.error("--quiet excludes --json")
    if getattr(arguments, "keep_previous", None) and not arguments.replace:
        parser.error("--keep-previous requires --replace")
    output = _Output(arguments, arguments.command)
    try:
        return output.end(arguments.run(arguments, output))
    except Exception as defect:  # the last resort of a program: an exit code of its own, and no traceback
        output.remark(f"{type(defect).__name__}: {defect}")
        return _DEFECT
