// Every option reaches the library, and what is wrong is named. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

using namespace lbtest;

namespace {

class Options : public ApiTest {
protected:
    const fs::path dest = out / "new.db.zst";
};

/// A start is refused, and the message has these words.
template <typename Call> void expect_refused(const Call &call, const std::string &words) {
    const auto error = thrown_by(call);
    EXPECT_EQ(error.status(), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << words << ": " << error.what();
}

template <typename C, typename Cpp> C converted(const Cpp &options) {
    auto error = lbtest::error();
    lb::detail::Conversion convert(error, "test");
    const C out = lb::detail::to_c(convert, options);
    EXPECT_FALSE(convert.failed()) << error.message;
    EXPECT_EQ(out.struct_size, sizeof out);
    return out;
}

TEST_F(Options, of_a_backup_become_those_of_c) {
    lb::BackupOptions in;
    auto out = converted<lb_backup_options>(in);
    const auto defaults = lbtest::options();
    EXPECT_EQ(std::memcmp(&out, &defaults, sizeof out), 0) << "what is empty is zero";
    in.format = lb::Format::zstd;
    in.compression_level = -7;
    in.existing = lb::Existing::replace;
    in.verify = lb::Verify::none;
    in.digest = lb::Digest::none;
    in.chunk_size = 65536;
    in.max_bytes_per_second = 1U << 20;
    in.busy_timeout = 3s;
    in.wal_limit_bytes = 77;
    in.reuse = "earlier.db.zst";
    out = converted<lb_backup_options>(in);
    EXPECT_EQ(out.format, static_cast<std::uint32_t>(LB_FORMAT_ZSTD));
    EXPECT_EQ(out.compression_level, -7);
    EXPECT_EQ(out.existing, static_cast<std::uint32_t>(LB_EXISTING_REPLACE));
    EXPECT_EQ(out.verify, static_cast<std::uint32_t>(LB_VERIFY_NONE));
    EXPECT_EQ(out.digest, static_cast<std::uint32_t>(LB_DIGEST_NONE));
    EXPECT_EQ(out.chunk_size, 65536U);
    EXPECT_EQ(out.max_bytes_per_second, 1U << 20);
    EXPECT_EQ(out.busy_timeout_ms, 3000U);
    EXPECT_EQ(out.wal_limit_bytes, 77U);
    EXPECT_STREQ(out.reuse_path, "earlier.db.zst");
    in.busy_timeout = 0ms;
    EXPECT_EQ(converted<lb_backup_options>(in).busy_timeout_ms, 1U) << "not the default";
    in.busy_timeout = std::chrono::milliseconds::max();
    EXPECT_EQ(converted<lb_backup_options>(in).busy_timeout_ms, UINT32_MAX);
}

TEST_F(Options, of_a_restore_become_those_of_c) {
    lb::RestoreOptions in;
    auto out = converted<lb_restore_options>(in);
    const auto defaults = restore_options();
    EXPECT_EQ(std::memcmp(&out, &defaults, sizeof out), 0);
    in.existing = lb::Existing::replace;
    in.verify = lb::Verify::full;
    in.busy_timeout = 3s;
    in.max_bytes_per_second = 5;
    in.keep_previous = "before.db";
    out = converted<lb_restore_options>(in);
    EXPECT_EQ(out.existing, static_cast<std::uint32_t>(LB_EXISTING_REPLACE));
    EXPECT_EQ(out.verify, static_cast<std::uint32_t>(LB_VERIFY_FULL));
    EXPECT_EQ(out.busy_timeout_ms, 3000U);
    EXPECT_EQ(out.max_bytes_per_second, 5U);
    EXPECT_STREQ(out.keep_previous, "before.db");
}

TEST_F(Options, of_a_verification_become_those_of_c) {
    lb::VerifyOptions in;
    auto out = converted<lb_verify_options>(in);
    const auto defaults = verify_options();
    EXPECT_EQ(std::memcmp(&out, &defaults, sizeof out), 0);
    in.verify = lb::Verify::full;
    in.max_bytes_per_second = 5;
    out = converted<lb_verify_options>(in);
    EXPECT_EQ(out.verify, static_cast<std::uint32_t>(LB_VERIFY_FULL));
    EXPECT_EQ(out.max_bytes_per_second, 5U);
}

TEST_F(Options, that_are_out_of_range_are_named_by_the_library) {
    const auto refused = [&](const char *name, auto change) {
        lb::BackupOptions options;
        change(options);
        expect_refused([&] { (void)lb::start_backup(source, dest, options); }, name);
    };
    refused("format", [](auto &o) { o.format = static_cast<lb::Format>(9); });
    refused("compression_level", [](auto &o) { o.compression_level = 20; });
    refused("existing", [](auto &o) { o.existing = static_cast<lb::Existing>(9); });
    refused("verify", [](auto &o) { o.verify = static_cast<lb::Verify>(9); });
    refused("digest", [](auto &o) { o.digest = static_cast<lb::Digest>(9); });
    refused("chunk_size", [](auto &o) { o.chunk_size = 65535; });
    refused("reuse_path", [](auto &o) { o.reuse = ""; });

    lb::RestoreOptions restore;
    restore.existing = static_cast<lb::Existing>(9);
    expect_refused([&] { (void)lb::start_restore(source, out / "a.db", restore); }, "existing");
    restore = {};
    restore.verify = static_cast<lb::Verify>(9);
    expect_refused([&] { (void)lb::start_restore(source, out / "a.db", restore); }, "verify");
    restore = {};
    restore.keep_previous = "";
    expect_refused([&] { (void)lb::start_restore(source, out / "a.db", restore); }, "keep_previous");
    lb::VerifyOptions verify;
    verify.verify = lb::Verify::none;
    expect_refused([&] { (void)lb::start_verify(source, verify); }, "verify");
    EXPECT_TRUE(list_dir(out).empty());
}

TEST_F(Options, that_are_an_engaged_zero_or_negative_are_named) {
    const auto refused = [&](const std::string &words, auto change) {
        lb::BackupOptions options;
        change(options);
        expect_refused([&] { (void)lb::start_backup(source, dest, options); }, "lb::start_backup: options." + words);
    };
    refused("chunk_size is 0", [](auto &o) { o.chunk_size = 0; });
    refused("max_bytes_per_second is 0", [](auto &o) { o.max_bytes_per_second = 0; });
    refused("wal_limit_bytes is 0", [](auto &o) { o.wal_limit_bytes = 0; });
    refused("busy_timeout is negative", [](auto &o) { o.busy_timeout = -1ms; });
    refused("progress_interval is negative", [](auto &o) { o.progress_interval = -1h; });

    const auto unconfigured = [&](const std::string &name, auto change) {
        lb::Config config;
        change(config);
        expect_refused([&] { lb::configure(config); }, "lb::configure: config." + name + " is 0");
    };
    unconfigured("workers", [](auto &c) { c.workers = 0; });
    unconfigured("max_concurrent_jobs", [](auto &c) { c.max_concurrent_jobs = 0; });
    unconfigured("queue_length", [](auto &c) { c.queue_length = 0; });
}

TEST_F(Options, paths_are_not_cut_at_a_nul) {
    using namespace std::string_literals;
    const fs::path cut = (out / "a.db").string() + "\0.txt"s;
    lb::BackupOptions reuse;
    reuse.reuse = cut;
    lb::RestoreOptions keep;
    keep.keep_previous = cut;
    expect_refused([&] { (void)lb::start_backup(cut, dest); }, "start_backup: source holds a NUL");
    expect_refused([&] { (void)lb::start_backup(source, cut); }, "start_backup: dest holds a NUL");
    expect_refused([&] { (void)lb::start_backup(source, dest, reuse); }, "options.reuse holds a NUL");
    expect_refused([&] { (void)lb::start_restore(cut, dest); }, "start_restore: archive holds a NUL");
    expect_refused([&] { (void)lb::start_restore(source, cut); }, "start_restore: dest holds a NUL");
    expect_refused([&] { (void)lb::start_restore(source, dest, keep); }, "options.keep_previous holds a NUL");
    expect_refused([&] { (void)lb::start_verify(cut); }, "start_verify: archive holds a NUL");
    expect_refused([&] { (void)lb::inspect(cut); }, "inspect: archive holds a NUL");
    std::error_code ec;
    (void)lb::start_backup(source, cut, {}, ec);
    EXPECT_EQ(ec, std::errc::invalid_argument);
    EXPECT_TRUE(list_dir(out).empty());
}

TEST_F(Options, that_are_wrong_leave_the_callbacks_where_they_are_not_called) {
    const auto captured = std::make_shared<int>(0);
    lb::BackupOptions options;
    options.chunk_size = 0;
    options.on_complete = [captured](const lb::Result &) { ++*captured; };
    expect_refused([&] { (void)lb::start_backup(source, dest, std::move(options)); }, "chunk_size");
    EXPECT_EQ(*captured, 0);
    EXPECT_EQ(captured.use_count(), 1);
}

}  // namespace
