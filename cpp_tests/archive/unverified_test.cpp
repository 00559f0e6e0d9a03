// The hashes in an archive are of what was to be written, not of what the disk made of it: so that whoever reads it later
// finds the damage that nobody looked for when it was made. SPDX-License-Identifier: MIT OR Apache-2.0

#include "api/isolated.hpp"
#include "reader.hpp"

using namespace lbtest;

namespace {

using Unverified = ApiTest;

TEST_F(Unverified, damage_by_the_disk_is_found_by_whoever_reads_the_archive) {
    const auto archive = out / "new.db.zst";
    isolated([&] {
        set_hooks("flip-byte");
        auto trusting = options();
        trusting.verify = LB_VERIFY_NONE;
        expect_ok(backup(source, archive, trusting));
    });
    const auto damaged = read_independently(archive, {"--image", source.string()});
    EXPECT_FALSE(damaged.right);
    EXPECT_NE(damaged.text.find("is damaged: its hash differs"), std::string::npos) << damaged.text;

    // With the one byte put right, nothing is wrong: so every hash was taken before.
    auto bytes = read_file(archive);
    auto &byte = bytes[bytes.size() / 2];
    byte = static_cast<char>(~byte);
    write_file(archive, bytes);
    const auto mended = read_independently(archive, {"--image", source.string()});
    EXPECT_TRUE(mended.right) << mended.text;
}

}  // namespace
