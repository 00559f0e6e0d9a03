// The Zstandard frames of an archive, found without a library (RFC 8878, 3.1). SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_API_FRAMES_HPP
#define LBTEST_API_FRAMES_HPP

#include "support/support.hpp"

namespace lbtest {

struct Frame {
    std::size_t offset;
    std::size_t size;
    std::uint64_t content_size;
    bool has_content_size;
    bool has_checksum;
};

inline std::uint64_t little_endian(const std::string &bytes, std::size_t at, std::size_t size) {
    if (at + size > bytes.size()) fail("the archive ends within a frame");
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
    return value;
}

/// Walks over one frame; RFC 8878, 3.1.1.
inline Frame read_frame(const std::string &bytes, std::size_t start) {
    const auto descriptor = static_cast<unsigned>(little_endian(bytes, start + 4, 1));
    const bool single_segment = (descriptor & 0x20) != 0;
    const std::size_t dictionary = std::size_t{1} << (descriptor & 3) >> 1;
    const unsigned flag = descriptor >> 6;
    const std::size_t field = flag == 0 ? (single_segment ? 1 : 0) : std::size_t{1} << flag;
    std::size_t at = start + 5 + (single_segment ? 0 : 1) + dictionary;

    Frame frame{start, 0, 0, field > 0, (descriptor & 0x04) != 0};
    frame.content_size = little_endian(bytes, at, field) + (field == 2 ? 256 : 0);
    at += field;
    for (bool last = false; !last;) {
        const auto block = little_endian(bytes, at, 3);
        last = (block & 1) != 0;
        const bool repeated_byte = (block >> 1 & 3) == 1;
        at += 3 + (repeated_byte ? 1 : block >> 3);
    }
    frame.size = at + (frame.has_checksum ? 4 : 0) - start;
    return frame;
}

/// The frames with content; skippable ones are skipped.
inline std::vector<Frame> frames_of(const std::string &bytes) {
    std::vector<Frame> frames;
    for (std::size_t at = 0; at < bytes.size();) {
        const auto magic = little_endian(bytes, at, 4);
        if ((magic & 0xFFFFFFF0) == 0x184D2A50) {
            at += 8 + little_endian(bytes, at + 4, 4);
        } else {
            if (magic != 0xFD2FB528) fail("no frame at " + std::to_string(at));
            frames.push_back(read_frame(bytes, at));
            at += frames.back().size;
        }
    }
    return frames;
}

/// Where the frames with content end, and with them the image.
inline std::size_t end_of(const std::vector<Frame> &frames) { return frames.back().offset + frames.back().size; }

}  // namespace lbtest

#endif
