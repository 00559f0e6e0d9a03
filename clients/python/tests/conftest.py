"""Databases for the tests, and the processes beside this one."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Callable, Iterator, List

import pytest

import lb_backup

PACKAGE = Path(lb_backup.__file__).parent
REPOSITORY = Path(__file__).resolve().parents[3]
SLOW = 1 << 20  # bytes per second, at which the big database takes half a minute: time enough to do anything to it


def make_database(path: Path, mib: int, journal_mode: str = "wal") -> sqlite3.Connection:
    """A connection of the standard library's to a database of about that many MiB, which do not compress."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA journal_mode={journal_mode}")
    connection.execute("CREATE TABLE t(payload)")
    content = random.Random(7)
    connection.execute("BEGIN")
    for _ in range(mib * 16):
        connection.execute("INSERT INTO t VALUES(?)", (content.getrandbits(65536 * 8 - 8 * 64).to_bytes(65472, "big"),))
    connection.execute("COMMIT")
    return connection


def rows(connection: sqlite3.Connection) -> int:
    count: int = connection.execute("SELECT count(*) FROM t").fetchone()[0]
    return count


def rows_of(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return rows(connection)
    finally:
        connection.close()


def shell(database: Path, *commands: str) -> subprocess.CompletedProcess[str]:
    """The sqlite3 program: an outsider."""
    return subprocess.run(["sqlite3", str(database), *commands], capture_output=True, text=True)


def python(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Another Python, with the same package and library."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent), **environment},
    )


def held(job: lb_backup.Job) -> lb_backup.Job:
    """A throttled job, once it is in the middle of its copy."""
    for progress in job.watch(0.002):
        if progress.bytes_done > 0:
            break
    assert not job.done()
    return job


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    """A WAL database of 2 MiB that this process has open."""
    connection = make_database(tmp_path / "game.db", 2)
    yield tmp_path / "game.db"
    connection.close()


@pytest.fixture
def big(tmp_path: Path) -> Iterator[Path]:
    """A WAL database of 32 MiB that this process has open."""
    connection = make_database(tmp_path / "big.db", 32)
    yield tmp_path / "big.db"
    connection.close()


@pytest.fixture
def backups(tmp_path: Path) -> Callable[[], List[str]]:
    """What is there, beside the databases themselves."""

    def found() -> List[str]:
        names = (path.name for path in tmp_path.iterdir())
        return sorted(name for name in names if not name.startswith(("game.db", "big.db")))

    return found
