// lb_kills_host OPERATION FROM TO WRITTEN [NAME=VALUE...]
//
// A host, to be killed: a thread commits to WRITTEN ("-": there is none) beside one backup, restore or verify; or "write",
// which is only the thread, an outside process. It goes on writing after the job, until its standard input ends.
//
//   existing=1 verify=N keep=PATH reuse=PATH    as in the options
//   count=1                                     tells how often the library makes each call
//   kill=CLASS:K                                the process dies of the K-th call of a class (faults.h)
//
// It tells: 'a'cknowledged commit (lineage, number), 's'tart, 'p'rogress (percent), 'c'alls (class, count), 'e'nd (status,
// nanoseconds). SPDX-License-Identifier: MIT OR Apache-2.0

#include "faults/faults.h"
#include "support/hosts.hpp"
#include "support/numbered.hpp"

#include <climits>
#include <map>
#include <random>

using namespace lbtest;

namespace {

void on_progress(lb_job *, const lb_progress *now, void *) { tell('p', static_cast<std::int64_t>(now->percent)); }

class Host {
public:
    Host(const std::vector<std::string> &words) : operation_(words.at(0)), from_(words.at(1)), to_(words.at(2)) {
        for (std::size_t i = 4; i < words.size(); ++i) {
            const auto equals = words[i].find('=');
            options_[words[i].substr(0, equals)] = words[i].substr(equals + 1);
        }
        if (words.at(3) != "-") writing_ = std::thread([this, path = words[3]] { write(path); });
    }

    int run() {
        // A host in the middle of its work.
        if (writing_.joinable() && !wait_until([this] { return has_committed_.load(); })) fail("nothing is committed");
        if (operation_ != "write") work();
        for (char c = 0; ::read(STDIN_FILENO, &c, 1) > 0;) {
        }
        stop_ = true;
        if (writing_.joinable()) writing_.join();
        return 0;
    }

private:
    void write(const fs::path &path) {
        try {
            numbered::Writer writer(path);
            sqlite3_wal_autocheckpoint(writer.db().handle(), 50);
            // Not the durability of the host's commits is the subject here: a kill is no power loss.
            writer.db().exec("PRAGMA synchronous = OFF");
            std::mt19937 random(1);
            while (!stop_) {
                if (const auto state = writer.commit()) {
                    tell('a', state->lineage, state->last);
                    has_committed_ = true;
                }
                // The load's shape, no synchronisation: writers without a pause would keep every reader out.
                std::this_thread::sleep_for(std::chrono::microseconds(random() % 1000));
            }
        } catch (const std::exception &error) {
            std::fprintf(stderr, "lb_kills_host: the writer: %s\n", error.what());
            ::_exit(1);
        }
    }

    void work() {
        arm();
        tell('s');
        const auto began = std::chrono::steady_clock::now();
        const auto outcome = job();
        const auto took = std::chrono::steady_clock::now() - began;
        faults_disarm();
        if (outcome.status != LB_STATUS_OK) std::fprintf(stderr, "lb_kills_host: %s\n", outcome.message);
        if (is_set("count"))
            for (int i = 0; i < FAULTS_CLASSES; ++i)
                tell('c', i, static_cast<std::int64_t>(faults_seen(static_cast<faults_class>(i))));
        tell('e', outcome.status, std::chrono::nanoseconds(took).count());
    }

    void arm() {
        if (!is_set("kill")) return faults_arm(FAULTS_OPEN, ULONG_MAX, ULONG_MAX, EIO);  // only counts
        const auto &plan = options_["kill"];
        const auto colon = plan.find(':');
        const auto k = std::stoul(plan.substr(colon + 1));
        faults_arm(static_cast<faults_class>(std::stoi(plan)), k, k, FAULTS_KILL);
    }

    template <class Options> Options common() {
        auto wanted = sized<Options>();
        if (is_set("verify")) wanted.verify = static_cast<std::uint32_t>(std::stoul(options_["verify"]));
        wanted.progress_interval_ms = 1;
        wanted.on_progress = on_progress;
        return wanted;
    }

    lb_result job() {
        constexpr std::uint32_t patient_ms = 60'000;
        if (operation_ == "verify") return verify(from_, common<lb_verify_options>());
        if (operation_ == "restore") {
            auto wanted = common<lb_restore_options>();
            wanted.existing = is_set("existing") ? LB_EXISTING_REPLACE : LB_EXISTING_REFUSE;
            wanted.busy_timeout_ms = patient_ms;
            if (is_set("keep")) wanted.keep_previous = options_["keep"].c_str();
            return restore(from_, to_, wanted);
        }
        auto wanted = common<lb_backup_options>();
        wanted.existing = is_set("existing") ? LB_EXISTING_REPLACE : LB_EXISTING_REFUSE;
        wanted.busy_timeout_ms = patient_ms;
        wanted.chunk_size = 65536;
        if (is_set("reuse")) wanted.reuse_path = options_["reuse"].c_str();
        return backup(from_, to_, wanted);
    }

    bool is_set(const std::string &name) const { return options_.count(name) != 0; }

    const std::string operation_;
    const fs::path from_, to_;
    std::map<std::string, std::string> options_;
    std::atomic<bool> has_committed_{false}, stop_{false};
    std::thread writing_;
};

}  // namespace

int main(int argc, char **argv) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
        return Host(std::vector<std::string>(argv + 1, argv + argc)).run();
    } catch (const std::exception &error) {
        std::fprintf(stderr, "lb_kills_host: %s\n", error.what());
        ::_exit(1);
    }
}
