/* A shared library of the host's own, which uses ours, and exports one function. */
#include "part.h"

#include <lb_backup.h>
#include <string.h>

int part_internal(const char *source, const char *copy);

int part_internal(const char *source, const char *copy) {
    lb_backup_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.existing = LB_EXISTING_REPLACE;
    lb_job *job = NULL;
    lb_status status = lb_backup_start(source, copy, &options, &job, NULL);
    return status != LB_STATUS_OK ? (int)status : (int)lb_backup_join(job, NULL);
}

int part_back_up(const char *source, const char *copy) { return part_internal(source, copy); }
