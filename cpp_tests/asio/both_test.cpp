// Boost.Asio here and standalone Asio in both_standalone.cpp, in one program. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

std::string message_of_standalone_asio(const std::filesystem::path &archive);

using namespace lbtest;

namespace {

class AsioBoth : public AsioTest {};

TEST_F(AsioBoth, one_program_may_use_boost_asio_and_standalone_asio) {
    Completion completion;
    lb::async_backup(io, source, out / "game.db", {}, completion.handler());
    io.run();
    expect_completed(completion);
    EXPECT_EQ(message_of_standalone_asio(out / "game.db"), "");
    EXPECT_EQ(message_of_standalone_asio(out / "nowhere.db"), lb::category().message(LB_STATUS_NOT_FOUND));
}

}  // namespace
