// What a user would run instead of lb_backup, from the database to a file that is on the disk.
#pragma once

#include "bench.hpp"

namespace bench {

// Tools, as a line for a shell: $1 is the database, $2 the file to make.
struct Peer {
    std::string name;
    std::string script;
};

extern const Peer kCp, kDotBackup, kVacuumInto, kPython, kPythonInSteps;                    // to a plain file
extern const Peer kZstd, kDotBackupZstd, kVacuumIntoZstd, kDotBackupGzip, kVacuumIntoGzip;  // to a compressed one

std::vector<std::string> command(const Peer &peer, const fs::path &source, const fs::path &dest);

// The way of the game that lb_backup was made for: a copy of the file, which a second pass then compresses. The game
// ends without an fsync; here it has one, as all others do.
extern const std::string kGamesWay;
void back_up_like_the_game(const fs::path &source, const fs::path &dest);

}  // namespace bench
