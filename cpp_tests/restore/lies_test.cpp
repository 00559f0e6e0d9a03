// Archives that were made to deceive: every hash is right, and something that they say is not.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"
#include "handmade.hpp"

using namespace lbtest;

namespace {

constexpr std::uint64_t exbibytes_16 = ~std::uint64_t{0};

class Lies : public WrongArchiveTest {
protected:
    /// By inspect, verify, a restore to a new file and one onto a live database: none takes it for good.
    void refused(const std::string &bytes, lb_status expected, const std::string &culprit = "bad.db.zst") {
        write_file(bad, bytes);
        expect_failed(verify(bad, full()), expected, culprit);
        expect_failed(restore(bad, dest), expected, culprit);
        expect_failed(restore(bad, live, replacing()), expected, culprit);
        EXPECT_TRUE(list_dir(out).empty());
        live_is_untouched();
    }
    void live_is_untouched() {
        remove_database(dir / "before.db");
        write_file(dir / "before.db", live_bytes);
        EXPECT_EQ(content_hash(live), content_hash(dir / "before.db"));
        EXPECT_EQ(integrity_check(live), "ok");
    }
};

// ------------------------------------------------------------------------------------------------ lying manifests

TEST_F(Lies, impossible_page_size_is_corrupt) {
    for (const auto size : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{256}, std::uint64_t{4095},
                            std::uint64_t{4097}, std::uint64_t{6144}, std::uint64_t{65535}, std::uint64_t{131072},
                            std::uint64_t{1} << 31, std::uint64_t{0xffff'ffff}, std::uint64_t{1} << 32, exbibytes_16}) {
        SCOPED_TRACE(size);
        auto lying = parts;
        lying.field("page_size") = cbor(size);
        refused(lying.together(), LB_STATUS_CORRUPT);
        auto why = error();
        inspect(bad, &why);
        EXPECT_STREQ(lb_status_name(why.status), "LB_STATUS_CORRUPT");
    }
}

/// Possible, and not that of the image: chunks of 64 KiB are whole pages of any size.
TEST_F(Lies, another_page_size_with_a_count_that_fits_is_corrupt) {
    for (const std::uint64_t size : {512, 1024, 2048}) {
        SCOPED_TRACE(size);
        auto lying = parts;
        lying.field("page_size") = cbor(size);
        lying.field("page_count") = cbor(lying.number("page_count") * 4096 / size);
        refused(lying.together(), LB_STATUS_CORRUPT);
    }
}

TEST_F(Lies, wrong_page_count_is_corrupt) {
    const auto pages = parts.number("page_count");
    for (const auto count : {std::uint64_t{0}, std::uint64_t{1}, pages - 1, pages + 1, pages * 2,
                             std::uint64_t{0xffff'ffff}, std::uint64_t{1} << 32, exbibytes_16}) {
        SCOPED_TRACE(count);
        auto lying = parts;
        lying.field("page_count") = cbor(count);
        refused(lying.together(), LB_STATUS_CORRUPT);
    }
}

TEST_F(Lies, wrong_chunk_size_is_corrupt) {
    for (const auto size : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{4096}, std::uint64_t{65535},
                            std::uint64_t{65536 - 4096}, std::uint64_t{65536 + 4096}, std::uint64_t{1} << 31,
                            std::uint64_t{0xffff'f000}, std::uint64_t{1} << 32, exbibytes_16}) {
        SCOPED_TRACE(size);
        auto lying = parts;
        lying.field("chunk_size") = cbor(size);
        refused(lying.together(), LB_STATUS_CORRUPT);
    }
}

TEST_F(Lies, wrong_number_of_chunks_is_corrupt) {
    auto lying = parts;
    lying.chunks.pop_back();
    refused(lying.together(), LB_STATUS_CORRUPT);
    lying = parts;
    lying.chunks.push_back(lying.chunks.back());
    refused(lying.together(), LB_STATUS_CORRUPT);
    lying = parts;
    lying.chunks.clear();
    refused(lying.together(), LB_STATUS_CORRUPT);
    for (const auto claimed : {std::uint64_t{0}, std::uint64_t{1} << 20, std::uint64_t{1} << 40, exbibytes_16}) {
        SCOPED_TRACE(claimed);
        lying = parts;
        lying.field("chunks") = cbor_head(4, claimed);
        refused(lying.together(), LB_STATUS_CORRUPT);
    }
}

TEST_F(Lies, wrong_length_of_a_frame_is_corrupt) {
    for (const auto length : {std::uint64_t{0}, parts.chunks[1].frame_bytes - 1, parts.chunks[1].frame_bytes + 1,
                              std::uint64_t{0xffff'ffff}, std::uint64_t{1} << 32, exbibytes_16}) {
        SCOPED_TRACE(length);
        auto lying = parts;
        lying.chunks[1].frame_bytes = length;
        refused(lying.together(), LB_STATUS_CORRUPT);
    }
}

TEST_F(Lies, wrong_size_in_the_seek_table_is_corrupt) {
    for (const auto size : {0U, 65535U, 65537U, 0xffff'ffffU}) {
        SCOPED_TRACE(size);
        auto lying = parts;
        lying.chunks[1].image_bytes = size;
        refused(lying.together(), LB_STATUS_CORRUPT);
    }
    auto longer = parts;
    longer.more_entries.emplace_back(0, 0);
    refused(longer.together(), LB_STATUS_CORRUPT);
}

TEST_F(Lies, missing_or_ill_typed_field_is_corrupt) {
    for (std::size_t i = 0; i < parts.fields.size(); ++i) {
        SCOPED_TRACE(parts.fields[i].first);
        for (const auto &value :
             {cbor_text("text"), cbor_bytes("bytes"), cbor_head(4, 0), cbor_head(5, 0), std::string("\xf6"),
              std::string("\xf5"), std::string("\xfb\x7f\xf0\0\0\0\0\0\0", 9)}) {
            auto lying = parts;
            if (lying.fields[i].second[0] == value[0] || (value == cbor_text("text") && i > 0 && i < 4)) continue;
            lying.fields[i].second = value;
            refused(lying.together(), LB_STATUS_CORRUPT);
        }
        auto lying = parts;
        lying.fields.erase(lying.fields.begin() + static_cast<std::ptrdiff_t>(i));
        refused(lying.together(), LB_STATUS_CORRUPT);
    }
}

TEST_F(Lies, image_of_another_user_version_or_application_is_corrupt) {
    for (const auto *key : {"user_version", "application_id"}) {
        auto lying = parts;
        lying.field(key) = cbor(1234);
        refused(lying.together(), LB_STATUS_CORRUPT);
    }
}

TEST_F(Lies, deep_nesting_does_not_exhaust_the_stack) {
    auto lying = parts;
    std::string nested;
    for (int i = 0; i < 1'000'000; ++i) nested += '\x81';
    lying.field("remark") = nested + cbor(1);
    write_file(bad, lying.together());
    const auto verdict = verify(bad, full());  // passed over, or refused: but the host lives
    EXPECT_TRUE(verdict.status == LB_STATUS_OK || verdict.status == LB_STATUS_CORRUPT) << verdict.message;
}

TEST_F(Lies, newer_version_is_unsupported_and_says_so) {
    for (const auto version : {std::uint64_t{2}, std::uint64_t{1000}}) {
        auto lying = parts;
        lying.field("lb_backup") = cbor(version);
        refused(lying.together(), LB_STATUS_UNSUPPORTED, "version " + std::to_string(version));
        auto why = error();
        inspect(bad, &why);
        EXPECT_STREQ(lb_status_name(why.status), "LB_STATUS_UNSUPPORTED");
        EXPECT_NE(std::string(why.message).find(std::to_string(version)), std::string::npos) << why.message;
    }
}

/// A newer SQLite may say in the header that only it can read the file (the file format's read version).
TEST_F(Lies, database_of_a_newer_sqlite_format_is_refused) {
    unzstd(archive, dir / "image.db");
    auto image = read_file(dir / "image.db");
    image[19] = 3;
    write_file(dir / "newer.db", image);
    for (const auto &file : {dir / "newer.db", dir / "newer.db.zst"}) {
        SCOPED_TRACE(file);
        if (file.extension() == ".zst") write_file(file, zstd_frame(image));
        for (const auto &outcome : {verify(file, full()), restore(file, dest), restore(file, live, replacing())}) {
            EXPECT_NE(outcome.status, LB_STATUS_OK);
            EXPECT_STRNE(outcome.message, "");
        }
        EXPECT_TRUE(list_dir(out).empty());
        live_is_untouched();
    }
}

// ---------------------------------------------------------------------------------------------------------- frames

TEST_F(Lies, frame_that_claims_16_exbibytes_is_corrupt) {
    const std::string content(65536, '\0');
    parts.chunks[1].put(content, HandmadeFrame(exbibytes_16 - 1).zeros(65536).end());
    refused(parts.together(), LB_STATUS_CORRUPT);
    EXPECT_EQ(verify(bad, full()).failed_chunk, 1U);
}

/// Of 64 KiB Zstandard makes 256 bytes more at most, and 32 as it is less than 128 KiB (ZSTD_compressBound).
TEST_F(Lies, frame_longer_than_any_of_its_chunk_is_corrupt) {
    const std::string content(65536, '\0');
    const auto of_bytes = [&](std::size_t bytes) {
        auto frame = zstd_frame(content);
        frame += skippable(0x184D2A50, std::string(bytes - frame.size() - 8, '\0'));
        auto lying = parts;
        lying.chunks[1].put(content, frame);
        return lying.together();
    };
    refused(of_bytes(65536 + 256 + 32 + 1), LB_STATUS_CORRUPT);
    EXPECT_EQ(verify(bad, full()).failed_check, LB_CHECK_STRUCTURE);
    auto why = error();
    inspect(bad, &why);
    EXPECT_STREQ(lb_status_name(why.status), "LB_STATUS_CORRUPT");
    write_file(bad, of_bytes(65536 + 256 + 32));
    why = error();
    inspect(bad, &why);
    EXPECT_STREQ(lb_status_name(why.status), "LB_STATUS_OK") << why.message;
}

TEST_F(Lies, frame_that_becomes_more_than_its_chunk_is_corrupt) {
    HandmadeFrame gibibyte(0, false);
    for (int i = 0; i < 8192; ++i) gibibyte.zeros(HandmadeFrame::block_bytes);
    parts.chunks[1].put(std::string(65536, '\0'), gibibyte.end());
    refused(parts.together(), LB_STATUS_CORRUPT);
}

TEST_F(Lies, frame_that_becomes_less_than_its_chunk_is_corrupt) {
    parts.chunks[1].put(std::string(65536, '\0'), HandmadeFrame(4096).zeros(4096).end());
    refused(parts.together(), LB_STATUS_CORRUPT);
}

TEST_F(Lies, file_of_another_tool_that_claims_16_exbibytes_is_corrupt) {
    refused(HandmadeFrame(exbibytes_16 - 1).raw(first_page(2, true)).zeros(4096).end(), LB_STATUS_CORRUPT);
    // The same claim in the database's header: 256 TiB, as much as it has room for.
    const auto most = first_page(0xffff'fffe, true);
    write_file(bad, HandmadeFrame(8192).raw(most).zeros(4096).end());
    for (const auto &outcome : {verify(bad), verify(bad, full()), restore(bad, dest), restore(bad, live, replacing())})
        EXPECT_TRUE(outcome.status == LB_STATUS_CORRUPT || outcome.status == LB_STATUS_NO_SPACE) << outcome.message;
    EXPECT_TRUE(list_dir(out).empty());
    live_is_untouched();
}

/// Such as `zstd --long=30` makes it: nothing is wrong with the file.
TEST_F(Lies, window_larger_than_any_memory_is_refused) {
    // Window descriptors: 256 MiB, 1 GiB, 2 TiB.
    for (const auto *window : {"\x90", "\xa0", "\xf8"})
        refused(le(0xFD2FB528, 4) + '\0' + window + le(4096 << 3, 3) + first_page(1, true) + le(1, 3),
                LB_STATUS_UNSUPPORTED);
}

}  // namespace
