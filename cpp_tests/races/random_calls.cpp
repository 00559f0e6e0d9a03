// Eight threads call random functions of the library on handles that they share, while the host writes to the source.
//
//   lb_random_calls [--calls N | --seconds N] [--seed N]
//
// Every status must be one that the header allows for that handle at that moment; a handle ends once; a job's on_complete
// is called once, before any wait for it is over; what succeeded verifies; in the end nothing is left: no handle, no file,
// no descriptor, no thread. SPDX-License-Identifier: MIT OR Apache-2.0

#include "support/support.hpp"

#include <array>
#include <atomic>
#include <deque>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <unordered_set>

using namespace lbtest;

namespace {

constexpr int thread_count = 8;
constexpr int slot_count = 12;
constexpr int shared_names = 4;
constexpr std::uint32_t for_ever = 0xFFFFFFFF;

using Random = std::mt19937_64;

std::atomic<int> violations{0};

void violation(const std::string &what) {
    if (violations.fetch_add(1) < 20) std::fprintf(stderr, "lb_random_calls: %s\n", what.c_str());
}

void expect(bool holds, const std::string &what) {
    if (!holds) violation(what);
}

void expect_one_of(const char *call, lb_status status, std::initializer_list<lb_status> allowed) {
    if (std::find(allowed.begin(), allowed.end(), status) == allowed.end())
        violation(std::string(call) + " gave " + lb_status_name(status));
}

enum class Kind { backup, replace, restore_new, restore_live, verify };

/// One job, from before its start to the end of the process.
struct Record {
    Kind kind = Kind::backup;
    fs::path dest;
    std::atomic<lb_job *> handle{nullptr};
    std::atomic<bool> cancel_asked{false};
    std::atomic<int> ending{0};     // joins and releases that were begun
    std::atomic<int> ended{0};      // those that got it
    std::atomic<int> completed{0};  // on_complete has been called, and is over
    std::atomic<int> outcome{-1};
};

class Scene;

/// What one thread has at hand.
struct Caller {
    Scene &scene;
    Random random;
    std::uint64_t calls = 0;
    std::array<const Record *, slot_count> seen{};  // whose progress it has looked at last, for each slot
    std::array<lb_progress, slot_count> last{};

    std::uint64_t below(std::uint64_t limit) { return random() % limit; }
    bool once_in(std::uint64_t many) { return below(many) == 0; }
};

class Scene {
public:
    Scene() {
        fs::create_directory(out_);
        DatabaseOptions wanted;
        wanted.bytes = 256 << 10;
        make_database(source_, wanted);
        wanted.seed = 2;
        make_database(live_, wanted);
        write_file(dir_ / "text", std::string(5000, 'x'));
        configure();
        if (const auto made = backup(source_, archive_); made.status != LB_STATUS_OK) fail(made.message);
        const fs::path image = dir_ / "image.db";
        if (const auto made = restore(archive_, image); made.status != LB_STATUS_OK) fail(made.message);
        contents_ = {content_hash(live_), content_hash(image)};
        used_.emplace(dir_.path());
    }

    void step(Caller &caller) {
        const auto what = caller.below(100);
        if (what < 5) return start(caller);
        if (what < 30) return look(caller);
        if (what < 42) return wait(caller);
        if (what < 48) return cancel(caller);
        if (what < 56) return set_rate(caller);
        if (what < 60) return end(caller, taken(caller));
        if (what < 68) return list(caller);
        if (what < 72) return inspect(caller);
        if (what < 76) return configure_while_running();
        if (what < 88) return misuse(caller);
        if (what < 99 || !caller.once_in(40)) return names(caller);
        shut_down(caller);
    }

