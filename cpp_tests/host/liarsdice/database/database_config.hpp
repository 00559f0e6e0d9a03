// Stand-in for the game's header of this name: what the adapter meets, written anew.
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LIARSDICE_DATABASE_DATABASE_CONFIG_HPP
#define LIARSDICE_DATABASE_DATABASE_CONFIG_HPP

#include <boost/filesystem.hpp>

#include <mutex>

namespace liarsdice::database {

class DatabaseConfig {
public:
    static DatabaseConfig &instance() {
        static DatabaseConfig config;
        return config;
    }

    void set_database_directory(const boost::filesystem::path &directory) {
        boost::filesystem::create_directories(directory);
        const std::lock_guard<std::mutex> lock(mutex_);
        directory_ = boost::filesystem::canonical(directory);
    }
    boost::filesystem::path get_database_file_path() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return directory_ / "liarsdice.db";
    }
    unsigned int get_thread_pool_size() const { return threads_; }
    /// 0, which the game does not have, leaves the io_context to the test.
    void set_thread_pool_size(unsigned int size) { threads_ = size; }

private:
    DatabaseConfig() = default;

    mutable std::mutex mutex_;
    boost::filesystem::path directory_;
    unsigned int threads_ = 4;
};

}  // namespace liarsdice::database

#endif
