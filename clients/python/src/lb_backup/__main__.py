"""``python -m lb_backup``: the tool ``lbbackup``, with its commands, flags, JSON and exit codes, in Python."""

import sys

from ._tool import main

sys.exit(main())
