// Stand-in for the game's header of this name: what the adapter meets, written anew. The pool works, over the system's
// SQLite, with the game's settings.
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LIARSDICE_DATABASE_CONNECTION_MANAGER_HPP
#define LIARSDICE_DATABASE_CONNECTION_MANAGER_HPP

#include <liarsdice/database/database_config.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace liarsdice::database {

class DatabaseConnection {
public:
    explicit DatabaseConnection(const std::string &uri) {
        constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI;
        const int code = sqlite3_open_v2(uri.c_str(), &handle_, flags, nullptr);
        if (code == SQLITE_OK) sqlite3_busy_timeout(handle_, 5000);
        if (code != SQLITE_OK || execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                                         "PRAGMA foreign_keys = ON; PRAGMA mmap_size = 268435456") != SQLITE_OK) {
            const std::string why = sqlite3_errmsg(handle_);
            sqlite3_close(handle_);
            throw std::runtime_error("cannot open " + uri + ": " + why);
        }
    }
    DatabaseConnection(const DatabaseConnection &) = delete;
    DatabaseConnection &operator=(const DatabaseConnection &) = delete;
    ~DatabaseConnection() { sqlite3_close_v2(handle_); }

    sqlite3 *get() const { return handle_; }
    /// SQLite's code.
    int execute(const std::string &sql) { return sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr); }

private:
    sqlite3 *handle_ = nullptr;
};

class ConnectionPool {
public:
    struct PoolConfig {
        std::size_t min_connections = 5;
        std::size_t max_connections = 20;
        bool enable_health_checks = true;  // there are none here
    };
    struct PoolStats {
        std::size_t total_connections = 0;
        std::size_t available_connections = 0;
    };

    /// Goes back to the pool, which it does not outlive.
    class PooledConnection {
    public:
        PooledConnection() = default;
        PooledConnection(ConnectionPool *pool, std::unique_ptr<DatabaseConnection> connection)
            : pool_(pool), connection_(std::move(connection)) {}
        PooledConnection(PooledConnection &&) = default;
        PooledConnection &operator=(PooledConnection &&other) noexcept {
            std::swap(pool_, other.pool_);
            std::swap(connection_, other.connection_);
            return *this;
        }
        ~PooledConnection() {
            if (connection_) pool_->take_back(std::move(connection_));
        }
        explicit operator bool() const { return connection_ != nullptr; }
        DatabaseConnection &operator*() const { return *connection_; }
        DatabaseConnection *operator->() const { return connection_.get(); }

    private:
        ConnectionPool *pool_ = nullptr;
        std::unique_ptr<DatabaseConnection> connection_;
    };

    ConnectionPool(std::string uri, const PoolConfig &config) : uri_(std::move(uri)), config_(config) {
        for (std::size_t i = 0; i < config_.min_connections; ++i) idle_.push_back(open());
    }

    /// Empty after the time.
    PooledConnection acquire(std::chrono::milliseconds timeout) {
        std::unique_lock<std::mutex> lock(mutex_);
        const auto can = [this] { return !idle_.empty() || total_ < config_.max_connections; };
        if (!returned_.wait_for(lock, timeout, can)) return {};
        if (idle_.empty()) idle_.push_back(open());
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        return {this, std::move(connection)};
    }

    PoolStats get_stats() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return {total_, idle_.size()};
    }

private:
    std::unique_ptr<DatabaseConnection> open() {
        auto connection = std::make_unique<DatabaseConnection>(uri_);
        ++total_;
        return connection;
    }
    void take_back(std::unique_ptr<DatabaseConnection> connection) {
        const std::lock_guard<std::mutex> lock(mutex_);
        idle_.push_back(std::move(connection));
        returned_.notify_one();
    }

    const std::string uri_;
    const PoolConfig config_;
    mutable std::mutex mutex_;
    std::condition_variable returned_;
    std::vector<std::unique_ptr<DatabaseConnection>> idle_;
    std::size_t total_ = 0;
};

class ConnectionManager {
public:
    static ConnectionManager &instance() {
        static ConnectionManager manager;
        return manager;
    }

    void configure(const ConnectionPool::PoolConfig &config = {}) {
        if (initialized_) throw std::runtime_error("configured already");
        const DatabaseConfig &database = DatabaseConfig::instance();
        context_ = std::make_unique<boost::asio::io_context>();
        work_ = std::make_unique<Work>(context_->get_executor());
        for (unsigned int i = 0; i < database.get_thread_pool_size(); ++i)
            threads_.emplace_back([this] { context_->run(); });
        pool_ = std::make_unique<ConnectionPool>(
            "file:" + database.get_database_file_path().string() + "?mode=rwc&cache=shared", config);
        initialized_ = true;
    }
    bool is_initialized() const { return initialized_; }

    void shutdown() {
        if (!initialized_.exchange(false)) return;
        pool_.reset();
        work_.reset();
        context_->stop();
        for (std::thread &thread : threads_) thread.join();
        threads_.clear();
        context_.reset();
    }

    boost::asio::io_context &get_io_context() {
        if (!context_) throw std::runtime_error("not configured");
        return *context_;
    }

    ConnectionPool::PooledConnection
    acquire_connection(std::chrono::milliseconds timeout = std::chrono::milliseconds(5000)) {
        if (!initialized_) throw std::runtime_error("not configured");
        return pool_->acquire(timeout);
    }
    ConnectionPool::PoolStats get_pool_stats() const {
        return initialized_ ? pool_->get_stats() : ConnectionPool::PoolStats();
    }

    template <typename Function> auto with_connection(Function function) {
        const auto connection = acquire_connection();
        if (!connection) throw std::runtime_error("no connection was free in time");
        return function(*connection);
    }

private:
    using Work = boost::asio::executor_work_guard<boost::asio::io_context::executor_type>;

    ConnectionManager() = default;
    ~ConnectionManager() { shutdown(); }

    std::atomic<bool> initialized_{false};
    std::unique_ptr<boost::asio::io_context> context_;
    std::unique_ptr<Work> work_;
    std::unique_ptr<ConnectionPool> pool_;
    std::vector<std::thread> threads_;
};

}  // namespace liarsdice::database

#endif
