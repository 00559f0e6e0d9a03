"""``python -m lb_backup`` is lbbackup: its commands, flags, JSON and exit codes are those of the manual page."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from conftest import PACKAGE, REPOSITORY, python
from lb_backup import _tool

MANUAL = (REPOSITORY / "tools/lbbackup/lbbackup.1").read_text()


def tool(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return python("-m", "lb_backup", *arguments)


def objects(run: "subprocess.CompletedProcess[str]") -> List[Dict[str, Any]]:
    return [json.loads(line) for line in run.stdout.splitlines()]


def fields_of(entry: str) -> "set[str]":
    """The names that the manual gives to one kind of object, words in parentheses left out."""
    text = re.search(rf"^\.It {entry}$\n(.*?)(?=^\.It |^\.El)", MANUAL, re.M | re.S)
    assert text is not None
    return set(re.findall(r"^\.Li (\w+)", text[1], re.M))


def test_flags_are_those_of_the_manual() -> None:
    documented = {"--" + name for name in re.findall(r"\bFl (?:\w , )?-([a-z][a-z-]+)", MANUAL)}
    (commands,) = [one.choices for one in _tool._parser()._actions if isinstance(one.choices, dict)]
    mine = {flag for flag in _tool._parser()._option_string_actions if flag.startswith("--")}
    for command in commands.values():
        mine |= {flag for flag in command._option_string_actions if flag.startswith("--")}
    assert mine == documented
    assert set(commands) == {"backup", "restore", "verify", "inspect", "list"}


def test_objects_have_the_fields_of_the_manual(database: Path, tmp_path: Path) -> None:
    copy, everywhere = tmp_path / "copy.db.zst", fields_of("every object") | fields_of("every result")
    of_job = everywhere | fields_of("Cm backup , restore , verify") - {"source", "database"}
    made = tool("backup", database, copy, "--json", "--progress")
    *progress, result = objects(made)
    assert set(result) == of_job | {"source"}
    assert all(set(one) == fields_of("every object") | fields_of("progress") for one in progress) and progress
    (restored,) = objects(tool("restore", copy, tmp_path / "back.db", "--json"))
    assert set(restored) == of_job | {"database"}
    (verified,) = objects(tool("--json", "verify", copy))
    assert set(verified) == of_job and verified["status"] == "LB_STATUS_OK"
    for run in (tool("inspect", copy, "--json"), tool("list", tmp_path, "--json")):
        for one in objects(run):
            assert set(one) == everywhere | fields_of("Cm inspect , list")
    (failed,) = objects(tool("verify", __file__, "--json"))
    assert set(failed) == everywhere | fields_of("every failure") | {"archive"}
    assert failed["exit_code"] == 1 and failed["failed_check"] == "structure"


def test_exit_codes_are_those_of_the_manual(database: Path, tmp_path: Path) -> None:
    assert {int(code) for code in re.findall(r"^\.It (\d+)$", MANUAL, re.M)} == {0, *_tool._WORST_FIRST}
    copy = tmp_path / "copy.db.zst"
    assert tool("backup", database, copy).returncode == 0
    (tmp_path / "damaged.db.zst").write_bytes(copy.read_bytes()[:-9])
    assert tool("verify", copy, tmp_path / "damaged.db.zst").returncode == 1
    assert tool("backup", database).returncode == 2
    assert tool("backup", database, tmp_path / "plain.db", "--level", "3").returncode == 2
    for zero in (["--level", "0"], ["--wal-limit", "0"]):
        assert tool("backup", database, tmp_path / "no.db.zst", *zero).returncode == 2
    locked = sqlite3.connect(tmp_path / "locked.db", isolation_level=None)
    locked.execute("CREATE TABLE t(x)")
    locked.execute("BEGIN EXCLUSIVE")
    assert tool("backup", tmp_path / "locked.db", tmp_path / "no.db", "--busy-timeout", "1ms").returncode == 3
    locked.close()
    assert tool("backup", tmp_path / "missing.db", tmp_path / "no.db").returncode == 5
    again = tool("backup", database, copy)
    assert again.returncode == 6 and "hint: --replace" in again.stderr
    assert tool("backup", database, copy, "--replace", "--reuse", copy, "--quiet").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_cancels_and_nothing_is_left(number: signal.Signals, big: Path) -> None:
    arguments = ["backup", str(big), str(big.with_name("copy.db")), "--rate", "1M", "--json", "--progress"]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    run = subprocess.Popen(
        [sys.executable, "-m", "lb_backup", *arguments], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert run.stdout is not None
    for line in run.stdout:
        if json.loads(line).get("bytes_done"):
            break
    run.send_signal(number)
    rest, _ = run.communicate()
    assert run.returncode == 128 + number
    assert json.loads(rest.splitlines()[-1])["message"] == "cancelled; nothing was left behind"
    assert not big.with_name("copy.db").exists()


def test_people_are_told(database: Path, tmp_path: Path) -> None:
    assert tool("--version").stdout.startswith("lbbackup 0.1.0 (sqlite ")
    made = tool("backup", database, tmp_path)
    (name,) = (path.name for path in tmp_path.glob("game-*Z.db.zst"))
    assert name in made.stdout and "SHA-256" in made.stdout
    assert "OK in full" in tool("verify", "--full", tmp_path / name).stdout
    assert "archive, format 1" in tool("inspect", tmp_path / name).stdout
    listed = tool("list", tmp_path).stdout.splitlines()
    assert listed[0].split()[:2] == ["NAME", "KIND"] and len(listed) == 3
    assert name in tool("restore", tmp_path / name, tmp_path / "back.db").stdout