    /// Ends what is open and looks whether anything is left.
    void conclude() {
        Caller caller{*this, Random(0)};
        for (auto &slot : slots_)
            if (auto *record = slot.exchange(nullptr)) end(caller, record);
        std::size_t open = 0;
        expect_one_of("jobs", lb_backup_jobs(nullptr, 0, &open), {LB_STATUS_OK});
        expect(open == 0, std::to_string(open) + " handles are still open");

        std::set<std::string> expected;
        for (const auto &record : records_) {
            if (record->handle == nullptr) continue;  // its start was refused
            if (!wait_until([&] { return record->completed == 1; }, std::chrono::seconds(120)))
                violation("a job has not ended, or was told " + std::to_string(record->completed) + " times");
            expect(record->ended == 1, "a handle ended " + std::to_string(record->ended) + " times");
            const bool makes_a_file =
                record->kind == Kind::backup || record->kind == Kind::replace || record->kind == Kind::restore_new;
            if (makes_a_file && record->outcome == LB_STATUS_OK) expected.insert(record->dest.filename().string());
        }
        for (const auto &removed : removed_) expected.erase(removed);
        for (const auto &name : list_dir(out_)) {
            expect(expected.erase(name) == 1, "left behind: " + name);
            verify_published(out_ / name);
        }
        verify_published(archive_);  // the library runs again, as when its threads were counted
        expect(expected.empty(), std::to_string(expected.size()) + " files of successful jobs are missing");
        expect(integrity_check(live_) == "ok", "the live database is damaged");
        expect(contents_.count(content_hash(live_)) == 1, "the live database is neither the old nor a restored one");
        expect(integrity_check(source_) == "ok", "the source is damaged");
        if (const auto difference = used_->difference(); !difference.empty()) violation(difference);
    }

    void report(std::uint64_t calls) const {
        std::size_t jobs = 0, succeeded = 0, cancelled = 0;
        for (const auto &record : records_) {
            jobs += record->handle != nullptr ? 1 : 0;
            succeeded += record->outcome == LB_STATUS_OK ? 1 : 0;
            cancelled += record->outcome == LB_STATUS_CANCELLED ? 1 : 0;
        }
        std::printf("%llu calls; %zu jobs, of which %zu succeeded and %zu were cancelled; %zu starts were refused; "
                    "%d shutdowns\n",
                    static_cast<unsigned long long>(calls), jobs, succeeded, cancelled, records_.size() - jobs,
                    shutdowns_.load());
    }

    const fs::path &source() const { return source_; }

private:
    // ---- the functions

    void start(Caller &caller) {
        auto *record = new_record(caller);
        lb_job *handle = nullptr;
        lb_status status = LB_STATUS_OK;
        const std::uint64_t rate = caller.once_in(4) ? 4 << 20 : 0;
        if (record->kind == Kind::restore_new || record->kind == Kind::restore_live) {
            auto wanted = restore_options();
            wanted.existing = record->kind == Kind::restore_live ? LB_EXISTING_REPLACE : LB_EXISTING_REFUSE;
            status = lb_restore_start(archive_.c_str(), record->dest.c_str(), observed(wanted, record, caller), &handle,
                                      nullptr);
        } else if (record->kind == Kind::verify) {
            auto wanted = verify_options();
            wanted.verify = caller.once_in(2) ? LB_VERIFY_FULL : LB_VERIFY_QUICK;
            status = lb_verify_start(archive_.c_str(), observed(wanted, record, caller), &handle, nullptr);
        } else {
            auto wanted = options();
            wanted.existing = record->kind == Kind::replace ? LB_EXISTING_REPLACE : LB_EXISTING_REFUSE;
            wanted.max_bytes_per_second = rate;
            wanted.chunk_size = caller.once_in(2) ? 65536 : 0;
            status = lb_backup_start(source_.c_str(), record->dest.c_str(), observed(wanted, record, caller), &handle,
                                     nullptr);
        }
        expect_one_of("start", status, {LB_STATUS_OK, LB_STATUS_QUEUE_FULL, LB_STATUS_SHUT_DOWN});
        expect(status != LB_STATUS_SHUT_DOWN || shutdowns_ > 0, "shut down by nobody");
        expect((status == LB_STATUS_OK) == (handle != nullptr), "a handle without a job, or a job without a handle");
        if (status != LB_STATUS_OK) return;
        record->handle = handle;
        if (auto *earlier = slots_[caller.below(slot_count)].exchange(record)) end(caller, earlier);
    }

