// What the tests of lb_backup.hpp have in common. SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_CPP_FIXTURE_HPP
#define LBTEST_CPP_FIXTURE_HPP

#include "api/fixture.hpp"

#include <lb_backup.hpp>

namespace lbtest {

using namespace std::chrono_literals;

/// A database of 8 MiB, and options so slow that a backup of it is certainly still at work when the test has looked at it.
class WrapperTest : public ApiTest {
protected:
    DatabaseOptions database() const override { return sizable(); }

    static lb::BackupOptions slow() {
        lb::BackupOptions options;
        options.chunk_size = 65536;
        options.max_bytes_per_second = 65536;
        return options;
    }

    lb::Job start_slow(lb::BackupOptions options = slow()) const {
        auto job = lb::start_backup(source, dest, std::move(options));
        if (!wait_until([&] { return job.progress().bytes_done > 0; })) fail("the job does not begin");
        return job;
    }

    void expect_nothing_left() const {
        EXPECT_TRUE(lb::jobs().empty());
        EXPECT_TRUE(list_dir(out).empty());
    }

    const fs::path dest = out / "new.db.zst";
};

/// What `call` throws.
template <typename Call> lb::Error thrown_by(const Call &call) {
    try {
        call();
    } catch (const lb::Error &error) {
        return error;
    }
    fail("nothing was thrown");
}

}  // namespace lbtest

#endif
