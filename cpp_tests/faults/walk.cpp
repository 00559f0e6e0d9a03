// Fails one system call or allocation of the library after the other, in every operation, and looks each time at what has
// become of everything. Without arguments: all of it (scripts/faults.sh). With --sample N: N faults of each operation,
// chosen by the seed. SPDX-License-Identifier: MIT OR Apache-2.0

#include "faults.h"
#include "scenes.hpp"

#include <sys/mman.h>

#include <array>
#include <climits>
#include <optional>
#include <random>

using namespace lbtest;

namespace {

// ------------------------------------------------------------------------------------------------------------ plans

/// What fails, and how.
struct Plan {
    faults_class failing;
    int error;
    bool lasting;  // every call from the k-th on, not only that one
};

std::string error_name(int error) { return error == FAULTS_SHORT ? "short" : strerrorname_np(error); }

std::string name_of(const Plan &plan, unsigned long k) {
    return std::string(faults_class_name(plan.failing)) + " " + error_name(plan.error) + " at " + std::to_string(k) +
           (plan.lasting ? " and after" : "");
}

std::vector<Plan> every_plan() {
    std::vector<Plan> plans;
    const auto add = [&](faults_class failing, std::vector<int> once, std::vector<int> lasting) {
        for (const int error : once) plans.push_back({failing, error, false});
        for (const int error : lasting) plans.push_back({failing, error, true});
    };
    add(FAULTS_OPEN, {EIO, EINTR, EMFILE, ENOMEM, ENOSPC, EDQUOT}, {EIO, EMFILE});
    add(FAULTS_READ, {EIO, EINTR, FAULTS_SHORT}, {EIO, FAULTS_SHORT});
    add(FAULTS_WRITE, {EIO, EINTR, ENOSPC, EDQUOT, FAULTS_SHORT}, {EIO, ENOSPC, EDQUOT, FAULTS_SHORT});
    add(FAULTS_SYNC, {EIO, EINTR, ENOSPC, EDQUOT}, {EIO, ENOSPC});
    add(FAULTS_RANGE, {EIO, EINTR, ENOSPC}, {EIO, ENOSPC});
    add(FAULTS_TRUNCATE, {EIO, EINTR, ENOSPC}, {EIO});
    add(FAULTS_RENAME, {EIO, ENOSPC, EDQUOT}, {EIO, ENOSPC});
    add(FAULTS_LINK, {EIO, ENOSPC, EDQUOT}, {EIO, ENOSPC});
    add(FAULTS_UNLINK, {EIO}, {EIO});
    add(FAULTS_MAP, {ENOMEM, EAGAIN}, {ENOMEM});
    // Not for good: SQLite then tries for ten seconds by itself each time (wal.c, walTryBeginRead).
    add(FAULTS_LOCK, {EIO, EINTR, EAGAIN, ENOLCK}, {});
    add(FAULTS_FLOCK, {EIO, EINTR, EAGAIN, ENOLCK}, {EAGAIN});
    add(FAULTS_CLOSE, {EIO, EINTR, ENOSPC, EDQUOT}, {EIO});
    add(FAULTS_RANDOM, {EIO, EINTR, EAGAIN, FAULTS_SHORT}, {EIO});
    add(FAULTS_THREAD, {EAGAIN, ENOMEM}, {EAGAIN});
    add(FAULTS_STAT, {EIO, EINTR, ENOMEM}, {EIO});
    add(FAULTS_LIST, {EIO, ENOMEM}, {EIO});
    add(FAULTS_MODE, {EIO, EINTR}, {EIO});
    add(FAULTS_ACCESS, {EIO, ENOMEM}, {EIO});
    add(FAULTS_ADVICE, {EIO, ENOMEM, EAGAIN}, {EIO});
    add(FAULTS_C_MEMORY, {ENOMEM}, {ENOMEM});
    add(FAULTS_BIG_MEMORY, {ENOMEM}, {ENOMEM});
    return plans;
}

const std::vector<Plan> plans = every_plan();

// ---------------------------------------------------------------------------------------------------------- verdicts

bool is_one_of(lb_status status, std::initializer_list<lb_status> allowed) {
    return std::find(allowed.begin(), allowed.end(), status) != allowed.end();
}

/// The statuses that are true to an error.
bool is_typed(const Plan &plan, const lb_result &outcome) {
    const auto status = outcome.status;
    switch (plan.failing) {
    // SQLite takes every failure to lock for somebody else's lock.
    case FAULTS_LOCK:
        return is_one_of(status, {LB_STATUS_IO, LB_STATUS_BUSY, LB_STATUS_UNSUPPORTED});
    case FAULTS_THREAD:
        return status == LB_STATUS_OUT_OF_MEMORY;
    default:
        break;
    }
    // SQLite has not kept the errno, or that of a call that came after.
    if (outcome.sqlite_code != 0 && outcome.sys_errno != plan.error && status == LB_STATUS_IO) return true;
    switch (plan.error) {
    case ENOSPC:
    case EDQUOT:
        return status == LB_STATUS_NO_SPACE;
    case ENOMEM:
        return status == LB_STATUS_OUT_OF_MEMORY;
    default:
        return status == LB_STATUS_IO;
    }
}

/// Success is always right: the call was made again, or could be done without.
void judge(const Plan &plan, const lb_result &outcome, const fs::path &directory) {
    if (outcome.status == LB_STATUS_OK) return;
    const std::string message = outcome.message;
    const std::string told = std::string(lb_status_name(outcome.status)) + " (SQLite " +
                             std::to_string(outcome.sqlite_code) + ", errno " + std::to_string(outcome.sys_errno) +
                             "): " + message;
    expect(plan.error != FAULTS_SHORT, "a short count is no error, but: " + told);
    expect(is_typed(plan, outcome), "the status does not fit: " + told);
    const auto speaks_of = [&](const std::string &what) { return message.find(what) != std::string::npos; };
    // What the library wants for itself has no path.
    const bool own = speaks_of("no memory") || speaks_of("random bytes") || speaks_of("not enough memory") ||
                     speaks_of("cannot start a thread") || speaks_of("cannot separate the library's file locks");
    expect(own || speaks_of(directory.parent_path().string()), "the message names no file: " + told);
    // By which the library finds its own files, and nobody else.
    expect(own || !speaks_of("/proc/"), "the message names a descriptor: " + told);
}

// ------------------------------------------------------------------------------------------------------------- runs

struct Tally {
    unsigned long failed, survived;
};

/// What a worker tells the process that has started it, and keeps when it dies.
struct Shared {
    // The fault that is being tried.
    std::size_t plan;
    unsigned long k;
    char what[600];
    // The scene is set.
    bool begun;
    // So far.
    std::array<Tally, FAULTS_CLASSES> tally;
    unsigned long complaints;
};

struct Choice {
    std::size_t plan;
    unsigned long k;
};

struct Asked {
    unsigned long sample = 0;  // 0: everything
    unsigned seed = 1;
    std::string scene, failing, error;
    unsigned long at = 0;
    bool verbose = false;
};

std::string scene_in_work;
Shared *shared = nullptr;

constexpr unsigned hanging_seconds = 100;
constexpr int leaked = 2;  // the exit code of a worker that goes no further with what it has leaked

void on_hanging(int) {
    dprintf(STDOUT_FILENO, "%s: %s: hangs\n", scene_in_work.c_str(), shared->what);
    ::abort();
}

class Walk {
public:
    Walk(const Named &named, const Asked &asked) : asked_(asked), scene_(named.make()) {
        once("the first run");
        once("the second run");
        used_.emplace(scene_->directory());
    }