    void look(Caller &caller) {
        const auto at = caller.below(slot_count);
        auto *record = slots_[at].load();
        if (record == nullptr) return;
        auto now = progress();
        const bool ended = record->ended > 0;
        const auto status = lb_backup_progress(record->handle, &now);
        check_handle("progress", *record, ended, status);
        if (status != LB_STATUS_OK) return;
        expect(now.percent >= 0 && now.percent <= 100, "percent out of range");
        expect((now.percent == 100) == (now.state == LB_JOB_STATE_SUCCEEDED),
               "100 percent without success, or the reverse");
        expect(now.bytes_done <= now.bytes_total, "more done than there is");
        const auto &last = caller.last[at];
        if (caller.seen[at] == record)
            expect(now.state >= last.state && now.phase >= last.phase && now.bytes_done >= last.bytes_done &&
                       now.bytes_written >= last.bytes_written && now.retries >= last.retries &&
                       now.elapsed_ns >= last.elapsed_ns && now.percent >= last.percent,
                   "progress went backwards");
        caller.seen[at] = record;
        caller.last[at] = now;
    }

    void wait(Caller &caller) {
        auto *record = any(caller);
        if (record == nullptr) return;
        const bool ended = record->ended > 0;
        const auto status = lb_backup_wait(record->handle, static_cast<std::uint32_t>(caller.below(4)));
        if (status != LB_STATUS_TIMED_OUT) check_handle("wait", *record, ended, status);
        expect(status != LB_STATUS_OK || record->completed == 1, "a wait was over before on_complete was");
    }

    void cancel(Caller &caller) {
        auto *record = any(caller);
        if (record == nullptr) return;
        const bool ended = record->ended > 0;
        record->cancel_asked = true;
        check_handle("cancel", *record, ended, lb_backup_cancel(record->handle));
    }

    void set_rate(Caller &caller) {
        auto *record = any(caller);
        if (record == nullptr) return;
        const bool ended = record->ended > 0;
        const std::uint64_t rate = caller.once_in(2) ? 0 : (1 + caller.below(64)) << 20;
        check_handle("set_rate", *record, ended, lb_backup_set_rate(record->handle, rate));
    }

    /// Joins or releases; others may be doing the same to this record.
    void end(Caller &caller, Record *record) {
        if (record == nullptr) return;
        if (caller.once_in(3)) {
            record->cancel_asked = true;
            expect_one_of("cancel", lb_backup_cancel(record->handle), {LB_STATUS_OK, LB_STATUS_INVALID_HANDLE});
        }
        const bool ended = record->ended > 0;
        record->ending.fetch_add(1);
        if (caller.once_in(3)) {
            const auto status = lb_backup_release(record->handle);
            check_handle("release", *record, ended, status);
            if (status == LB_STATUS_OK) expect(record->ended.fetch_add(1) == 0, "a handle was ended twice");
            return;
        }
        auto outcome = result();
        const auto status = lb_backup_join(record->handle, &outcome);
        if (status == LB_STATUS_INVALID_HANDLE) {
            expect(record->ending > 1 || ended, "join of an open handle gave LB_STATUS_INVALID_HANDLE");
            return;
        }
        expect(!ended, "join of a handle that had ended");
        expect(record->ended.fetch_add(1) == 0, "a handle was ended twice");
        expect(record->completed == 1, "a join was over before on_complete was");
        expect(status == outcome.status && status == record->outcome, "three outcomes of one job");
        check_outcome(*record, outcome);
        if (status == LB_STATUS_OK && (record->kind == Kind::backup || record->kind == Kind::restore_new)) {
            verify_published(record->dest);
            fs::remove(record->dest);
            const std::lock_guard<std::mutex> hold(mutex_);
            removed_.push_back(record->dest.filename().string());
        }
    }

