// A host with the C++ runtime and an unwinder of its own in the executable. The host's exceptions go through that one, the
// library's panics through the shared one, on the host's threads and on the library's.
//
// With LB_BACKUP_TEST_HOOKS=panic-in-job.

#include <lb_backup.h>
#include <sqlite3.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace {

void require(bool holds, const std::string &what) {
    if (!holds) throw std::runtime_error(what);
}

bool throws_and_catches() {
    try {
        throw std::out_of_range("thrown");
    } catch (const std::exception &caught) {
        return std::string("thrown") == caught.what();
    }
}

std::atomic<int> caught_in_callback{0};

void on_complete(lb_job *, const lb_result *, void *) { caught_in_callback += throws_and_catches() ? 1 : 0; }

void back_up(const std::filesystem::path &directory) {
    const auto source = directory / "game.db", copy = directory / "copy.db";
    sqlite3 *db = nullptr;
    require(sqlite3_open(source.c_str(), &db) == SQLITE_OK, "open");
    const int made = sqlite3_exec(db, "CREATE TABLE move(dice TEXT)", nullptr, nullptr, nullptr);
    require(sqlite3_close(db) == SQLITE_OK && made == SQLITE_OK, "make");

    for (int round = 1; round <= 3; ++round) {
        lb_backup_options options{};
        options.struct_size = sizeof options;
        options.on_complete = on_complete;
        lb_result result{};
        result.struct_size = sizeof result;
        lb_job *job = nullptr;
        require(lb_backup_start(source.c_str(), copy.c_str(), &options, &job, nullptr) == LB_STATUS_OK, "start");
        require(lb_backup_join(job, &result) == LB_STATUS_INTERNAL, result.message);
        require(!std::filesystem::exists(copy), "a panic left a file");
        require(throws_and_catches(), "on the host's thread");
        require(caught_in_callback == round, "on the library's thread");
    }
}

}  // namespace

int main() {
    std::string name = (std::filesystem::temp_directory_path() / "lb_unwinding.XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) return 1;
    int code = 0;
    try {
        back_up(name);
    } catch (const std::exception &failure) {
        std::fprintf(stderr, "%s\n", failure.what());
        code = 1;
    }
    std::filesystem::remove_all(name);
    return code;
}
