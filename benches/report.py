#!/usr/bin/env python3
"""benches/report.py RESULTS: the tables of docs/BENCHMARKS.md, of those sections that RESULTS has."""

import sys
from statistics import median

from results import OUT_OF_PATIENCE, Results

IMAGE, ARCHIVE = "lb_backup to .db", "lb_backup to .db.zst, level 3"  # with the default options
LIVE = {".db": "lb_backup to .db", ".db.zst": "lb_backup to .db.zst"}
ZSTD = "zstd -T0 -3 of the file"
NEW_FILE, QUICK = "restore to a new file", "quick verification"
IN_PLACE = "restore in place, the last 1 % of the games changed"
ONE_AT_A_TIME = "online backup, fsync"
ADAPTER_LISTS = ("list, nothing in memory", "list, new to the manager", "list, known to the manager")
GAMES_WAY = "the game's way (copy_file, then gzip)"


def time(seconds):
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.1f} µs"


def nanoseconds(seconds):
    return f"{seconds * 1e9:.1f} ns"


def size(count):
    return f"{count / 2**20:.1f} MiB"


def times(ratio):
    return f"{ratio:.2f} x"


def percent(ratio):
    return f"{ratio * 100:.1f} %"


def from_to(values, show):
    return f"{show(min(values))} to {show(max(values))}" if len(values) > 1 else "one round"


def spread(results, section, contender, quantity="seconds", show=time):
    rounds = results.values(section, contender, quantity)
    return [show(value) for value in (median(rounds), min(rounds), max(rounds))]


