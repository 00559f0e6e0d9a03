// lb_demo: a game with its own SQLite backs up its live database and keeps its frame rate.
//
//     lb_demo [MiB] [--keep]
//
// Makes a database, plays on it, backs it up to .db.zst and to .db, cancels one backup half-way, and proves the copies.
// Exits with 0 only if every proof holds.

#include "frame_loop.hpp"
#include "game_database.hpp"
#include "screen.hpp"

#include "support/support.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace demo {
namespace {

namespace fs = std::filesystem;
using std::chrono::nanoseconds;

volatile std::sig_atomic_t interrupted = 0;

void give_up_if_interrupted() {
    if (interrupted) throw std::runtime_error("interrupted");
}

struct Arguments {
    std::uint64_t mebibytes = 256;
    bool keep = false;
};

Arguments parse(int argc, char **argv) {
    Arguments arguments;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        char *end = nullptr;
        if (word == "--keep")
            arguments.keep = true;
        else if (const auto size = std::strtoull(word.c_str(), &end, 10); *end == '\0' && size >= 1 && size <= 65'536)
            arguments.mebibytes = size;
        else
            throw std::invalid_argument("usage: lb_demo [MiB, 1 to 65536] [--keep]");
    }
    return arguments;
}

// One column of the closing table.
struct Run {
    std::string name;
    std::string archive;
    Clock::time_point from, to;
    Durations frames;
    std::int64_t acknowledged_before = 0;  // before lb_backup_start
    std::int64_t commits = 0;              // acknowledged meanwhile
    nanoseconds start_call{0};
    nanoseconds cancel_latency{0};
    lb_result result{};
    lb_progress last{};
};

class Demo {
public:
    Demo(const fs::path &directory, std::uint64_t bytes) : directory_(directory), bytes_(bytes) {
        fs::create_directory(backups_);
    }

    // True if every proof holds.
    bool run() {
        screen_.title(std::string("lb_backup ") + lb_version() + " beside the host's own SQLite " +
                      sqlite3_libversion());
        make_database();
        Writer writer(source_, made_);
        play_without_backup(writer);
        back_up(writer, "game.db.zst");
        cancel_half_way(writer);
        back_up(writer, "game.db");
        writer.stop();

        screen_.step("Proofs");
        prove_cancel();
        prove_copy(runs_[1]);
        prove_copy(runs_[3]);
        screen_.step("Figures");
        show_table(writer);
        return all_hold_;
    }

    void close(bool all_hold, bool kept) {
        if (kept) screen_.step("Kept in " + directory_.string());
        screen_.step(all_hold ? "Every proof holds." : "A proof failed.");
    }

private:
    void make_database() {
        screen_.step("A game database of " + std::to_string(bytes_ >> 20) + " MiB");
        const Clock::time_point start = Clock::now();
        made_ = create_game_database(source_, bytes_, [&](std::uint64_t done) {
            give_up_if_interrupted();
            screen_.bar(percent(done, bytes_), mebibytes(done));
        });
        screen_.end_bar(Ending::succeeded, 100, "made in " + seconds(Clock::now() - start));
        screen_.detail(thousands(made_.players) + " players, " + thousands(made_.games) + " games, " +
                       thousands(made_.moves) + " moves; WAL mode");
    }

    void play_without_backup(const Writer &writer) {
        screen_.step("60 frames a second, a commit every 2 ms, no backup");
        constexpr nanoseconds length = std::chrono::seconds(2);
        Run run = begin("no backup");
        run.acknowledged_before = writer.acknowledged();
        run.frames = run_frames([&] {
            play();
            const nanoseconds played = std::min<nanoseconds>(Clock::now() - run.from, length);
            screen_.bar(percent(played.count(), length.count()), seconds(played));
            return played < length;
        });
        finish(run, writer);
        screen_.end_bar(Ending::succeeded, 100, std::to_string(run.frames.count()) + " frames");
        runs_.push_back(std::move(run));
    }

