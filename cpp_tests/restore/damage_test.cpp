// Archives that were damaged on the way: whatever byte it is, they are refused and nothing is touched, or the content
// comes out exactly. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

using namespace lbtest;

namespace {

class Damage : public WrongArchiveTest {
protected:
    void SetUp() override {
        WrongArchiveTest::SetUp();
        whole = read_file(archive);
        unzstd(archive, dir / "image");
        image = read_file(dir / "image");
        live_directory = list_dir(dir / "live");
    }

    /// Damage that must be found: what verify says of it, after seeing that every restore says so too.
    lb_result refused_everywhere(const std::string &bytes) {
        write_file(bad, bytes);
        const auto verdict = verify(bad);
        EXPECT_NE(verdict.status, LB_STATUS_OK);
        EXPECT_NE(verify(bad, full()).status, LB_STATUS_OK);
        EXPECT_STREQ(lb_status_name(restore(bad, dest).status), lb_status_name(verdict.status)) << verdict.message;
        EXPECT_TRUE(list_dir(out).empty());
        EXPECT_STREQ(lb_status_name(restore(bad, live, replacing()).status), lb_status_name(verdict.status));
        EXPECT_EQ(list_dir(dir / "live"), live_directory);
        EXPECT_TRUE(read_file(live) == live_bytes);
        return verdict;
    }

    /// The part that other tools do not look at either.
    void comes_out_exactly(const std::string &bytes) {
        write_file(bad, bytes);
        expect_ok(verify(bad));
        expect_ok(verify(bad, full()));
        expect_ok(restore(bad, dest));
        EXPECT_TRUE(read_file(dest) == image);
        remove_database(dest);
        expect_ok(restore(bad, live, replacing()));
        EXPECT_EQ(content_hash(live), content_hash(dir / "image"));
        remove_database(live);
        write_file(live, live_bytes);
    }

    /// As refused_everywhere or comes_out_exactly, whichever it is; for random damage.
    void refused_or_exact(const std::string &bytes) {
        write_file(bad, bytes);
        if (verify(bad).status == LB_STATUS_OK)
            comes_out_exactly(bytes);
        else
            refused_everywhere(bytes);
    }

    std::size_t manifest_start() const {
        std::size_t at = 0;
        for (const auto &chunk : parts.chunks) at += chunk.frame.size();
        return at;
    }
    std::size_t table_start() const { return manifest_start() + parts.manifest().size(); }

    std::string flipped(std::size_t at) {
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ 1 << bit());
        return bytes;
    }
    int bit() { return std::uniform_int_distribution<>(0, 7)(random); }

    std::string whole, image;
    std::vector<std::string> live_directory;
    std::mt19937 random = printed_random(20260721);
};

void expect_place(const lb_result &verdict, std::uint32_t check, std::uint64_t chunk) {
    EXPECT_STREQ(lb_status_name(verdict.status), "LB_STATUS_CORRUPT") << verdict.message;
    EXPECT_EQ(verdict.failed_check, check) << verdict.message;
    EXPECT_EQ(verdict.failed_chunk, chunk) << verdict.message;
}

TEST_F(Damage, an_archive_taken_apart_and_put_together_is_the_same) {
    ASSERT_EQ(parts.chunks.size(), 5U);
    EXPECT_TRUE(parts.together() == whole);
}

TEST_F(Damage, flipped_byte_of_a_frame_is_found_and_told_with_its_chunk) {
    std::size_t start = 0;
    for (std::size_t i = 0; i < parts.chunks.size(); ++i) {
        const auto length = parts.chunks[i].frame.size();
        std::vector<std::size_t> places;  // all of the header, all of the checksum, some of what is between
        for (std::size_t at = 0; at < 14; ++at) places.push_back(at);
        for (std::size_t at = length - 4; at < length; ++at) places.push_back(at);
        for (int n = 0; n < 10; ++n)
            places.push_back(std::uniform_int_distribution<std::size_t>(14, length - 5)(random));
        for (const auto at : places) {
            SCOPED_TRACE("byte " + std::to_string(at) + " of frame " + std::to_string(i));
            const auto verdict = refused_everywhere(flipped(start + at));
            if (i > 0 || at >= 4) {
                expect_place(verdict, LB_CHECK_FRAME, i);
            } else {  // no longer the beginning of a Zstandard file
                EXPECT_EQ(verdict.status, LB_STATUS_NOT_A_DATABASE);
                EXPECT_EQ(verdict.failed_check, LB_CHECK_STRUCTURE);
            }
        }
        start += length;
    }
}

TEST_F(Damage, flipped_byte_of_the_manifest_is_found) {
    for (std::size_t at = manifest_start() + 4; at < table_start(); ++at) {
        SCOPED_TRACE("byte " + std::to_string(at - manifest_start()));
        expect_place(refused_everywhere(flipped(at)), LB_CHECK_STRUCTURE, LB_NO_CHUNK);
    }
}

TEST_F(Damage, flipped_byte_of_the_seek_table_is_found) {
    for (std::size_t at = table_start(); at < whole.size() - 5; ++at) {
        SCOPED_TRACE("byte " + std::to_string(at - table_start()));
        expect_place(refused_everywhere(flipped(at)), LB_CHECK_STRUCTURE, LB_NO_CHUNK);
    }
}

TEST_F(Damage, flipped_bit_of_a_magic_number_is_found_or_does_no_harm) {
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < 4; ++i) {
        places.push_back(manifest_start() + i);
        places.push_back(whole.size() - 4 + i);
    }
    places.push_back(whole.size() - 5);  // the descriptor: two bits of it are free
    for (const auto at : places)
        for (int n = 0; n < 8; ++n) {
            SCOPED_TRACE("bit " + std::to_string(n) + " of byte " + std::to_string(at));
            auto bytes = whole;
            bytes[at] = static_cast<char>(bytes[at] ^ 1 << n);
            refused_or_exact(bytes);
        }
}

