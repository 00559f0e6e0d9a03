#!/usr/bin/env python3
"""scripts/coverage.py LCOV [LIST.md]: line coverage of src/, and every block that was not reached.

With a list, such as docs/COVERAGE.md: also whether that names exactly these blocks. A block is a run of lines in one
function; it is known by file, function and the text of its first line, which outlive a change elsewhere in the file.
Lines that only close what others have opened do not count.
"""

import collections
import pathlib
import re
import sys

LEAST_PERCENT = 92
FUNCTION = re.compile(r"^( *)(?:pub(?:\([^)]*\))? )?(?:const |unsafe |extern \"C\" )*fn (\w+)")
CLOSING = re.compile(r"^[ })\];,?]*$")
ROW = re.compile(r"^\| `(\w+)` \| (`+)(.+?)\2 \| (.+) \|$")

Block = collections.namedtuple("Block", "file function text")


def counts_of(lcov):
    """file -> line -> how often it ran; of files in src/."""
    root = pathlib.Path.cwd()
    counts = collections.defaultdict(dict)
    file = None
    for line in lcov.read_text().splitlines():
        if line.startswith("SF:"):
            # As scripts/rustc.sh names this crate's sources.
            path = (root / re.sub(r"^/crates/lb_backup-[^/]+/", "", line[3:])).resolve()
            file = str(path.relative_to(root)) if path.is_relative_to(root / "src") else None
        elif line.startswith("DA:") and file:
            number, count = line[3:].split(",")[:2]
            counts[file][int(number)] = max(int(count), counts[file].get(int(number), 0))
    return counts


def of_the_library(file, lines, counts):
    """Leaves out modules that only tests have, which are in files of their own or end theirs; and closing brackets."""
    if file.endswith("/tests.rs"):
        return {}
    counts = {number: count for number, count in counts.items() if not CLOSING.match(lines[number - 1])}
    for number, line in enumerate(lines, 1):
        if line == "#[cfg(test)]" and lines[number].endswith("mod tests {"):
            return {line: count for line, count in counts.items() if line < number}
    return counts


def blocks_of(file, lines, counts):
    """Runs of lines that were not reached, each with its first and last number."""
    functions = {}
    current = ("", "")
    for number, line in enumerate(lines, 1):
        if match := FUNCTION.match(line):
            current = match.groups()
        functions[number] = current[1]
    blocks, first, last = [], None, None
    for number in sorted(counts):
        missed = counts[number] == 0
        if first and (not missed or functions[number] != functions[first]):
            blocks.append((Block(file, functions[first], lines[first - 1].strip()), first, last))
            first = None
        if missed:
            first, last = first or number, number
    if first:
        blocks.append((Block(file, functions[first], lines[first - 1].strip()), first, last))
    return blocks


def named_in(path):
    """The blocks in the tables of the list, each under a heading with its file; and those that some runs reach."""
    always, sometimes = collections.Counter(), set()
    file = None
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            file = line.split("`")[1] if "`" in line else None
        elif file and (match := ROW.match(line)):
            function, _, text, reason = match.groups()
            block = Block(file, function, text.strip().replace("\\|", "|"))
            if reason.startswith("Some runs:"):
                sometimes.add(block)
            else:
                always[block] += 1
    return always, sometimes


def main():
    lcov, *lists = map(pathlib.Path, sys.argv[1:])
    blocks, lines_all, reached_all = [], 0, 0
    print(f"\n{'file':<32} {'lines':>6} {'missed':>6} {'%':>7}")
    for file, counts in sorted(counts_of(lcov).items()):
        lines = pathlib.Path(file).read_text().splitlines()
        counts = of_the_library(file, lines, counts)
        if not counts:
            continue
        reached = sum(count > 0 for count in counts.values())
        lines_all, reached_all = lines_all + len(counts), reached_all + reached
        blocks += blocks_of(file, lines, counts)
        print(f"{file:<32} {len(counts):>6} {len(counts) - reached:>6} {100 * reached / len(counts):>7.2f}")
    percent = 100 * reached_all / lines_all
    print(f"{'src/':<32} {lines_all:>6} {lines_all - reached_all:>6} {percent:>7.2f}\n")

    for block, first, last in blocks:
        print(f"{block.file}:{first}: {block.function}: not reached")
        for number, line in enumerate(pathlib.Path(block.file).read_text().splitlines()[first - 1 : last], first):
            print(f"  {number:>5} {line}")

    failures = []
    if lists:
        if percent < LEAST_PERCENT:
            failures.append(f"{percent:.2f} % of the lines are reached, of {LEAST_PERCENT} % that are wanted")
        always, sometimes = named_in(lists[0])
        measured = collections.Counter(block for block, _, _ in blocks if block not in sometimes)
        for what, those in (("not reached, and not named", measured - always), ("named, but reached", always - measured)):
            failures += [f"{what}: {block.file}, {block.function}: {block.text}" for block in those.elements()]
    for failure in failures:
        print(f"coverage: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
