// One lb::Job and many threads. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <iostream>
#include <random>

using namespace lbtest;

namespace {

class Threads : public WrapperTest {
protected:
    DatabaseOptions database() const override {
        auto small = sizable();
        small.bytes = 1 << 20;
        return small;
    }
};

TEST_F(Threads, look_wait_slow_and_cancel_while_another_joins_or_releases) {
    constexpr std::uint32_t seed = 20260;
    std::cout << "seed " << seed << std::endl;
    std::mt19937 random(seed);
    for (int round = 0; round < 20; ++round) {
        SCOPED_TRACE(round);
        std::atomic<bool> stop{false};
        std::atomic<int> ends{0};
        lb::BackupOptions options;
        options.chunk_size = 65536;
        options.existing = lb::Existing::replace;
        options.progress_interval = 0ms;
        options.on_progress = [last = 0.0](const lb::Progress &progress) mutable {
            EXPECT_GE(progress.percent, last);
            last = progress.percent;
        };
        options.on_complete = [&](const lb::Result &) { ++ends; };
        auto job = lb::start_backup(source, dest, std::move(options));
        auto future = job.get_future();
        const bool may_cancel = random() % 2 == 0;
        std::vector<std::thread> others;
        for (int i = 0; i < 3; ++i)
            others.emplace_back([&, own = std::mt19937(random())]() mutable {
                double last = 0;
                while (!stop) {
                    std::error_code ec;
                    switch (own() % 5) {
                    case 0:
                        job.wait(ec);
                        break;
                    case 1:
                        job.wait_for(1us, ec);
                        break;
                    case 2:
                        job.set_rate(own() % 2 == 0 ? 0 : 100'000'000, ec);
                        break;
                    case 3:
                        if (may_cancel && own() % 8 == 0) job.cancel();
                        break;
                    default:
                        if (const auto now = job.progress(ec); !ec) {
                            EXPECT_GE(now.percent, last);
                            last = now.percent;
                        }
                    }
                    EXPECT_TRUE(!ec || ec == LB_STATUS_INVALID_HANDLE) << ec.message();
                }
            });
        for (auto i = random() % 200; i > 0; --i) (void)job.progress();
        std::error_code ec;
        if (random() % 2 == 0) {
            job.join(ec);
            EXPECT_EQ(ends, 1);
        } else {
            job.release();
        }
        future.wait();
        stop = true;
        for (auto &other : others) other.join();
        EXPECT_EQ(ends, 1);
        EXPECT_TRUE(lb::jobs().empty());
        try {
            EXPECT_EQ(future.get().status, LB_STATUS_OK);
        } catch (const lb::Error &error) {
            EXPECT_TRUE(may_cancel && error.status() == LB_STATUS_CANCELLED) << error.what();
        }
    }
}

TEST_F(Threads, take_the_future_while_the_job_ends) {
    for (int round = 0; round < 100; ++round) {
        auto job = lb::start_verify(source);
        for (int i = 0; i < round * 20; ++i) (void)job.progress();
        EXPECT_EQ(job.get_future().get().status, LB_STATUS_OK);
    }
}

}  // namespace
