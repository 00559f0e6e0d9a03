// Zstandard files made by hand: little ones that become, or claim to become, more than any disk holds.
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_RESTORE_HANDMADE_HPP
#define LBTEST_RESTORE_HANDMADE_HPP

#include "parts.hpp"

namespace lbtest {

/// A frame of the format's own making (RFC 8878, 3.1.1): a header that claims a content size, or none, and blocks.
class HandmadeFrame {
public:
    static constexpr std::size_t block_bytes = 128 << 10;

    explicit HandmadeFrame(std::uint64_t claimed, bool claims = true) {
        // A window of 128 KiB; the content size, if there is one, in eight bytes; no checksum.
        frame_ = le(0xFD2FB528, 4) + static_cast<char>(claims ? 0xC0 : 0x00) + static_cast<char>(7 << 3) +
                 (claims ? le(claimed, 8) : "");
    }
    HandmadeFrame &raw(const std::string &content) { return block(0, content.size(), content); }
    HandmadeFrame &zeros(std::size_t bytes) { return block(1, bytes, std::string(1, '\0')); }
    /// The frame, ended by an empty block.
    std::string end() { return frame_ + le(1, 3); }

private:
    HandmadeFrame &block(unsigned type, std::size_t bytes, const std::string &content) {
        frame_ += le(bytes << 3 | type << 1, 3) + content;
        return *this;
    }
    std::string frame_;
};

/// The first page of a database of that many pages of 4096 bytes; whether it is believed is up to its counters.
inline std::string first_page(std::uint32_t pages, bool counted) {
    std::string page(4096, '\0');
    page.replace(0, 16, std::string("SQLite format 3\0", 16));
    const std::string big = [&] {
        std::string count = le(pages, 4);
        std::reverse(count.begin(), count.end());
        return count;
    }();
    page.replace(16, 8, std::string("\x10\x00\x01\x01\x00\x40\x20\x20", 8));
    page.replace(24, 4, std::string("\0\0\0\1", 4));
    page.replace(28, 4, big);
    page.replace(44, 4, std::string("\0\0\0\4", 4));
    page.replace(56, 4, std::string("\0\0\0\1", 4));
    page.replace(92, 4, std::string(counted ? "\0\0\0\1" : "\0\0\0\0", 4));
    page.replace(100, 8, std::string("\x0d\x00\x00\x00\x00\x10\x00\x00", 8));
    return page;
}

/// 100 GiB of zeros behind a database's first page, in 3 MiB.
inline std::string bomb(bool counted) {
    constexpr std::uint64_t gibibytes_100 = std::uint64_t{100} << 30;
    std::string bytes = HandmadeFrame(0, false).raw(first_page(gibibytes_100 / 4096, counted)).zeros(126'976).end();
    std::string frame = [] {
        HandmadeFrame zeros(0, false);
        for (int i = 0; i < 512; ++i) zeros.zeros(HandmadeFrame::block_bytes);
        return zeros.end();
    }();
    for (std::uint64_t made = 0; made < gibibytes_100; made += 512 * HandmadeFrame::block_bytes) bytes += frame;
    return bytes;
}

}  // namespace lbtest

#endif
