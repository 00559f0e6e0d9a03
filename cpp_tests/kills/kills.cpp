// lb_kills HOST HOST_WITH_HOOKS [--rounds N] [--first N] [--seed S] [--hooks LIST] [--expect TEXT] [--verbose]
//
// Kills hosts in the middle of backups, restores and verifications, and looks each time at what is left: docs/KILLS.md.
// With --expect it succeeds only if something is found of which TEXT is a part, and ends there; --hooks switches the
// protection off that is to be missed. SPDX-License-Identifier: MIT OR Apache-2.0

#include "faults/faults.h"
#include "support/hosts.hpp"
#include "support/numbered.hpp"

#include <algorithm>
#include <map>
#include <random>

using namespace lbtest;
using numbered::State;

namespace {

// ------------------------------------------------------------------------------------------------------------- rounds

enum Operation { backup_new, backup_replace, restore_new, restore_live, restore_layout, verification, operations };
const char *const operation_names[operations] = {"backup to a new name",        "backup in place of an earlier one",
                                                 "restore to a new file",       "restore onto a live database",
                                                 "restore onto another layout", "verification"};

enum Moment { at_a_share, at_a_percentage, at_a_call };

/// The states that the databases begin with.
constexpr State game{1, 200}, archived{2, 300};

struct Round {
    Operation operation;
    bool wal;       // the database that the host writes, or has: WAL or rollback journal
    bool zstd;      // the archive
    bool named;     // no nameless files, as on some file systems
    bool outsider;  // another process writes, too
    bool full;      // verification
    bool keeping;   // keep_previous, of a restore onto a live database
    bool reusing;   // of the archive that is replaced
    Moment moment;

    std::string name() const {
        return std::string(operation_names[operation]) + (wal ? ", WAL" : ", DELETE") + (zstd ? ", .db.zst" : ", .db") +
               (full ? ", full" : "") + (keeping ? ", keeping" : "") + (reusing ? ", reusing" : "") +
               (named ? ", named files" : "") + (outsider ? ", an outsider writes" : "");
    }
    /// Rounds of one kind take about the same time, and make the same calls.
    std::string kind() const {
        auto same = *this;
        same.outsider = false;
        return same.name();
    }
};

Round random_round(std::mt19937_64 &random) {
    const auto one_in = [&](unsigned n) { return random() % n == 0; };
    Round round{};
    round.operation = static_cast<Operation>(random() % operations);
    round.wal = !one_in(3);
    round.zstd = one_in(2);
    round.named = one_in(3);
    round.outsider = one_in(3) && round.operation != restore_layout;
    round.full = one_in(4);
    round.keeping = one_in(2) && round.operation == restore_live;
    round.reusing = one_in(2) && round.operation == backup_replace && round.zstd;
    round.moment = static_cast<Moment>(random() % 3);
    return round;
}

/// What a whole job was like.
struct Course {
    std::chrono::nanoseconds took{};
    std::vector<std::int64_t> calls = std::vector<std::int64_t>(FAULTS_CLASSES);
};

struct Tally {
    int rounds, before_end, after_end, old_ones, new_ones, absent, swept;
};

struct Asked {
    std::string host, host_with_hooks, hooks, expected;
    int rounds = 1000, first = 0;
    std::uint64_t seed = 1;
    bool verbose = false;
};

class Kills {
public:
    explicit Kills(const Asked &asked) : asked_(asked) {
        fs::create_directory(templates_);
        for (const auto *mode : {"WAL", "DELETE"}) {
            numbered::create(templates_ / mode, mode, 4096, game);
            numbered::create(templates_ / (std::string(mode) + "-layout"), mode, 1024, game);
        }
        numbered::create(templates_ / "archived", "WAL", 4096, archived);
        auto chunked = options();
        chunked.chunk_size = 65536;
        for (const auto *suffix : {".db", ".db.zst"})
            for (const auto &[from, to] : {std::pair("archived", "archived"), std::pair("WAL", "replaced")})
                if (backup(templates_ / from, templates_ / (to + std::string(suffix)), chunked).status != LB_STATUS_OK)
                    fail("no archive to begin with");
    }

