// The contract of the callbacks: which thread, how often, in what order, and what may be called in there.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <atomic>
#include <functional>
#include <mutex>

using namespace lbtest;

namespace {

constexpr std::uint32_t for_ever = 0xFFFFFFFF;

/// The descriptors of the calling thread, as "number target".
std::vector<std::string> descriptors_of_this_thread() {
    std::vector<std::string> all;
    std::error_code gone;
    for (const auto &entry : fs::directory_iterator("/proc/thread-self/fd")) {
        const auto target = fs::read_symlink(entry.path(), gone).string();
        if (!gone && target.rfind("/proc/", 0) != 0) all.push_back(entry.path().filename().string() + " " + target);
    }
    std::sort(all.begin(), all.end());
    return all;
}

/// Writes down what happens in one job's callbacks. Handed over as user_data.
class Diary {
public:
    /// Options whose callbacks write in this diary, and do `during` and `at_end` if given.
    lb_backup_options options_writing_here(lb_backup_options wanted = options()) {
        wanted.user_data = this;
        wanted.on_progress = [](lb_job *job, const lb_progress *now, void *diary) {
            static_cast<Diary *>(diary)->progress(job, *now);
        };
        wanted.on_complete = [](lb_job *job, const lb_result *outcome, void *diary) {
            static_cast<Diary *>(diary)->complete(job, *outcome);
        };
        return wanted;
    }

    std::function<void(lb_job *)> during;
    std::function<void(lb_job *)> at_end;

    std::vector<lb_progress> looks;
    std::vector<lb_result> ends;
    std::set<std::thread::id> threads;
    std::set<lb_job *> handles;
    std::vector<std::string> descriptors;
    std::atomic<bool> ended{false};

private:
    /// Two at once would be seen here.
    class Alone {
    public:
        explicit Alone(std::atomic<int> &inside) : inside_(inside) { EXPECT_EQ(++inside_, 1) << "two at once"; }
        Alone(const Alone &) = delete;
        Alone &operator=(const Alone &) = delete;
        ~Alone() { --inside_; }

    private:
        std::atomic<int> &inside_;
    };

    void progress(lb_job *job, const lb_progress &now) {
        const Alone alone(inside_);
        EXPECT_TRUE(ends.empty()) << "on_complete is the last";
        EXPECT_EQ(now.struct_size, sizeof now);
        looks.push_back(now);
        threads.insert(std::this_thread::get_id());
        handles.insert(job);
        descriptors = descriptors_of_this_thread();
        if (during) during(job);
    }
    void complete(lb_job *job, const lb_result &outcome) {
        {
            const Alone alone(inside_);
            EXPECT_EQ(outcome.struct_size, sizeof outcome);
            ends.push_back(outcome);
            threads.insert(std::this_thread::get_id());
            handles.insert(job);
            descriptors = descriptors_of_this_thread();
            if (at_end) at_end(job);
        }
        // Whoever waits for this may end the diary.
        ended = true;
    }

