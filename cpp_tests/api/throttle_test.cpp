// A job keeps to its rate, and to another as soon as it is told. Timed, so it runs alone; and with the host's priority, as
// how fast a machine is that has other things to do is not the question. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <optional>
#include <tuple>

using namespace lbtest;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr std::uint64_t mebibyte = 1 << 20;
constexpr std::uint64_t second_ns = 1'000'000'000;

class Throttle : public ConfiguredTest {
protected:
    DatabaseOptions database() const override {
        DatabaseOptions wanted;
        wanted.bytes = 32 * mebibyte;
        return wanted;
    }
    lb_config configuration() override {
        auto wanted = config();
        wanted.priority = LB_PRIORITY_NORMAL;
        wanted.max_concurrent_jobs = 8;
        return wanted;
    }
    Job start(const std::string &name, std::uint64_t chunk_size, std::uint64_t rate) {
        auto wanted = options();
        wanted.chunk_size = chunk_size;
        wanted.max_bytes_per_second = rate;
        return Job::start(source, out / name, wanted);
    }
};

/// The rate between two moments at which bytes_done had just grown, so that the size of a chunk does not matter.
class Meter {
public:
    explicit Meter(Job job) : job_(std::move(job)) {}

    /// Looks; true once `long_enough_ns` lie between the two.
    bool look(std::uint64_t long_enough_ns) {
        const auto now = job_.progress();
        EXPECT_LE(now.state, LB_JOB_STATE_RUNNING) << "too fast";
        const bool has_grown = now.bytes_done > bytes_;
        bytes_ = now.bytes_done;
        if (has_grown && !first_) first_ = now;
        if (has_grown && now.elapsed_ns - first_->elapsed_ns >= long_enough_ns) last_ = now;
        return last_.has_value() || now.state > LB_JOB_STATE_RUNNING;
    }
    double bytes_per_second() const {
        const auto &first = first_.value(), &last = last_.value();
        const auto took = static_cast<double>(last.elapsed_ns - first.elapsed_ns) / second_ns;
        return static_cast<double>(last.bytes_done - first.bytes_done) / took;
    }

private:
    Job job_;
    std::uint64_t bytes_ = 0;
    std::optional<lb_progress> first_, last_;
};

TEST_F(Throttle, holds_its_rate_within_a_tenth_over_five_seconds) {
    constexpr std::uint64_t rate = 4 * mebibyte;
    std::map<std::string, Meter> meters;
    for (const std::uint64_t chunk_size : {0, 65536})
        for (const auto *suffix : {".db", ".db.zst"}) {
            const auto name = std::to_string(chunk_size) + suffix;
            meters.emplace(name, start(name, chunk_size, rate));
        }
    ASSERT_TRUE(wait_until([&] {
        bool all = true;
        for (auto &[name, meter] : meters) all = meter.look(5 * second_ns) && all;
        return all;
    }));
    for (const auto &[name, meter] : meters) {
        std::printf("%s: %.3f of the rate\n", name.c_str(), meter.bytes_per_second() / rate);
        EXPECT_NEAR(meter.bytes_per_second(), rate, rate / 10.0) << name;
    }
}

class ThrottledResult : public Throttle {
protected:
    DatabaseOptions database() const override {
        DatabaseOptions wanted;
        wanted.bytes = 2 * mebibyte;
        return wanted;
    }
    /// A rate that leaves a job little to do but to wait.
    template <class Options> static Options slow(Options wanted) {
        wanted.max_bytes_per_second = 8 * mebibyte;
        return wanted;
    }
};