    bool run() {
        std::printf("kills: seed %llu, rounds %d to %d, %s\n", static_cast<unsigned long long>(asked_.seed),
                    asked_.first, asked_.first + asked_.rounds - 1, lb_version());
        for (int n = asked_.first; n < asked_.first + asked_.rounds && !is_expected_found_; ++n) {
            random_.seed(asked_.seed * 1'000'003 + static_cast<std::uint64_t>(n));
            round_ = random_round(random_);
            one(n);
        }
        print();
        return asked_.expected.empty() ? complaints_ == 0 : is_expected_found_;
    }

private:
    void one(int n) {
        std::string moment;
        try {
            const auto &course = course_of(round_);
            lay_out();
            ++tally().rounds;
            const bool has_ended = host_until_killed(course, moment);
            ++(has_ended ? tally().after_end : tally().before_end);
            check(has_ended);
            if (asked_.verbose) std::printf("round %d: %s; %s\n", n, round_.name().c_str(), moment.c_str());
        } catch (const std::exception &found) {
            ++complaints_;
            std::printf("round %d: %s; %s: %s\n", n, round_.name().c_str(), moment.c_str(), found.what());
            std::fflush(stdout);
            if (!asked_.expected.empty() && std::string(found.what()).find(asked_.expected) != std::string::npos)
                is_expected_found_ = true;
        }
    }

    // ------------------------------------------------------------------------------------------------ before the kill

    bool is_restore_onto() const { return round_.operation == restore_live || round_.operation == restore_layout; }
    std::string suffix() const { return round_.zstd ? ".db.zst" : ".db"; }
    fs::path source() const { return work_ / "game.db"; }
    fs::path archive() const { return out_ / ("archived" + suffix()); }
    fs::path kept() const { return out_ / "kept.db.zst"; }
    fs::path dest() const {
        if (is_restore_onto()) return out_ / "live.db";
        return out_ / (round_.operation == restore_new ? "restored.db" : "new" + suffix());
    }
    /// The database that the host's writer has open.
    fs::path written() const { return round_.operation == restore_live ? dest() : source(); }

    void lay_out() {
        fs::remove_all(work_);
        fs::create_directories(out_);
        const std::string mode = round_.wal ? "WAL" : "DELETE";
        fs::copy_file(templates_ / mode, source());
        earlier_.clear();
        for (const auto *name : {"archived.db", "archived.db.zst"}) {
            fs::copy_file(templates_ / name, out_ / name);
            earlier_[name] = read_file(out_ / name);
        }
        if (round_.operation == restore_live) fs::copy_file(templates_ / mode, dest());
        if (round_.operation == restore_layout) fs::copy_file(templates_ / (mode + "-layout"), dest());
        if (round_.operation == backup_replace) fs::copy_file(templates_ / ("replaced" + suffix()), dest());
        acknowledged_ = {};
        at_start_ = game.last;
    }

    std::string hooks() const { return round_.named ? "no-tmpfile," + asked_.hooks : asked_.hooks; }

    std::vector<std::string> command(const std::string &operation, const fs::path &from, const fs::path &to,
                                     const fs::path &written) const {
        return {hooks().empty() ? asked_.host : asked_.host_with_hooks, operation, from, to, written};
    }

    std::vector<std::string> command_of_round() const {
        std::vector<std::string> words;
        if (round_.operation == verification) {
            words = command("verify", archive(), "-", written());
        } else if (round_.operation == backup_new || round_.operation == backup_replace) {
            words = command("backup", source(), dest(), written());
        } else {
            words = command("restore", archive(), dest(), written());
        }
        if (is_restore_onto() || round_.operation == backup_replace) words.push_back("existing=1");
        if (round_.full) words.push_back("verify=" + std::to_string(LB_VERIFY_FULL));
        if (round_.keeping) words.push_back("keep=" + kept().string());
        if (round_.reusing) words.push_back("reuse=" + dest().string());
        return words;
    }

