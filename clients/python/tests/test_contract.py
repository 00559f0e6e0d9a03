"""The tests that every client has under the same names: with the language's own SQLite in the process."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import itertools
import os
import signal
import sqlite3
import weakref
from pathlib import Path
from typing import Any, Callable, List, Sequence

import pytest

import lb_backup
from conftest import REPOSITORY, SLOW, held, make_database, python, rows, rows_of, shell
from lb_backup import _errors, _ffi

HERE = Path(__file__).parent


def test_round_trip(database: Path, tmp_path: Path) -> None:
    result = lb_backup.backup(database, tmp_path / "copy.db.zst")
    assert result.dest == tmp_path / "copy.db.zst"
    assert result.archive_bytes == result.dest.stat().st_size
    assert result.image_bytes == result.pages * result.page_size
    assert result.sha256 == hashlib.sha256(result.dest.read_bytes()).hexdigest()
    assert result.started <= result.finished

    info = lb_backup.inspect(result.dest)
    assert (info.kind, info.pages, info.image_bytes) == (lb_backup.Kind.ARCHIVE, result.pages, result.image_bytes)
    assert lb_backup.verify(result.dest, verify="full").image_bytes == result.image_bytes

    restored = lb_backup.restore(result.dest, tmp_path / "restored.db")
    assert restored.image_bytes == result.image_bytes
    assert rows_of(tmp_path / "restored.db") == rows_of(database) == 32


def test_progress(big: Path, tmp_path: Path) -> None:
    looks: List[lb_backup.Progress] = []
    result = lb_backup.backup(big, tmp_path / "copy.db", progress=looks.append, progress_interval=0.001)
    assert len(looks) > 1
    for earlier, later in zip(looks, looks[1:]):
        assert earlier.percent <= later.percent
        assert earlier.bytes_done <= later.bytes_done
        assert earlier.phase <= later.phase
    last = looks[-1]
    assert (last.percent, last.state, last.phase) == (100, lb_backup.JobState.SUCCEEDED, lb_backup.Phase.DONE)
    assert last.bytes_done == last.bytes_total == result.image_bytes

    looks.clear()  # and on the library's thread
    job = lb_backup.start_backup(big, tmp_path / "other.db", progress=looks.append, progress_interval=0.001)
    job.result()
    assert looks[-1].percent == 100
    assert list(job)[-1] == job.progress == looks[-1]


def test_cancel(big: Path, backups: Callable[[], List[str]]) -> None:
    job = held(lb_backup.start_backup(big, big.with_name("copy.db"), max_bytes_per_second=SLOW))
    assert job.cancel()
    with pytest.raises(lb_backup.CancelledError):
        job.result()
    assert job.progress.state is lb_backup.JobState.CANCELLED
    assert job.progress.percent < 100
    assert backups() == []


def test_each_status_is_an_error_of_its_own() -> None:
    header = (REPOSITORY / "include/lb_backup.h").read_text()
    statuses = [status for status in lb_backup.Status if status != lb_backup.Status.OK]
    assert len(_errors.ERRORS) == len(set(_errors.ERRORS.values())) == len(statuses)
    for status in statuses:
        assert f"LB_STATUS_{status.name} = {status.value}," in header
        assert _ffi.library().lb_status_name(status).decode() == f"LB_STATUS_{status.name}"
        error = _errors.make_error(status, "why", 5, 13)
        assert type(error) is _errors.ERRORS[status] and isinstance(error, lb_backup.Error)
        assert (error.status, str(error), error.sqlite_code, error.sys_errno) == (status, "why", 5, 13)
        assert type(error) is type(error.__reduce__()[0](*error.__reduce__()[1]))
    assert header.count("\n    LB_STATUS_") == len(statuses) + 1
    later = _errors.make_error(999, "of a later library")
    assert type(later) is lb_backup.Error and later.status == 999


def test_stale_handle(database: Path, tmp_path: Path) -> None:
    job = lb_backup.start_backup(database, tmp_path / "copy.db")
    handle = job._handle
    first = job.result()
    while lb_backup.jobs():  # the library's thread has yet to return from on_complete
        pass
    assert job.result() is first and job.wait(0) and not job.cancel()
    assert job.progress.percent == 100
    with pytest.raises(lb_backup.InvalidHandleError):
        job.set_rate(1)
    for function in ("lb_backup_cancel", "lb_backup_release"):
        assert getattr(_ffi.library(), function)(handle) == lb_backup.Status.INVALID_HANDLE


class Mistake(Exception):
    pass


def _throw(progress: lb_backup.Progress) -> None:
    raise Mistake


def test_callback_that_throws(big: Path, backups: Callable[[], List[str]]) -> None:
    dest = big.with_name("copy.db")
    with pytest.raises(Mistake):
        lb_backup.backup(big, dest, progress=_throw, progress_interval=0.001, max_bytes_per_second=SLOW)
    job = lb_backup.start_backup(big, dest, progress=_throw, progress_interval=0.001, max_bytes_per_second=SLOW)
    with pytest.raises(Mistake):
        job.result()
    assert job.progress.state is lb_backup.JobState.CANCELLED
    with pytest.raises(Mistake):
        asyncio.run(
            lb_backup.backup_async(big, dest, progress=_throw, progress_interval=0.001, max_bytes_per_second=SLOW)
        )
    assert backups() == []


def test_fifty_jobs_at_once(database: Path, tmp_path: Path) -> None:
    async def all_of_them() -> List[lb_backup.Result]:
        jobs = [lb_backup.start_backup((database, other)[i % 2], tmp_path / f"copy{i}.db") for i in range(50)]
        return await asyncio.gather(*jobs)

    other = tmp_path / "other.db"
    make_database(other, 1).close()
    for i, result in enumerate(asyncio.run(all_of_them())):
        copy = tmp_path / f"copy{i}.db"
        assert rows_of(copy) == (32, 16)[i % 2]
        assert result.sha256 == hashlib.sha256(copy.read_bytes()).hexdigest()


def test_forgotten_job_is_collected(database: Path, tmp_path: Path) -> None:
    job = lb_backup.start_backup(database, tmp_path / "copy.db")
    future, forgotten = job.future(), weakref.ref(job)
    del job
    future.result()  # the job went on without anybody
    del future
    while forgotten() is not None or lb_backup.jobs():  # the library's thread has yet to return from on_complete
        gc.collect()
    assert rows_of(tmp_path / "copy.db") == 32


MOMENTS = ("during a backup", "after a cancelled one", "after a whole one")


# Run as a program by tests below, which is why it takes a directory and asserts by exit code.
def outsider_scenario(directory: Path, journal_mode: str, suffix: str, moments: Sequence[str] = MOMENTS) -> None:
    source = directory / "game.db"
    connection = make_database(source, 2, journal_mode)
    before = rows(connection)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO t VALUES('not yet committed')")

    def refused() -> bool:
        return "database is locked" in shell(source, ".timeout 0", "INSERT INTO t VALUES('outsider')").stderr

    def outsider_tries(moment: str) -> None:
        if moment in moments and not refused():
            print("the outsider got in", moment)
            raise SystemExit(10)

    assert refused()
    # Of 2 MiB so slow a backup takes half a minute. A plain copy that keeps writers waiting would not be held.
    options: Any = {"chunk_size": 1 << 16, "max_bytes_per_second": 1 << 16}
    with lb_backup.start_backup(source, directory / "cancelled.db.zst", **options) as job:
        held(job)
        outsider_tries("during a backup")
        job.cancel()
    assert job.progress.state is lb_backup.JobState.CANCELLED
    outsider_tries("after a cancelled one")
    result = lb_backup.backup(source, directory / ("copy" + suffix))
    outsider_tries("after a whole one")
    connection.execute("COMMIT")
    assert rows(connection) == before + 1
    connection.close()
    lb_backup.restore(directory / ("copy" + suffix), directory / "restored.db")
    assert rows_of(directory / "restored.db") == before
    assert result.sha256


JOURNALS = pytest.mark.parametrize("journal_mode", ["delete", "wal"])


@JOURNALS
@pytest.mark.parametrize("suffix", [".db", ".db.zst"])
def test_open_transaction_then_an_outsider_is_refused(tmp_path: Path, journal_mode: str, suffix: str) -> None:
    outsider_scenario(tmp_path, journal_mode, suffix)


HOOKS = os.environ.get("LB_BACKUP_HOOKS_LIBRARY")
if HOOKS:

    # During a backup with a rollback journal, the library's own lock may keep the outsider out in any case.
    @pytest.mark.parametrize(
        ("journal_mode", "moment"), [("wal", MOMENTS[0]), *itertools.product(("wal", "delete"), MOMENTS[1:])]
    )
    def test_open_transaction_then_an_outsider_gets_in_without_isolation(
        tmp_path: Path, journal_mode: str, moment: str
    ) -> None:
        assert HOOKS is not None
        run = python(
            HERE / "scenario.py",
            tmp_path,
            journal_mode,
            ".db",
            moment,
            LB_BACKUP_LIBRARY=HOOKS,
            LB_BACKUP_TEST_HOOKS="no-isolation",
        )
        assert (run.returncode, run.stdout) == (10, f"the outsider got in {moment}\n"), run.stderr


CRASH = """
import os, signal, sqlite3, subprocess, sys, lb_backup
source = sys.argv[1]
connection = sqlite3.connect(source, isolation_level=None)
connection.execute("PRAGMA wal_autocheckpoint=0")
connection.execute("SELECT count(*) FROM t").fetchone()
lb_backup.backup(source, source + ".copy")
# A visitor who took himself for the last user would unlink the -wal.
subprocess.run(["sqlite3", source, "SELECT count(*) FROM t"], check=True, stdout=subprocess.DEVNULL)
for i in range(100):
    connection.execute("INSERT INTO t VALUES(?)", (i,))
