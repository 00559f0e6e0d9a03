// How a running job looks: a bar on a terminal, plain lines elsewhere, objects for programs.
#pragma once

#include "output.hpp"

#include <lb_backup.h>

#include <memory>
#include <string>

namespace lbbackup {

class Display {
public:
    virtual ~Display() = default;
    // Called some ten times a second.
    virtual void show(const lb_progress &now) = 0;
    // From now on the job is being cancelled.
    virtual void cancelling() {}
    // Makes room for other text, and leaves it at the end.
    virtual void clear() {}
};

// The one for where the output goes. `what`: a file's name or number, where a command has several.
std::unique_ptr<Display> make_display(Output &output, const std::string &what);

}  // namespace lbbackup
