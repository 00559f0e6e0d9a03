// Backs up a live SQLite database in a coroutine, for ten seconds at most:  example_asio game.db game.db.zst
// SPDX-License-Identifier: MIT OR Apache-2.0

#include <asio.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <lb_backup_asio.hpp>

#include <cstdio>

// Boost.Asio 1.79 and newer: boost::asio::as_tuple; the rest is the same.
using asio::experimental::as_tuple;
using namespace asio::experimental::awaitable_operators;

static asio::awaitable<bool> backup(std::filesystem::path source, std::filesystem::path dest) {
    const auto executor = co_await asio::this_coro::executor;

    lb::BackupOptions options;
    options.on_progress = [](const lb::Progress &progress) {  // on the library's thread
        std::printf("\r%5.1f %%", progress.percent);
        std::fflush(stdout);
    };
    asio::steady_timer timeout(executor, std::chrono::seconds(10));
    // The first to end cancels the other one. A backup that is cancelled leaves nothing behind.
    const auto first =
        co_await(lb::async_backup(executor, source, dest, std::move(options), as_tuple(asio::use_awaitable)) ||
                 timeout.async_wait(as_tuple(asio::use_awaitable)));
    if (first.index() == 1) {
        std::fprintf(stderr, "\rit took too long\n");
        co_return false;
    }
    const auto &[error, result] = std::get<0>(first);
    if (error) {
        std::fprintf(stderr, "\r%s\n", result.message.c_str());
        co_return false;
    }
    std::printf("\r100.0 %%  %llu bytes, verified\n", static_cast<unsigned long long>(result.archive_bytes));
    co_return true;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: example_asio SOURCE DEST\n");
        return 1;
    }
    asio::io_context context;
    auto done = asio::co_spawn(context, backup(argv[1], argv[2]), asio::use_future);
    context.run();
    return done.get() ? 0 : 1;
}