os.kill(os.getpid(), signal.SIGKILL)
"""


@JOURNALS
def test_commit_after_backup_then_crash_keeps_all_rows(tmp_path: Path, journal_mode: str) -> None:
    source = tmp_path / "game.db"
    make_database(source, 2, journal_mode).close()
    run = python("-c", CRASH, source)
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert shell(source, "SELECT count(*) FROM t", "PRAGMA integrity_check").stdout == "132\nok\n"
    assert rows_of(Path(f"{source}.copy")) == 32


if HOOKS:

    @pytest.mark.parametrize("switch", ["", "no-isolation"])
    def test_commit_after_backup_then_crash_loses_rows_without_isolation(tmp_path: Path, switch: str) -> None:
        assert HOOKS is not None
        source = tmp_path / "game.db"
        make_database(source, 2).close()
        run = python("-c", CRASH, source, LB_BACKUP_LIBRARY=HOOKS, LB_BACKUP_TEST_HOOKS=switch)
        # Without its locks the host may also find its shared memory cut short by the visitor, and end of that.
        assert run.returncode < 0, run.stderr
        kept = int(shell(source, "SELECT count(*) FROM t").stdout)
        assert kept < 132 if switch else kept == 132


EXIT = """
import sqlite3, sys, lb_backup
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA wal_autocheckpoint=0")
connection.execute("INSERT INTO t VALUES('in the -wal')")
job = lb_backup.start_backup(sys.argv[1], sys.argv[2], max_bytes_per_second=1 << 20, progress=lambda progress: None)
for progress in job.watch(0.002):
    if progress.bytes_done:
        sys.exit(7)
"""


def test_exit_with_a_job_running(big: Path, backups: Callable[[], List[str]]) -> None:
    run = python("-c", EXIT, big, big.with_name("copy.db"))
    assert (run.returncode, run.stdout, run.stderr) == (7, "", "")
    assert backups() == []
    assert rows_of(big) == 513