    /// From where an earlier worker has died.
    void all(const Choice &from) {
        for (std::size_t plan = from.plan; plan < plans.size(); ++plan) {
            if (!is_asked(plans[plan])) continue;
            for (unsigned long k = plan == from.plan ? from.k : 1;; ++k)
                if (!one({plan, k})) break;
        }
    }

    /// Those of a seed.
    void sample(std::size_t from) {
        faults_arm(FAULTS_OPEN, ULONG_MAX, ULONG_MAX, EIO);
        once("the run that counts");
        std::vector<Choice> choices;
        for (std::size_t plan = 0; plan < plans.size(); ++plan)
            for (unsigned long k = 1; k <= count_[plans[plan].failing]; ++k)
                if (is_asked(plans[plan])) choices.push_back({plan, k});
        std::mt19937 random(asked_.seed);
        std::shuffle(choices.begin(), choices.end(), random);
        choices.resize(std::min<std::size_t>(choices.size(), asked_.sample));
        for (done_ = from; done_ < choices.size(); ++done_) one(choices[done_]);
    }

private:
    bool is_asked(const Plan &plan) const {
        return (asked_.failing.empty() || asked_.failing == faults_class_name(plan.failing)) &&
               (asked_.error.empty() || asked_.error == error_name(plan.error));
    }

