// Hosts that are processes of their own, and tell what they do through a pipe: a host may be killed at any moment, and what
// it has told stays told. SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_HOSTS_HPP
#define LBTEST_HOSTS_HPP

#include "support.hpp"

#include <poll.h>
#include <sys/prctl.h>

#include <atomic>
#include <csignal>
#include <optional>

namespace lbtest {

/// What a host tells. Shorter than PIPE_BUF, so that no thread's words get into another's (pipe(7)).
struct Record {
    char what;
    std::int64_t a = 0;
    std::int64_t b = 0;
    std::int64_t c = 0;
    char text[232] = {};
};

/// The host's side: its standard output is the pipe, its standard input ends when it shall.
inline void tell(char what, std::int64_t a = 0, std::int64_t b = 0, std::int64_t c = 0, const std::string &text = "") {
    Record record{what, a, b, c, {}};
    text.copy(record.text, sizeof record.text - 1);
    if (::write(STDOUT_FILENO, &record, sizeof record) != sizeof record) ::_exit(1);  // nobody listens any more
}

/// The other side.
class HostProcess {
public:
    HostProcess(const std::vector<std::string> &command, const std::string &hooks = "") {
        int down[2], up[2];
        if (::pipe2(down, O_CLOEXEC) != 0 || ::pipe2(up, O_CLOEXEC) != 0) fail_errno("pipe2");
        to_ = down[1];
        from_ = up[0];
        std::vector<char *> arguments;
        for (const auto &word : command) arguments.push_back(const_cast<char *>(word.c_str()));
        arguments.push_back(nullptr);
        std::string switches = "LB_BACKUP_TEST_HOOKS=" + hooks;
        std::vector<char *> environment{switches.data()};
        for (char **variable = environ; *variable != nullptr; ++variable)
            if (std::strncmp(*variable, "LB_BACKUP_TEST_HOOKS=", 21) != 0) environment.push_back(*variable);
        environment.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, down[0], STDIN_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, up[1], STDOUT_FILENO);
        const int refused = ::posix_spawn(&pid_, arguments[0], &actions, nullptr, arguments.data(), environment.data());
        ::posix_spawn_file_actions_destroy(&actions);
        ::close(down[0]);
        ::close(up[1]);
        if (refused != 0) fail("cannot run " + command[0] + ": " + std::strerror(refused));
    }
    HostProcess(const HostProcess &) = delete;
    HostProcess &operator=(const HostProcess &) = delete;
    ~HostProcess() {
        if (pid_ != 0) {
            kill();
            wait();
        }
        let_end();
        ::close(from_);
    }

    /// What it tells next; nothing if that does not come in time, or never will (see has_ended).
    std::optional<Record> next(std::chrono::nanoseconds patience) {
        pollfd waiting{from_, POLLIN, 0};
        const timespec limit{patience.count() / 1'000'000'000, patience.count() % 1'000'000'000};
        if (::ppoll(&waiting, 1, &limit, nullptr) <= 0) return std::nullopt;
        Record record{};
        if (::read(from_, &record, sizeof record) == sizeof record) return record;
        has_ended_ = true;
        return std::nullopt;
    }
    /// All that it has told, and no more will come.
    bool has_ended() const { return has_ended_; }
    /// What it tells until it has ended; `patience` is against hanging only.
    template <class Listen> void rest(std::chrono::nanoseconds patience, Listen listen) {
        while (!has_ended_) {
            if (const auto record = next(patience))
                listen(*record);
            else if (!has_ended_)
                fail("a host hangs");
        }
    }

    void ask(char what) {
        if (::write(to_, &what, 1) != 1) fail_errno("a host cannot be asked");
    }
    void let_end() {
        if (to_ >= 0) ::close(std::exchange(to_, -1));
    }
    void kill() { ::kill(pid_, SIGKILL); }
    /// Its exit code, or 128 + signal.
    int wait() {
        int status = 0;
        if (::waitpid(std::exchange(pid_, 0), &status, 0) < 0) fail_errno("waitpid");
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

private:
    pid_t pid_ = 0;
    int to_ = -1;
    int from_ = -1;
    bool has_ended_ = false;
};

}  // namespace lbtest

#endif
