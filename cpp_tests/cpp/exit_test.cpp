// A job that lives on until static objects are destroyed, when no callback comes any more: it is cancelled and joined, and
// what it tells is the truth. SPDX-License-Identifier: MIT OR Apache-2.0

#include "support/support.hpp"

#include <lb_backup.hpp>

#include <cstdio>

namespace {

struct Holder {
    lbtest::TempDir directory;
    lb::Job job;

    ~Holder() {
        std::error_code ec;
        job.cancel();
        const auto result = job.join(ec);
        if (ec != LB_STATUS_CANCELLED || result.message.empty()) {
            std::fprintf(stderr, "%s (%s)\n", ec.message().c_str(), result.message.c_str());
            std::error_code ignored;
            lbtest::fs::remove_all(directory.path(), ignored);
            std::_Exit(1);
        }
    }
};

Holder holder;  // made before the library's first use, and so destroyed after it has seen the exit

}  // namespace

int main() {
    lbtest::DatabaseOptions wanted;
    wanted.bytes = 8 << 20;
    lbtest::make_database(holder.directory / "game.db", wanted);
    lb::BackupOptions slow;
    slow.max_bytes_per_second = 65536;
    slow.chunk_size = 65536;
    holder.job = lb::start_backup(holder.directory / "game.db", holder.directory / "new.db", std::move(slow));
    return lbtest::wait_until([] { return holder.job.progress().bytes_done > 0; }) ? 0 : 1;
}
