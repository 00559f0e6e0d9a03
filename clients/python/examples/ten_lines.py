import sys

import lb_backup

try:
    with lb_backup.start_backup(sys.argv[1], sys.argv[2]) as job:
        for progress in job:
            print(f"\r{progress.percent:5.1f} %", end="", flush=True)
        print(f"\r100.0 %  {job.result().archive_bytes} bytes, verified")
except lb_backup.Error as error:  # the operation, the path, the reason
    sys.exit(f"\n{error}")
