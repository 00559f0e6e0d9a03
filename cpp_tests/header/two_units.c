/*
 * With twice.c, two translation units of one program: the header defines nothing, its functions have the names that the
 * library exports (in C++ too), and both languages agree on the structures. SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <lb_backup.h>

#include <stdio.h>
#include <string.h>

size_t lbt_size_of_options(void);

int main(void) {
    if (lbt_size_of_options() != sizeof(lb_backup_options)) {
        fputs("two units differ in lb_backup_options\n", stderr);
        return 1;
    }
    if (lb_abi_version() != LB_ABI_VERSION) {
        fputs("the header and the library differ in their ABI version\n", stderr);
        return 1;
    }
    if (strcmp(lb_status_name(LB_STATUS_NO_SPACE), "LB_STATUS_NO_SPACE") != 0) {
        fputs("lb_status_name does not know LB_STATUS_NO_SPACE\n", stderr);
        return 1;
    }
    return 0;
}