    void back_up(const Writer &writer, const std::string &name) {
        screen_.step("Backup to " + name);
        Run run = begin("to " + name);
        run.archive = name;
        const auto options = lbtest::options();
        lbtest::Job job = start(run, writer, name, options);
        run.frames = run_frames([&] {
            play();
            run.last = job.progress();
            screen_.backup_bar(run.last);
            return job.wait(0) == LB_STATUS_TIMED_OUT;
        });
        end(run, writer, job);
        show_end(run);
        runs_.push_back(std::move(run));
    }

    void cancel_half_way(const Writer &writer) {
        screen_.step("Another backup, throttled, and cancelled half-way");
        Run run = begin("cancelled");
        auto options = lbtest::options();
        options.max_bytes_per_second = bytes_ / 2;  // two seconds for a whole one: half-way can be seen
        lbtest::Job job = start(run, writer, "cancelled.db.zst", options);
        lb_progress at_cancel{};
        run.frames = run_frames([&] {
            play();
            run.last = job.progress();
            if (run.last.percent >= 50 && at_cancel.bytes_total == 0) {
                at_cancel = job.progress();
                job.cancel();
            }
            screen_.backup_bar(run.last);
            return job.wait(0) == LB_STATUS_TIMED_OUT;
        });
        run.last = job.progress();
        run.cancel_latency = nanoseconds(run.last.elapsed_ns - at_cancel.elapsed_ns);
        end(run, writer, job);
        show_end(run);
        runs_.push_back(std::move(run));
    }

    static Run begin(std::string name) {
        Run run;
        run.name = std::move(name);
        run.from = Clock::now();
        return run;
    }

    // Every call of the library is made from the frame loop's own thread: none may hold it up.
    lbtest::Job start(Run &run, const Writer &writer, const std::string &name, const lb_backup_options &options) {
        run.acknowledged_before = writer.acknowledged();
        const Clock::time_point before = Clock::now();
        lbtest::Job job = lbtest::Job::start(source_, backups_ / name, options);
        run.start_call = Clock::now() - before;
        return job;
    }

    void end(Run &run, const Writer &writer, lbtest::Job &job) {
        run.last = job.progress();
        finish(run, writer);
        run.result = job.join();
    }

    void finish(Run &run, const Writer &writer) {
        run.to = Clock::now();
        run.commits = writer.acknowledged() - run.acknowledged_before;
    }

    void show_end(const Run &run) {
        const auto status = run.result.status;
        const Ending ending = status == LB_STATUS_OK          ? Ending::succeeded
                              : status == LB_STATUS_CANCELLED ? Ending::stopped
                                                              : Ending::failed;
        const nanoseconds elapsed(run.last.elapsed_ns);
        std::string figures = lb_status_name(status);
        if (ending == Ending::succeeded)
            figures = mebibytes(run.result.image_bytes) + " in " + seconds(elapsed) + " to " +
                      mebibytes(run.result.archive_bytes);
        if (ending == Ending::stopped) figures = "cancelled, and ended " + milliseconds(run.cancel_latency) + " later";
        screen_.end_bar(ending, run.last.percent, figures);
        if (ending == Ending::failed) screen_.proof(false, run.result.message);
    }

    void prove_cancel() {
        const std::vector<std::string> expected = {"game.db", "game.db.zst"};
        const bool nothing_left = lbtest::list_dir(backups_) == expected;
        prove(runs_[2].result.status == LB_STATUS_CANCELLED && nothing_left,
              "the cancelled backup left nothing: the directory holds the two others and no more");
    }

    void prove_copy(const Run &run) {
        give_up_if_interrupted();
        const std::string &name = run.archive;
        if (run.result.status != LB_STATUS_OK) {
            prove(false, name + ": " + lb_status_name(run.result.status));
            return;
        }
        fs::path image = backups_ / name;
        if (image.extension() == ".zst") {
            image = directory_ / "decompressed.db";
            lbtest::unzstd(backups_ / name, image);
        }
        const bool archive_is_told = fs::file_size(backups_ / name) == run.result.archive_bytes &&
                                     fs::file_size(image) == run.result.image_bytes &&
                                     lbtest::sha256sum(backups_ / name) == lbtest::sha256_hex(run.result);
        prove(archive_is_told, name + ": sizes and SHA-256 are what the result says");
        prove(lbtest::integrity_check(image) == "ok", name + ": integrity_check says ok");
        prove_commit(name, image, run.acknowledged_before);
        if (image.parent_path() == directory_) fs::remove(image);
    }