    /// Of one that nobody kills.
    const Course &course_of(const Round &round) {
        const auto known = courses_.find(round.kind());
        if (known != courses_.end()) return known->second;
        lay_out();
        auto words = command_of_round();
        words.push_back("count=1");
        HostProcess host(words, hooks());
        Course course;
        while (const auto record = host.next(patience)) {
            if (record->what == 'c') course.calls[static_cast<std::size_t>(record->a)] = record->b;
            if (record->what != 'e') continue;
            if (record->a != LB_STATUS_OK) fail(std::string("unharmed, but ") + lb_status_name(lb_status(record->a)));
            course.took = std::chrono::nanoseconds(record->b);
            return courses_[round.kind()] = course;
        }
        fail("an unharmed job does not end");
    }

    /// A call of the library before which it dies: those that write, and that name files, are few and count most.
    std::string random_call(const Course &course) {
        static const faults_class classes[] = {FAULTS_OPEN, FAULTS_READ,   FAULTS_WRITE,  FAULTS_SYNC,
                                               FAULTS_LINK, FAULTS_RENAME, FAULTS_UNLINK, FAULTS_TRUNCATE,
                                               FAULTS_LOCK, FAULTS_CLOSE,  FAULTS_FLOCK,  FAULTS_MODE};
        std::vector<faults_class> made;
        for (const auto one : classes)
            if (course.calls[one] > 0) made.push_back(one);
        const auto chosen = made[random_() % made.size()];
        const auto k = 1 + random_() % static_cast<std::uint64_t>(course.calls[chosen]);
        return std::to_string(chosen) + ":" + std::to_string(k);
    }

    /// True if the job had come to its end.
    bool host_until_killed(const Course &course, std::string &moment) {
        auto words = command_of_round();
        std::int64_t percentage = 1000;
        // Now and then when it has ended: what is published stays.
        auto delay = std::chrono::nanoseconds(random_() % static_cast<std::uint64_t>(course.took.count() * 6 / 5 + 1));
        switch (round_.moment) {
        case at_a_share:
            moment = "after " + std::to_string(delay.count() / 1000) + " of " +
                     std::to_string(course.took.count() / 1000) + " us";
            break;
        case at_a_percentage:
            percentage = static_cast<std::int64_t>(random_() % 101);
            moment = "at " + std::to_string(percentage) + " %";
            break;
        case at_a_call: {
            const auto call = random_call(course);
            words.push_back("kill=" + call);
            moment = "before call " + call.substr(call.find(':') + 1) + " of " +
                     faults_class_name(static_cast<faults_class>(std::stoi(call)));
            break;
        }
        }
        std::optional<HostProcess> outsider;
        if (round_.outsider) outsider.emplace(command("write", "-", "-", written()), "");
        HostProcess host(words, hooks());

        bool has_ended = false;
        const auto listen = [&](const Record &record) {
            if (record.what == 'a') acknowledged_.add({record.a, record.b});
            if (record.what != 'e') return;
            has_ended = true;
            if (record.a != LB_STATUS_OK) fail(std::string("the job: ") + lb_status_name(lb_status(record.a)));
        };
        auto limit = patience;
        auto now = std::chrono::steady_clock::now();
        bool is_time = false;
        while (!is_time) {
            const auto record = host.next(limit);
            if (!record) {
                if (limit == patience && !host.has_ended()) fail("the host hangs");
                break;
            }
            listen(*record);
            if (record->what == 's') {
                at_start_ = std::max(at_start_, acknowledged_.last(game.lineage, game.last));
                now = std::chrono::steady_clock::now();
                if (round_.moment == at_a_share) limit = delay;
            } else if (limit != patience) {
                // What it tells meanwhile does not put the moment off.
                limit = delay - (std::chrono::steady_clock::now() - now);
            }
            is_time = limit.count() <= 0 || (record->what == 'p' && record->a >= percentage) ||
                      (record->what == 'e' && round_.moment != at_a_share);
        }
        host.kill();
        host.rest(patience, listen);
        if (const int code = host.wait(); code != 128 + SIGKILL)
            fail("the host ended by itself: " + std::to_string(code));
        if (outsider) {
            outsider->let_end();
            outsider->rest(patience, [&](const Record &record) { acknowledged_.add({record.a, record.b}); });
            if (outsider->wait() != 0) fail("the outsider failed");
        }
        return has_ended;
    }

    // ------------------------------------------------------------------------------------------------- after the kill

