// An archive taken apart (docs/FORMAT.md), to be put together again with something wrong in it.
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_RESTORE_PARTS_HPP
#define LBTEST_RESTORE_PARTS_HPP

#include "support/support.hpp"

namespace lbtest {

// ------------------------------------------------------------------------------------------------------- encodings

/// Little-endian.
inline std::string le(std::uint64_t value, int bytes) {
    std::string encoded;
    for (int i = 0; i < bytes; ++i) encoded += static_cast<char>(value >> 8 * i & 0xff);
    return encoded;
}

inline std::uint64_t from_le(const std::string &bytes, std::size_t at, int count) {
    std::uint64_t value = 0;
    for (int i = count; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
    return value;
}

/// The head of a CBOR item (RFC 8949, 3).
inline std::string cbor_head(int major, std::uint64_t value) {
    const auto first = [&](int low) { return std::string(1, static_cast<char>(major << 5 | low)); };
    const int width = value < 24 ? 0 : value <= 0xff ? 1 : value <= 0xffff ? 2 : value <= 0xffff'ffff ? 4 : 8;
    if (width == 0) return first(static_cast<int>(value));
    std::string big = le(value, width);
    std::reverse(big.begin(), big.end());
    return first(width == 1 ? 24 : width == 2 ? 25 : width == 4 ? 26 : 27) + big;
}

inline std::string cbor(std::uint64_t value) { return cbor_head(0, value); }
inline std::string cbor_bytes(const std::string &value) { return cbor_head(2, value.size()) + value; }
inline std::string cbor_text(const std::string &value) { return cbor_head(3, value.size()) + value; }

/// Reads CBOR items as far as an archive of ours has them.
class CborReader {
public:
    explicit CborReader(std::string bytes) : bytes_(std::move(bytes)) {}

    std::uint64_t head(int major) {
        const int first = static_cast<unsigned char>(bytes_.at(at_++));
        if (first >> 5 != major) fail("the manifest is not as expected");
        const int low = first & 31, width = low < 24 ? 0 : 1 << (low - 24);
        if (width == 0) return static_cast<std::uint64_t>(low);
        std::string big = bytes_.substr(at_, static_cast<std::size_t>(width));
        std::reverse(big.begin(), big.end());
        at_ += big.size();
        return from_le(big, 0, width);
    }
    std::string string(int major) {
        const auto length = head(major);
        at_ += length;
        return bytes_.substr(at_ - length, length);
    }
    /// The next item as it is encoded.
    std::string raw() {
        const auto start = at_;
        const int major = static_cast<unsigned char>(bytes_.at(at_)) >> 5;
        if (major == 2 || major == 3) {
            string(major);
        } else if (const auto count = head(major); major == 4) {
            for (std::uint64_t i = 0; i < count; ++i) raw();
        }
        return bytes_.substr(start, at_ - start);
    }

private:
    std::string bytes_;
    std::size_t at_ = 0;
};

/// By the ordinary tool: the tests should not trust the library's own.
inline std::string blake3(const std::string &bytes) {
    const TempDir dir;
    write_file(dir / "hashed", bytes);
    std::string hex, hash;
    if (run({"b3sum", "--no-names", (dir / "hashed").string()}, &hex) != 0) fail("b3sum");
    for (std::size_t i = 0; i < 64; i += 2) hash += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return hash;
}

inline std::string skippable(std::uint32_t magic, const std::string &content) {
    return le(magic, 4) + le(content.size(), 4) + content;
}

/// What the ordinary tool makes of it: one frame with its size and a checksum.
inline std::string zstd_frame(const std::string &content, const std::vector<std::string> &flags = {}) {
    const TempDir dir;
    write_file(dir / "content", content);
    std::vector<std::string> command{"zstd", "-q", "-f", (dir / "content").string(), "-o", (dir / "frame").string()};
    command.insert(command.end(), flags.begin(), flags.end());
    if (run(command) != 0) fail("zstd");
    return read_file(dir / "frame");
}

// ----------------------------------------------------------------------------------------------------------- parts

struct Chunk {
    std::string frame;
    std::uint32_t image_bytes;  // as the seek table says
    std::string content_hash;
    std::string frame_hash;
    std::uint64_t frame_bytes;  // as the manifest says

    /// Another frame, of which everything that is said is true.
    void put(const std::string &content, const std::string &compressed) {
        *this = {compressed, static_cast<std::uint32_t>(content.size()), blake3(content), blake3(compressed),
                 compressed.size()};
    }
};

struct Parts {
    static constexpr std::uint32_t manifest_magic = 0x184D2A5B, table_magic = 0x184D2A5E, footer_magic = 0x8F92EAB1;

    std::vector<Chunk> chunks;
    std::vector<std::pair<std::string, std::string>> fields;  // keys and encoded values; "chunks" is made of the above
    std::vector<std::pair<std::uint32_t, std::uint32_t>> more_entries;  // in the seek table, before the manifest's

    static Parts of(const std::string &archive) {
        Parts parts;
        const auto count = from_le(archive, archive.size() - 9, 4);
        const auto table = archive.size() - 9 - 8 * count;
        std::size_t at = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const auto bytes = from_le(archive, table + 8 * i, 4), image_bytes = from_le(archive, table + 8 * i + 4, 4);
            parts.chunks.push_back({archive.substr(at, bytes), static_cast<std::uint32_t>(image_bytes), "", "", 0});
            at += bytes;
        }
        CborReader map(parts.chunks.back().frame.substr(8));
        parts.chunks.pop_back();
        for (auto left = map.head(5); left > 0; --left) {
            auto key = map.string(3);
            if (key != "chunks") {
                parts.fields.emplace_back(key, map.raw());
                continue;
            }
            map.head(4);
            for (auto &chunk : parts.chunks) {
                map.head(4);
                chunk.content_hash = map.string(2);
                chunk.frame_hash = map.string(2);
                chunk.frame_bytes = map.head(0);
            }
        }
        return parts;
    }

    std::string &field(const std::string &key) {
        for (auto &[name, value] : fields)
            if (name == key) return value;
        return fields.emplace_back(key, "").second;
    }
    std::uint64_t number(const std::string &key) { return CborReader(field(key)).head(0); }

    std::string manifest() const {
        const bool own_chunks = std::none_of(fields.begin(), fields.end(), [](auto &f) { return f.first == "chunks"; });
        std::string map = cbor_head(5, fields.size() + (own_chunks ? 1 : 0));
        for (const auto &[key, value] : fields) map += cbor_text(key) + value;
        if (own_chunks) {
            map += cbor_text("chunks") + cbor_head(4, chunks.size());
            for (const auto &chunk : chunks)
                map += cbor_head(4, 3) + cbor_bytes(chunk.content_hash) + cbor_bytes(chunk.frame_hash) +
                       cbor(chunk.frame_bytes);
        }
        return skippable(manifest_magic, map + cbor_bytes(blake3(map)));
    }

    std::string together() const {
        std::string archive, table;
        std::size_t count = 0;
        const auto entry = [&](std::uint64_t bytes, std::uint64_t image_bytes) {
            table += le(bytes, 4) + le(image_bytes, 4);
            ++count;
        };
        for (const auto &chunk : chunks) {
            archive += chunk.frame;
            entry(chunk.frame.size(), chunk.image_bytes);
        }
        for (const auto &[bytes, image_bytes] : more_entries) entry(bytes, image_bytes);
        const auto last = manifest();
        entry(last.size(), 0);
        return archive + last + skippable(table_magic, table + le(count, 4) + '\0' + le(footer_magic, 4));
    }
};

}  // namespace lbtest

#endif
