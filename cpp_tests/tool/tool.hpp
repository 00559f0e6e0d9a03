// The built tool, run in pipes or on a pseudo-terminal of its own. SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_TOOL_TOOL_HPP
#define LBTEST_TOOL_TOOL_HPP

#include "api/isolated.hpp"

#include <nlohmann/json.hpp>

#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>

#include <array>
#include <csignal>
#include <functional>
#include <string>
#include <vector>

namespace lbtest {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

/// What a child does between fork and exec.
using Prepare = std::function<void()>;

[[noreturn]] inline void become_tool(const Words &arguments, const Prepare &prepare) {
    ::setenv("TERM", "xterm", 1);
    ::setenv("LC_ALL", "C.UTF-8", 1);
    ::unsetenv("NO_COLOR");
    if (prepare) prepare();
    std::vector<char *> words = {const_cast<char *>(LB_TOOL)};
    for (const auto &argument : arguments) words.push_back(const_cast<char *>(argument.c_str()));
    words.push_back(nullptr);
    ::execv(LB_TOOL, words.data());
    ::_exit(127);
}

/// A run of the tool, and what it has said so far. Ended with this object, if it has not ended by itself.
class Run {
public:
    Run(const Run &) = delete;
    Run &operator=(const Run &) = delete;
    virtual ~Run() {
        if (child_ > 0) {
            ::kill(child_, SIGKILL);
            ::waitpid(child_, nullptr, 0);
        }
        for (const auto &stream : streams_) ::close(stream.descriptor);
    }

    void signal(int number) const { ::kill(child_, number); }
    /// What the kernel tells of it while it runs, proc(5).
    fs::path proc() const { return "/proc/" + std::to_string(child_); }

    /// Reads until `condition` holds; false if it never did.
    template <class Condition> bool wait_until(Condition condition) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(120);
        while (!condition())
            if (!read_some() || std::chrono::steady_clock::now() > deadline) return condition();
        return true;
    }

    /// Reads to the end; the exit code, or 1000 and the number of the signal that killed it.
    int wait() {
        wait_until([] { return false; });
        int status = 0;
        if (::waitpid(std::exchange(child_, 0), &status, 0) < 0) fail_errno("waitpid");
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    }

protected:
    Run() = default;

    struct Stream {
        int descriptor;
        std::string *text;
        bool open = true;
    };

    pid_t child_ = 0;
    std::vector<Stream> streams_;

private:
    /// False at the end of every stream.
    bool read_some() {
        std::vector<pollfd> polled;
        for (const auto &stream : streams_) polled.push_back({stream.open ? stream.descriptor : -1, POLLIN, 0});
        ::poll(polled.data(), polled.size(), 1000);
        bool any = false;
        for (std::size_t i = 0; i < streams_.size(); ++i) {
            if (polled[i].revents != 0) {
                std::array<char, 4096> buffer{};
                const auto got = ::read(streams_[i].descriptor, buffer.data(), buffer.size());
                if (got > 0) streams_[i].text->append(buffer.data(), static_cast<std::size_t>(got));
                streams_[i].open = got > 0;  // the end of a terminal is an error
            }
            any = any || streams_[i].open;
        }
        return any;
    }
};

/// With its standard output and its standard error in a pipe each.
class PipeRun : public Run {
public:
    explicit PipeRun(const Words &arguments, const Prepare &prepare = {}) {
        int out_pipe[2], err_pipe[2];
        if (::pipe2(out_pipe, O_CLOEXEC) != 0 || ::pipe2(err_pipe, O_CLOEXEC) != 0) fail_errno("pipe2");
        child_ = ::fork();
        if (child_ < 0) fail_errno("fork");
        if (child_ == 0) {
            ::dup2(out_pipe[1], STDOUT_FILENO);
            ::dup2(err_pipe[1], STDERR_FILENO);
            become_tool(arguments, prepare);
        }
        ::close(out_pipe[1]);
        ::close(err_pipe[1]);
        streams_ = {{out_pipe[0], &out}, {err_pipe[0], &err}};
    }

    /// Nobody reads the standard output any more.
    void close_output() {
        ::close(streams_.front().descriptor);
        streams_.erase(streams_.begin());
    }

    std::string out;
    std::string err;
};

/// On a terminal.
class TerminalRun : public Run {
public:
    explicit TerminalRun(const Words &arguments, unsigned columns = 80, const Prepare &prepare = {}) {
        winsize size{};
        size.ws_row = 24;
        size.ws_col = static_cast<unsigned short>(columns);
        child_ = ::forkpty(&terminal_, nullptr, nullptr, &size);
        if (child_ < 0) fail_errno("forkpty");
        if (child_ == 0) become_tool(arguments, prepare);
        ::fcntl(terminal_, F_SETFD, FD_CLOEXEC);
        streams_ = {{terminal_, &raw}};
    }

