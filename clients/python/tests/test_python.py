"""What a user of Python expects besides: signals, asyncio, futures, tqdm, pickling, fork, the wheel, the examples."""

from __future__ import annotations

import asyncio
import concurrent.futures
import errno
import functools
import os
import pickle
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import venv
import zipfile
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import pytest
from tqdm import tqdm

import lb_backup
from conftest import PACKAGE, REPOSITORY, SLOW, held, make_database, python, rows_of
from lb_backup import _errors, _job

CLIENT = Path(__file__).resolve().parents[1]
Found = Callable[[], List[str]]


def test_keyboard_interrupt_cancels_and_is_raised_when_the_job_is_over(big: Path, backups: Found) -> None:
    def press_ctrl_c(progress: lb_backup.Progress) -> None:
        if progress.bytes_done and not pressed:
            pressed.append(True)
            os.kill(os.getpid(), signal.SIGINT)

    pressed: List[bool] = []
    with pytest.raises(KeyboardInterrupt):
        lb_backup.backup(
            big, big.with_name("copy.db"), progress=press_ctrl_c, progress_interval=0.002, max_bytes_per_second=SLOW
        )
    assert pressed and backups() == []
    assert all(job.state >= lb_backup.JobState.SUCCEEDED for job in lb_backup.jobs())


def test_keyboard_interrupt_ends_a_wait_that_shows_no_progress(big: Path, backups: Found) -> None:
    def when_it_copies(progress: lb_backup.Progress) -> None:
        if progress.bytes_done and waiting.is_set() and not pressed:
            pressed.append(True)
            signal.pthread_kill(main, signal.SIGINT)

    pressed: List[bool] = []
    waiting = threading.Event()
    main = threading.get_ident()
    options: Any = {"progress_interval": 0.002, "max_bytes_per_second": SLOW}
    job = lb_backup.start_backup(big, big.with_name("copy.db"), progress=when_it_copies, **options)
    with pytest.raises(KeyboardInterrupt), job:
        waiting.set()
        job.wait()
    assert job.done() and backups() == []


def test_leaving_the_block_by_an_exception_cancels(big: Path, backups: Found) -> None:
    with pytest.raises(ZeroDivisionError):
        with lb_backup.start_backup(big, big.with_name("copy.db"), max_bytes_per_second=SLOW) as job:
            held(job)
            raise ZeroDivisionError
    assert job.progress.state is lb_backup.JobState.CANCELLED and backups() == []


def test_leaving_the_block_waits_and_raises_what_nobody_has_seen(database: Path, tmp_path: Path) -> None:
    with lb_backup.start_backup(database, tmp_path / "copy.db") as job:
        pass
    assert job.result().dest == tmp_path / "copy.db"
    with pytest.raises(lb_backup.NotADatabaseError), lb_backup.start_verify(__file__):
        pass
    with lb_backup.start_verify(__file__) as job:
        with pytest.raises(lb_backup.NotADatabaseError):
            job.result()
    with lb_backup.start_backup(database, tmp_path / "no.db", max_bytes_per_second=1) as job:
        job.cancel()


def test_cancelled_task_cancels_the_job_and_ends_after_it(big: Path, backups: Found) -> None:
    async def run() -> lb_backup.Job:
        job = lb_backup.start_backup(big, big.with_name("copy.db"), max_bytes_per_second=SLOW)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(job, 0.01)
        assert job.done()
        with pytest.raises(asyncio.TimeoutError):
            options: Any = {"max_bytes_per_second": SLOW}
            await asyncio.wait_for(lb_backup.backup_async(big, big.with_name("other.db"), **options), 0.01)
        async with lb_backup.start_backup(big, big.with_name("third.db"), max_bytes_per_second=SLOW) as third:
            async for look in third.watch_async(0.002):
                if look.bytes_done:
                    third.cancel()
        with pytest.raises(lb_backup.CancelledError):
            await third
        return job

    assert asyncio.run(run()).progress.state is lb_backup.JobState.CANCELLED
    assert backups() == []


