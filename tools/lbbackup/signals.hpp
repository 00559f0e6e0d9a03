// The signals that ask the tool to stop, as something to poll.
#pragma once

namespace lbbackup {

// Blocks SIGINT, SIGTERM and SIGHUP, in the calling thread and in those that it starts: so it comes before the library's
// first thread. One that is ignored (nohup, a shell's background jobs) stays so. Nobody who stops reading what the tool
// says (SIGPIPE) ends a job by that. There is no way back: a job is the last that the tool does.
class Signals {
public:
    Signals();
    Signals(const Signals &) = delete;
    Signals &operator=(const Signals &) = delete;
    ~Signals();

    // Readable once a signal has come.
    int descriptor() const { return descriptor_; }
    // The first that came, 0 while none has.
    int first();

private:
    int descriptor_;
    int first_ = 0;
};

}  // namespace lbbackup
