"""scenario.py DIRECTORY JOURNAL_MODE SUFFIX MOMENT...: outsider_scenario as a process of its own; 10: he got in."""

import sys
from pathlib import Path

from test_contract import outsider_scenario

if __name__ == "__main__":
    outsider_scenario(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