    std::atomic<int> inside_{0};
};

class Callbacks : public CleanTest {
protected:
    DatabaseOptions database() const override { return sizable(); }
    void TearDown() override {
        for (const auto &name : list_dir(out))
            if (name != "earlier.db") fs::remove(out / name);
        CleanTest::TearDown();
    }
    /// Some two seconds of work.
    static lb_backup_options paced() {
        auto wanted = options();
        wanted.chunk_size = 65536;
        wanted.max_bytes_per_second = 4 << 20;
        return wanted;
    }
    const fs::path dest = out / "new.db";
};

// ---------------------------------------------------------------------------------------------------- when and where

TEST_F(Callbacks, on_complete_comes_once_and_last_with_what_join_tells) {
    for (const auto *name : {"new.db", "new.db.zst"}) {
        Diary diary;
        auto job = Job::start(source, out / name, diary.options_writing_here());
        auto *const handle = job.get();
        const auto outcome = job.join();
        expect_ok(outcome);
        ASSERT_EQ(diary.ends.size(), 1U) << "it has returned when join returns";
        EXPECT_EQ(std::memcmp(&diary.ends[0], &outcome, sizeof outcome), 0);
        EXPECT_EQ(diary.handles, std::set<lb_job *>{handle});
        ASSERT_FALSE(diary.looks.empty()) << "once with the last state";
        EXPECT_EQ(diary.looks.back().state, LB_JOB_STATE_SUCCEEDED);
        EXPECT_EQ(diary.looks.back().percent, 100.0);
    }
}

TEST_F(Callbacks, wait_returns_after_on_complete_has) {
    Diary diary;
    std::atomic<bool> let_go{false};
    diary.at_end = [&](lb_job *) { wait_until([&] { return let_go.load(); }); };
    auto job = Job::start(source, dest, diary.options_writing_here());
    ASSERT_TRUE(wait_until([&] { return job.progress().state == LB_JOB_STATE_SUCCEEDED; }));
    EXPECT_EQ(job.wait(20), LB_STATUS_TIMED_OUT) << "on_complete is still at work";
    EXPECT_FALSE(diary.ended);
    let_go = true;
    EXPECT_EQ(job.wait(for_ever), LB_STATUS_OK);
    EXPECT_TRUE(diary.ended);
    expect_ok(job.join());
}

TEST_F(Callbacks, come_on_one_thread_which_sees_the_hosts_descriptors) {
    int host_pipe[2];
    ASSERT_EQ(::pipe2(host_pipe, O_CLOEXEC), 0);
    Diary first, second;
    auto one = Job::start(source, out / "1.db", first.options_writing_here());
    auto two = Job::start(source, out / "2.db.zst", second.options_writing_here());
    expect_ok(one.join());
    expect_ok(two.join());
    EXPECT_EQ(first.threads.size(), 1U);
    EXPECT_EQ(first.threads, second.threads) << "one thread for all jobs";
    EXPECT_EQ(first.threads.count(std::this_thread::get_id()), 0U);
    EXPECT_EQ(first.descriptors, descriptors_of_this_thread());
    EXPECT_EQ(second.descriptors, descriptors_of_this_thread());
    ::close(host_pipe[0]);
    ::close(host_pipe[1]);
}

TEST_F(Callbacks, descriptor_opened_in_a_callback_is_the_hosts) {
    Diary diary;
    int opened = -1;
    diary.at_end = [&](lb_job *) { opened = ::open("/dev/null", O_RDONLY | O_CLOEXEC); };
    expect_ok(backup(source, dest, diary.options_writing_here()));
    ASSERT_GE(opened, 0);
    EXPECT_EQ(fs::read_symlink("/proc/self/fd/" + std::to_string(opened)), "/dev/null");
    EXPECT_EQ(::close(opened), 0);
}

TEST_F(Callbacks, progress_comes_no_more_often_than_asked_and_never_goes_backwards) {
    Diary diary;
    auto wanted = diary.options_writing_here(paced());
    wanted.progress_interval_ms = 50;
    const auto outcome = backup(source, dest, wanted);
    expect_ok(outcome);
    ASSERT_GE(diary.looks.size(), 3U) << "in some two seconds";
    // Counted, not timed one by one: on a busy machine a call may come late, and the next one in time.
    const auto took = static_cast<std::size_t>(outcome.end_unix_ns - outcome.start_unix_ns);
    EXPECT_LE(diary.looks.size(), took / 50'000'000 + 2) << "and once with the last state";
    for (std::size_t i = 1; i < diary.looks.size(); ++i) {
        EXPECT_GE(diary.looks[i].bytes_done, diary.looks[i - 1].bytes_done);
        EXPECT_GE(diary.looks[i].percent, diary.looks[i - 1].percent);
        EXPECT_GE(diary.looks[i].state, diary.looks[i - 1].state);
        const bool last = i + 1 == diary.looks.size();
        EXPECT_EQ(diary.looks[i].state == LB_JOB_STATE_SUCCEEDED, last);
    }
}

TEST_F(Callbacks, interval_longer_than_the_job_leaves_the_last_state_only) {
    Diary diary;
    auto wanted = diary.options_writing_here();
    wanted.progress_interval_ms = for_ever;
    expect_ok(backup(source, dest, wanted));
    ASSERT_FALSE(diary.looks.empty());
    EXPECT_LE(diary.looks.size(), 2U);
    EXPECT_EQ(diary.looks.back().state, LB_JOB_STATE_SUCCEEDED);
}

TEST_F(Callbacks, slow_one_delays_no_job) {
    Diary slow;
    std::atomic<bool> let_go{false};
    slow.at_end = [&](lb_job *) { wait_until([&] { return let_go.load(); }); };
    auto delayed = Job::start(source, out / "1.db", slow.options_writing_here());
    ASSERT_TRUE(wait_until([&] { return delayed.progress().state == LB_JOB_STATE_SUCCEEDED; }));
    auto other = Job::start(source, out / "2.db");
    expect_ok(other.join());
    EXPECT_FALSE(slow.ended) << "it was still at work";
    let_go = true;
    expect_ok(delayed.join());
}

TEST_F(Callbacks, either_alone_is_enough) {
    Diary first, second;
    auto only_end = first.options_writing_here();
    only_end.on_progress = nullptr;
    expect_ok(backup(source, out / "1.db", only_end));
    EXPECT_EQ(first.ends.size(), 1U);
    auto only_progress = second.options_writing_here();
    only_progress.on_complete = nullptr;
    expect_ok(backup(source, out / "2.db", only_progress));
    EXPECT_FALSE(second.looks.empty());
}

// ----------------------------------------------------------------------------------------- whatever becomes of the job

TEST_F(Callbacks, on_complete_comes_after_release_too) {
    Diary diary;
    auto job = Job::start(source, dest, diary.options_writing_here());
    auto *const handle = job.get();
    EXPECT_EQ(job.release(), LB_STATUS_OK);
    ASSERT_TRUE(wait_until([&] { return diary.ended.load(); }));
    ASSERT_EQ(diary.ends.size(), 1U);
    EXPECT_STREQ(diary.ends[0].message, "");
    EXPECT_EQ(diary.ends[0].status, LB_STATUS_OK);
    EXPECT_EQ(diary.handles, std::set<lb_job *>{handle});
}

TEST_F(Callbacks, on_complete_comes_after_cancel_and_after_failure) {
    Diary cancelled;
    auto job = Job::start(source, dest, cancelled.options_writing_here(throttled()));
    job.cancel();
    EXPECT_EQ(job.join().status, LB_STATUS_CANCELLED);
    ASSERT_EQ(cancelled.ends.size(), 1U);
    EXPECT_EQ(cancelled.ends[0].status, LB_STATUS_CANCELLED);

    Diary failed;
    write_file(dir / "bad.db", read_file(source).substr(0, 1 << 20));
    EXPECT_EQ(backup(dir / "bad.db", dest, failed.options_writing_here()).status, LB_STATUS_CORRUPT);
    if (!failed.ends.empty()) {
        EXPECT_EQ(failed.ends[0].status, LB_STATUS_CORRUPT);
        EXPECT_STRNE(failed.ends[0].message, "");
    }
}

TEST_F(Callbacks, refused_start_calls_nothing) {
    Diary diary;
    EXPECT_EQ(backup(source, earlier, diary.options_writing_here()).status, LB_STATUS_ALREADY_EXISTS);
    EXPECT_EQ(backup(dir / "nowhere.db", dest, diary.options_writing_here()).status, LB_STATUS_NOT_FOUND);
    EXPECT_TRUE(diary.looks.empty());
    EXPECT_TRUE(diary.ends.empty());
}

TEST_F(Callbacks, each_of_many_jobs_has_its_own) {
    Diary diaries[12];
    std::vector<Job> jobs;
    for (int i = 0; i < 12; ++i)
        jobs.push_back(
            Job::start(source, out / (std::to_string(i) + ".db"), diaries[i].options_writing_here()));
    for (auto &job : jobs) expect_ok(job.join());
    for (const auto &diary : diaries) {
        EXPECT_EQ(diary.ends.size(), 1U);
        EXPECT_EQ(diary.handles.size(), 1U);
    }
}

// --------------------------------------------------------------------------------------------- calls from inside

TEST_F(Callbacks, every_function_works_inside_but_waiting_for_what_cannot_end) {
    Diary diary;
    int calls = 0;
    diary.during = [&](lb_job *job) {
        auto now = progress();
        ASSERT_EQ(lb_backup_progress(job, &now), LB_STATUS_OK);
        const bool ended = now.state > LB_JOB_STATE_RUNNING;
        if (ended) return;
        ++calls;
        for (const std::uint32_t timeout : {1U, 1000U, for_ever})
            EXPECT_STREQ(lb_status_name(lb_backup_wait(job, timeout)), "LB_STATUS_WOULD_DEADLOCK");
        auto outcome = result();
        EXPECT_STREQ(lb_status_name(lb_backup_join(job, &outcome)), "LB_STATUS_WOULD_DEADLOCK");
        EXPECT_EQ(outcome.status, LB_STATUS_OK) << "not written";
        EXPECT_STREQ(lb_status_name(lb_shutdown(for_ever)), "LB_STATUS_WOULD_DEADLOCK");
        EXPECT_STREQ(lb_status_name(lb_shutdown(1)), "LB_STATUS_WOULD_DEADLOCK");
        EXPECT_EQ(lb_configure(nullptr, nullptr), LB_STATUS_BUSY);
        EXPECT_EQ(lb_backup_set_rate(job, 0), LB_STATUS_OK);
        std::size_t count = 0;
        auto info = job_info();
        EXPECT_EQ(lb_backup_jobs(&info, 1, &count), LB_STATUS_OK);
        EXPECT_EQ(count, 1U);
        EXPECT_EQ(info.job, job);
        EXPECT_STREQ(lb_status_name(LB_STATUS_OK), "LB_STATUS_OK");
        EXPECT_STRNE(lb_status_message(LB_STATUS_OK), "");
        EXPECT_STRNE(lb_version(), "");
        EXPECT_EQ(lb_backup_release(nullptr), LB_STATUS_INVALID_HANDLE);
    };
    auto wanted = diary.options_writing_here(paced());
    wanted.progress_interval_ms = 10;
    expect_ok(backup(source, dest, wanted));
    EXPECT_GT(calls, 0);
    EXPECT_EQ(diary.ends.size(), 1U);
}

TEST_F(Callbacks, waiting_inside_for_another_unfinished_job_would_deadlock_as_well) {
    auto other = Job::start(source, out / "other.db", throttled());
    Diary diary;
    diary.at_end = [&](lb_job *) {
        EXPECT_STREQ(lb_status_name(other.wait(for_ever)), "LB_STATUS_WOULD_DEADLOCK");
        EXPECT_STREQ(lb_status_name(lb_backup_join(other.get(), nullptr)), "LB_STATUS_WOULD_DEADLOCK");
        EXPECT_STREQ(lb_status_name(lb_shutdown(for_ever)), "LB_STATUS_WOULD_DEADLOCK");
    };
    expect_ok(backup(source, dest, diary.options_writing_here()));
    EXPECT_EQ(diary.ends.size(), 1U);
    EXPECT_EQ(other.progress().state, LB_JOB_STATE_RUNNING) << "the refused shutdown cancelled nothing";
    EXPECT_EQ(other.set_rate(0), LB_STATUS_OK);
    expect_ok(other.join());
}

TEST_F(Callbacks, cancel_inside_on_progress_works) {
    Diary diary;
    diary.during = [](lb_job *job) { lb_backup_cancel(job); };
    auto wanted = diary.options_writing_here(throttled());
    wanted.progress_interval_ms = 1;
    EXPECT_EQ(backup(source, dest, wanted).status, LB_STATUS_CANCELLED);
    EXPECT_EQ(diary.ends.size(), 1U);
}

TEST_F(Callbacks, join_of_its_own_job_inside_on_complete_works) {
    Diary diary;
    auto inside = result();
    auto status = LB_STATUS_INTERNAL, waited = LB_STATUS_INTERNAL, again = LB_STATUS_OK;
    diary.at_end = [&](lb_job *job) {
        waited = lb_backup_wait(job, for_ever);
        status = lb_backup_join(job, &inside);
        again = lb_backup_join(job, nullptr);
    };
    auto job = Job::start(source, dest, diary.options_writing_here());
    auto *const handle = job.forget();
    ASSERT_TRUE(wait_until([&] { return diary.ended.load(); }));
    EXPECT_EQ(waited, LB_STATUS_OK);
    EXPECT_EQ(status, LB_STATUS_OK);
    EXPECT_EQ(std::memcmp(&inside, &diary.ends[0], sizeof inside), 0);
    EXPECT_EQ(again, LB_STATUS_INVALID_HANDLE);
    EXPECT_EQ(lb_backup_join(handle, nullptr), LB_STATUS_INVALID_HANDLE);
}

TEST_F(Callbacks, release_of_its_own_job_inside_each_of_them_works) {
    Diary in_end;
    in_end.at_end = [](lb_job *job) { EXPECT_EQ(lb_backup_release(job), LB_STATUS_OK); };
    Job::start(source, out / "1.db", in_end.options_writing_here()).forget();
    ASSERT_TRUE(wait_until([&] { return in_end.ended.load(); }));

    Diary in_progress;
    int released = 0;
    in_progress.during = [&](lb_job *job) { released += lb_backup_release(job) == LB_STATUS_OK ? 1 : 0; };
    Job::start(source, out / "2.db", in_progress.options_writing_here()).forget();
    ASSERT_TRUE(wait_until([&] { return in_progress.ended.load(); }));
    EXPECT_EQ(released, 1);
}

TEST_F(Callbacks, another_backup_can_be_started_inside) {
    Diary next, first;
    std::atomic<lb_job *> started{nullptr};
    const auto wanted = next.options_writing_here();
    first.at_end = [&](lb_job *) {
        lb_job *handle = nullptr;
        EXPECT_EQ(lb_backup_start(source.c_str(), (out / "next.db").c_str(), &wanted, &handle, nullptr), LB_STATUS_OK);
        started = handle;
    };
    expect_ok(backup(source, dest, first.options_writing_here()));
    ASSERT_NE(started.load(), nullptr);
    expect_ok(Job(started).join());
    EXPECT_EQ(next.ends.size(), 1U);
    EXPECT_EQ(content_hash(out / "next.db"), content_hash(source));
}

TEST_F(Callbacks, joining_threads_meet_no_callback_after_their_join) {
    for (int round = 0; round < 50; ++round) {
        Diary diary;  // its end is the end of its memory
        auto wanted = diary.options_writing_here();
        wanted.progress_interval_ms = 1;
        wanted.chunk_size = 65536;
        auto job = Job::start(source, dest, wanted);
        if (round % 2 == 1) job.cancel();
        job.join();
        EXPECT_EQ(diary.ends.size(), 1U);
        fs::remove(dest);
    }
}

// ----------------------------------------------------------------------------------------------------------- on_log

/// What the library has told the host's log.
struct Log {
    std::mutex mutex;
    std::vector<std::pair<std::uint32_t, std::string>> lines;
    std::set<std::thread::id> threads;

