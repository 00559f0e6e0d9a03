// Where the soak happens. SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_SOAK_PLACES_HPP
#define LBTEST_SOAK_PLACES_HPP

#include "support/numbered.hpp"

namespace lbtest::soak {

/// Two databases that are only written, and one that also is restored onto.
enum Database { game, old, live, databases };

struct Places {
    explicit Places(const fs::path &directory)
        : database{directory / "game.db", directory / "old.db", directory / "live" / "live.db"},
          backups(directory / "backups"), restored(directory / "restored") {}

    const fs::path database[databases];
    const fs::path backups, restored;
};

enum Kind { backups_to_new, backups_replacing, restores_to_new, restores_to_live, verifications, inspections, kinds };
constexpr const char *kind_names[kinds] = {"backup to a new name",  "backup replacing",
                                           "restore to a new file", "restore onto the live database",
                                           "verification",          "inspection"};

enum Outcome { succeeded, cancelled, failed, busy, outcomes };

}  // namespace lbtest::soak

#endif