    /// A run in which nothing fails.
    void once(const char *which) {
        std::snprintf(shared->what, sizeof shared->what, "%s", which);
        ::alarm(hanging_seconds);
        scene_->prepare();
        for (int i = 0; i < FAULTS_CLASSES; ++i) count_[i] = faults_seen(static_cast<faults_class>(i));
        const auto outcome = scene_->run();
        for (int i = 0; i < FAULTS_CLASSES; ++i) count_[i] = faults_seen(static_cast<faults_class>(i)) - count_[i];
        ::alarm(0);
        if (outcome.status != LB_STATUS_OK) fail(std::string(which) + ": " + outcome.message);
        scene_->check(outcome, false);
    }

    /// False if the run had no k-th call that could fail.
    bool one(const Choice &choice) {
        const auto &plan = plans[choice.plan];
        if (asked_.at != 0 && choice.k != asked_.at) return choice.k < asked_.at;
        shared->plan = choice.plan;
        shared->k = asked_.sample == 0 ? choice.k : done_;
        std::snprintf(shared->what, sizeof shared->what, "%s", name_of(plan, choice.k).c_str());
        ::alarm(hanging_seconds);
        unsigned long injected = 0;
        lb_result outcome = result();
        try {
            scene_->prepare();
            faults_arm(plan.failing, choice.k, plan.lasting ? ULONG_MAX : choice.k, plan.error);
            outcome = scene_->run();
            faults_disarm();
            injected = faults_injected();
            const auto last = injected > 0 ? faults_last() : "";
            if (asked_.verbose)
                std::printf("%s: %s (%s): %s %s\n", scene_in_work.c_str(), shared->what, last,
                            lb_status_name(outcome.status), outcome.message);
            complain_of(last, [&] { judge(plan, outcome, scene_->directory()); });
            complain_of(last, [&] { check(plan, outcome); });
            complain_of(last, [&] { once("the next operation"); });
            complain_of(last, [&] { check_leaks(); });
        } catch (const std::exception &thrown) {
            faults_disarm();
            complain("", thrown.what());
        }
        ::alarm(0);
        if (injected == 0) return false;
        auto &tally = shared->tally[plan.failing];
        ++(outcome.status == LB_STATUS_OK ? tally.survived : tally.failed);
        return true;
    }

    void check(const Plan &plan, const lb_result &outcome) {
        // What could not be removed stays until a later job sweeps it; a directory is swept once a second.
        if (plan.failing == FAULTS_UNLINK)
            wait_until([&] {
                if (!scene_->has_hidden_files()) return true;
                scene_->sweep();
                return false;
            });
        scene_->check(outcome, plan.lasting || plan.failing == FAULTS_UNLINK);
    }

    template <class Body> void complain_of(const char *last, Body body) {
        const std::string what = shared->what;
        try {
            body();
        } catch (const std::exception &thrown) {
            std::snprintf(shared->what, sizeof shared->what, "%s", what.c_str());
            complain(last, thrown.what());
        }
        std::snprintf(shared->what, sizeof shared->what, "%s", what.c_str());
    }

    void complain(const char *last, const std::string &what) {
        std::printf("%s: %s (%s): %s\n", scene_in_work.c_str(), shared->what, last, what.c_str());
        std::fflush(stdout);
        ++shared->complaints;
    }

    void check_leaks() {
        const auto difference = used_->difference();
        if (difference.empty()) return;
        complain("leaked", difference);
        ::_exit(leaked);
    }

