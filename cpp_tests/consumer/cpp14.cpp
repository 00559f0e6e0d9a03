// A C++14 project that uses the C header: lb_backup::lb_backup leaves its language alone.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include <lb_backup.h>

static_assert(__cplusplus == 201402L, "the language was changed");
static_assert(LB_ABI_VERSION == 0, "this program is written for liblb_backup.so.0");

int main() { return lb_abi_version() == LB_ABI_VERSION ? 0 : 1; }
