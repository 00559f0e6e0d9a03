#include "signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>

namespace lbbackup {

Signals::Signals() {
    sigset_t asked{};
    sigemptyset(&asked);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction action {};
        if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler != SIG_IGN) sigaddset(&asked, number);
    }
    ::pthread_sigmask(SIG_BLOCK, &asked, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    descriptor_ = ::signalfd(-1, &asked, SFD_CLOEXEC | SFD_NONBLOCK);
    if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
}

Signals::~Signals() { ::close(descriptor_); }

int Signals::first() {
    signalfd_siginfo info{};
    while (::read(descriptor_, &info, sizeof info) == static_cast<ssize_t>(sizeof info))
        if (first_ == 0) first_ = static_cast<int>(info.ssi_signo);
    return first_;
}

}  // namespace lbbackup
