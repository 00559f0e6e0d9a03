// Numbers, times and names as text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lbbackup {

std::string bytes(std::uint64_t count);                                  // 12.3 MiB
std::string bytes_of(std::uint64_t part, std::uint64_t whole);           // 3.1/12.3 MiB
std::string thousands(std::uint64_t number);                             // 1,234,567
std::string decimal(double number, int digits);                          // 2.53
std::string duration(std::uint64_t ns);                                  // 1.42 s, 3:05, 1:02:03
std::string seconds(std::uint64_t ns);                                   // 2 s, 3:05, 1:02:03
std::string ratio(std::uint64_t image_bytes, std::uint64_t file_bytes);  // 2.53
std::string hex(const std::uint8_t *from, std::size_t count);

std::string utc(std::int64_t unix_ns);    // 2026-01-02T03:04:05.678Z
std::string local(std::int64_t unix_ns);  // 2026-01-02 04:04:05

bool is_utf8(std::string_view text);

// A name or a message that may hold anything, for a terminal: what could move the cursor or turn the text round is
// escaped, and what is no UTF-8.
std::string printable(std::string_view text);

// Columns on a terminal.
std::size_t width(const std::string &text);
std::string padded(const std::string &text, std::size_t columns);         // with the space behind it
std::string padded_before(const std::string &text, std::size_t columns);  // and before it

}  // namespace lbbackup
