// The adapter's header comes first, and a second time in the program: it needs nothing before it, and defines nothing twice.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include <liarsdice/database/async_backup_service.hpp>

bool second_unit_lists(liarsdice::database::AsyncBackupManager &backups) { return backups.list_backups().has_value(); }