    const Asked &asked_;
    const std::unique_ptr<Scene> scene_;
    std::array<unsigned long, FAULTS_CLASSES> count_{};
    std::size_t done_ = 0;
    std::optional<Footprint> used_;
};

// ---------------------------------------------------------------------------------------------------------- workers

/// A process of its own: the library's threads die with it. False if there is more for another one, after the fault that it
/// was at.
bool work(const Named &named, const Asked &asked, const Choice &from) {
    std::fflush(nullptr);
    shared->begun = false;
    const pid_t child = ::fork();
    if (child < 0) fail_errno("fork");
    if (child == 0) {
        int code = 1;
        ::signal(SIGALRM, on_hanging);
        try {
            Walk walk(named, asked);
            shared->begun = true;
            if (asked.sample > 0)
                walk.sample(from.k);
            else
                walk.all(from);
            code = 0;
        } catch (const std::exception &thrown) {
            std::printf("%s: %s: %s\n", named.name, shared->what, thrown.what());
            ++shared->complaints;
        }
        std::fflush(nullptr);
        ::_exit(code);
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child) fail_errno("waitpid");
    if (WIFEXITED(status)) {
        if (WEXITSTATUS(status) != 0 && shared->complaints == 0) {
            std::printf("%s: %s: the worker left with %d\n", named.name, shared->what, WEXITSTATUS(status));
            ++shared->complaints;
        }
        return WEXITSTATUS(status) != leaked;
    }
    std::printf("%s: %s: killed by signal %d\n", named.name, shared->what, WTERMSIG(status));
    ++shared->complaints;
    return !shared->begun;
}

void walk(const Named &named, const Asked &asked) {
    *shared = Shared{};
    scene_in_work = named.name;
    for (Choice from{0, asked.sample > 0 ? 0UL : 1UL}; !work(named, asked, from);)
        from = {asked.sample > 0 ? 0 : shared->plan, shared->k + 1};
}

int run(const Asked &asked) {
    unsigned long failed = 0, survived = 0, complaints = 0;
    std::array<Tally, FAULTS_CLASSES> by_class{};
    for (const auto &named : every_scene()) {
        if (!asked.scene.empty() && std::string(named.name).find(asked.scene) == std::string::npos) continue;
        const auto began = std::chrono::steady_clock::now();
        walk(named, asked);
        unsigned long scene_failed = 0, scene_survived = 0;
        for (std::size_t i = 0; i < FAULTS_CLASSES; ++i) {
            scene_failed += shared->tally[i].failed;
            scene_survived += shared->tally[i].survived;
            by_class[i].failed += shared->tally[i].failed;
            by_class[i].survived += shared->tally[i].survived;
        }
        const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
        std::printf("%-32s %6lu faults: %6lu told, %6lu without effect; %lu complaints; %.1f s\n", named.name,
                    scene_failed + scene_survived, scene_failed, scene_survived, shared->complaints, seconds);
        std::fflush(stdout);
        failed += scene_failed;
        survived += scene_survived;
        complaints += shared->complaints;
    }
    std::printf("\n");
    for (std::size_t i = 0; i < FAULTS_CLASSES; ++i)
        std::printf("%-32s %6lu faults: %6lu told, %6lu without effect\n",
                    faults_class_name(static_cast<faults_class>(i)), by_class[i].failed + by_class[i].survived,
                    by_class[i].failed, by_class[i].survived);
    std::printf("\n%lu distinct faults: %lu told, %lu without effect; %lu complaints\n", failed + survived, failed,
                survived, complaints);
    return complaints == 0 && failed + survived > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char **argv) {
    Asked asked;
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        const std::string value = i + 1 < argc ? argv[i + 1] : "";
        if (option == "--verbose") {
            asked.verbose = true;
            continue;
        }
        if (option == "--sample")
            asked.sample = std::stoul(value);
        else if (option == "--seed")
            asked.seed = static_cast<unsigned>(std::stoul(value));
        else if (option == "--scene")
            asked.scene = value;
        else if (option == "--class")
            asked.failing = value;
        else if (option == "--error")
            asked.error = value;
        else if (option == "--at")
            asked.at = std::stoul(value);
        else {
            std::fprintf(stderr,
                         "usage: %s [--sample N] [--seed S] [--scene TEXT] [--class NAME] [--error ERRNO] "
                         "[--at K] [--verbose]\n",
                         argv[0]);
            return 2;
        }
        ++i;
    }
    void *memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail_errno("mmap");
    shared = new (memory) Shared{};
    if (asked.sample > 0) std::printf("seed %u\n", asked.seed);
    return run(asked);
}
