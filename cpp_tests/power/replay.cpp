// Cuts the power: records an operation of the library, builds what a file system may have kept of it at each moment, and
// looks at what becomes of that when the machine is back. Without arguments: all of it (scripts/power.sh).
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "model.hpp"
#include "scenes.hpp"

#include <array>
#include <unordered_set>

using namespace lbtest;
using namespace lbtest::power;

namespace {

struct Asked {
    unsigned seed = 20260;
    std::string scene;
    std::size_t draws = 6;          // random fates for each choice of names, at each event
    std::size_t states = SIZE_MAX;  // most of a scene before its success, chosen by the seed
    Dropped dropped;
    bool complaints_expected = false;
    bool verbose = false;
};

struct Tally {
    std::size_t events = 0, states = 0, checked = 0, complaints = 0;
    std::array<std::size_t, 3> outcomes{};

    void operator+=(const Tally &other) {
        events += other.events;
        states += other.states;
        checked += other.checked;
        complaints += other.complaints;
        for (std::size_t i = 0; i < outcomes.size(); ++i) outcomes[i] += other.outcomes[i];
    }
    void print(const std::string &name) const {
        std::printf("| %-52s | %6zu | %6zu | %6zu | %6zu | %6zu | %6zu | %4zu |\n", name.c_str(), events, states,
                    checked, outcomes[0], outcomes[1], outcomes[2], complaints);
        std::fflush(stdout);
    }
};

const char *name_of(recorded_kind kind) {
    static const char *const names[] = {"create", "write",  "truncate", "sync",     "sync_file_range",
                                        "link",   "unlink", "rename",   "exchange", "success"};
    return names[kind];
}

/// One scene: its record, and everything that may come of it.
class Replay {
public:
    Replay(const Named &named, const Asked &asked) : named_(named), asked_(asked), scene_(named.make()) {
        const auto out = scene_->directory() / "out";
        start_ = std::make_unique<power::Directory>(out, scene_->fleeting(), asked.dropped);
        recorder_begin(out.c_str(), named.lacking);
        const auto outcome = scene_->run();
        std::size_t count = 0;
        const auto *events = recorder_end(&count);
        must(outcome, named.name);
        events_.assign(events, events + count);
        check_record(out);
        scene_->leave();
    }

    Tally run() {
        tally_.events = events_.size();
        if (asked_.verbose)
            for (std::size_t i = 0; i < events_.size(); ++i) print_event(i);
        if (asked_.states == SIZE_MAX) {
            for_each([&](const State &state, bool succeeded) { look(state, succeeded); });
            return tally_;
        }
        // The same states come a second time, in the same order.
        std::size_t all = 0;
        for_each([&](const State &, bool succeeded) { all += succeeded ? 0 : 1; });
        std::vector<bool> chosen(all);
        std::fill_n(chosen.begin(), std::min(all, asked_.states), true);
        std::shuffle(chosen.begin(), chosen.end(), Random(asked_.seed));
        std::size_t at = 0;
        for_each([&](const State &state, bool succeeded) {
            if (succeeded || chosen[at++]) look(state, succeeded);
        });
        return tally_;
    }

private:
    /// That everything was recorded.
    void check_record(const fs::path &out) const {
        power::Directory directory(*start_);
        for (const auto &event : events_) directory.apply(event);
        const auto seen = directory.seen();
        for (const auto &name : list_dir(out))
            if (name.size() < 4 || name.substr(name.size() - 4) != "-shm")
                expect(seen.count(name) == 1 && seen.at(name) == read_file(out / name),
                       "the record misses something of " + name);
        for (const auto &[name, bytes] : seen) expect(fs::exists(out / name), "the record has too much: " + name);
        const auto is_success = [](const recorded &event) { return event.kind == RECORDED_SUCCESS; };
        expect(std::any_of(events_.begin(), events_.end(), is_success), "the record misses the job's success");
    }

    /// Each distinct state once, before success and after.
    template <class Visit> void for_each(Visit visit) {
        Random random(asked_.seed);
        power::Directory directory(*start_);
        std::unordered_set<std::size_t> known, known_after;
        bool succeeded = false;
        // Where little happens, more of it is tried.
        const auto draws = events_.size() < 100 ? 4 * asked_.draws : asked_.draws;
        const auto visit_all = [&] {
            directory.for_each_state(draws, random, [&](const State &state) {
                const auto hash = hash_of(state);
                const bool is_new = known.insert(hash).second;
                if (succeeded ? known_after.insert(hash).second : is_new) visit(state, succeeded);
            });
        };
        visit_all();
        for (at_ = 0; at_ < events_.size(); ++at_) {
            succeeded |= events_[at_].kind == RECORDED_SUCCESS;
            if (directory.apply(events_[at_]) && is_worth_a_look()) visit_all();
        }
        tally_.states = known.size();
    }

