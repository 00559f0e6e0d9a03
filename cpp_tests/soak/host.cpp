// lb_soak_host NAME DIRECTORY SEED STEPS
//
// A host for the soak. For every 't' on its standard input it takes a turn: it commits to its databases, checkpoints them,
// and does STEPS random things with the library, some of which are to fail. Then it is idle, and tells what it uses.
//
// It tells: 'a'cknowledged commit (database, number), 'n'ew archive (database, last commit acknowledged before; name),
// an 'o'peration (kind, outcome, status), a complaint ('x': text), 'm'emory and more (KiB, its descriptors, the library's),
// and that the turn is 'd'one (threads, steps, faults). SPDX-License-Identifier: MIT OR Apache-2.0

#include "faults/faults.h"
#include "places.hpp"
#include "support/hosts.hpp"

#include <malloc.h>

#include <climits>
#include <memory>
#include <random>

using namespace lbtest;
using namespace lbtest::soak;

namespace {

/// Errors that a healthy program may meet. Not memory for Rust's threads and small things: docs/FAULTS.md, "What aborts".
/// Nor locks: one that cannot be given back keeps the host out (docs/FAULTS.md, "What remains after a fault").
struct Fault {
    faults_class failing;
    int error;
};
constexpr Fault every_fault[] = {
    {FAULTS_OPEN, EMFILE},        {FAULTS_OPEN, EIO},         {FAULTS_READ, EIO},   {FAULTS_READ, EINTR},
    {FAULTS_READ, FAULTS_SHORT},  {FAULTS_WRITE, ENOSPC},     {FAULTS_WRITE, EIO},  {FAULTS_WRITE, EINTR},
    {FAULTS_WRITE, FAULTS_SHORT}, {FAULTS_SYNC, EIO},         {FAULTS_RANGE, EIO},  {FAULTS_TRUNCATE, EIO},
    {FAULTS_RENAME, EIO},         {FAULTS_LINK, ENOSPC},      {FAULTS_UNLINK, EIO}, {FAULTS_MAP, ENOMEM},
    {FAULTS_FLOCK, EAGAIN},       {FAULTS_CLOSE, EIO},        {FAULTS_RANDOM, EIO}, {FAULTS_STAT, EIO},
    {FAULTS_LIST, EIO},           {FAULTS_MODE, EIO},         {FAULTS_ACCESS, EIO}, {FAULTS_ADVICE, EIO},
    {FAULTS_C_MEMORY, ENOMEM},    {FAULTS_BIG_MEMORY, ENOMEM}};

/// One operation on its way.
struct Operation {
    Kind kind = verifications;
    lb_job *job = nullptr;
    fs::path from, to, kept, parent;
    int database = -1;        // that is backed up, if any
    std::int64_t before = 0;  // the last commit to it that was acknowledged
    bool was_cancelled = false;
    lb_result outcome = result();
    std::atomic<bool> is_done{false};
};

void on_complete(lb_job *, const lb_result *outcome, void *data) {
    auto *operation = static_cast<Operation *>(data);
    operation->outcome = *outcome;
    operation->is_done = true;
}

class Host {
public:
    Host(std::string name, const fs::path &directory, std::uint64_t seed, int steps)
        : name_(std::move(name)), places_(directory), random_(seed), seed_(seed), steps_(steps) {
        for (int i = 0; i < databases; ++i) {
            writers_[i] = std::make_unique<numbered::Writer>(places_.database[i]);
            writers_[i]->db().exec("PRAGMA synchronous = OFF");
            sqlite3_wal_autocheckpoint(writers_[i]->db().handle(), i == game ? 50 : 200);
        }
        faults_arm(FAULTS_OPEN, ULONG_MAX, ULONG_MAX, EIO);
    }

    void run() {
        for (char c = 0; ::read(STDIN_FILENO, &c, 1) == 1;) turn();
    }

private:
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
    bool one_in(std::uint64_t n) { return below(n) == 0; }

    void turn() {
        std::atomic<bool> stop{false};
        std::thread busy_one([&] { write(stop, {game}, 1); });
        std::thread other([&] { write(stop, {old, live}, 2); });
        own_.clear();
        for (const auto &name : list_dir(places_.backups))
            if (name.rfind(name_ + "-", 0) == 0) own_.push_back(places_.backups / name);
        const auto faults_before = faults_;
        for (int i = 0; i < steps_; ++i) step();
        stop = true;
        busy_one.join();
        other.join();
        tell_use();
        tell('d', static_cast<std::int64_t>(count_threads()), steps_, faults_ - faults_before);
    }

    // ------------------------------------------------------------------------------------------------- the host's work