    void list(Caller &caller) {
        std::array<lb_job_info, 8> infos{};
        infos[0].struct_size = sizeof infos[0];
        std::size_t count = 0;
        expect_one_of("jobs", lb_backup_jobs(infos.data(), infos.size(), &count), {LB_STATUS_OK});
        for (std::size_t i = 0; i < std::min(count, infos.size()); ++i) {
            auto *record = static_cast<Record *>(infos[i].user_data);
            {
                const std::lock_guard<std::mutex> hold(mutex_);
                if (known_.count(record) == 0) {
                    // A verification of what was published has no user data.
                    expect(record == nullptr, "a job of nobody's");
                    continue;
                }
            }
            auto *const handle = record->handle.load();
            expect(handle == nullptr || handle == infos[i].job, "a job under another's handle");
            // It may be of a start that is about to be refused, or has just ended.
            auto now = progress();
            expect_one_of("progress", lb_backup_progress(infos[i].job, &now), {LB_STATUS_OK, LB_STATUS_INVALID_HANDLE});
            expect_one_of("wait", lb_backup_wait(infos[i].job, static_cast<std::uint32_t>(caller.below(2))),
                          {LB_STATUS_OK, LB_STATUS_TIMED_OUT, LB_STATUS_INVALID_HANDLE});
        }
    }

    void inspect(Caller &caller) {
        const fs::path file = std::array<fs::path, 3>{archive_, dir_ / "text", dir_ / "absent"}[caller.below(3)];
        auto info = archive_info();
        const auto status = lb_backup_inspect(file.c_str(), &info, nullptr);
        if (status == LB_STATUS_SHUT_DOWN && shutdowns_ > 0) return;
        expect_one_of("inspect", status,
                      {file == archive_          ? LB_STATUS_OK
                       : file == dir_ / "absent" ? LB_STATUS_NOT_FOUND
                                                 : LB_STATUS_NOT_A_DATABASE});
    }

    void configure_while_running() {
        const auto wanted = configuration();
        const auto status = lb_configure(&wanted, nullptr);
        if (status != LB_STATUS_OK || shutdowns_ == 0) expect_one_of("configure", status, {LB_STATUS_BUSY});
    }

    /// A handle that has ended, one that never was, or none.
    void misuse(Caller &caller) {
        lb_job *handle = nullptr;
        if (!caller.once_in(3)) {
            const std::lock_guard<std::mutex> hold(mutex_);
            if (records_.empty()) return;
            const auto &record = *records_[caller.below(records_.size())];
            if (record.ended == 0) return;
            handle = record.handle;
        } else if (caller.once_in(2)) {
            handle = reinterpret_cast<lb_job *>(static_cast<std::uintptr_t>(caller.below(1 << 20)));
        }
        auto now = progress();
        auto outcome = result();
        const lb_status statuses[] = {lb_backup_progress(handle, &now), lb_backup_cancel(handle),
                                      lb_backup_wait(handle, for_ever), lb_backup_set_rate(handle, 1),
                                      lb_backup_join(handle, &outcome), lb_backup_release(handle)};
        for (const auto status : statuses) expect_one_of("an ended handle", status, {LB_STATUS_INVALID_HANDLE});
        caller.calls += 5;
    }

    void names(Caller &caller) {
        const auto number = static_cast<std::int32_t>(caller.below(30));
        const std::string name = lb_status_name(static_cast<lb_status>(number));
        expect((name == "LB_STATUS_UNKNOWN") == (number > LB_STATUS_INTERNAL), "a status without a name: " + name);
        expect(lb_status_message(static_cast<lb_status>(number))[0] != '\0', "a status without a message: " + name);
        expect(lb_abi_version() == LB_ABI_VERSION && lb_version()[0] != '\0', "no version");
    }

    void shut_down(Caller &caller) {
        shutdowns_.fetch_add(1);
        expect_one_of("shutdown", lb_shutdown(static_cast<std::uint32_t>(caller.below(50))),
                      {LB_STATUS_OK, LB_STATUS_TIMED_OUT});
    }

    // ---- callbacks

