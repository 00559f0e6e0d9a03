// What a stream leads to, and what may be done there.
#pragma once

#include <string>

namespace lbbackup {

enum class Colour { none, bold, dim, red, green, yellow, cyan };

class Terminal {
public:
    explicit Terminal(int descriptor);

    // A terminal that can go back to the beginning of a line.
    bool draws() const { return draws_; }
    // A terminal that shows more than ASCII.
    bool unicode() const { return unicode_; }
    // As it is now: windows are resized.
    unsigned columns() const;
    // False while a shell has put the tool into the background: what it draws would run through what is typed.
    bool in_foreground() const;

    // Unchanged where colours are not wanted (https://no-color.org) or not possible.
    std::string paint(Colour colour, const std::string &text) const;
    // "✔" or "✘" and a space on a terminal; nothing anywhere else.
    std::string mark(bool good) const;
    const char *arrow() const { return unicode_ ? "→" : "->"; }
    const char *times() const { return unicode_ ? "×" : "x"; }

    // The whole text; false if that failed.
    bool write(const std::string &text) const;

private:
    int descriptor_;
    bool draws_;
    bool colour_;
    bool unicode_;
};

}  // namespace lbbackup
