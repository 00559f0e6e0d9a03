"""The header and its copy in ctypes are the same."""

from __future__ import annotations

import re
import subprocess
from ctypes import sizeof
from pathlib import Path
from typing import List

import lb_backup
from conftest import REPOSITORY
from lb_backup import _ffi

HEADER = (REPOSITORY / "include/lb_backup.h").read_text()
CODE = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.S)


def fields(structure: str) -> List[str]:
    match = re.search(rf"typedef struct {structure} \{{(.*?)\}} {structure};", CODE, re.S)
    assert match is not None
    return re.findall(r"(\w+)(?:\[\w+\])?;", match[1])


def test_structures_have_the_sizes_and_offsets_of_the_header(tmp_path: Path) -> None:
    assert set(re.findall(r"typedef struct (\w+) \{", CODE)) == {one.__name__ for one in _ffi.STRUCTURES}
    program, expected = ["#include <lb_backup.h>", "#include <stdio.h>", "int main(void) {"], []
    for structure in _ffi.STRUCTURES:
        name = structure.__name__
        program.append(f'printf("{name} %zu\\n", sizeof({name}));')
        expected.append(f"{name} {sizeof(structure)}")
        for field in fields(name):
            program.append(f'printf("{field} %zu %zu\\n", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));')
            expected.append(f"{field} {getattr(structure, field).offset} {getattr(structure, field).size}")
        assert [field[0] for field in structure._fields_] == fields(name)
    program.append("return 0; }")
    source, binary = tmp_path / "layout.c", tmp_path / "layout"
    source.write_text("\n".join(program))
    subprocess.run(["cc", "-I", REPOSITORY / "include", source, "-o", binary], check=True)
    printed = subprocess.run([binary], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines() == expected


def test_functions_are_those_of_the_header() -> None:
    declared = re.findall(r"^(?:lb_status|const char \*|uint32_t)\s*(lb_\w+)\s*\((.*?)\);", CODE, re.M | re.S)
    counts = {name: 0 if arguments == "void" else arguments.count(",") + 1 for name, arguments in declared}
    assert counts == {name: len(arguments) for name, (_, arguments) in _ffi.FUNCTIONS.items()}


def test_numbers_are_those_of_the_header() -> None:
    defined = {name: int(value) for name, value in re.findall(r"#define LB_(\w+) (\d+)(?:ull)?\n", HEADER)}
    mine = {
        "ABI_VERSION": _ffi.ABI_VERSION,
        "MESSAGE_SIZE": _ffi.MESSAGE_SIZE,
        "NO_CHUNK": _ffi.NO_CHUNK,
        "CONFIG_SOURCE_NOT_OPEN_IN_PROCESS": _ffi.CONFIG_SOURCE_NOT_OPEN_IN_PROCESS,
        "EXISTING_REFUSE": 0,
        "EXISTING_REPLACE": 1,
        "DIGEST_SHA256": 0,
        "DIGEST_NONE": 1,
        "LOG_WARNING": 1,
        "LOG_INFO": 2,
    }
    for kind in (lb_backup.Format, lb_backup.Verify, lb_backup.Kind, lb_backup.Check, lb_backup.Priority):
        mine.update({f"{kind.__name__}_{one.name}".upper(): one.value for one in kind})
    assert defined == mine
    enumerated = dict(re.findall(r"\bLB_((?:STATUS|JOB_STATE|PHASE)_\w+) = (\d+)", CODE))
    states = {f"JOB_STATE_{one.name}": one.value for one in lb_backup.JobState}
    phases = {f"PHASE_{one.name}": one.value for one in lb_backup.Phase}
    statuses = {f"STATUS_{one.name}": one.value for one in lb_backup.Status}
    assert {name: int(value) for name, value in enumerated.items()} == {**states, **phases, **statuses}
