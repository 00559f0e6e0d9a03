// Restores and verifications as jobs: arguments, progress, callbacks, cancelling, handles.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <atomic>
#include <limits>

using namespace lbtest;

namespace {

// ------------------------------------------------------------------------------------------------------- arguments

class Arguments : public RestoreTest {
protected:
    template <class Options> lb_error restore_start(const char *from, const char *to, const Options *wanted) {
        auto why = error();
        job = reinterpret_cast<lb_job *>(this);
        const auto status = lb_restore_start(from, to, wanted, &job, &why);
        EXPECT_EQ(status, why.status);
        EXPECT_EQ(job, nullptr) << "a handle out is set to NULL first";
        return why;
    }
    lb_error verify_start(const char *from, const lb_verify_options *wanted) {
        auto why = error();
        job = reinterpret_cast<lb_job *>(this);
        const auto status = lb_verify_start(from, wanted, &job, &why);
        EXPECT_EQ(status, why.status);
        EXPECT_EQ(job, nullptr);
        return why;
    }
    static void expect_named(const lb_error &why, const std::string &culprit) {
        EXPECT_STREQ(lb_status_name(why.status), "LB_STATUS_INVALID_ARGUMENT") << why.message;
        EXPECT_NE(std::string(why.message).find(culprit), std::string::npos) << why.message;
    }