    Tally &tally() { return tallies_[static_cast<std::size_t>(round_.operation)]; }

    void check(bool has_ended) {
        const auto left = hidden_files();
        // What the files hold, before anybody opens a database.
        for (const auto &[name, bytes] : earlier_)
            if (read_file(out_ / name) != bytes) fail("the earlier " + name + " changed");
        const auto now = written() == source() ? recovered(source()) : game;
        if (written() == source()) acknowledged_.check(game, now, 1);
        switch (round_.operation) {
        case backup_new:
        case backup_replace:
            check_backup(has_ended, now);
            break;
        case restore_new:
            check_new_file(has_ended);
            break;
        case restore_live:
        case restore_layout:
            check_live(has_ended);
            break;
        default:
            ++tally().old_ones;
            break;
        }
        next_run();
        if (left > 0) ++tally().swept;
    }

    int hidden_files() const {
        int count = 0;
        for (const auto &name : list_dir(out_)) count += name.rfind(".lb_backup-", 0) == 0;
        return count;
    }

    /// What a database holds after SQLite's recovery. The next commit works, and takes away what is left of a journal.
    State recovered(const fs::path &database) const {
        numbered::Writer writer(database);
        const auto found = numbered::read(writer.db());
        const auto next = writer.commit();
        if (!next || next->lineage != found.lineage || next->last != found.last + 1) fail("the next commit fails");
        return found;
    }

    void check_backup(bool has_ended, const State &now) {
        const bool replaces = round_.operation == backup_replace;
        if (!fs::exists(dest())) {
            if (replaces) fail("the earlier backup is gone, and there is no new one");
            if (has_ended) fail("success, and there is no backup");
            ++tally().absent;
            return;
        }
        if (replaces && read_file(dest()) == read_file(templates_ / ("replaced" + suffix()))) {
            if (has_ended) fail("success, and the backup is the earlier one");
            ++tally().old_ones;
            return;
        }
        const auto found = numbered::whole(dest(), scratch_);
        if (found.lineage != game.lineage || found.last < at_start_ || found.last > now.last)
            fail("holds " + to_string(found) + "; commit " + std::to_string(at_start_) +
                 " was acknowledged before the start, and the source ends with " + std::to_string(now.last));
        ++tally().new_ones;
    }

    void check_new_file(bool has_ended) {
        if (!fs::exists(dest())) {
            if (has_ended) fail("success, and there is no database");
            ++tally().absent;
            return;
        }
        if (const auto found = recovered(dest()); !(found == archived)) fail("holds " + to_string(found));
        ++tally().new_ones;
    }

    void check_live(bool has_ended) {
        const auto found = recovered(dest());
        const bool is_new = found.lineage == archived.lineage;
        if (has_ended && !is_new) fail("success, and the database has the old content");
        if (!is_new && acknowledged_.any(archived.lineage) && written() == dest())
            fail("commits to the new content were acknowledged, and the old one is there");
        if (written() == dest()) {
            acknowledged_.check(is_new ? archived : game, found, 1);
        } else if (!(found == (is_new ? archived : game))) {
            fail("holds " + to_string(found));
        }
        if (fs::exists(kept())) {
            const auto previous = numbered::whole(kept(), scratch_);
            const auto last = acknowledged_.last(game.lineage, game.last);
            // Of just what is replaced; where nothing is replaced, the host has gone on.
            const bool fits = is_new ? previous.last >= last && previous.last <= last + 1 : previous.last <= found.last;
            if (previous.lineage != game.lineage || !fits)
                fail("the kept one holds " + to_string(previous) + "; the last commit acknowledged before is " +
                     std::to_string(last));
        } else if (round_.keeping && is_new) {
            fail("nothing was kept of what was replaced");
        }
        ++(is_new ? tally().new_ones : tally().old_ones);
    }