    static void write(std::uint32_t level, const char *message, void *log) {
        auto *const self = static_cast<Log *>(log);
        const std::lock_guard<std::mutex> lock(self->mutex);
        self->lines.emplace_back(level, message);
        self->threads.insert(std::this_thread::get_id());
        std::size_t count = 0;
        EXPECT_EQ(lb_backup_jobs(nullptr, 0, &count), LB_STATUS_OK) << "functions may be called in here";
        EXPECT_EQ(lb_shutdown(for_ever), LB_STATUS_WOULD_DEADLOCK);
    }
};

class Logging : public ConfiguredTest {
protected:
    lb_config configuration() override {
        auto wanted = config();
        wanted.user_data = &log;
        wanted.on_log = Log::write;
        return wanted;
    }
    Log log;
};

TEST_F(Logging, tells_of_what_a_crashed_run_left_and_was_swept) {
    const auto leftover = out / ".lb_backup-0123456789abcdef.tmp";
    write_file(leftover, "half a backup");
    expect_ok(backup(source, out / "new.db"));
    EXPECT_EQ(list_dir(out), std::vector<std::string>{"new.db"});
    EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);  // every line has been told by then
    bool told = false;
    for (const auto &[level, message] : log.lines) {
        EXPECT_TRUE(level == LB_LOG_WARNING || level == LB_LOG_INFO) << level;
        EXPECT_FALSE(message.empty());
        told = told || message.find(".lb_backup-0123456789abcdef.tmp") != std::string::npos;
    }
    EXPECT_TRUE(told) << log.lines.size() << " lines";
    EXPECT_EQ(log.threads.count(std::this_thread::get_id()), 0U);
}

/// The host may free what the function uses once it is told that the shutdown is over.
TEST_F(Logging, ends_with_the_shutdown_also_for_later_starts) {
    const auto sweep = [&](const fs::path &directory) {
        fs::create_directory(directory);
        write_file(directory / ".lb_backup-0123456789abcdef.tmp", "half a backup");
        expect_ok(backup(source, directory / "new.db"));
        EXPECT_EQ(list_dir(directory), std::vector<std::string>{"new.db"});
        EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    };
    sweep(out / "1");
    EXPECT_EQ(log.lines.size(), 1U);
    sweep(out / "2");
    EXPECT_EQ(log.lines.size(), 1U);

    const auto wanted = configuration();
    EXPECT_EQ(lb_configure(&wanted, nullptr), LB_STATUS_OK);
    EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK) << "of a library that nobody has used";
    sweep(out / "3");
    EXPECT_EQ(log.lines.size(), 1U);
}

TEST_F(Logging, does_not_warn_of_an_ordinary_backup) {
    expect_ok(backup(source, out / "new.db"));
    EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
    for (const auto &[level, message] : log.lines) EXPECT_NE(level, std::uint32_t{LB_LOG_WARNING}) << message;
}

}  // namespace
