#!/usr/bin/env bash
# scripts/bench.sh: lb_backup against what a user would run instead. --help tells how.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

sections=(plain compressed sizes workers queue restore live calls cancel lock adapter)

usage() {
    cat <<'END'
usage: scripts/bench.sh [-m MiB] [-r ROUNDS] [-o DIRECTORY] [SECTION...]

Prints tables in Markdown. All sections at full size also write docs/BENCHMARKS.md, its figures (BENCHMARKS.tsv) and
its charts (bench-throughput.svg, bench-latency.svg).

  -m MiB        size of the database that most sections use, 1024 unless told; another one is a sixteenth of it, and one
                four times as large
  -r ROUNDS     that count, 3 unless told; one more before them is dropped
  -o DIRECTORY  write the files of docs there, whatever the size and the sections

  plain         whole backups to .db, beside cp, sqlite3 .backup, VACUUM INTO, Python's Connection.backup
  compressed    whole backups to .db.zst, beside zstd, .backup and VACUUM INTO with zstd or gzip, and the game's way
  sizes         time and memory of backups of all three databases
  workers       backups to .db.zst with 1, 2 and 4 workers
  queue         1,000 small databases, beside one online backup at a time
  restore       restores to a new file and onto a live database, and verifications, beside zstd
  live          commits and frames of a game during all of these, the log's growth, and whether a copy ever ends
  calls         what lb_backup_start and lb_backup_progress cost their caller
  cancel        from lb_backup_cancel to the job's end
  lock          for how long writers of a rollback-journal database wait
  adapter       the game's adapter: a call, a list of 1,000 backups, 10,000 futures, and the frames meanwhile

The databases and copies go to TMPDIR or /tmp and are removed: some 12 times MiB at most. All of it takes about 25
minutes on two processors, half of that in compressed and live.
END
}

command="scripts/bench.sh${*:+ $*}"
mebibytes=1024
rounds=3
directory=
[ "${1:-}" != --help ] || set -- -h
while getopts hm:r:o: option; do
    case $option in
    m) mebibytes=$OPTARG ;;
    r) rounds=$OPTARG ;;
    o) directory=$OPTARG ;;
    h) usage && exit ;;
    *) usage >&2 && exit 2 ;;
    esac
done
shift $((OPTIND - 1))
for number in "$mebibytes" "$rounds"; do
    [[ $number =~ ^[1-9][0-9]*$ ]] || { echo "bench: not a positive number: $number" >&2 && exit 2; }
done
for name in "$@"; do
    [[ " ${sections[*]} " == *" $name "* ]] || { echo "bench: no section $name; there are: ${sections[*]}" >&2 && exit 2; }
done
if [ $# -eq 0 ]; then
    set -- "${sections[@]}"
    [ "$mebibytes" -ne 1024 ] || directory=${directory:-docs}
fi

bash scripts/setup.sh bench
command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
cmake -S benches -B build/bench -DCMAKE_BUILD_TYPE=Release -DLB_BACKUP_CARGO_TARGET_DIR="$target_dir" >/dev/null
cmake --build build/bench >&2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
results=$work/results.tsv

section() {
    build/bench/lb_bench "$1" "$work" "$mebibytes" "$rounds"
}

about() { # about NAME TEXT: a line of the results that is no figure
    printf 'machine\t%s\ttext\t%s\n' "$1" "$2" >>"$results"
}

about MiB "$mebibytes"
about command "$command"
about rounds "$rounds"
about date "$(date -u +%Y-%m-%d)"
about processor "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores"
about memory "$(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)"
about system "$(uname -s) $(uname -r | cut -d- -f1); file system $(findmnt -n -o FSTYPE -T "$work")"
about versions "$(section versions); sqlite3 $(sqlite3 --version | cut -d' ' -f1); zstd $(zstd --version |
    grep -o 'v[0-9.]*' | tr -d v); $(gzip --version | head -n 1); $(/usr/bin/python3 --version)"

for name in "$@"; do
    SECONDS=0
    echo "bench: $name" >&2
    section "$name" >>"$results"
    echo "bench: $name took $SECONDS s" >&2
done

/usr/bin/python3 -B benches/report.py "$results" | tee "$work/report"
if [ -n "$directory" ]; then
    mkdir -p "$directory"
    cp "$results" "$directory/BENCHMARKS.tsv"
    cp "$work/report" "$directory/BENCHMARKS.md"
    /usr/bin/python3 -B benches/charts.py "$results" "$directory"
fi
