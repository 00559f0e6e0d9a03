"""bench.py [ROUNDS]: what this client costs over C, for a database of 1 MiB; and what importing it costs.

Backups by clients/bench.c and by each way of this client in turn, so that whatever disturbs the machine disturbs all.
LB_BACKUP_LIBRARY names the library.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, List

sys.path.insert(0, str(Path(__file__).with_name("src")))

import lb_backup

CLIENTS = Path(__file__).resolve().parents[1]


def main(rounds: int) -> None:
    import asyncio
    import sqlite3

    with tempfile.TemporaryDirectory() as directory:
        source, dest, program = (os.path.join(directory, name) for name in ("source.db", "dest.db", "bench"))
        subprocess.run(
            ["cc", "-std=c11", "-O2", "-I", CLIENTS.parent / "include", CLIENTS / "bench.c", "-o", program], check=True
        )
        connection = sqlite3.connect(source)
        connection.execute("CREATE TABLE t(x)")
        connection.executemany("INSERT INTO t VALUES(?)", ((os.urandom(1000),) for _ in range(1000)))
        connection.commit()
        print(f"database of {os.stat(source).st_size} bytes, {rounds} rounds")
        command = [program, lb_backup.load(), source, dest]
        in_c = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def c() -> float:
            assert in_c.stdin is not None and in_c.stdout is not None
            in_c.stdin.write(b"\n")
            in_c.stdin.flush()
            return int(in_c.stdout.readline()) / 1e6

        def timed(call: Callable[[], object]) -> Callable[[], float]:
            def run() -> float:
                before = time.perf_counter_ns()
                call()
                after = time.perf_counter_ns()
                os.unlink(dest)
                return (after - before) / 1e6

            return run

        loop = asyncio.new_event_loop()

        async def awaited() -> None:
            await lb_backup.start_backup(source, dest)

        ways: Dict[str, Callable[[], float]] = {
            "C": c,
            "backup()": timed(lambda: lb_backup.backup(source, dest)),
            "start_backup().future().result()": timed(lambda: lb_backup.start_backup(source, dest).future().result()),
            "await start_backup()": timed(lambda: loop.run_until_complete(awaited())),
        }
        taken: Dict[str, List[float]] = {name: [] for name in ways}
        for round in range(rounds + 3):  # the first ones start threads and fill caches
            for name, way in ways.items():
                ms = way()
                if round >= 3:
                    taken[name].append(ms)
        in_c.communicate()
        loop.close()
        base = statistics.median(taken["C"])
        for name, times in taken.items():
            median = statistics.median(times)
            print(f"{name:34} median {median:7.3f} ms, {median - base:+.3f} ms over C; least {min(times):.3f} ms")
        job = lb_backup.start_backup(source, dest)
        job.result()
        job._last_look = None  # asked of the library again
        before = time.perf_counter_ns()
        for _ in range(10000):
            job.progress
        print(f"{'job.progress':34} {(time.perf_counter_ns() - before) / 1e7:.2f} us")
        connection.close()
    imports: List[float] = []
    processors: List[float] = []
    environment = {**os.environ, "PYTHONPATH": sys.path[0], "LB_BACKUP_LIBRARY": lb_backup.load()}
    code = """
import time
wall, processor = time.perf_counter_ns(), time.process_time_ns()
import lb_backup
lb_backup.load()
print(time.perf_counter_ns() - wall, time.process_time_ns() - processor)
"""
    for _ in range(15):
        command = [sys.executable, "-c", code]
        run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        wall, processor = (int(ns) / 1e6 for ns in run.stdout.split())
        imports.append(wall)
        processors.append(processor)
    print(f"import and load() median {statistics.median(imports):.1f} ms, least {min(imports):.1f} ms,")
    print(f"  of it processor time: median {statistics.median(processors):.1f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