    static void on_progress(lb_job *job, const lb_progress *now, void *user_data) {
        auto &record = *static_cast<Record *>(user_data);
        expect(record.completed == 0, "progress after on_complete");
        expect(now->bytes_done <= now->bytes_total, "more done than there is");
        expect_one_of("wait in a callback", lb_backup_wait(job, for_ever),
                      {LB_STATUS_WOULD_DEADLOCK, LB_STATUS_INVALID_HANDLE});
    }

    static void on_complete(lb_job *job, const lb_result *outcome, void *user_data) {
        auto &record = *static_cast<Record *>(user_data);
        // Of a job that has ended: what the host waits for is the end of this very call.
        expect_one_of("wait in on_complete", lb_backup_wait(job, for_ever), {LB_STATUS_OK, LB_STATUS_INVALID_HANDLE});
        expect_one_of("shutdown in a callback", lb_shutdown(0), {LB_STATUS_WOULD_DEADLOCK});
        record.outcome = outcome->status;
        record.completed.fetch_add(1);
    }

    template <class Options> const Options *observed(Options &wanted, Record *record, Caller &caller) {
        wanted.user_data = record;
        wanted.on_complete = on_complete;
        if (caller.once_in(3)) {
            wanted.on_progress = on_progress;
            wanted.progress_interval_ms = 1;
        }
        return &wanted;
    }

    // ---- what they share

    /// A handle that was open when the call began and that nobody has tried to end must be found; one that had ended not.
    static void check_handle(const char *call, const Record &record, bool ended, lb_status status) {
        expect_one_of(call, status, {LB_STATUS_OK, LB_STATUS_INVALID_HANDLE});
        if (status == LB_STATUS_OK) expect(!ended, std::string(call) + " of a handle that had ended");
        if (status == LB_STATUS_INVALID_HANDLE)
            expect(record.ending > 0, std::string(call) + " of an open handle gave LB_STATUS_INVALID_HANDLE");
    }

    void check_outcome(const Record &record, const lb_result &outcome) {
        if (outcome.status == LB_STATUS_OK) return;
        if (outcome.status == LB_STATUS_CANCELLED)
            return expect(record.cancel_asked || shutdowns_ > 0, "cancelled by nobody");
        // Two restores of one database, or two backups to one name, may meet.
        if (record.kind == Kind::restore_live && outcome.status == LB_STATUS_BUSY) return;
        violation(std::string("a job ended as ") + lb_status_name(outcome.status) + ": " + outcome.message);
    }

    void verify_published(const fs::path &file) {
        auto verdict = lbtest::verify(file);
        // It waits for its turn, and others may shut the library down meanwhile, and leave it to the next to finish that.
        while (verdict.status == LB_STATUS_QUEUE_FULL || verdict.status == LB_STATUS_SHUT_DOWN ||
               verdict.status == LB_STATUS_CANCELLED) {
            if (verdict.status == LB_STATUS_SHUT_DOWN) expect_one_of("shutdown", lb_shutdown(for_ever), {LB_STATUS_OK});
            std::this_thread::yield();
            verdict = lbtest::verify(file);
        }
        expect(verdict.status == LB_STATUS_OK, file.filename().string() + " does not verify: " + verdict.message);
    }

    Record *new_record(Caller &caller) {
        auto made = std::make_unique<Record>();
        auto *record = made.get();
        const auto number = std::to_string(made_.fetch_add(1));
        const char *suffix = caller.once_in(2) ? ".db" : ".db.zst";
        switch (caller.below(8)) {
        case 0:
        case 1:
        case 2:
            record->kind = Kind::backup, record->dest = out_ / ("backup_" + number + suffix);
            break;
        case 3:
        case 4:
            record->kind = Kind::replace;
            record->dest = out_ / ("shared_" + std::to_string(caller.below(shared_names)) + ".db.zst");
            break;
        case 5:
            record->kind = Kind::restore_new, record->dest = out_ / ("restored_" + number + ".db");
            break;
        case 6:
            record->kind = Kind::restore_live, record->dest = live_;
            break;
        default:
            record->kind = Kind::verify;
            break;
        }
        const std::lock_guard<std::mutex> hold(mutex_);
        known_.insert(record);
        records_.push_back(std::move(made));
        return record;
    }

