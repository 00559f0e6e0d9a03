#include "terminal.hpp"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace lbbackup {
namespace {

const char *code_of(Colour colour) {
    switch (colour) {
    case Colour::none:
        return "";
    case Colour::bold:
        return "\033[1m";
    case Colour::dim:
        return "\033[2m";
    case Colour::red:
        return "\033[31m";
    case Colour::green:
        return "\033[32m";
    case Colour::yellow:
        return "\033[33m";
    case Colour::cyan:
        return "\033[36m";
    }
    return "";
}

std::string variable(const char *name) {
    const char *value = std::getenv(name);
    return value != nullptr ? value : "";
}

}  // namespace

Terminal::Terminal(int descriptor) : descriptor_(descriptor) {
    const std::string kind = variable("TERM");
    draws_ = ::isatty(descriptor) == 1 && !kind.empty() && kind != "dumb";
    colour_ = draws_ && variable("NO_COLOR").empty();
    unicode_ = draws_ && std::strcmp(::nl_langinfo(CODESET), "UTF-8") == 0;
}

unsigned Terminal::columns() const {
    constexpr unsigned kUnknown = 80;
    winsize size{};
    return ::ioctl(descriptor_, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUnknown;
}

bool Terminal::in_foreground() const {
    const pid_t foreground = ::tcgetpgrp(descriptor_);
    return foreground < 0 || foreground == ::getpgrp();  // negative: not the terminal that controls this process
}

std::string Terminal::paint(Colour colour, const std::string &text) const {
    return colour_ && colour != Colour::none ? code_of(colour) + text + "\033[0m" : text;
}

std::string Terminal::mark(bool good) const {
    if (!draws_) return "";
    if (!unicode_) return paint(good ? Colour::green : Colour::red, good ? "+ " : "! ");
    return paint(good ? Colour::green : Colour::red, good ? "✔ " : "✘ ");
}

bool Terminal::write(const std::string &text) const {
    for (std::size_t done = 0; done < text.size();) {
        const ssize_t count = ::write(descriptor_, text.data() + done, text.size() - done);
        if (count < 0 && errno != EINTR) return false;
        if (count > 0) done += static_cast<std::size_t>(count);
    }
    return true;
}

}  // namespace lbbackup