    void write(const std::atomic<bool> &stop, const std::vector<Database> &to, unsigned salt) {
        std::mt19937_64 random(seed_ * 10 + salt);
        while (!stop) {
            const auto which = to[random() % to.size()];
            auto &writer = *writers_[which];
            try {
                if (const auto state = writer.commit(); state && which != live) {
                    acknowledged_[which] = state->last;
                    tell('a', which, state->last);
                }
                if (which != old && random() % 40 == 0) checkpoint(writer.db(), static_cast<int>(random() % 4));
            } catch (const std::exception &error) {
                complain(std::string("the writer of ") + places_.database[which].c_str() + ": " + error.what());
            }
            // The load's shape, no synchronisation: writers without a pause would keep every reader out.
            std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
        }
    }

    /// PASSIVE, FULL, RESTART or TRUNCATE, which are 0 to 3.
    void checkpoint(Db &db, int mode) {
        sqlite3_busy_timeout(db.handle(), 20);
        const int code = sqlite3_wal_checkpoint_v2(db.handle(), nullptr, mode, nullptr, nullptr);
        sqlite3_busy_timeout(db.handle(), 10'000);
        if (code != SQLITE_OK && code != SQLITE_BUSY && code != SQLITE_LOCKED)
            complain(std::string("checkpoint: ") + sqlite3_errmsg(db.handle()));
    }

    // --------------------------------------------------------------------------------------------------------- a step

    void step() {
        const bool faulty = one_in(6);
        bool shut_down = false;
        std::vector<std::unique_ptr<Operation>> running;
        const Fault *fault = nullptr;
        if (faulty) {
            fault = &every_fault[below(std::size(every_fault))];
            const auto k = 1 + below(1ULL << below(10));
            faults_arm(fault->failing, k, k, fault->error);
        }
        for (auto jobs = 1 + below(3); jobs > 0; --jobs)
            if (auto operation = start(fault)) running.push_back(std::move(operation));
        for (auto pokes = below(5); pokes > 0 && !running.empty(); --pokes)
            poke(*running[below(running.size())], shut_down);
        for (auto &operation : running) {
            lb_backup_set_rate(operation->job, 0);
            if (one_in(10)) {
                if (lb_backup_release(operation->job) != LB_STATUS_OK) complain("a handle cannot be released");
            } else {
                lb_backup_join(operation->job, nullptr);
            }
            if (!wait_until([&] { return operation->is_done.load(); }, std::chrono::seconds(100))) {
                complain(std::string(kind_names[operation->kind]) + " hangs");
                std::abort();
            }
            end(*operation, fault, shut_down);
        }
        if (one_in(5)) look();
        if (faulty) {
            faults_ += faults_injected() > 0;
            faults_disarm();
        }
    }

    /// Waits a little at random; then a rate, a cancel, or now and then the end of the library.
    void poke(Operation &operation, bool &shut_down) {
        const auto waited = lb_backup_wait(operation.job, static_cast<std::uint32_t>(below(8)));
        if (waited != LB_STATUS_OK && waited != LB_STATUS_TIMED_OUT) complain("wait: " + name_of(waited));
        if (one_in(4)) {
            operation.was_cancelled = true;
            lb_backup_cancel(operation.job);
        } else if (one_in(30)) {
            shut_down = true;
            if (const auto ended = lb_shutdown(UINT32_MAX); ended != LB_STATUS_OK)
                complain("shutdown: " + name_of(ended));
        } else {
            lb_backup_set_rate(operation.job, (1 + below(64)) << 20);
        }
    }

    template <class Options> Options common(Operation &operation) {
        auto wanted = sized<Options>();
        wanted.verify = static_cast<std::uint32_t>(below(operation.kind == verifications ? 2 : 3));
        if (one_in(4)) wanted.max_bytes_per_second = (4 + below(60)) << 20;
        wanted.user_data = &operation;
        wanted.on_complete = on_complete;
        return wanted;
    }

    std::string suffix() { return one_in(2) ? ".db.zst" : ".db"; }
    std::string new_name() { return name_ + "-" + std::to_string(seed_) + "-" + std::to_string(++names_); }

    /// Nothing if it was refused, which is told.
    std::unique_ptr<Operation> start(const Fault *fault) {
        auto operation = std::make_unique<Operation>();
        auto &o = *operation;
        static constexpr Kind often[] = {backups_to_new,  backups_to_new,   backups_to_new, backups_replacing,
                                         restores_to_new, restores_to_live, verifications};
        o.kind = own_.empty() ? backups_to_new : often[below(std::size(often))];
        auto why = error();
        lb_status started = LB_STATUS_OK;
        if (o.kind == backups_to_new || o.kind == backups_replacing) {
            o.database = static_cast<int>(below(databases));
            if (o.database != live) o.before = acknowledged_[o.database];
            o.from = places_.database[o.database];
            o.to = places_.backups / (o.kind == backups_to_new ? new_name() + suffix() : "replaced" + suffix());
            auto wanted = common<lb_backup_options>(o);
            wanted.chunk_size = one_in(3) ? 0 : 65536 + below(1 << 18);
            wanted.busy_timeout_ms = 20'000;
            if (o.kind == backups_replacing) wanted.existing = LB_EXISTING_REPLACE;
            o.parent = own_.empty() ? "" : own_[below(own_.size())];
            if (o.to.extension() == ".zst" && o.parent.extension() == ".zst" && one_in(2))
                wanted.reuse_path = o.parent.c_str();
            started = lb_backup_start(o.from.c_str(), o.to.c_str(), &wanted, &o.job, &why);
        } else if (o.kind == verifications) {
            o.from = own_[below(own_.size())];
            const auto wanted = common<lb_verify_options>(o);
            started = lb_verify_start(o.from.c_str(), &wanted, &o.job, &why);
        } else {
            o.from = own_[below(own_.size())];
            o.to = o.kind == restores_to_new ? places_.restored / (new_name() + ".db") : places_.database[live];
            auto wanted = common<lb_restore_options>(o);
            wanted.busy_timeout_ms = 20'000;
            if (o.kind == restores_to_live) {
                wanted.existing = LB_EXISTING_REPLACE;
                o.kept = places_.database[live].parent_path() / (new_name() + suffix());
                if (one_in(2)) wanted.keep_previous = o.kept.c_str();
            }
            started = lb_restore_start(o.from.c_str(), o.to.c_str(), &wanted, &o.job, &why);
        }
        if (started == LB_STATUS_OK) return operation;
        o.outcome = refused(why);
        end(o, fault, false);
        return nullptr;
    }

    static std::string name_of(lb_status status) { return lb_status_name(status); }

    void end(const Operation &o, const Fault *fault, bool shut_down) {
        const auto status = o.outcome.status;
        if (status == LB_STATUS_OK && o.kind == backups_to_new) {
            tell('n', o.database, o.before, 0, o.to.filename());
            own_.push_back(o.to);
        }
        Outcome outcome = succeeded;
        if (status != LB_STATUS_OK) {
            outcome = status == LB_STATUS_CANCELLED ? cancelled : status == LB_STATUS_BUSY ? busy : failed;
            if (!may_be(status, o, fault, shut_down))
                complain(
                    std::string(kind_names[o.kind]) + ": " + name_of(status) + ": " + o.outcome.message +
                    (fault ? ", fault " + std::to_string(fault->failing) + " " + std::to_string(fault->error) : ""));
        }
        tell('o', o.kind, outcome, status);
    }

    static bool may_be(lb_status status, const Operation &o, const Fault *fault, bool shut_down) {
        switch (status) {
        case LB_STATUS_CANCELLED:
            return o.was_cancelled || shut_down;
        case LB_STATUS_BUSY:
            return true;
        case LB_STATUS_IO:
        case LB_STATUS_NO_SPACE:
        case LB_STATUS_OUT_OF_MEMORY:
            return fault != nullptr;
        default:
            return false;
        }
    }

    /// Under a fault that was armed for the jobs, what can be seen may be seen or not.
    void look() {
        std::size_t count = 0;
        if (lb_backup_jobs(nullptr, 0, &count) != LB_STATUS_OK) complain("the jobs cannot be listed");
        if (own_.empty()) return;
        auto info = archive_info();
        auto why = error();
        const auto status = lb_backup_inspect(own_[below(own_.size())].c_str(), &info, &why);
        if (status != LB_STATUS_OK && (status == LB_STATUS_INTERNAL || status == LB_STATUS_CORRUPT))
            complain(std::string("inspection: ") + why.message);
        tell('o', inspections, status == LB_STATUS_OK ? succeeded : failed, status);
    }

    void complain(const std::string &what) { tell('x', 0, 0, 0, name_ + ": " + what); }

    // -------------------------------------------------------------------------------------------------- what it uses

    void tell_use() {
        // What the allocator only keeps is no leak.
        ::malloc_trim(0);
        const auto statm = read_file("/proc/self/statm");
        const auto resident = std::stoll(statm.substr(statm.find(' ') + 1)) * ::sysconf(_SC_PAGESIZE) / 1024;
        wait_until_closed(places_.backups.parent_path());  // what is never closed shows in the counts
        const auto all = count_fds_everywhere(), own = count_fds();
        tell('m', resident, static_cast<std::int64_t>(own), static_cast<std::int64_t>(all - own));
    }

    const std::string name_;
    const Places places_;
    std::mt19937_64 random_;
    const std::uint64_t seed_;
    const int steps_;
    std::unique_ptr<numbered::Writer> writers_[databases];
    std::atomic<std::int64_t> acknowledged_[databases] = {};
    std::vector<fs::path> own_;  // archives that are there
    int names_ = 0;
    std::int64_t faults_ = 0;
};

}  // namespace

int main(int argc, char **argv) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
        if (argc != 5) fail("usage: lb_soak_host NAME DIRECTORY SEED STEPS");
        Host(argv[1], argv[2], std::stoull(argv[3]), std::stoi(argv[4])).run();
        return 0;
    } catch (const std::exception &error) {
        tell('x', 0, 0, 0, std::string(argv[1]) + " ends: " + error.what());
        return 1;
    }
}