TEST_F(Damage, truncation_at_a_frame_boundary_is_found_unless_only_the_index_is_missing) {
    std::size_t end = 0;
    for (std::size_t i = 0; i + 1 < parts.chunks.size(); ++i) {
        end += parts.chunks[i].frame.size();
        SCOPED_TRACE("after frame " + std::to_string(i));
        EXPECT_EQ(refused_everywhere(whole.substr(0, end)).status, LB_STATUS_CORRUPT);
    }
    comes_out_exactly(whole.substr(0, manifest_start()));
    comes_out_exactly(whole.substr(0, table_start()));
}

TEST_F(Damage, truncation_at_1000_random_offsets_is_found) {
    for (int n = 0; n < 1000; ++n) {
        const auto at = std::uniform_int_distribution<std::size_t>(0, whole.size() - 1)(random);
        if (at == manifest_start() || at == table_start()) continue;  // see above
        SCOPED_TRACE("cut to " + std::to_string(at) + " of " + std::to_string(whole.size()));
        const auto verdict = refused_everywhere(whole.substr(0, at));
        EXPECT_TRUE(verdict.status == LB_STATUS_CORRUPT || (at < 4 && verdict.status == LB_STATUS_NOT_A_DATABASE))
            << verdict.message;
        if (HasFailure()) break;
    }
}

TEST_F(Damage, anything_behind_the_archive_is_found_or_does_no_harm) {
    for (const auto &tail :
         {std::string(1, '\0'), std::string(1000, '\0'), std::string("\xB1\xEA\x92\x8F"), whole, image})
        refused_everywhere(whole + tail);
    comes_out_exactly(whole + skippable(0x184D2A50, "what other tools may add"));
}

TEST_F(Damage, swapped_frames_are_found) {
    std::swap(parts.chunks[1].frame, parts.chunks[2].frame);
    refused_everywhere(parts.together());
    // And with lengths that agree with them.
    std::swap(parts.chunks[1].frame_bytes, parts.chunks[2].frame_bytes);
    expect_place(refused_everywhere(parts.together()), LB_CHECK_FRAME, 1);
}

TEST_F(Damage, repeated_frame_is_found) {
    parts.chunks[3].frame = parts.chunks[2].frame;
    parts.chunks[3].frame_bytes = parts.chunks[2].frame_bytes;
    expect_place(refused_everywhere(parts.together()), LB_CHECK_FRAME, 3);
}

TEST_F(Damage, frame_of_another_archive_is_found) {
    auto chunked = options();
    chunked.chunk_size = 65536;
    DatabaseOptions other = database();
    other.seed = 3;
    make_database(dir / "other.db", other);
    ASSERT_NO_FATAL_FAILURE(expect_ok(backup(dir / "other.db", dir / "other.db.zst", chunked)));
    const auto others = Parts::of(read_file(dir / "other.db.zst"));
    parts.chunks[2].frame = others.chunks[2].frame;
    parts.chunks[2].frame_bytes = others.chunks[2].frame_bytes;
    expect_place(refused_everywhere(parts.together()), LB_CHECK_FRAME, 2);
    // With the hash that it has: what is in it is not what the manifest says.
    parts.chunks[2].frame_hash = others.chunks[2].frame_hash;
    write_file(bad, parts.together());
    expect_ok(verify(bad));  // quick: nothing is decompressed
    expect_place(verify(bad, full()), LB_CHECK_CONTENT, 2);
    expect_place(restore(bad, dest), LB_CHECK_CONTENT, 2);
    expect_place(restore(bad, live, replacing()), LB_CHECK_CONTENT, 2);
    EXPECT_TRUE(list_dir(out).empty());
    EXPECT_EQ(content_hash(live), [&] {
        write_file(dir / "before.db", live_bytes);
        return content_hash(dir / "before.db");
    }());
}

/// Nothing is compared ahead: it is met in the middle of the change, which is then taken back.
TEST_F(Damage, met_in_the_middle_of_an_unverified_restore_is_taken_back) {
    auto trusting = replacing();
    trusting.verify = LB_VERIFY_NONE;
    Db host(live);
    const auto before = content_hash(host);
    for (std::size_t i = 0, start = 0; i < parts.chunks.size(); start += parts.chunks[i++].frame.size()) {
        SCOPED_TRACE("frame " + std::to_string(i));
        write_file(bad, flipped(start + parts.chunks[i].frame.size() / 2));
        expect_place(restore(bad, live, trusting), LB_CHECK_FRAME, i);
        EXPECT_EQ(content_hash(host), before);
        EXPECT_EQ(host.text("PRAGMA integrity_check"), "ok");
        trusting.existing = LB_EXISTING_REFUSE;
        expect_place(restore(bad, dest, trusting), LB_CHECK_FRAME, i);
        EXPECT_TRUE(list_dir(out).empty());
        trusting.existing = LB_EXISTING_REPLACE;
    }
    host.exec("UPDATE players SET rating = rating + 1");
}

TEST_F(Damage, the_host_knows_its_place_also_from_the_restore) {
    write_file(bad, flipped(parts.chunks[0].frame.size() + 100));
    expect_place(restore(bad, dest), LB_CHECK_FRAME, 1);
    expect_place(restore(bad, live, replacing()), LB_CHECK_FRAME, 1);
    const auto good = restore(archive, dest);
    expect_ok(good);
    EXPECT_EQ(good.failed_check, LB_CHECK_NONE);
    EXPECT_EQ(good.failed_chunk, LB_NO_CHUNK);
    EXPECT_EQ(good.failed_page, 0U);
}

}  // namespace