def test_closed_coroutine_cancels_the_job_and_ends_at_once(big: Path, backups: Found) -> None:
    async def awaits() -> None:
        await lb_backup.start_backup(big, big.with_name("awaited.db"), max_bytes_per_second=SLOW)

    async def is_in_the_block() -> None:
        async with lb_backup.start_backup(big, big.with_name("block.db"), max_bytes_per_second=SLOW):
            await asyncio.sleep(3600)

    async def waits_at_the_end_of_the_block() -> None:
        async with lb_backup.start_backup(big, big.with_name("end.db"), max_bytes_per_second=SLOW):
            pass

    async def closed() -> None:
        whole = lb_backup.backup_async(big, big.with_name("whole.db"), max_bytes_per_second=SLOW)
        for coroutine in (awaits(), is_in_the_block(), waits_at_the_end_of_the_block(), whole):
            coroutine.send(None)
            coroutine.close()

    asyncio.run(closed())
    while lb_backup.jobs():
        pass
    assert backups() == []


def test_future_tells_the_result_and_cancels(big: Path, tmp_path: Path) -> None:
    done = lb_backup.start_backup(big, tmp_path / "copy.db").future()
    held_job = held(lb_backup.start_backup(big, tmp_path / "held.db", max_bytes_per_second=SLOW))
    cancelled = held_job.future()
    assert cancelled.running() and cancelled.cancel()
    failed = lb_backup.start_verify(__file__).future()
    assert concurrent.futures.wait([done, cancelled, failed]).not_done == set()
    assert done.result().dest == tmp_path / "copy.db" and not done.cancel()
    assert cancelled.cancelled()
    with pytest.raises(concurrent.futures.CancelledError):
        cancelled.result()
    assert isinstance(failed.exception(), lb_backup.NotADatabaseError)


def test_progress_may_be_a_bar(big: Path, tmp_path: Path) -> None:
    with open(os.devnull, "w") as nowhere, tqdm(file=nowhere) as bar:
        result = lb_backup.backup(big, tmp_path / "copy.db", progress=bar)
    assert bar.total == bar.n == result.image_bytes
    lb_backup.verify(tmp_path / "copy.db", progress=tqdm)
    with pytest.raises(TypeError):
        lb_backup.backup(big, tmp_path / "no.db", progress=7)  # type: ignore[arg-type]


def test_backup_connection_is_a_drop_in_for_that_of_sqlite3(database: Path, tmp_path: Path) -> None:
    calls: List[Tuple[int, int, int]] = []
    source = sqlite3.connect(database)
    target = sqlite3.connect(tmp_path / "target.db")
    target.execute("CREATE TABLE old(x)")
    target.commit()
    lb_backup.backup_connection(source, target, pages=5, progress=lambda *call: calls.append(call), sleep=0)
    pages = source.execute("PRAGMA page_count").fetchone()[0]
    assert calls[-1] == (101, 0, pages)
    assert all(status == 0 for status, _, _ in calls[:-1])
    assert target.execute("SELECT count(*) FROM t").fetchone() == (32,)
    with pytest.raises(ValueError, match="file"):
        lb_backup.backup_connection(sqlite3.connect(":memory:"), tmp_path / "copy.db")
    target.close()
    source.close()