    /// An ordinary backup into the same directory: it works, and what was left behind goes.
    void next_run() {
        auto wanted = names_in_out();
        wanted.insert("next.db");
        HostProcess host(command("backup", is_restore_onto() ? dest() : source(), out_ / "next.db", "-"), hooks());
        host.let_end();
        host.rest(patience, [](const Record &record) {
            if (record.what == 'e' && record.a != LB_STATUS_OK)
                fail(std::string("the next backup: ") + lb_status_name(lb_status(record.a)));
        });
        if (host.wait() != 0) fail("the next host fails");
        numbered::whole(out_ / "next.db", scratch_);
        // The library never takes a log away, which might be the host's: an ordinary last connection does.
        for (const auto &database : {source(), dest()})
            if (fs::exists(database) && (database == source() || is_restore_onto())) recovered(database);
        // Nor does SQLite take away a journal in which nothing counts, until it needs the name.
        const auto journal = fs::path(dest().string() + "-journal");
        if (fs::exists(journal) && is_restore_onto() && !is_hot(journal)) wanted.insert(journal.filename());
        const auto expect_names = [](const fs::path &directory, const std::set<std::string> &names) {
            for (const auto &name : list_dir(directory))
                if (names.count(name) == 0) fail("left behind: " + name);
        };
        expect_names(out_, wanted);
        expect_names(work_, {"game.db", "out"});
    }

    std::set<std::string> names_in_out() const {
        std::set<std::string> names{dest().filename(), kept().filename()};
        for (const auto &[name, bytes] : earlier_) names.insert(name);
        return names;
    }

    void print() const {
        std::printf("\n%-34s %7s %9s %9s %7s %7s %7s %7s\n", "killed in a", "rounds", "in the", "after its", "found",
                    "found", "found", "left to");
        std::printf("%-34s %7s %9s %9s %7s %7s %7s %7s\n", "", "", "job", "end", "old", "new", "nothing", "sweep");
        const auto line = [](const char *name, const Tally &t) {
            std::printf("%-34s %7d %9d %9d %7d %7d %7d %7d\n", name, t.rounds, t.before_end, t.after_end, t.old_ones,
                        t.new_ones, t.absent, t.swept);
        };
        Tally all{};
        for (std::size_t i = 0; i < operations; ++i) {
            const auto &t = tallies_[i];
            line(operation_names[i], t);
            all = {all.rounds + t.rounds,     all.before_end + t.before_end, all.after_end + t.after_end,
                   all.old_ones + t.old_ones, all.new_ones + t.new_ones,     all.absent + t.absent,
                   all.swept + t.swept};
        }
        line("all", all);
        std::printf("%d complaints\n", complaints_);
    }

    static constexpr std::chrono::nanoseconds patience = std::chrono::seconds(100);  // against hanging only

    const Asked &asked_;
    const TempDir dir_;
    const fs::path templates_ = dir_ / "templates", work_ = dir_ / "work", out_ = work_ / "out",
                   scratch_ = dir_ / "image.db";
    std::mt19937_64 random_;
    Round round_{};
    std::map<std::string, Course> courses_;
    std::map<std::string, std::string> earlier_;
    numbered::Acknowledged acknowledged_;
    std::int64_t at_start_ = 0;  // the last commit that was acknowledged before
    std::array<Tally, operations> tallies_{};
    int complaints_ = 0;
    bool is_expected_found_ = false;
};

}  // namespace

int main(int argc, char **argv) {
    Asked asked;
    std::vector<std::string> words(argv + 1, argv + argc), programs;
    try {
        for (std::size_t i = 0; i < words.size(); ++i) {
            if (words[i] == "--verbose") {
                asked.verbose = true;
            } else if (words[i].rfind("--", 0) != 0) {
                programs.push_back(words[i]);
            } else {
                const auto option = words[i], value = words.at(++i);
                if (option == "--rounds")
                    asked.rounds = std::stoi(value);
                else if (option == "--first")
                    asked.first = std::stoi(value);
                else if (option == "--seed")
                    asked.seed = std::stoull(value);
                else if (option == "--hooks")
                    asked.hooks = value;
                else if (option == "--expect")
                    asked.expected = value;
                else
                    fail("there is no " + option);
            }
        }
        if (asked.rounds < 1) fail("--rounds is less than 1");
        asked.host = programs.at(0);
        asked.host_with_hooks = programs.at(1);
        return Kills(asked).run() ? 0 : 1;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "lb_kills: %s\n", error.what());
        return 1;
    }
}
