// A plain database as the backup file of a restore, while somebody writes to it: what comes out is one state of it.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <atomic>

using namespace lbtest;

namespace {

class LiveSource : public ApiTest, public ::testing::WithParamInterface<const char *> {
protected:
    DatabaseOptions database() const override {
        DatabaseOptions wanted;
        wanted.journal_mode = GetParam();
        return wanted;
    }
    void SetUp() override {
        ApiTest::SetUp();
        Db host(source);
        host.exec("CREATE TABLE accounts(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, filler BLOB NOT NULL);"
                  "INSERT INTO accounts SELECT id, 0, zeroblob(900) FROM moves");
    }

    /// Moves value between the two ends of the table, all in one transaction, until it is destroyed.
    class Writer {
    public:
        explicit Writer(const fs::path &path)
            : thread_([this, path] {
                  Db host(path);
                  sqlite3_busy_timeout(host.handle(), 60'000);
                  host.exec("PRAGMA synchronous = OFF");
                  while (!stopping_) {
                      host.exec(
                          "BEGIN IMMEDIATE;"
                          "UPDATE accounts SET balance = balance - 1 WHERE id <= 5;"
                          "UPDATE accounts SET balance = balance + 1 WHERE id > (SELECT max(id) - 5 FROM accounts);"
                          "COMMIT");
                      ++commits_;
                  }
              }) {}
        ~Writer() {
            stopping_ = true;
            thread_.join();
        }
        int commits() const { return commits_; }

    private:
        std::atomic<bool> stopping_{false};
        std::atomic<int> commits_{0};
        std::thread thread_;
    };

    const fs::path dest = out / "restored.db";
};

TEST_P(LiveSource, restored_or_verified_while_it_is_written_is_one_state_of_it) {
    {
        const Writer writer(source);
        for (int round = 0; round < 25; ++round) {
            const int before = writer.commits();
            ASSERT_TRUE(wait_until([&] { return writer.commits() > before; }));
            ASSERT_NO_FATAL_FAILURE(expect_ok(restore(source, dest)));
            EXPECT_EQ(Db(dest).scalar("SELECT sum(balance) FROM accounts"), 0) << "in round " << round;
            remove_database(dest);
            ASSERT_NO_FATAL_FAILURE(expect_ok(verify(source)));
        }
    }
    EXPECT_EQ(integrity_check(source), "ok");
}

INSTANTIATE_TEST_SUITE_P(Modes, LiveSource, ::testing::Values("WAL", "DELETE", "TRUNCATE", "PERSIST"),
                         [](const auto &tested) { return std::string(tested.param); });

}  // namespace
