/* A second inclusion changes nothing. SPDX-License-Identifier: MIT OR Apache-2.0 */
/* clang-format off */
#include <lb_backup.h>
#include <lb_backup.h>
/* clang-format on */

size_t lbt_size_of_options(void);
size_t lbt_size_of_options(void) { return sizeof(lb_backup_options); }