def test_end_that_cannot_be_told_is_the_error_of_the_job(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_a_later_library(*_: Any) -> lb_backup.Result:
        raise ValueError("999 is not a valid Format")

    monkeypatch.setattr(_job, "to_result", of_a_later_library)
    job = lb_backup.start_backup(database, tmp_path / "copy.db")
    future = job.future()
    with pytest.raises(ValueError, match="999"):
        job.result(timeout=60)
    assert isinstance(future.exception(timeout=60), ValueError)


def test_function_of_one_future_that_exits_leaves_the_others_told(
    big: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: List[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: told.append(unraisable.exc_type))
    job = held(lb_backup.start_backup(big, tmp_path / "copy.db", max_bytes_per_second=SLOW))
    job.future().add_done_callback(lambda _: sys.exit(1))
    other = job.future()
    job.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        other.result(timeout=60)
    while lb_backup.jobs():
        pass
    assert told == [SystemExit]


class Bar:
    made: List[Bar] = []

    def __init__(self, **keywords: Any) -> None:
        self.total: Any = None
        self.shown, self.closed, self.keywords = 0, False, keywords
        self.made.append(self)

    def update(self, n: int) -> None:
        self.shown += n

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("unit", ["B", "octets"])
def test_class_of_a_bar_makes_one_bar(big: Path, tmp_path: Path, unit: str) -> None:
    Bar.made.clear()
    kind: Any = Bar if unit == "B" else functools.partial(Bar, unit=unit)
    result = lb_backup.backup(big, tmp_path / "copy.db", progress=kind, progress_interval=0.001)
    (bar,) = Bar.made
    assert bar.closed and bar.shown == bar.total == result.image_bytes and bar.keywords["unit"] == unit
    asyncio.run(lb_backup.verify_async(tmp_path / "copy.db", progress=kind))
    assert len(Bar.made) == 2 and Bar.made[-1].closed


def test_class_is_refused_where_nobody_would_close_its_bar(database: Path, backups: Found) -> None:
    dest = database.with_name("copy.db")
    with pytest.raises(TypeError, match="class"):
        lb_backup.start_backup(database, dest, progress=tqdm)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="class"):
        lb_backup.start_restore(database, dest, progress=functools.partial(tqdm, desc="restore"))
    with pytest.raises(TypeError, match="class"):
        lb_backup.start_verify(database, progress=Bar)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="class"):
        lb_backup.backup(database, dest, progress=Mistaken)
    assert backups() == []


class Mistaken:
    def __init__(self, look: lb_backup.Progress) -> None:
        raise AssertionError("a class is made of a look")


def _as_dict(cursor: sqlite3.Cursor, row: Tuple[Any, ...]) -> Dict[str, Any]:
    return {column[0]: value for column, value in zip(cursor.description, row)}


@pytest.mark.parametrize(
    "factories",
    [{"row_factory": _as_dict}, {"row_factory": sqlite3.Row}, {"text_factory": bytes}],
    ids=["dictionaries", "Row", "bytes"],
)
def test_backup_connection_takes_connections_with_factories(database: Path, tmp_path: Path, factories: Any) -> None:
    source, target = sqlite3.connect(database), sqlite3.connect(tmp_path / "target.db")
    for name, factory in factories.items():
        setattr(source, name, factory)
        setattr(target, name, factory)
    calls: List[Tuple[int, int, int]] = []
    lb_backup.backup_connection(source, target, progress=lambda *call: calls.append(call))
    assert calls[-1][0] == 101
    target.close()
    source.close()
    assert rows_of(tmp_path / "target.db") == 32


def test_waiting_in_a_progress_function_would_deadlock(big: Path, tmp_path: Path) -> None:
    def wait(progress: lb_backup.Progress) -> None:
        started.wait()
        if progress.state < lb_backup.JobState.SUCCEEDED:
            jobs[0].wait()

    started, jobs = threading.Event(), []
    options: Any = {"progress_interval": 0.001, "max_bytes_per_second": SLOW}
    jobs.append(lb_backup.start_backup(big, tmp_path / "copy.db", progress=wait, **options))
    started.set()
    with pytest.raises(lb_backup.WouldDeadlockError):
        jobs[0].result()


@pytest.mark.parametrize("look", ["result", "exception"])
def test_waiting_for_a_future_in_a_progress_function_would_deadlock(big: Path, tmp_path: Path, look: str) -> None:
    def wait(progress: lb_backup.Progress) -> None:
        started.wait()
        if progress.state < lb_backup.JobState.SUCCEEDED:
            getattr(futures[0], look)()

    started, futures = threading.Event(), []
    options: Any = {"progress_interval": 0.001, "max_bytes_per_second": SLOW}
    job = lb_backup.start_backup(big, tmp_path / "copy.db", progress=wait, **options)
    futures.append(job.future())
    started.set()
    with pytest.raises(lb_backup.WouldDeadlockError):
        job.result()


