/* The header needs nothing before it. SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <lb_backup.h>