    Record *any(Caller &caller) { return slots_[caller.below(slot_count)].load(); }

    /// A record that this thread ends: it is taken out, or left for others to end, too.
    Record *taken(Caller &caller) {
        auto &slot = slots_[caller.below(slot_count)];
        return caller.once_in(2) ? slot.exchange(nullptr) : slot.load();
    }

    static lb_config configuration() {
        auto wanted = config();
        wanted.workers = 2;
        wanted.max_concurrent_jobs = 4;
        wanted.queue_length = 8;
        return wanted;
    }

    static void configure() {
        const auto wanted = configuration();
        if (lb_configure(&wanted, nullptr) != LB_STATUS_OK) fail("configure");
    }

    TempDir dir_;
    const fs::path out_ = dir_ / "out";
    const fs::path source_ = dir_ / "game.db";
    const fs::path live_ = dir_ / "live.db";
    const fs::path archive_ = dir_ / "archive.db.zst";
    std::set<std::uint64_t> contents_;
    std::array<std::atomic<Record *>, slot_count> slots_{};
    std::atomic<int> shutdowns_{0};
    std::atomic<std::uint64_t> made_{0};
    std::optional<Footprint> used_;

    std::mutex mutex_;  // of what follows
    std::deque<std::unique_ptr<Record>> records_;
    std::unordered_set<Record *> known_;
    std::vector<std::string> removed_;
};

/// What the options say.
struct Wanted {
    std::uint64_t calls = 0;
    std::uint64_t seconds = 0;
    std::uint64_t seed = 1;
};

bool parse(int argc, char **argv, Wanted &wanted) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string name = argv[i];
        auto *value = name == "--calls"     ? &wanted.calls
                      : name == "--seconds" ? &wanted.seconds
                      : name == "--seed"    ? &wanted.seed
                                            : nullptr;
        if (value == nullptr) return false;
        *value = std::strtoull(argv[i + 1], nullptr, 10);
    }
    return argc % 2 == 1 && (wanted.calls > 0) != (wanted.seconds > 0);
}

void run(const Wanted &wanted) {
    Scene scene;
    std::atomic<bool> over{false};
    std::atomic<std::uint64_t> calls{0};

    // The host goes on writing; a transaction at a time, so that restores and backups meet all of its states.
    std::thread host([&] {
        Db db(scene.source());
        db.exec("PRAGMA busy_timeout = 60000");
        for (int i = 0; !over; ++i) {
            db.exec("UPDATE players SET rating = rating + 1 WHERE id = " + std::to_string(1 + i % 10));
            if (i % 64 == 0) db.exec("PRAGMA wal_checkpoint(PASSIVE)");
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    });
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(wanted.seconds);
    std::vector<std::thread> threads;
    for (int i = 0; i < thread_count; ++i)
        threads.emplace_back([&, i] {
            Caller caller{scene, Random(wanted.seed * 1000 + static_cast<std::uint64_t>(i))};
            try {
                while (wanted.calls > 0 ? caller.calls < wanted.calls / thread_count
                                        : std::chrono::steady_clock::now() < end) {
                    scene.step(caller);
                    ++caller.calls;
                }
            } catch (const std::exception &error) {
                violation(error.what());
            }
            calls += caller.calls;
        });
    for (auto &thread : threads) thread.join();
    over = true;
    host.join();
    scene.conclude();
    scene.report(calls);
}

}  // namespace

int main(int argc, char **argv) {
    Wanted wanted;
    if (!parse(argc, argv, wanted)) {
        std::fprintf(stderr, "usage: lb_random_calls --calls N | --seconds N [--seed N]\n");
        return 2;
    }
    std::printf("seed %llu, %d threads\n", static_cast<unsigned long long>(wanted.seed), thread_count);
    try {
        run(wanted);
    } catch (const std::exception &error) {
        violation(error.what());
    }
    if (violations > 0) std::fprintf(stderr, "lb_random_calls: %d violations\n", violations.load());
    return violations > 0 ? 1 : 0;
}