def table(rows):
    """Markdown that reads well as it is. The first row is the heading; the first column is text, all else figures."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    rule = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
    for row in [rows[0], rule, *rows[1:]]:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("| " + " | ".join(cells) + " |")
    print()


def heading(text):
    print(f"## {text}\n")


def note(text):
    print(f"{text}\n")


def ratio(results, section, contender, peer, quantity="seconds"):
    return results.median(section, contender, quantity) / results.median(section, peer, quantity)


def goals(results):
    """What it is meant to reach: (what, values, wanted, how to show them). Each of the values must be reached."""
    small, medium, large = results.sizes().values()

    def against(section, contender, peer, quantity="seconds"):
        return [ratio(results, section, contender, peer, quantity)]

    if results.has("compressed"):
        yield (
            f"{medium} to .db.zst (level 3, quick verify, SHA-256, fsync) against `zstd -T0 -3` + fsync of the file",
            against("compressed", ARCHIVE, ZSTD), 0.8, times,
        )
        yield f"{medium} to .db.zst against the game's way", against("compressed", ARCHIVE, GAMES_WAY), 0.1, times
    if results.has("plain"):
        yield (
            f"{medium} to .db, fsync, no verification, no digest, against `cp` + fsync",
            against("plain", IMAGE + ", no checks", "cp"), 1.1, times,
        )
        yield "the same with quick verify and SHA-256", against("plain", IMAGE, "cp"), 1.6, times
    if results.has("compressed"):
        yield (
            f"{medium} to .db.zst against `sqlite3 .backup`, then `zstd -T0 -3` + fsync",
            against("compressed", ARCHIVE, "sqlite3 .backup, then zstd -T0 -3"), 0.35, times,
        )
        yield "size of the archive against `zstd -3` of the file", against("compressed", ARCHIVE, ZSTD, "bytes"), 1.02, times
    if results.has("sizes"):
        for extension in (".db.zst", ".db"):
            growth = [max(results.values("sizes", f"{name} to {extension}", "growth")) for name in results.sizes()]
            yield f"peak memory growth at {small}, {medium}, {large} to {extension}", growth, 48 * 2**20, size
        yield (
            f"{large} against {medium}, to .db.zst",
            [results.median("sizes", "large to .db.zst", "seconds") / results.median("sizes", "medium to .db.zst", "seconds")],
            4.3, times,
        )
    if results.has("live"):
        for what, quantity, wanted in (
            ("the host's commits, p99, during a backup to .db, to .db.zst, against none", "commit p99", 1.3),
            ("the longest 60 Hz frame during a backup to .db, to .db.zst, against none", "frame max", 1.2),
        ):
            yield what, [ratio(results, "live", ours, "no backup", quantity) for ours in LIVE.values()], wanted, times
    if results.has("cancel"):
        yield (
            "cancel to the job's end, p99, to .db, to .db.zst",
            [results.median("cancel", f"to {extension}", "p99") for extension in LIVE], 0.03, time,
        )
    if results.has("queue"):
        yield (
            "1,000 small databases to .db against one-at-a-time online backup with fsync",
            against("queue", IMAGE, ONE_AT_A_TIME), 0.5, times,
        )
    if results.has("adapter"):
        beyond = [
            results.median("adapter", "start_backup, processor", quantile)
            - results.median("adapter", "lb_backup_start, processor", quantile)
            for quantile in ("p50", "p99")
        ]
        yield "processor time to start a backup through the game's adapter, beyond lb_backup_start: p50, p99", beyond, 50e-6, time
        lists = [results.median("adapter", name, "seconds") for name in ADAPTER_LISTS[1:]]
        yield "1,000 archives listed: new to the adapter, known to it", lists, 50e-3, time
        futures = [results.median("adapter", "10,000 futures", quantity) for quantity in ("threads before", "threads")]
        yield "threads that 10,000 futures add", [futures[1] - futures[0]], 0, "{:.0f}".format
        yield (
            "the longest 60 Hz frame during a backup through the adapter, against none",
            [ratio(results, "adapter", "frames during a backup", "frames without a backup", "frame max")], 1.2, times,
        )
    if results.has("restore"):
        yield (
            f"restore of {medium} from .db.zst to a new file, fsync, against `zstd -d` + fsync",
            against("restore", NEW_FILE, "zstd -d"), 0.8, times,
        )
        yield "quick verification of it against `zstd -t`", against("restore", QUICK, "zstd -t"), 0.25, times
        yield (
            "restore in place, 1 % of the pages differ, against restoring to a new file",
            against("restore", IN_PLACE, NEW_FILE), 0.5, times,
        )
        log = results.median("restore", IN_PLACE, "log") / results.median("restore", "source", "bytes")
        yield "the log that this leaves, of the database", [log], 0.03, percent
        growth = [results.median("restore", name, "growth") for name in (NEW_FILE, IN_PLACE, QUICK)]
        yield "peak memory growth of these: new file, in place, verification", growth, 48 * 2**20, size


def show_goals(results):
    rows = [["", "measured", "wanted", ""]]
    for what, values, wanted, show in goals(results):
        met = "met" if max(values) <= wanted else "not met"
        rows.append([what, ", ".join(map(show, values)), "at most " + show(wanted), met])
    if len(rows) > 1:
        heading("What it is meant to reach")
        table(rows)


def show_whole(results, section, title, peer):
    heading(title.format(results.sizes()["medium"]))
    source = results.median(section, "source", "bytes") / 2**20
    rows = [["", "median", "min", "max", "rounds", "MiB/s", "processor", "file", f"of {peer}"]]
    for name in results.contenders(section):
        rows.append([
            name, *spread(results, section, name), str(len(results.values(section, name, "seconds"))),
            f"{source / results.median(section, name, 'seconds'):.0f}",
            time(results.median(section, name, "processor")), size(results.median(section, name, "bytes")),
            times(ratio(results, section, name, peer)),
        ])
    table(rows)


def show_plain(results):
    show_whole(results, "plain", "Whole backups of {} to a plain file", "cp")
    note(
        "Every one ends with an fsync of its file. `cp` gives a sound copy only while nobody writes, as here. Ours: quick "
        "verification and SHA-256 at background priority, unless said otherwise; \"no checks\" is without both. "
        "\"processor\": user and system time of all threads and processes, the start of a tool included in both times."
    )


def show_compressed(results):
    show_whole(results, "compressed", "Whole backups of {} to a compressed file", ZSTD)
    note(
        "As above. `zstd` straight from the file is the limit: it pays nothing for consistency. The slow ones run in the "
        "first two rounds that count and not in the one that is dropped. The game's way is the code that lb_backup replaces, "
        "written anew: `copy_file`, then gzip through Boost.Iostreams, which keeps one processor; an fsync is added."
    )


def show_live(results):
    heading("Beside a live writer: the host's commits, one every 2 ms (WAL, synchronous=NORMAL)")
    names = results.contenders("live")
    rows = [["", "commits", "p50", "p99", "p99 of rounds", "p99.9", "max", "p99 of none"]]
    for name in names:
        tail = results.values("live", name, "commit tail")
        p99 = results.values("live", name, "commit p99")
        rows.append([
            name, f"{sum(results.values('live', name, 'commits')):.0f}", time(results.median("live", name, "commit p50")),
            time(results.median("live", name, "commit p99")), from_to(p99, time), time(tail[30]) if len(tail) > 30 else "",
            time(max(results.values("live", name, "commit max"))),
            times(ratio(results, "live", name, "no backup", "commit p99")),
        ])
    table(rows)
    note(
        "p50 and p99 are medians of the rounds' own; p99.9 and max are of all rounds together. What is quick is repeated "
        "for 5 s in each round; the span without a backup is as long as the longest of ours. Tools run as processes of "
        "their own, in the first two rounds that count; what takes long, and the game's way, in one."
    )
    heading("Beside a live writer: frames at 60 Hz, the log, and the copy")
    rows = [["", "frame p50", "p99", "longest", "longest of rounds", "of none", "log growth", "one copy takes", "rounds"]]
    for name in names:
        longest = results.values("live", name, "frame max")
        code = max(results.values("live", name, "exit code"))
        took = {0: time(results.median("live", name, "seconds")), OUT_OF_PATIENCE: "not finished after 60 s"}
        rows.append([
            name, time(results.median("live", name, "frame p50")), time(results.median("live", name, "frame p99")),
            time(results.median("live", name, "frame max")), from_to(longest, time),
            times(ratio(results, "live", name, "no backup", "frame max")),
            size(max(results.values("live", name, "log growth"))),
            "" if name == "no backup" else took.get(code, f"fails ({code:.0f})"), str(len(longest)),
        ])
    table(rows)
    note(
        "A frame is the time from one to the next; the loop works for 2 ms in each. \"longest\" is the median of the "
        "rounds' longest frames. The game's way runs in the frame that begins it. Log growth is what the `-wal` file, of some "
        "4 MiB before, has grown by in the end; for ours, what grew while one snapshot stood, the most of all. `cp`, `zstd` "
        "of the file and the game's way give no sound copy beside a writer; zstd fails (27) when the file grows under it."
    )


def show_sizes(results):
    heading("Time and memory against the size of the database")
    rows = [["one backup in a fresh process", "time", "min", "max", "MiB/s", "peak memory growth"]]
    for name, shown in results.sizes().items():
        for extension in LIVE:
            contender = f"{name} to {extension}"
            rate = results.median("sizes", name, "bytes") / 2**20 / results.median("sizes", contender, "seconds")
            rows.append([
                f"{shown} to {extension}", *spread(results, "sizes", contender), f"{rate:.0f}",
                size(max(results.values("sizes", contender, "growth"))),
            ])
    table(rows)
    note("Growth of VmHWM, the kernel's own peak, with the library's code in it: the most of all rounds.")


def show_race(results, section, first):
    rows = [["", "median", "min", "max", "processor", f"of {first}"]]
    for name in results.contenders(section):
        rows.append([
            name, *spread(results, section, name), time(results.median(section, name, "processor")),
            times(ratio(results, section, name, first)),
        ])
    table(rows)


def show_workers(results):
    heading(f"{results.sizes()['medium']} to .db.zst, by the number of workers")
    show_race(results, "workers", "1 worker")
    note(f"Workers compress, beside the job's own thread, which reads and writes. {results.text('processor')}.")


def show_queue(results):
    heading("1,000 small databases")
    show_race(results, "queue", ONE_AT_A_TIME)
    each = results.median("queue", "source", "bytes") / 1024
    note(
        f"Each of {each:.0f} KiB, in WAL mode. Ours: 1,000 starts with the default options, then 1,000 joins. Online "
        "backup: the host's own SQLite, `sqlite3_backup_step(-1)`, then fsync of the file and of the directory, one at a time."
    )


def show_restore(results):
    heading(f"Restores and verifications of {results.sizes()['medium']} in a .db.zst")
    rows = [["", "median", "min", "max", "processor", f"of {NEW_FILE}"]]
    names = [name for name in results.contenders("restore") if name != "source"]
    for name in names:
        rows.append([
            name, *spread(results, "restore", name), time(results.median("restore", name, "processor")),
            times(ratio(results, "restore", name, NEW_FILE)),
        ])
    table(rows)
    note(
        "To a file: with fsync. In place: onto a WAL database that this process has open, in one write transaction with an "
        "fsync of the log; the game's last moves were changed, or moves all over the file, on about a hundredth of its "
        "pages. Verification compares the hash of every frame, `zstd -t` decompresses."
    )


def show_calls(results):
    heading("What the calls cost their caller")
    rows = [["lb_backup_start", "count", "p50", "p99", "max"]]
    for name in ("the first lb_backup_start of a process", "lb_backup_start"):
        rows.append([name, *latencies(results, "calls", name)])
    table(rows)
    rows = [["lb_backup_progress, processor time per call", "median", "min", "max"]]
    for name in ("lb_backup_progress", "lb_backup_progress, 8 threads at once"):
        rows.append([name, *spread(results, "calls", name, "processor per call", nanoseconds)])
    table(rows)
    note("The first start also starts the library's threads. Of 2,000,000 looks at a running job each, 5 and 8 times.")


def latencies(results, section, name):
    count = results.median(section, name, "count")
    return [f"{count:.0f}", *(time(results.median(section, name, quantity)) for quantity in ("p50", "p99", "max"))]


def show_cancel(results):
    heading("From lb_backup_cancel to the job's end")
    rows = [["backup", "count", "p50", "p99", "max", "had published before"]]
    for extension in LIVE:
        name = f"to {extension}"
        published = results.median("cancel", name, "published before")
        rows.append([name, *latencies(results, "cancel", name), f"{published:.0f}"])
    table(rows)
    note("At uniformly random moments of a whole backup, its syncing and verifying included.")


def show_lock(results):
    heading("A rollback-journal source: for how long its writers wait")
    rows = [["backup", "locked", "min", "max", "whole backup"]]
    for name in results.contenders("lock"):
        rows.append([name, *spread(results, "lock", name, "locked"), time(results.median("lock", name, "seconds"))])
    table(rows)


def show_adapter(results):
    heading("The game's adapter")
    rows = [["start of a backup", "count", "p50", "p99", "max"]]
    for call in ("lb_backup_start", "start_backup"):
        for name in (call, f"{call}, processor"):
            rows.append([name, *latencies(results, "adapter", name)])
    table(rows)
    rows = [["1,000 backups", "median", "min", "max"]]
    for name in (*ADAPTER_LISTS, "CRC-32 of all, nothing in memory", "CRC-32 of all"):
        rows.append([name, *spread(results, "adapter", name)])
    table(rows)
    names = ("frames without a backup", "frames during a backup")
    rows = [["60 Hz", "frames", "p50", "p99", "longest", "longest of rounds"]]
    for name in names:
        rows.append([
            name, f"{sum(results.values('adapter', name, 'frames')):.0f}",
            *(time(results.median("adapter", name, f"frame {quantity}")) for quantity in ("p50", "p99", "max")),
            from_to(results.values("adapter", name, "frame max"), time),
        ])
    table(rows)
    futures = {
        quantity: results.median("adapter", "10,000 futures", quantity)
        for quantity in ("seconds to start", "seconds", "threads before", "threads")
    }
    note(
        f"Starts in turn, each cancelled at once; the adapter's also make a name with the time. The archives have "
        f"{results.median('adapter', 'archives', 'bytes') / 1024:.0f} KiB each; CRC-32 over all of them is what the game's old "
        f"code does for a list. 10,000 backups of a small database were started in {time(futures['seconds to start'])} and had "
        f"all ended after {time(futures['seconds'])}; the process had {futures['threads before']:.0f} threads before and "
        f"{futures['threads']:.0f} while they waited. Each frame looks at the running backups."
    )


def show_machine(results):
    print("# Benchmarks\n")
    note(
        f"Written by `{results.text('command')}` on {results.text('date')}. Every figure and its peer are of the same "
        f"run. Rounds are interleaved, and {results.text('rounds')} of them count; one more before them, which takes the "
        "machine's free memory into use, is dropped. Before each contender's turn the source is brought into memory, and "
        "all that is unwritten is written. [BENCHMARKS.tsv](BENCHMARKS.tsv) has every round."
    )
    for name in ("processor", "memory", "system", "versions"):
        print(f"- {name}: {results.text(name)}")
    print()


SECTIONS = {
    "plain": show_plain,
    "compressed": show_compressed,
    "sizes": show_sizes,
    "workers": show_workers,
    "queue": show_queue,
    "restore": show_restore,
    "live": show_live,
    "calls": show_calls,
    "cancel": show_cancel,
    "lock": show_lock,
    "adapter": show_adapter,
}


def main():
    results = Results(sys.argv[1])
    show_machine(results)
    show_goals(results)
    for section, show in SECTIONS.items():
        if results.has(section):
            show(results)


main()
