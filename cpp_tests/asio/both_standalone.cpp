// See both_test.cpp. SPDX-License-Identifier: MIT OR Apache-2.0

#define LB_BACKUP_USE_STANDALONE_ASIO
#include <asio.hpp>
#include <lb_backup_asio.hpp>

/// Verifies a file; the error's message, empty for none.
std::string message_of_standalone_asio(const std::filesystem::path &archive);

std::string message_of_standalone_asio(const std::filesystem::path &archive) {
    asio::io_context io;
    std::error_code outcome;
    lb::async_verify(io, archive, {}, [&](std::error_code ec, const lb::Result &) { outcome = ec; });
    io.run();
    return outcome ? outcome.message() : "";
}