@pytest.mark.parametrize(
    "option",
    [
        {"chunk_size": 0},
        {"chunk_size": 2**64},
        {"chunk_size": 1},
        {"compression_level": 20},
        {"compression_level": 2**32 + 3},
        {"busy_timeout": -1},
        {"busy_timeout": float("nan")},
        {"verify": "much"},
        {"reuse": "with\0nul"},
        {"max_bytes_per_second": -1},
    ],
)
def test_wrong_option_is_named(database: Path, tmp_path: Path, option: Any) -> None:
    with pytest.raises(lb_backup.InvalidArgumentError, match=next(iter(option))) as caught:
        lb_backup.backup(database, tmp_path / "copy.db.zst", **option)
    assert isinstance(caught.value, ValueError)
    with pytest.raises(TypeError, match="no option"):
        lb_backup.verify(database, **{"replace": True})  # type: ignore[arg-type]


def test_errors_are_those_that_python_has(database: Path, tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    with pytest.raises(FileNotFoundError) as missing:
        lb_backup.backup(tmp_path / "missing.db", tmp_path / "copy.db")
    assert missing.value.errno == 2 and "missing.db" in str(missing.value)
    with pytest.raises(FileExistsError) as exists:
        lb_backup.backup(database, tmp_path / "there")
    assert (exists.value.errno, exists.value.strerror) == (errno.EEXIST, os.strerror(errno.EEXIST))
    with pytest.raises(TimeoutError), lb_backup.start_backup(
        database, tmp_path / "held.db", max_bytes_per_second=SLOW
    ) as job:
        job.result(timeout=0)
    locked = sqlite3.connect(tmp_path / "locked.db", isolation_level=None)
    locked.execute("CREATE TABLE t(x)")
    locked.execute("BEGIN EXCLUSIVE")
    with pytest.raises(lb_backup.BusyError) as busy:
        lb_backup.backup(tmp_path / "locked.db", tmp_path / "copy.db", busy_timeout=timedelta(milliseconds=1))
    assert busy.value.sqlite_code & 0xFF == 5
    assert busy.value.result is not None and busy.value.result.status == lb_backup.Status.BUSY
    locked.close()
    again = pickle.loads(pickle.dumps(busy.value))
    assert type(again) is lb_backup.BusyError and again.result == busy.value.result
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(job)
    assert busy.value.result.started.tzinfo is timezone.utc


def test_every_oserror_has_an_errno() -> None:
    kinds = [kind for kind in _errors.ERRORS.values() if issubclass(kind, OSError)]
    assert len(kinds) == 6
    for kind in kinds:
        without = kind("why")
        assert without.errno and isinstance(without, type(OSError(without.errno, "")))
        assert without.sys_errno == 0 and str(without) == "why"
        assert kind("why", sys_errno=errno.EROFS).errno == errno.EROFS


FORK = """
import asyncio, os, signal, sys, threading, lb_backup
from lb_backup import _job
source, dest = sys.argv[1:]
job = lb_backup.start_backup(source, dest, max_bytes_per_second=1 << 20)
future = job.future()

async def looks():
    async for look in job:
        pass

async def leaves_the_block():
    async with job:
        pass

async def awaits():
    await job

def leaves_by_its_own_exception():
    with job:
        raise lb_backup.WrongProcessError("its own")

calls = {
    "wait": job.wait,
    "result": job.result,
    "cancel": job.cancel,
    "progress": lambda: job.progress,
    "iterate": lambda: list(job),
    "with": leaves_by_its_own_exception,
    "future": lambda: job.future().result(),
    "earlier future": future.result,
    "its exception": future.exception,
    "its cancel": future.cancel,
    "await": lambda: asyncio.run(awaits()),
    "async for": lambda: asyncio.run(looks()),
    "async with": lambda: asyncio.run(leaves_the_block()),
    "inspect": lambda: lb_backup.inspect(source),
    "start": lambda: lb_backup.start_backup(source, dest + "2"),
    "backup": lambda: lb_backup.backup(source, dest + "3"),
    "jobs": lb_backup.jobs,
}
held, forked = threading.Event(), threading.Event()

def hold():  # what the child inherits locked, without the thread that would unlock it
    with _job._lock, job._guard:
        held.set()
        forked.wait()

threading.Thread(target=hold).start()
held.wait()
child = os.fork()
if child == 0:
    for name, call in calls.items():
        signal.alarm(10)  # for a call that waits for ever
        print(name, end=": ", flush=True)
        try:
            call()
        except lb_backup.WrongProcessError as error:
            print(error, flush=True)
            continue
        os._exit(1)
    sys.exit(3)  # through atexit: it must not wait for the parent's jobs
forked.set()
_, status = os.waitpid(child, 0)
job.cancel()
assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 3, status
"""


def test_child_after_fork_is_told_so(big: Path, tmp_path: Path) -> None:
    run = python("-W", "ignore", "-c", FORK, big, tmp_path / "copy.db")
    assert (run.returncode, run.stderr) == (0, ""), run.stdout
    said = dict(line.split(": ", 1) for line in run.stdout.splitlines())
    assert len(said) == 17 and said.pop("with") == "its own"
    assert all("forked" in message for message in said.values()), said
    assert said["backup"].startswith("lb_backup_start: ")


MULTIPROCESSING = """
import multiprocessing, sys, lb_backup
def work(queue):
    try:
        job.result()
    except lb_backup.WrongProcessError as error:
        queue.put(str(error))
fork = multiprocessing.get_context("fork")
job, queue = lb_backup.start_backup(*sys.argv[1:], max_bytes_per_second=1 << 20), fork.SimpleQueue()
child = fork.Process(target=work, args=(queue,))
child.start()
print(queue.get())
child.join()
job.cancel()
sys.exit(child.exitcode)
"""


def test_child_of_multiprocessing_is_told_so(big: Path, tmp_path: Path) -> None:
    run = python("-W", "ignore", "-c", MULTIPROCESSING, big, tmp_path / "copy.db")
    assert (run.returncode, run.stderr) == (0, "") and run.stdout.startswith("wait: this process was forked")


def test_configure_passes_warnings_on(database: Path, tmp_path: Path) -> None:
    program = """
import sys, lb_backup
lb_backup.configure(workers=1, priority=lb_backup.Priority.NORMAL, on_warning=lambda line: print(line, flush=True))
lb_backup.backup(sys.argv[1], sys.argv[2] + ".zst", reuse=sys.argv[1])
try:
    lb_backup.configure(workers=1)
except lb_backup.BusyError:
    assert lb_backup.shutdown(60)
    lb_backup.configure(workers=1)
"""
    run = python("-c", program, database, tmp_path / "copy.db")
    assert (run.returncode, run.stderr) == (0, ""), run.stderr
    assert "game.db" in run.stdout


@pytest.mark.parametrize("example", ["ten_lines", "progress_bar"])
def test_example_runs(example: str, database: Path, tmp_path: Path) -> None:
    program = CLIENT / "examples" / f"{example}.py"
    run = python(program, database, tmp_path / "copy.db.zst")
    assert run.returncode == 0, run.stderr
    assert "100.0 %" in run.stdout or "100%" in run.stderr
    assert rows_of(lb_backup.restore(tmp_path / "copy.db.zst", tmp_path / "back.db").dest or Path()) == 32
    again = python(program, database, tmp_path / "copy.db.zst")
    assert again.returncode == 1 and "copy.db.zst" in again.stderr


PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def make_wheel(directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    # In a copy: setuptools builds beside its sources.
    names = ("src", "pyproject.toml", "setup.py", "README.md", "LICENSE-APACHE", "LICENSE-MIT")
    subprocess.run(["cp", "-rL", *(CLIENT / name for name in names), directory], check=True)
    build = ["wheel", "--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", directory, directory]
    environment = {**os.environ, "PYTHONPATH": "", **environment}
    return subprocess.run([*PIP, *map(str, build)], capture_output=True, text=True, env=environment)


def licences(directory: Path) -> Dict[str, str]:
    """The texts of its wheel's dist-info."""
    (path,) = directory.glob("lb_backup-*-py3-none-linux_*.whl")
    with zipfile.ZipFile(path) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" in name and "/LICENSE" in name]
        return {Path(name).name: wheel.read(name).decode() for name in names}


def test_wheel_carries_the_library_and_the_licences(tmp_path: Path, database: Path) -> None:
    library = tmp_path / "prefix/lib/any/liblb_backup.so"
    notices = tmp_path / "prefix/share/licenses/lb_backup/LICENSES-OF-OTHERS"
    library.parent.mkdir(parents=True)
    notices.parent.mkdir(parents=True)
    shutil.copyfile(lb_backup.load(), library)
    notices.write_text("the work of others: ©")
    built = make_wheel(tmp_path, LB_BACKUP_LIBRARY=str(library), LB_BACKUP_NOTICES="")
    assert built.returncode == 0, built.stderr
    wanted = {name: (REPOSITORY / name).read_text() for name in ("LICENSE-APACHE", "LICENSE-MIT")}
    assert licences(tmp_path) == {**wanted, "LICENSES-OF-OTHERS": "the work of others: ©"}

    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "venv")
    there = tmp_path / "venv/bin/python"
    subprocess.run([*PIP, "--python", there, "install", "--no-deps", "--no-index", wheel], check=True)
    program = f"import lb_backup; print(lb_backup.load()); lb_backup.backup({str(database)!r}, 'copy.db')"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LB_", "PYTHON"))}
    run = subprocess.run([there, "-c", program], capture_output=True, text=True, env=clean, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(str(tmp_path / "venv")) and run.stdout.endswith("lb_backup/liblb_backup.so.0\n")
    assert rows_of(tmp_path / "copy.db") == 32


def test_wheel_with_the_library_is_not_made_without_the_notices(tmp_path: Path) -> None:
    library = tmp_path / "liblb_backup.so"
    shutil.copyfile(lb_backup.load(), library)
    refused = make_wheel(tmp_path, LB_BACKUP_LIBRARY=str(library), LB_BACKUP_NOTICES="")
    assert refused.returncode != 0 and "LB_BACKUP_NOTICES" in refused.stderr
    (tmp_path / "copyright").write_text("the work of others")
    built = make_wheel(tmp_path, LB_BACKUP_LIBRARY=str(library), LB_BACKUP_NOTICES=str(tmp_path / "copyright"))
    assert built.returncode == 0, built.stderr
    assert licences(tmp_path)["LICENSES-OF-OTHERS"] == "the work of others"


def test_library_is_loaded_once_and_by_name() -> None:
    name = lb_backup.load()
    assert lb_backup.load(name) == name
    with pytest.raises(RuntimeError):
        lb_backup.load("/another/liblb_backup.so.0")
    missing = python("-c", "import lb_backup; lb_backup.load()", LB_BACKUP_LIBRARY="/nowhere/liblb_backup.so.0")
    assert "OSError" in missing.stderr and "/nowhere" in missing.stderr
    another = python("-c", "import lb_backup; lb_backup.load()", LB_BACKUP_LIBRARY="libm.so.6")
    assert "\nImportError: lb_backup cannot use libm.so.6: " in another.stderr and "lb_backup_start" in another.stderr
    assert lb_backup.library_version().startswith(lb_backup.__version__)
    assert (PACKAGE / "py.typed").exists()


def test_readme_shows_the_example() -> None:
    readme = (CLIENT / "README.md").read_text()
    assert "```python\n" + (CLIENT / "examples/ten_lines.py").read_text() + "```" in readme
