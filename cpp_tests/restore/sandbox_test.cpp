// Restores where there is no room, no right, or no end to what an archive becomes. Each happens in a child of its own.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "api/isolated.hpp"
#include "fixture.hpp"
#include "handmade.hpp"

using namespace lbtest;

namespace {

/// The library is used in children only.
class SandboxedRestore : public RestoreTest {
protected:
    void take_archive() override {
        isolated([&] { RestoreTest::take_archive(); });
    }
    void SetUp() override {
        RestoreTest::SetUp();
        DatabaseOptions other;
        other.seed = 2;
        other.bytes = 200'000;
        make_database(dir / "other.db", other);
        live_bytes = read_file(dir / "other.db");
    }

    const fs::path bad = dir / "bad.db.zst";
    std::string live_bytes;
};

// ----------------------------------------------------------------------------------------------------------- bombs

/// 100 GiB of zeros against 8 MiB.
class Bombs : public SandboxedRestore {
protected:
    void explode(const std::string &bytes, const fs::path &file) {
        write_file(file, bytes);
        isolated([&] {
            enter_private_mounts();
            mount_small(out, 8 << 20);
            const auto small = out / "live.db";
            write_file(small, live_bytes);
            const auto before = list_dir(out);
            expect_failed(restore(file, dest), LB_STATUS_NO_SPACE, out.string());
            EXPECT_EQ(list_dir(out), before);
            expect_failed(restore(file, small, replacing()), LB_STATUS_NO_SPACE, out.string());
            EXPECT_TRUE(read_file(small) == live_bytes);
            EXPECT_EQ(integrity_check(small), "ok");
            EXPECT_EQ(list_dir(out), before);
            EXPECT_LT(fs::space(out).capacity - fs::space(out).free, 400'000U) << "the room is free again";
        });
    }
};

TEST_F(Bombs, another_tools_with_a_size_is_no_space) { explode(bomb(true), bad); }

TEST_F(Bombs, another_tools_without_a_size_is_no_space) { explode(bomb(false), bad); }

TEST_F(Bombs, gzip_is_no_space) {
    for (const bool counted : {true, false}) {
        auto page = first_page(std::uint32_t{1} << 15, counted);
        page.resize(1 << 27);
        write_file(dir / "zeros", page);
        ASSERT_EQ(run({"gzip", "-1", "-f", "-S", ".db.gz", (dir / "zeros").string()}), 0);
        explode(read_file(dir / "zeros.db.gz"), dir / "zeros.db.gz");
    }
}

/// All that it says is true, and all hashes are right: 100 GiB.
TEST_F(Bombs, archive_of_ours_is_no_space_before_anything_is_touched) {
    constexpr std::size_t chunk_bytes = 8 << 20, chunks = 12'800;
    constexpr std::uint32_t pages = chunks * (chunk_bytes / 4096);
    HandmadeFrame first(chunk_bytes), other(chunk_bytes);
    const auto page = first_page(pages, true);
    first.raw(page).zeros(HandmadeFrame::block_bytes - page.size());
    other.zeros(HandmadeFrame::block_bytes);
    for (std::size_t made = HandmadeFrame::block_bytes; made < chunk_bytes; made += HandmadeFrame::block_bytes) {
        first.zeros(HandmadeFrame::block_bytes);
        other.zeros(HandmadeFrame::block_bytes);
    }
    Chunk zeros;
    zeros.put(std::string(chunk_bytes, '\0'), other.end());
    auto parts = Parts::of(read_file(archive));
    parts.chunks.assign(chunks, zeros);
    std::string content = page;
    content.resize(chunk_bytes);
    parts.chunks[0].put(content, first.end());
    parts.field("chunk_size") = cbor(chunk_bytes);
    parts.field("page_count") = cbor(pages);
    explode(parts.together(), bad);
    isolated([&] {
        EXPECT_EQ(inspect(bad).image_bytes, std::uint64_t{100} << 30);
        expect_ok(verify(bad));
    });
}

}  // namespace