    void prove_commit(const std::string &name, const fs::path &image, std::int64_t acknowledged) {
        const lbtest::Db copy(image);
        const lbtest::Db source(source_);
        const GameState state = counted_state(copy);
        prove(state.commit >= acknowledged, name + ": holds the commits 1 to " + thousands(state.commit) +
                                                " without a gap; " + thousands(acknowledged) +
                                                " were acknowledged before the start");
        prove(state == recorded_state(copy, state.commit) && state == recorded_state(source, state.commit),
              name + ": " + thousands(state.players) + " players, " + thousands(state.games) + " games, " +
                  thousands(state.moves) + " moves, as the source had after that commit");
    }

    void prove(bool holds, const std::string &what) {
        screen_.proof(holds, what);
        all_hold_ = all_hold_ && holds;
    }

    void show_table(const Writer &writer) {
        std::vector<std::vector<std::string>> rows = {
            {""},       {"time"},      {"image"},         {"archive"},           {"compression ratio"}, {"start call"},
            {"frames"}, {"frame p99"}, {"longest frame"}, {"commits meanwhile"}, {"commit p99"}};
        for (const Run &run : runs_) {
            const bool copied = run.result.struct_size != 0 && run.result.status == LB_STATUS_OK;
            const Durations commits(writer.commit_times(run.from, run.to));
            std::size_t row = 0;
            const auto add = [&](const std::string &cell) { rows[row++].push_back(cell); };
            add(run.name);
            add(seconds(run.last.struct_size ? nanoseconds(run.last.elapsed_ns) : run.to - run.from));
            add(copied ? mebibytes(run.result.image_bytes) : "–");
            add(copied ? mebibytes(run.result.archive_bytes) : "–");
            add(copied ? ratio(run.result) : "–");
            add(run.last.struct_size ? microseconds(run.start_call) : "–");
            add(std::to_string(run.frames.count()));
            add(milliseconds(run.frames.p99()));
            add(milliseconds(run.frames.longest()));
            add(thousands(run.commits));
            add(milliseconds(commits.p99()));
        }
        screen_.table(rows);
    }

    static std::string ratio(const lb_result &result) {
        char text[32];
        std::snprintf(text, sizeof text, "%.2f",
                      static_cast<double>(result.image_bytes) / static_cast<double>(result.archive_bytes));
        return text;
    }

    template <class Number>
    static double percent(Number part, Number whole) {
        return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
    }

    void play() {
        give_up_if_interrupted();
        dice_ = play_one_frame(dice_);
    }

    const fs::path directory_;
    const fs::path source_ = directory_ / "game.db";
    const fs::path backups_ = directory_ / "backups";
    const std::uint64_t bytes_;
    Screen screen_;
    GameState made_;
    std::vector<Run> runs_;
    std::uint32_t dice_ = 1;
    bool all_hold_ = true;
};

fs::path new_directory() {
    std::string pattern = (fs::temp_directory_path() / "lb_demo-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) lbtest::fail_errno("mkdtemp " + pattern);
    return pattern;
}

bool run_demo(const Arguments &arguments) {
    std::optional<lbtest::TempDir> temporary;
    if (!arguments.keep) temporary.emplace();
    Demo demo(temporary ? temporary->path() : new_directory(), arguments.mebibytes << 20);
    const bool all_hold = demo.run();
    demo.close(all_hold, arguments.keep);
    return all_hold;
}

}  // namespace
}  // namespace demo

int main(int argc, char **argv) {
    // An impatient reader leaves no gigabytes behind: the stack is unwound, and the directory removed with it.
    std::signal(SIGINT, [](int) { demo::interrupted = 1; });
    std::signal(SIGTERM, [](int) { demo::interrupted = 1; });
    try {
        return demo::run_demo(demo::parse(argc, argv)) ? EXIT_SUCCESS : EXIT_FAILURE;
    } catch (const std::exception &error) {
        std::cerr << "\nlb_demo: " << error.what() << "\n";
        return EXIT_FAILURE;
    }
}