    lb_job *job = nullptr;
    const std::string from = archive.string(), to = dest.string();
    const lb_restore_options *const no_options = nullptr;
};

TEST_F(Arguments, null_empty_and_ill_encoded_paths_are_named) {
    expect_named(restore_start(nullptr, to.c_str(), no_options), "archive_path");
    expect_named(restore_start("", to.c_str(), no_options), "archive_path");
    expect_named(restore_start("\xff.db", to.c_str(), no_options), "archive_path");
    expect_named(restore_start(from.c_str(), nullptr, no_options), "dest_path");
    expect_named(restore_start(from.c_str(), "", no_options), "dest_path");
    expect_named(restore_start(from.c_str(), "\xff.db", no_options), "dest_path");
    expect_named(verify_start(nullptr, nullptr), "archive_path");
    expect_named(verify_start("", nullptr), "archive_path");
    expect_named(verify_start("\xff.db", nullptr), "archive_path");
    for (const auto *kept : {"", "\xff.db"}) {
        auto wanted = replacing();
        wanted.keep_previous = kept;
        expect_named(restore_start(from.c_str(), to.c_str(), &wanted), "keep_previous");
    }
    EXPECT_EQ(lb_restore_start(from.c_str(), to.c_str(), nullptr, nullptr, nullptr), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_EQ(lb_verify_start(from.c_str(), nullptr, nullptr, nullptr), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_TRUE(list_dir(out).empty());
}

TEST_F(Arguments, options_out_of_range_are_named) {
    const auto one = [](auto member, auto value) {
        auto wanted = restore_options();
        wanted.*member = value;
        return wanted;
    };
    const std::vector<std::pair<const char *, lb_restore_options>> wrong = {
        {"existing", one(&lb_restore_options::existing, 2U)},
        {"existing", one(&lb_restore_options::existing, std::numeric_limits<std::uint32_t>::max())},
        {"verify", one(&lb_restore_options::verify, 3U)},
        {"reserved", one(&lb_restore_options::reserved, 1U)},
        {"struct_size", one(&lb_restore_options::struct_size, 0U)},
        {"struct_size", one(&lb_restore_options::struct_size, 4U)},
        {"struct_size", one(&lb_restore_options::struct_size, 63U)},
        {"struct_size", one(&lb_restore_options::struct_size, std::numeric_limits<std::uint32_t>::max())},
    };
    for (const auto &[name, wanted] : wrong) expect_named(restore_start(from.c_str(), to.c_str(), &wanted), name);
    for (const auto value : {2U, 3U, std::numeric_limits<std::uint32_t>::max()}) {
        auto wanted = verify_options();
        wanted.verify = value;
        expect_named(verify_start(from.c_str(), &wanted), "verify");
    }
    auto wanted = verify_options();
    wanted.reserved = 1;
    expect_named(verify_start(from.c_str(), &wanted), "reserved");
    for (const auto size : {0U, 7U, 47U, std::numeric_limits<std::uint32_t>::max()}) {
        wanted = verify_options();
        wanted.struct_size = size;
        expect_named(verify_start(from.c_str(), &wanted), "struct_size");
    }
    EXPECT_TRUE(list_dir(out).empty());
}

TEST_F(Arguments, larger_options_are_accepted_if_nothing_unknown_is_asked_for) {
    struct {
        lb_restore_options known;
        char later[16];
    } wanted;
    std::memset(&wanted, 0, sizeof wanted);
    wanted.known.struct_size = sizeof wanted;
    wanted.later[15] = 1;
    expect_named(restore_start(from.c_str(), to.c_str(), &wanted.known), "struct_size");
    wanted.later[15] = 0;
    expect_ok(restore(archive, dest, wanted.known));
    EXPECT_EQ(lb_verify_start(from.c_str(), nullptr, &job, nullptr), LB_STATUS_OK) << "NULL asks for the defaults";
    EXPECT_EQ(lb_backup_join(job, nullptr), LB_STATUS_OK);
}

/// A program that was compiled with an earlier header has no room for what was added.
TEST_F(Arguments, result_of_an_earlier_version_is_filled_as_far_as_it_goes) {
    struct {
        lb_result known;
        char beyond[8];
    } small;
    std::memset(&small, 0x5a, sizeof small);
    small.known.struct_size = offsetof(lb_result, failed_check);
    ASSERT_EQ(lb_restore_start(from.c_str(), to.c_str(), nullptr, &job, nullptr), LB_STATUS_OK);
    EXPECT_EQ(lb_backup_join(job, &small.known), LB_STATUS_OK);
    EXPECT_GT(small.known.pages, 0U);
    EXPECT_EQ(small.known.failed_check, 0x5a5a5a5aU);
}

TEST_F(Arguments, kept_copy_must_not_exist_nor_be_the_destination_or_the_archive) {
    expect_ok(restore(archive, dest));
    const auto before = read_file(dest), whole = read_file(archive);
    write_file(out / "taken.db", "an earlier one");
    for (const auto &kept : {(out / "taken.db").string(), to, from}) {
        SCOPED_TRACE(kept);
        auto wanted = replacing();
        wanted.keep_previous = kept.c_str();
        const auto outcome = restore(archive, dest, wanted);
        EXPECT_TRUE(outcome.status == LB_STATUS_ALREADY_EXISTS || outcome.status == LB_STATUS_INVALID_ARGUMENT)
            << lb_status_name(outcome.status);
        EXPECT_NE(std::string(outcome.message).find("keep_previous"), std::string::npos) << outcome.message;
    }
    EXPECT_EQ(read_file(out / "taken.db"), "an earlier one");
    EXPECT_TRUE(read_file(dest) == before);
    EXPECT_TRUE(read_file(archive) == whole);
}

TEST_F(Arguments, leftover_that_would_be_replayed_onto_the_kept_copy_is_refused_by_name) {
    make_database(dest, another());
    const auto before = content_hash(dest);
    const auto kept = (out / "kept.db").string(), packed = (out / "kept.db.zst").string();
    auto wanted = replacing();
    wanted.keep_previous = kept.c_str();
    for (const auto *suffix : {"-wal", "-journal"}) {
        SCOPED_TRACE(suffix);
        write_file(kept + suffix, "of a database that is gone");
        expect_failed(restore(archive, dest, wanted), LB_STATUS_ALREADY_EXISTS, kept + suffix);
        EXPECT_EQ(content_hash(dest), before);
        EXPECT_EQ(read_file(kept + suffix), "of a database that is gone");
        EXPECT_FALSE(fs::exists(kept));
        fs::remove(kept + suffix);
        write_file(packed + suffix, "nobody reads this");
    }
    wanted.keep_previous = packed.c_str();
    expect_ok(restore(archive, dest, wanted));
    EXPECT_EQ(content_hash(plain_image(packed)), before);
}

/// Whoever has the archive or the destination open would take it for its own, and roll it back or remove it.
TEST_F(Arguments, kept_copy_with_a_name_that_sqlite_has_beside_the_destination_or_the_archive_is_refused) {
    make_database(dest, another());
    const auto plain = dir / "plain.db";
    unzstd(archive, plain);
    fs::create_directory_symlink(out, dir / "here");
    fs::create_symlink(plain, dir / "alias.db");
    const auto before = list_dir(out), beside = list_dir(dir.path());
    for (const auto &of : {dest, dir / "here" / "restored.db", plain})
        for (const auto *suffix : {"-wal", "-shm", "-journal"}) {
            const auto kept = of.string() + suffix;
            SCOPED_TRACE(kept);
            auto wanted = replacing();
            wanted.keep_previous = kept.c_str();
            for (const auto &from : {plain, dir / "alias.db"})
                expect_failed(restore(from, dest, wanted), LB_STATUS_INVALID_ARGUMENT,
                              "keep_previous \"" + kept + "\"");
        }
    EXPECT_EQ(list_dir(out), before);
    EXPECT_EQ(list_dir(dir.path()), beside);
    EXPECT_EQ(Db(dest).scalar("SELECT count(*) FROM moves"), another().rows);
}

// --------------------------------------------------------------------------------------------------------- progress

/// What is started: a restore to a new file or onto a live one, or a verification; in all their ways.
struct Work {
    const char *name;
    const char *from;
    bool live;
    bool verifies;
    std::uint32_t verify;
};

class Jobs : public RestoreTest, public ::testing::WithParamInterface<Work> {
protected:
    void SetUp() override {
        RestoreTest::SetUp();
        unzstd(archive, dir / "image.db");
        write_file(dir / "theirs.zst", zstd_frame(read_file(dir / "image.db")));
        if (!GetParam().live) return;
        auto other = database();
        other.seed = 2;
        make_database(dest, other);
        present = content_hash(dest);
    }
    DatabaseOptions database() const override {
        DatabaseOptions wanted;
        wanted.bytes = 2 << 20;
        return wanted;
    }

    Job start(std::uint64_t rate = 0, lb_progress_fn on_progress = nullptr, lb_complete_fn on_complete = nullptr,
              void *user_data = nullptr) {
        const auto set = [&](auto wanted) {
            wanted.verify = GetParam().verify;
            wanted.max_bytes_per_second = rate;
            wanted.on_progress = on_progress;
            wanted.on_complete = on_complete;
            wanted.user_data = user_data;
            wanted.progress_interval_ms = 1;
            return wanted;
        };
        const fs::path from = dir / GetParam().from;
        if (GetParam().verifies) return Job::start_verify(from, set(verify_options()));
        return Job::start_restore(from, dest, set(GetParam().live ? replacing() : restore_options()));
    }
    fs::path target() const { return GetParam().verifies ? dir / GetParam().from : dest; }

    void expect_untouched() {
        if (GetParam().live) {
            EXPECT_EQ(content_hash(dest), present);
            EXPECT_EQ(integrity_check(dest), "ok");
        }
        EXPECT_EQ(list_dir(out).size(), GetParam().live ? 1U : 0U);
    }

    std::uint64_t present = 0;
};

const Work works[] = {
    {"new", "game.db.zst", false, false, LB_VERIFY_QUICK},
    {"new_full", "game.db.zst", false, false, LB_VERIFY_FULL},
    {"new_from_plain", "image.db", false, false, LB_VERIFY_QUICK},
    {"new_from_another_tools", "theirs.zst", false, false, LB_VERIFY_QUICK},
    {"live", "game.db.zst", true, false, LB_VERIFY_QUICK},
    {"live_full", "game.db.zst", true, false, LB_VERIFY_FULL},
    {"live_unverified", "game.db.zst", true, false, LB_VERIFY_NONE},
    {"live_from_plain", "image.db", true, false, LB_VERIFY_QUICK},
    {"live_from_another_tools", "theirs.zst", true, false, LB_VERIFY_QUICK},
    {"verify", "game.db.zst", false, true, LB_VERIFY_QUICK},
    {"verify_full", "game.db.zst", false, true, LB_VERIFY_FULL},
    {"verify_plain", "image.db", false, true, LB_VERIFY_FULL},
    {"verify_another_tools", "theirs.zst", false, true, LB_VERIFY_QUICK},
    {"verify_another_tools_full", "theirs.zst", false, true, LB_VERIFY_FULL},
};

/// What a rate slows: everything but the write transaction of a live destination, for which others wait, and SQLite.
std::vector<Work> throttled_works() {
    std::vector<Work> slow;
    for (const auto &work : works) {
        const bool is_plain = work.from == std::string("image.db");
        const bool is_exempt = work.live ? is_plain || work.verify == LB_VERIFY_NONE : work.verifies && is_plain;
        if (!is_exempt) slow.push_back(work);
    }
    return slow;
}

class ThrottledJobs : public Jobs {};

constexpr auto name_of_work = [](const auto &tested) { return std::string(tested.param.name); };
INSTANTIATE_TEST_SUITE_P(Works, Jobs, ::testing::ValuesIn(works), name_of_work);
INSTANTIATE_TEST_SUITE_P(Works, ThrottledJobs, ::testing::ValuesIn(throttled_works()), name_of_work);

void expect_later(const lb_progress &earlier, const lb_progress &later) {
    EXPECT_GE(later.state, earlier.state);
    EXPECT_GE(later.phase, earlier.phase);
    EXPECT_GE(later.bytes_done, earlier.bytes_done);
    EXPECT_GE(later.bytes_total, earlier.bytes_total);
    EXPECT_GE(later.bytes_written, earlier.bytes_written);
    EXPECT_GE(later.bytes_reused, earlier.bytes_reused);
    EXPECT_GE(later.elapsed_ns, earlier.elapsed_ns);
    EXPECT_GE(later.percent, earlier.percent);
    EXPECT_LE(later.percent, 100.0);
    if (later.state != LB_JOB_STATE_SUCCEEDED) {
        EXPECT_LT(later.percent, 100.0);
    }
    EXPECT_LE(later.bytes_done, std::max(later.bytes_total, later.bytes_done * (later.bytes_total == 0 ? 1U : 0U)));
}

TEST_P(Jobs, progress_never_goes_back_and_is_100_only_with_success) {
    auto job = start();
    auto last = job.progress();
    std::set<lb_phase> phases;
    while (job.wait(0) == LB_STATUS_TIMED_OUT) {
        const auto now = job.progress();
        expect_later(last, now);
        phases.insert(now.phase);
        last = now;
    }
    const auto end = job.progress();
    expect_ok(job.join());
    expect_later(last, end);
    EXPECT_EQ(end.state, LB_JOB_STATE_SUCCEEDED);
    EXPECT_EQ(end.phase, LB_PHASE_DONE);
    EXPECT_EQ(end.percent, 100.0);
    EXPECT_EQ(end.bytes_done, end.bytes_total);
    EXPECT_EQ(end.bytes_total, fs::file_size(dir / "image.db"));
    EXPECT_EQ(end.eta_ns, 0U);
    EXPECT_EQ(phases.count(LB_PHASE_COPYING) + phases.count(LB_PHASE_COMPRESSING), 0U);
}

struct Heard {
    std::vector<lb_progress> progress;
    std::vector<lb_status> completed;
    std::string message;
    lb_job *job = nullptr;
    std::atomic<int> inside{0};
    bool overlapped = false;
};

void on_progress(lb_job *job, const lb_progress *now, void *user_data) {
    auto &heard = *static_cast<Heard *>(user_data);
    heard.overlapped |= heard.inside++ != 0;
    heard.progress.push_back(*now);
    heard.job = job;
    auto again = progress();
    heard.overlapped |= lb_backup_progress(job, &again) != LB_STATUS_OK;
    heard.inside--;
}

void on_complete(lb_job *job, const lb_result *outcome, void *user_data) {
    auto &heard = *static_cast<Heard *>(user_data);
    heard.overlapped |= heard.inside++ != 0;
    heard.completed.push_back(outcome->status);
    heard.message = outcome->message;
    heard.job = job;
    heard.inside--;
}

TEST_P(Jobs, callbacks_come_one_at_a_time_and_the_last_one_once) {
    Heard heard;
    auto job = start(0, on_progress, on_complete, &heard);
    auto *const handle = job.get();
    expect_ok(job.join());
    EXPECT_EQ(heard.completed, std::vector<lb_status>{LB_STATUS_OK});
    EXPECT_EQ(heard.job, handle);
    EXPECT_FALSE(heard.overlapped);
    ASSERT_FALSE(heard.progress.empty());
    for (std::size_t i = 1; i < heard.progress.size(); ++i) expect_later(heard.progress[i - 1], heard.progress[i]);
    EXPECT_EQ(heard.progress.back().state, LB_JOB_STATE_SUCCEEDED);
    EXPECT_EQ(heard.progress.back().percent, 100.0);
}

TEST_P(Jobs, released_handle_goes_on_to_the_end) {
    Heard heard;
    std::atomic<bool> ended{false};
    struct Both {
        Heard *heard;
        std::atomic<bool> *ended;
    } both{&heard, &ended};
    auto job = start(
        0, nullptr,
        [](lb_job *, const lb_result *outcome, void *user_data) {
            auto &told = *static_cast<Both *>(user_data);
            told.heard->completed.push_back(outcome->status);
            *told.ended = true;
        },
        &both);
    auto *const handle = job.get();
    EXPECT_EQ(job.release(), LB_STATUS_OK);
    auto now = progress();
    EXPECT_EQ(lb_backup_progress(handle, &now), LB_STATUS_INVALID_HANDLE);
    ASSERT_TRUE(wait_until([&] { return ended.load(); }));
    EXPECT_EQ(heard.completed, std::vector<lb_status>{LB_STATUS_OK});
    EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    if (!GetParam().verifies) {
        EXPECT_EQ(content_hash(dest), content_hash(dir / "image.db"));
    }
}

TEST_P(Jobs, is_listed_with_the_name_of_what_it_works_on) {
    auto job = start();
    std::vector<lb_job_info> listed(4, job_info());
    std::size_t count = 0;
    ASSERT_EQ(lb_backup_jobs(listed.data(), listed.size(), &count), LB_STATUS_OK);
    ASSERT_EQ(count, 1U);
    EXPECT_EQ(listed[0].job, job.get());
    EXPECT_EQ(listed[0].dest_name, target().filename().string());
    expect_ok(job.join());
    ASSERT_EQ(lb_backup_jobs(nullptr, 0, &count), LB_STATUS_OK);
    EXPECT_EQ(count, 0U);
}

TEST_P(ThrottledJobs, cancelled_in_the_middle_leaves_everything_as_it_was) {
    Heard heard;
    auto job = start(65536, on_progress, on_complete, &heard);
    ASSERT_TRUE(wait_until([&] {
        const auto now = job.progress();
        return now.state == LB_JOB_STATE_RUNNING && now.bytes_total > 0;
    }));
    EXPECT_EQ(job.cancel(), LB_STATUS_OK);
    EXPECT_EQ(job.cancel(), LB_STATUS_OK) << "idempotent";
    const auto outcome = job.join();
    EXPECT_STREQ(lb_status_name(outcome.status), "LB_STATUS_CANCELLED") << outcome.message;
    EXPECT_EQ(heard.completed, std::vector<lb_status>{LB_STATUS_CANCELLED});
    EXPECT_EQ(heard.progress.back().state, LB_JOB_STATE_CANCELLED);
    EXPECT_LT(heard.progress.back().percent, 100.0);
    expect_untouched();
}

TEST_P(ThrottledJobs, rate_can_be_lifted_while_it_runs) {
    auto job = start(1);
    ASSERT_TRUE(wait_until([&] { return job.progress().state == LB_JOB_STATE_RUNNING; }));
    EXPECT_EQ(job.wait(0), LB_STATUS_TIMED_OUT);
    EXPECT_EQ(job.set_rate(0), LB_STATUS_OK);
    expect_ok(job.join());
}

TEST_P(ThrottledJobs, shutdown_cancels_it_and_it_can_still_be_joined) {
    auto job = start(1);
    ASSERT_TRUE(wait_until([&] { return job.progress().state == LB_JOB_STATE_RUNNING; }));
    EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    EXPECT_EQ(job.cancel(), LB_STATUS_OK) << "and cancelling it again changes nothing";
    EXPECT_STREQ(lb_status_name(job.join().status), "LB_STATUS_CANCELLED");
    expect_untouched();
}

// ---------------------------------------------------------------------------------------------------------- phases

using Phases = RestoreTest;

/// The verification stands still until it is heard of.
TEST_F(Phases, live_restore_verifies_first_and_then_restores) {
    expect_ok(restore(archive, dest));
    Db(dest).exec("UPDATE moves SET bid = 'other'");
    std::vector<lb_phase> phases;
    auto wanted = replacing();
    wanted.max_bytes_per_second = 1;
    wanted.progress_interval_ms = 1;
    wanted.user_data = &phases;
    wanted.on_progress = [](lb_job *job, const lb_progress *now, void *user_data) {
        auto &heard = *static_cast<std::vector<lb_phase> *>(user_data);
        if (heard.empty() || heard.back() != now->phase) heard.push_back(now->phase);
        if (now->phase == LB_PHASE_VERIFYING) lb_backup_set_rate(job, 0);
    };
    expect_ok(restore(archive, dest, wanted));
    ASSERT_FALSE(phases.empty());
    EXPECT_TRUE(std::is_sorted(phases.begin(), phases.end()));
    EXPECT_NE(std::find(phases.begin(), phases.end(), LB_PHASE_VERIFYING), phases.end());
    EXPECT_EQ(phases.back(), LB_PHASE_DONE);
}

TEST_F(Phases, callback_may_inspect_and_start_another_but_not_wait_for_it) {
    struct Context {
        const fs::path *archive;
        lb_status inspected, waited;
        lb_job *second;
    } context{&archive, LB_STATUS_INTERNAL, LB_STATUS_INTERNAL, nullptr};
    auto wanted = verify_options();
    wanted.user_data = &context;
    wanted.on_complete = [](lb_job *, const lb_result *, void *user_data) {
        auto &told = *static_cast<Context *>(user_data);
        auto info = archive_info();
        told.inspected = lb_backup_inspect(told.archive->c_str(), &info, nullptr);
        auto slow = verify_options();
        slow.max_bytes_per_second = 1;
        if (lb_verify_start(told.archive->c_str(), &slow, &told.second, nullptr) == LB_STATUS_OK)
            told.waited = lb_backup_wait(told.second, 1000);
    };
    expect_ok(verify(archive, wanted));
    EXPECT_STREQ(lb_status_name(context.inspected), "LB_STATUS_OK");
    EXPECT_STREQ(lb_status_name(context.waited), "LB_STATUS_WOULD_DEADLOCK");
    EXPECT_EQ(lb_backup_cancel(context.second), LB_STATUS_OK);
    EXPECT_STREQ(lb_status_name(lb_backup_join(context.second, nullptr)), "LB_STATUS_CANCELLED");
}

/// Nothing is left open, and no thread: as for backups.
class Clean : public CleanTest {};

TEST_F(Clean, restores_and_verifications_good_and_bad_leave_no_descriptor_thread_or_handle) {
    const auto archive = dir / "a.db.zst", live = dir / "live.db";
    expect_ok(backup(source, archive));
    make_database(live, {});
    write_file(dir / "bad.zst", read_file(archive).substr(0, 5000));
    remember();
    for (int n = 0; n < 20; ++n) {
        expect_ok(restore(archive, dir / "new.db"));
        remove_database(dir / "new.db");
        expect_ok(restore(archive, live, replacing()));
        Db(live).exec("UPDATE players SET rating = rating + 1");
        expect_ok(verify(archive, n % 2 == 0 ? full() : verify_options()));
        EXPECT_NE(restore(dir / "bad.zst", dir / "new.db").status, LB_STATUS_OK);
        EXPECT_NE(restore(dir / "bad.zst", live, replacing()).status, LB_STATUS_OK);
        EXPECT_NE(verify(dir / "bad.zst").status, LB_STATUS_OK);
        inspect(archive);
        auto why = error();
        inspect(dir / "bad.zst", &why);
        EXPECT_EQ(why.status, LB_STATUS_OK) << "cut short, it is another tool's until it is read";
    }
}

TEST_F(Clean, fifty_at_once_come_to_their_ends) {
    const auto archive = dir / "a.db.zst";
    expect_ok(backup(source, archive));
    remember();
    std::vector<Job> jobs;
    for (int n = 0; n < 25; ++n) {
        jobs.push_back(Job::start_verify(archive, n % 2 == 0 ? full() : verify_options()));
        jobs.push_back(Job::start_restore(archive, dir / ("new" + std::to_string(n) + ".db"), restore_options()));
    }
    for (auto &job : jobs) expect_ok(job.join());
    for (int n = 0; n < 25; ++n)
        EXPECT_EQ(content_hash(dir / ("new" + std::to_string(n) + ".db")), content_hash(source));
}

}  // namespace
