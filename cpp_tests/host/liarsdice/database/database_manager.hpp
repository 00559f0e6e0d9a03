// Stand-in for the game's header of this name: what the adapter meets, written anew.
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LIARSDICE_DATABASE_DATABASE_MANAGER_HPP
#define LIARSDICE_DATABASE_DATABASE_MANAGER_HPP

#include <liarsdice/database/connection_manager.hpp>
#include <liarsdice/database/database_error.hpp>

#include <exception>
#include <functional>
#include <string>

namespace liarsdice::database {

class DatabaseManager {
public:
    using TransactionFunc = std::function<DatabaseResult<void>(DatabaseManager &)>;

    DatabaseManager() = default;
    DatabaseManager(const DatabaseManager &) = delete;
    DatabaseManager &operator=(const DatabaseManager &) = delete;
    ~DatabaseManager() {
        if (in_transaction()) rollback_transaction();
    }

    /// On a connection of the pool; in a transaction of this object, on the transaction's.
    DatabaseResult<void> execute(const std::string &sql) {
        if (in_transaction()) return run(*transaction_, sql, DatabaseErrorType::QueryFailed);
        const auto connection = ConnectionManager::instance().acquire_connection();
        if (!connection) return DatabaseError(DatabaseErrorType::ConnectionFailed, "no connection was free in time");
        return run(*connection, sql, DatabaseErrorType::QueryFailed);
    }

    DatabaseResult<void> begin_transaction() {
        if (in_transaction()) return DatabaseError(DatabaseErrorType::TransactionFailed, "in a transaction already");
        transaction_ = ConnectionManager::instance().acquire_connection();
        if (!transaction_) return DatabaseError(DatabaseErrorType::ConnectionFailed, "no connection was free in time");
        auto begun = run(*transaction_, "BEGIN", DatabaseErrorType::TransactionFailed);
        if (!begun) transaction_ = {};
        return begun;
    }
    DatabaseResult<void> commit_transaction() { return end_transaction("COMMIT"); }
    DatabaseResult<void> rollback_transaction() { return end_transaction("ROLLBACK"); }
    bool in_transaction() const { return static_cast<bool>(transaction_); }

    DatabaseResult<void> with_transaction(const TransactionFunc &function) {
        if (auto begun = begin_transaction(); !begun) return begun;
        try {
            if (auto done = function(*this); !done) {
                rollback_transaction();
                return done;
            }
        } catch (const std::exception &error) {
            rollback_transaction();
            return DatabaseError(DatabaseErrorType::TransactionFailed, error.what());
        }
        return commit_transaction();
    }

private:
    static DatabaseResult<void> run(DatabaseConnection &connection, const std::string &sql, DatabaseErrorType type) {
        const int code = connection.execute(sql);
        if (code == SQLITE_OK) return {};
        return DatabaseError(type, sql + ": " + sqlite3_errmsg(connection.get()),
                             {code, boost::system::generic_category()});
    }
    DatabaseResult<void> end_transaction(const char *sql) {
        if (!in_transaction()) return DatabaseError(DatabaseErrorType::TransactionFailed, "not in a transaction");
        const auto connection = std::exchange(transaction_, {});
        return run(*connection, sql, DatabaseErrorType::TransactionFailed);
    }

    ConnectionPool::PooledConnection transaction_;
};

}  // namespace liarsdice::database

#endif