    /// In a large scene: before and after what is no writing, and now and then.
    bool is_worth_a_look() const {
        const auto is_writing = [&](std::size_t at) {
            return at < events_.size() && events_[at].kind == RECORDED_WRITE;
        };
        return !named_.large || !is_writing(at_) || !is_writing(at_ + 1) || at_ % 80 == 0;
    }

    void look(const State &state, bool succeeded) {
        ++tally_.checked;
        const auto found = scene_->directory() / ("found-" + std::to_string(tally_.checked));
        fs::create_directory(found);
        for (const auto &[name, bytes] : state) write_file(found / name, bytes);
        try {
            const auto outcome = scene_->judge(found, succeeded, hash_of(state) % 2 == 0);
            ++tally_.outcomes[static_cast<std::size_t>(outcome)];
        } catch (const std::exception &thrown) {
            if (++tally_.complaints <= 3 || asked_.verbose) complain(thrown.what(), state, succeeded);
        }
        fs::remove_all(found);
    }

    void print_event(std::size_t at) const {
        const auto &event = events_[at];
        std::printf("    %zu: %s %s %s inode %llu offset %llu length %llu\n", at + 1, name_of(event.kind), event.name,
                    event.other, static_cast<unsigned long long>(event.inode),
                    static_cast<unsigned long long>(event.offset), static_cast<unsigned long long>(event.length));
    }

    void complain(const char *what, const State &state, bool succeeded) const {
        std::printf("%s: power lost after event %zu of %zu%s: %s\n", named_.name.c_str(), at_ + 1, events_.size(),
                    succeeded ? ", after success" : "", what);
        for (std::size_t i = at_ < 8 ? 0 : at_ - 8; i <= at_ && i < events_.size(); ++i) print_event(i);
        for (const auto &[name, bytes] : state) std::printf("    found %s, %zu bytes\n", name.c_str(), bytes.size());
        std::fflush(stdout);
    }

    const Named &named_;
    const Asked &asked_;
    const std::unique_ptr<Scene> scene_;
    std::unique_ptr<power::Directory> start_;
    std::vector<recorded> events_;
    std::size_t at_ = 0;
    Tally tally_;
};

int run(const Asked &asked) {
    Tally all;
    bool is_satisfied = true;
    std::printf("seed %u\n", asked.seed);
    std::printf("| %-52s | %6s | %6s | %6s | %6s | %6s | %6s | %4s |\n", "scene", "events", "states", "looked",
                "absent", "old", "new", "bad");
    std::printf("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (const auto &named : every_scene()) {
        if (named.name.find(asked.scene) == std::string::npos) continue;
        const auto tally = Replay(named, asked).run();
        tally.print(named.name);
        is_satisfied = is_satisfied && (tally.complaints > 0) == asked.complaints_expected;
        all += tally;
    }
    all.print("all");
    return is_satisfied && all.checked > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char **argv) {
    Asked asked;
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        if (option == "--verbose") {
            asked.verbose = true;
            continue;
        }
        if (option == "--expect-complaints") {
            asked.complaints_expected = true;
            continue;
        }
        const std::string value = i + 1 < argc ? argv[++i] : "";
        if (option == "--seed")
            asked.seed = static_cast<unsigned>(std::stoul(value));
        else if (option == "--scene")
            asked.scene = value;
        else if (option == "--draws")
            asked.draws = std::stoul(value);
        else if (option == "--states")
            asked.states = std::stoul(value);
        else if (option == "--drop" && value == "file")
            asked.dropped.file_syncs = true;
        else if (option == "--drop" && value == "directory")
            asked.dropped.directory_syncs = true;
        else {
            std::fprintf(stderr,
                         "usage: %s [--scene TEXT] [--seed S] [--draws N] [--states N] [--drop file|directory] "
                         "[--expect-complaints] [--verbose]\n",
                         argv[0]);
            return 2;
        }
    }
    return run(asked);
}