    void type(const std::string &keys) const {
        if (::write(terminal_, keys.data(), keys.size()) != ssize_t(keys.size())) fail_errno("write to the terminal");
    }
    void press_ctrl_c() const { type("\x03"); }
    void resize(unsigned columns) const {
        winsize size{};
        size.ws_row = 24;
        size.ws_col = static_cast<unsigned short>(columns);
        if (::ioctl(terminal_, TIOCSWINSZ, &size) != 0) fail_errno("TIOCSWINSZ");
    }

    /// Everything that was written at the beginning of a line and on, one after the other, as it looked.
    Words drawn() const {
        Words pieces(1);
        for (std::size_t i = 0; i < raw.size(); ++i) {
            if (raw[i] == '\033')
                skip_sequence(i);
            else if (raw[i] == '\r' || raw[i] == '\n')
                pieces.emplace_back();
            else
                pieces.back() += raw[i];
        }
        return pieces;
    }
    /// The lines with a percentage.
    Words bars() const {
        Words bars;
        for (const auto &piece : drawn())
            if (piece.find(" %") != std::string::npos) bars.push_back(piece);
        return bars;
    }

    /// What the terminal shows now, without empty lines at the end; of a line that was drawn over, what is left.
    std::string screen() const {
        std::vector<Words> lines(1);
        std::size_t column = 0;
        for (std::size_t i = 0; i < raw.size(); ++i) {
            auto &line = lines.back();
            if (raw[i] == '\033') {
                if (skip_sequence(i) == 'K') line.resize(std::min(line.size(), column));
            } else if (raw[i] == '\r') {
                column = 0;
            } else if (raw[i] == '\n') {
                lines.emplace_back();
            } else if ((static_cast<unsigned char>(raw[i]) & 0xC0) == 0x80) {
                if (column > 0) line.at(column - 1) += raw[i];
            } else {
                if (line.size() <= column) line.resize(column + 1, " ");
                line[column++] = raw[i];
            }
        }
        std::string text;
        for (const auto &line : lines) {
            for (const auto &character : line) text += character;
            text += '\n';
        }
        while (text.size() > 1 && text[text.size() - 2] == '\n') text.pop_back();
        return text;
    }

    std::string raw;

private:
    /// Passes over an escape sequence; its last character tells what it is.
    char skip_sequence(std::size_t &i) const {
        for (i += 2; i < raw.size() && std::isalpha(static_cast<unsigned char>(raw[i])) == 0;) ++i;
        return i < raw.size() ? raw[i] : '\0';
    }

    int terminal_ = -1;
};

/// Characters, each of which takes one column in what the tool draws.
inline std::size_t columns_of(const std::string &text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// A run in pipes, over.
struct Ended {
    int code = -1;
    std::string out;
    std::string err;

    /// The objects of --json.
    std::vector<Json> objects() const {
        std::vector<Json> objects;
        std::size_t start = 0;
        for (std::size_t end; (end = out.find('\n', start)) != std::string::npos; start = end + 1)
            objects.push_back(Json::parse(out.substr(start, end - start)));
        if (start != out.size()) fail("the last line has no end: " + out.substr(start));
        return objects;
    }
    /// The only one.
    Json object() const {
        const auto all = objects();
        if (all.size() != 1) fail("not one object: " + out + err);
        return all.front();
    }
};

inline Ended run_tool(const Words &arguments, const Prepare &prepare = {}) {
    PipeRun run(arguments, prepare);
    Ended ended;
    ended.code = run.wait();
    ended.out = run.out;
    ended.err = run.err;
    return ended;
}

inline bool contains(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

/// A database, and a directory for backups of it.
class ToolTest : public ApiTest {
protected:
    /// More arguments, after which a job is certainly still at work when the test has looked at it.
    static Words slowly(Words arguments) {
        arguments.insert(arguments.end(), {"--rate", "64K"});
        if (arguments.front() == "backup") arguments.insert(arguments.end(), {"--chunk-size", "64K"});
        return arguments;
    }

    /// A backup that is there.
    fs::path made(const std::string &name, const Words &more = {}) {
        Words arguments = {"backup", source, out / name, "--quiet"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        const auto ended = run_tool(arguments);
        if (ended.code != 0) fail("backup to " + name + ": " + ended.err);
        return out / name;
    }

    /// A copy with a byte that is another one.
    fs::path damaged(const fs::path &file, std::size_t at, const std::string &name) {
        auto bytes = read_file(file);
        bytes.at(at) = static_cast<char>(bytes.at(at) ^ 0x20);
        write_file(out / name, bytes);
        return out / name;
    }
};

}  // namespace lbtest

#endif