TEST_F(ThrottledResult, tells_what_was_waited_and_tells_it_once) {
    const auto archive = dir / "a.db.zst", theirs = dir / "image.db.gz";
    ASSERT_NO_FATAL_FAILURE(expect_ok(backup(source, archive)));
    gzip(plain_image(archive), theirs);
    auto other = database();
    other.seed = 2;
    make_database(dir / "live.db", other);
    auto replacing = slow(restore_options());
    replacing.existing = LB_EXISTING_REPLACE;
    auto full = slow(verify_options());
    full.verify = LB_VERIFY_FULL;
    struct Told {
        const char *name;
        lb_result outcome;
        bool verifies_by_itself;  // on no other thread beside it
    };
    const Told all[] = {
        {"backup", backup(source, out / "b.db.zst", slow(options())), false},
        {"restore", restore(archive, out / "new.db", slow(restore_options())), false},
        {"restore of another tool's", restore(theirs, out / "new2.db", slow(restore_options())), false},
        {"restore onto a live one", restore(archive, dir / "live.db", replacing), true},
        {"restore of another tool's onto a live one", restore(theirs, dir / "live.db", replacing), false},
        {"verification", verify(archive, slow(verify_options())), true},
        {"full verification", verify(archive, full), true},
        {"verification of another tool's", verify(theirs, slow(verify_options())), true},
    };
    for (const auto &[name, outcome, verifies_by_itself] : all) {
        SCOPED_TRACE(name);
        expect_ok(outcome);
        const auto took = static_cast<std::uint64_t>(outcome.end_unix_ns - outcome.start_unix_ns);
        EXPECT_GT(outcome.waiting_ns, took / 4);
        EXPECT_LT(outcome.waiting_ns + outcome.reading_ns, took + took / 4);
        if (verifies_by_itself) {
            EXPECT_LT(outcome.waiting_ns + outcome.verifying_ns, took + took / 4);
        }
    }
}

// ------------------------------------------------------------------------------------------------------------ changes

using Shape = std::tuple<const char *, std::uint64_t>;  // format, chunk size

class ChangedThrottle : public Throttle, public ::testing::WithParamInterface<Shape> {
protected:
    static constexpr std::uint64_t slow = mebibyte, fast = 32 * mebibyte;
    static constexpr milliseconds reaction{200};

    /// How long after the change more is done than the old rate would have allowed in ten times that.
    static milliseconds speed_up(const Job &job) {
        const auto before = job.progress().bytes_done;
        const auto start = steady_clock::now();
        job.set_rate(fast);
        EXPECT_TRUE(wait_until([&] { return job.progress().bytes_done >= before + 2 * mebibyte; }));
        return std::chrono::duration_cast<milliseconds>(steady_clock::now() - start);
    }
    /// What is done in a while of the same length, once the change should have acted.
    static std::uint64_t done_after_slowing_down(const Job &job) {
        const auto start = steady_clock::now();
        job.set_rate(slow);
        std::this_thread::sleep_until(start + reaction);
        const auto before = job.progress().bytes_done;
        std::this_thread::sleep_until(start + 2 * reaction);
        return job.progress().bytes_done - before;
    }
    template <class Value> static Value median(std::vector<Value> values) {
        std::sort(values.begin(), values.end());
        return values[values.size() / 2];
    }
};

/// The median of five, as a machine may be elsewhere for a moment.
TEST_P(ChangedThrottle, acts_within_200_ms) {
    const auto &[name, chunk_size] = GetParam();
    const auto job = start(name, chunk_size, slow);
    ASSERT_TRUE(wait_until([&] { return job.progress().bytes_done > 0; }));
    std::vector<milliseconds> reactions;
    std::vector<std::uint64_t> done;
    for (int round = 0; round < 5; ++round) {
        reactions.push_back(speed_up(job));
        done.push_back(done_after_slowing_down(job));
        ASSERT_EQ(job.progress().state, LB_JOB_STATE_RUNNING) << "too fast";
    }
    std::printf("up after %d ms, down to %d KiB in %d ms\n", static_cast<int>(median(reactions).count()),
                static_cast<int>(median(done) >> 10), static_cast<int>(reaction.count()));
    EXPECT_LT(median(reactions), reaction);
    EXPECT_LT(median(done), fast / 5 / 4) << "a quarter of what the old rate would have allowed";
}

INSTANTIATE_TEST_SUITE_P(Shapes, ChangedThrottle, ::testing::Combine(both_formats(), ::testing::Values(0, 65536)),
                         [](const auto &tested) {
                             return format_name(std::get<0>(tested.param)) + "_" +
                                    std::to_string(std::get<1>(tested.param));
                         });

}  // namespace
