// A process that restores is killed at a random moment: the next one finds the old content or the new, whole, and what
// was left behind is swept. SPDX-License-Identifier: MIT OR Apache-2.0

#include "isolated.hpp"

#include <algorithm>
#include <ctime>

using namespace lbtest;

namespace {

constexpr int rounds = 25;       // of each of four kinds
constexpr int most_rounds = 50;  // where one outcome was not met by then

class Killed : public IsolatedRestoreTest, public ::testing::WithParamInterface<const char *> {
protected:
    DatabaseOptions database() const override { return of_many_chunks(); }
};

/// Where files without a name cannot be made, a hidden one may be left: with the switch for that.
lb_result restore_with_names(const fs::path &archive, const fs::path &dest) {
    set_hooks("no-tmpfile");
    return restore(archive, dest, replacing());
}

std::int64_t now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

/// What is in the directory, but for a journal in which nothing counts: a copy of the whole empties its journal before it
/// removes it, and SQLite takes it away when it next needs the name, which in WAL mode it does not.
std::vector<std::string> names_that_count(const fs::path &directory) {
    auto names = list_dir(directory);
    const auto is_cold = [&](const fs::path &name) {
        return name.extension() == ".db-journal" && !is_hot(directory / name);
    };
    names.erase(std::remove_if(names.begin(), names.end(), is_cold), names.end());
    return names;
}

TEST_P(Killed, leaves_the_old_or_the_new_whole) {
    const bool is_new = GetParam() == std::string("new"), other_pages = GetParam() == std::string("WAL_other_pages");
    unzstd(archive, dir / "image.db");
    const auto archived = content_hash(dir / "image.db");
    DatabaseOptions other = database();
    other.seed = 2;
    other.page_size = other_pages ? 1024 : 4096;
    other.journal_mode = is_new || other_pages ? "WAL" : GetParam();
    make_database(dir / "other.db", other);
    const auto present = content_hash(dir / "other.db");

    // How long one takes: the moments are spread over that.
    std::int64_t whole_ns = 0;
    const auto lay_out = [&] {
        remove_database(dest);
        if (!is_new) fs::copy_file(dir / "other.db", dest);
    };
    for (int n = 0; n < 3; ++n) {
        lay_out();
        const auto start = now_ns();
        ASSERT_EQ(in_child([&] { return restore_with_names(archive, dest).status; }), LB_STATUS_OK);
        whole_ns = std::max(whole_ns, now_ns() - start);
    }

    auto random = printed_random(4711);
    int old_ones = 0, new_ones = 0;
    const auto is_enough = [&](int done) { return done >= rounds && old_ones > 0 && new_ones > 0; };
    for (int round = 0; round < most_rounds && !is_enough(round); ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        if (round >= rounds) whole_ns = new_ones == 0 ? whole_ns * 2 : whole_ns / 2;  // the machine's load has changed
        lay_out();
        const auto moment = std::uniform_int_distribution<std::int64_t>(0, whole_ns)(random);
        std::fflush(nullptr);
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            restore_with_names(archive, dest);
            ::pause();
            ::_exit(1);
        }
        const timespec pause{moment / 1'000'000'000, moment % 1'000'000'000};
        ::nanosleep(&pause, nullptr);
        ASSERT_EQ(::kill(child, SIGKILL), 0);
        ASSERT_EQ(::waitpid(child, nullptr, 0), child);

        if (!fs::exists(dest)) {
            ASSERT_TRUE(is_new);
            ++old_ones;
        } else {
            // The next opener: another process, with another SQLite.
            std::string verdict;
            ASSERT_EQ(run({"sqlite3", dest.string(), "PRAGMA integrity_check"}, &verdict), 0);
            ASSERT_EQ(verdict, "ok\n");
            const auto found = content_hash(dest);
            ASSERT_TRUE(found == archived || (!is_new && found == present));
            ++(found == archived ? new_ones : old_ones);
        }
        if (round % 5 == 4) {  // the next run sweeps what is left of all that were killed
            ASSERT_EQ(in_child([&] { return restore_with_names(archive, dest).status; }), LB_STATUS_OK);
            EXPECT_EQ(content_hash(dest), archived);
            EXPECT_EQ(integrity_check(dest), "ok");
            EXPECT_EQ(names_that_count(out), std::vector<std::string>{"restored.db"});
        }
    }
    std::cout << old_ones << " found the old, " << new_ones << " the new" << std::endl;
    EXPECT_GT(old_ones, 0);
    EXPECT_GT(new_ones, 0);
}

INSTANTIATE_TEST_SUITE_P(Destinations, Killed, ::testing::Values("new", "WAL", "DELETE", "WAL_other_pages"),
                         [](const auto &tested) { return std::string(tested.param); });

}  // namespace
