#!/usr/bin/env python3
"""scripts/reliability.py [INSTRUMENT...]: runs the named instruments whole, one after the other, and writes what they
counted into docs/RELIABILITY.md and docs/FAULTS.md. `all` runs every one of them, which takes some two hours on two
processors. Without a name it only writes, from the outputs of earlier runs, which are kept in build/reliability.

An instrument that complains, or ends with an error, leaves the pages as they are, and this script with an error.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUTPUTS = ROOT / "build" / "reliability"


def faults(text):
    scenes = re.findall(r"^(.{32}) +(\d+) faults: +(\d+) told, +(\d+) without effect; (\d+) complaints", text, re.M)
    classes = re.findall(r"^(.{32}) +(\d+) faults: +(\d+) told, +(\d+) without effect$", text, re.M)
    total = re.search(r"^(\d+) distinct faults: (\d+) told, (\d+) without effect; (\d+) complaints", text, re.M)
    extent = f"{int(total[1]):,} distinct faults in {len(scenes)} scenes and {len(classes)} classes of calls"
    lines = []
    for rows, last in ((scenes, [f"| **all** | {total[1]} | {total[2]} | {total[3]} |", ""]), (classes, [])):
        lines += ["| | faults | told | without effect |", "| --- | --- | --- | --- |"]
        lines += [f"| {name.strip()} | {of} | {told} | {without} |" for name, of, told, without, *_ in rows] + last
    return extent, int(total[4]), {"docs/FAULTS.md": "\n".join(lines)}


def kills(text):
    rounds, within = re.search(r"^all +(\d+) +(\d+)", text, re.M).groups()
    return f"{int(rounds):,} SIGKILLs, {int(within):,} of them in the job", complaints_of(text), {}


def power(text):
    rows = re.findall(r"^\| (.{52,}?) \| +\d+ \| +(\d+) \|.*\| +(\d+) \|$", text, re.M)
    states, bad = map(int, rows[-1][1:])
    return f"{states:,} distinct states in {len(rows) - 1} scenes", bad, {}


def torture(text):
    runs = re.findall(r"(\d+) copies, (\d+) wrong;.* (\d+) commits,", text)
    copies, wrong, commits = (sum(map(int, column)) for column in zip(*runs))
    return f"{copies:,} backups during {commits:,} commits", wrong, {}


def soak(text):
    counts = re.search(r"^(\d+) operations, (\d+) steps with a fault, (\d+) kills, .* (\d+) s$", text, re.M)
    operations, faults, kills, seconds = map(int, counts.groups())
    return (
        f"{seconds // 60} minutes, {operations:,} operations, {faults:,} faults, {kills} kills",
        complaints_of(text),
        {},
    )


def fuzz(text):
    executions = re.findall(r"^== (\w+): nothing found\n(?:#.*\n)?stat::number_of_executed_units: +(\d+)", text, re.M)
    of_each = ", ".join(f"`{target}` {int(count):,}" for target, count in executions)
    return f"20 minutes each; executions: {of_each}", 0, {}


def races(text):
    calls, jobs = re.search(r"^(\d+) calls; (\d+) jobs", text, re.M).groups()
    return f"{int(calls):,} calls, {int(jobs):,} jobs", 0, {}


def models(text):
    orders = [int(count) for count in re.findall(r": (\d+) orders in ", text)]
    return f"{len(orders)} models, {sum(orders):,} orders of steps", 0, {}


def coverage(text):
    lines, _, percent = re.search(r"^src/ +(\d+) +(\d+) +([\d.]+)$", text, re.M).groups()
    return f"{percent} % of {int(lines):,} lines", "", {}


def complaints_of(text):
    return int(re.search(r"^(\d+) complaints$", text, re.M)[1])


MODELS = "cargo test --locked --manifest-path models/Cargo.toml --target-dir target/models holds -- --nocapture --test-threads 1"

# How to read an output, how the page names the instrument, and what to run.
INSTRUMENTS = {
    "faults": (faults, "scripts/faults.sh", "scripts/faults.sh"),
    "kills": (kills, "scripts/kills.sh", "scripts/kills.sh"),
    "power": (power, "scripts/power.sh", "scripts/power.sh"),
    "torture": (torture, "scripts/torture.sh", "scripts/torture.sh"),
    "soak": (soak, "scripts/soak.sh", "scripts/soak.sh 30"),
    "fuzz": (fuzz, "scripts/fuzz.sh", "scripts/fuzz.sh all"),
    "races": (races, "scripts/races.sh", "scripts/races.sh 60 1"),
    "models": (models, "models/", MODELS),
    "coverage": (coverage, "scripts/coverage.sh", "scripts/coverage.sh"),
}


def run(name):
    command = INSTRUMENTS[name][2]
    print("==", command, flush=True)
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    running = OUTPUTS / f"{name}.running"
    with open(running, "w") as output:
        status = subprocess.run(command.split(), cwd=ROOT, stdout=output, stderr=subprocess.STDOUT).returncode
    if status != 0:
        sys.exit(f"reliability: {name} ended with {status}; its output is in {running}")
    running.rename(OUTPUTS / f"{name}.log")


def write(name):
    read, called, _ = INSTRUMENTS[name]
    extent, complaints, tables = read((OUTPUTS / f"{name}.log").read_text())
    if complaints:
        sys.exit(f"reliability: {name} has {complaints} complaints")
    row = re.compile(rf"^(\|[^|\n]*`{re.escape(called)}` \|)[^|\n]*\|[^|\n]*\|", re.M)
    replace("docs/RELIABILITY.md", row, rf"\1 {extent} | {complaints} |")
    for page, table in tables.items():
        replace(page, re.compile(r"(<!-- figures -->\n\n).*(\n\n<!-- end -->)", re.S), rf"\1{table}\2")


def replace(page, pattern, by):
    text, times = pattern.subn(by, (ROOT / page).read_text())
    if times != 1:
        sys.exit(f"reliability: {page} has {times} places for the figures, not one")
    (ROOT / page).write_text(text)


def main():
    names = list(INSTRUMENTS) if sys.argv[1:] == ["all"] else sys.argv[1:]
    if unknown := set(names) - set(INSTRUMENTS):
        sys.exit(f"reliability: {', '.join(unknown)}: not one of {', '.join(INSTRUMENTS)}, or all")
    for name in names:
        run(name)
    for name in INSTRUMENTS:
        if (OUTPUTS / f"{name}.log").exists():
            write(name)


if __name__ == "__main__":
    main()
