// What hostile files cost at most, each in a process of its own. SPDX-License-Identifier: MIT OR Apache-2.0

#include "api/isolated.hpp"
#include "restore/fixture.hpp"
#include "restore/handmade.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>

using namespace lbtest;

namespace {

std::uint64_t peak_bytes() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return static_cast<std::uint64_t>(used.ru_maxrss) << 10;
}

class PeakMemory : public ApiTest {
protected:
    DatabaseOptions database() const override {
        DatabaseOptions small;
        small.bytes = 300'000;
        return small;
    }

    /// In a child, on a small disk: the memory that reading `bytes` in every way has cost.
    void costs_at_most(std::uint64_t limit, const std::string &bytes) {
        write_file(dir / "hostile", bytes);
        costs_at_most(limit);
    }
    void costs_at_most(std::uint64_t limit) {
        isolated([&] {
            enter_private_mounts();
            mount_small(out, 8 << 20);
            // What a process has used before is not taken back: its parent's, too.
            if (::prctl(PR_SET_DUMPABLE, 1) != 0) fail_errno("prctl");
            write_file("/proc/self/clear_refs", "5");
            expect_ok(backup(source, out / "sound.db"));
            fs::remove(out / "sound.db");
            const auto before = peak_bytes();
            for (int round = 0; round < 2; ++round) {
                EXPECT_NE(restore(dir / "hostile", out / "new.db").status, LB_STATUS_INTERNAL);
                auto why = error();
                inspect(dir / "hostile", &why);
                fs::remove(out / "new.db");
            }
            EXPECT_TRUE(fs::is_empty(out));
            const auto cost = peak_bytes() - before;
            std::cout << "costs " << cost << " bytes" << std::endl;
            EXPECT_LT(cost, limit);
        });
    }
};

constexpr std::uint64_t mebibyte = 1 << 20;

TEST_F(PeakMemory, of_a_bomb_of_100_gibibytes_is_small) { costs_at_most(32 * mebibyte, bomb(false)); }

/// A frame that says 2 GiB, of which 3 bytes are there.
TEST_F(PeakMemory, of_claims_is_small) {
    std::string frame = HandmadeFrame(std::uint64_t{2} << 30).raw("abc").end();
    costs_at_most(32 * mebibyte, frame);
    std::string table = le(0, 4) + le(0, 4);
    costs_at_most(32 * mebibyte, frame + skippable(Parts::table_magic,
                                                   table + le(0xffff'ffff, 4) + '\0' + le(Parts::footer_magic, 4)));
}

/// The largest window that is accepted, and larger ones.
TEST_F(PeakMemory, of_a_large_window_is_small) {
    // RFC 8878, 3.1.1.1.2: an exponent of 17 is 128 MiB, one of 18 is refused, and so on.
    for (const int exponent : {17, 18, 21, 31}) {
        SCOPED_TRACE(exponent);
        std::string frame = HandmadeFrame(0, false).raw(first_page(1, true)).end();
        frame[5] = static_cast<char>(exponent << 3);
        costs_at_most(32 * mebibyte, frame);
    }
}

/// As many chunks as an archive may have, and a manifest that says so truly.
TEST_F(PeakMemory, of_a_million_chunks_that_are_not_there_is_small) {
    Parts parts;
    {
        std::string bytes;
        isolated([&] { expect_ok(backup(source, dir / "sound.db.zst")); });
        parts = Parts::of(read_file(dir / "sound.db.zst"));
    }
    parts.field("chunks") = cbor_head(4, 1 << 20);
    costs_at_most(32 * mebibyte, parts.together());
    // Nested a million deep, in a field that nobody knows.
    parts = Parts::of(read_file(dir / "sound.db.zst"));
    parts.field("zzz") = std::string(1 << 20, '\x81') + '\x00';
    costs_at_most(32 * mebibyte, parts.together());
}

/// Holes as long as the frames that manifest and table tell of, 256 MiB each, and a file that is as long.
TEST_F(PeakMemory, of_frames_that_only_a_sparse_file_has_room_for_is_small) {
    constexpr auto claimed = 256 * mebibyte;
    isolated([&] { expect_ok(backup(source, dir / "sound.db.zst")); });
    auto parts = Parts::of(read_file(dir / "sound.db.zst"));
    std::string chunks = cbor_head(4, parts.chunks.size());
    for (const auto &chunk : parts.chunks) {
        chunks += cbor_head(4, 3) + cbor_bytes(chunk.content_hash) + cbor_bytes(chunk.frame_hash) + cbor(claimed);
        parts.more_entries.emplace_back(claimed, chunk.image_bytes);
    }
    parts.field("chunks") = chunks;
    parts.chunks.clear();
    write_file(dir / "hostile", le(0xFD2FB528, 4));
    fs::resize_file(dir / "hostile", parts.more_entries.size() * claimed);
    std::ofstream(dir / "hostile", std::ios::binary | std::ios::app) << parts.together();
    costs_at_most(32 * mebibyte);
}

/// A path is no part of the format: what looks like one is text.
TEST_F(PeakMemory, of_texts_that_look_like_paths_is_small_and_nothing_is_written_there) {
    isolated([&] { expect_ok(backup(source, dir / "sound.db.zst")); });
    auto parts = Parts::of(read_file(dir / "sound.db.zst"));
    parts.field("library") = cbor_text("../../escaped");
    parts.field("name") = cbor_text((dir / "escaped").string());
    write_file(dir / "hostile.db.zst", parts.together());
    isolated([&] {
        expect_ok(restore(dir / "hostile.db.zst", out / "new.db"));
        EXPECT_EQ(list_dir(out), std::vector<std::string>{"new.db"});
        EXPECT_FALSE(fs::exists(dir / "escaped"));
    });
}

}  // namespace
