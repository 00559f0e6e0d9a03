"""progress_bar.py SOURCE DEST: a backup with a progress bar, which Ctrl-C cancels. With tqdm if that is installed."""

import sys
from typing import Any

import lb_backup


class Bar:
    """A bar of one's own is a function of a Progress."""

    def __call__(self, progress: lb_backup.Progress) -> None:
        full = int(progress.percent / 100 * 40)
        left = "" if progress.eta is None else f"{progress.eta.total_seconds():4.0f} s left"
        bar = "#" * full + "." * (40 - full)
        print(f"\r{progress.phase.name.lower():11} [{bar}] {progress.percent:5.1f} % {left}", end="", file=sys.stderr)


def bar() -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return Bar()
    return tqdm


def main(source: str, dest: str) -> int:
    try:
        result = lb_backup.backup(source, dest, progress=bar())
    except lb_backup.Error as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ncancelled; nothing was left behind", file=sys.stderr)
        return 130
    print(f"\n{result.dest}: {result.image_bytes} bytes in {result.archive_bytes}, SHA-256 {result.sha256}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
