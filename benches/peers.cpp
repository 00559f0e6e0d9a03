#include "peers.hpp"

#include <boost/iostreams/copy.hpp>
#include <boost/iostreams/device/file.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filtering_stream.hpp>

namespace bench {
namespace {

const std::string kCopyFile = R"(cp --reflink=never "$1" "$image")";
const std::string kBackUp = R"(sqlite3 "$1" ".backup '$image'")";
const std::string kVacuum = R"(sqlite3 "$1" "VACUUM INTO '$image'")";
const std::string kCompressWithZstd = R"(zstd -q -T0 -3 "$image" -o "$2")";
const std::string kCompressWithGzip = R"(gzip -6 <"$image" >"$2")";

std::string backup_in_python(const std::string &arguments) {
    return R"(/usr/bin/python3 -c 'import sqlite3, sys
source, dest = map(sqlite3.connect, sys.argv[1:])
source.backup(dest)" +
           arguments + R"()
dest.close()' "$1" "$image")";
}

std::string to_plain(const std::string &copy) { return "image=$2 && " + copy + R"( && sync "$2")"; }

std::string to_compressed(const std::string &copy, const std::string &compress) {
    return "image=$2.image && " + copy + " && " + compress + R"( && rm "$image" && sync "$2")";
}

}  // namespace

const Peer kCp{"cp", to_plain(kCopyFile)};
const Peer kDotBackup{"sqlite3 .backup", to_plain(kBackUp)};
const Peer kVacuumInto{"VACUUM INTO", to_plain(kVacuum)};
const Peer kPython{"Python Connection.backup", to_plain(backup_in_python(""))};
const Peer kPythonInSteps{"Python Connection.backup(pages=100)", to_plain(backup_in_python(", pages=100"))};

const Peer kZstd{"zstd -T0 -3 of the file", "image=$1 && " + kCompressWithZstd + R"( && sync "$2")"};
const Peer kDotBackupZstd{"sqlite3 .backup, then zstd -T0 -3", to_compressed(kBackUp, kCompressWithZstd)};
const Peer kVacuumIntoZstd{"VACUUM INTO, then zstd -T0 -3", to_compressed(kVacuum, kCompressWithZstd)};
const Peer kDotBackupGzip{"sqlite3 .backup, then gzip -6", to_compressed(kBackUp, kCompressWithGzip)};
const Peer kVacuumIntoGzip{"VACUUM INTO, then gzip -6", to_compressed(kVacuum, kCompressWithGzip)};

std::vector<std::string> command(const Peer &peer, const fs::path &source, const fs::path &dest) {
    return {"sh", "-c", peer.script, "sh", source, dest};
}

const std::string kGamesWay = "the game's way (copy_file, then gzip)";

void back_up_like_the_game(const fs::path &source, const fs::path &dest) {
    namespace io = boost::iostreams;
    const fs::path copy = dest.string() + ".copy";
    fs::copy_file(source, copy);
    io::filtering_ostream out;
    out.push(io::gzip_compressor());
    out.push(io::file_sink(dest.string(), std::ios::binary));
    io::copy(io::file_source(copy.string(), std::ios::binary), out);  // closes both
    fs::remove(copy);
    sync_path(dest);
}

}  // namespace bench
