// Restoring, verifying, inspecting, and what is of the whole library. SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

using namespace lbtest;

namespace {

class Library : public ApiTest {
protected:
    void SetUp() override {
        ApiTest::SetUp();
        lb::BackupOptions options;
        options.chunk_size = 65536;
        options.digest = lb::Digest::none;
        taken = lb::start_backup(source, archive, options).join();
    }

    fs::path damaged_archive() const {
        auto bytes = read_file(archive);
        bytes[40] = static_cast<char>(bytes[40] ^ 1);  // in the first frame
        write_file(dir / "damaged.db.zst", bytes);
        return dir / "damaged.db.zst";
    }

    const fs::path archive = dir / "game.db.zst";
    lb::BackupResult taken;
};

TEST_F(Library, restores_to_a_new_file_and_onto_a_live_database) {
    EXPECT_FALSE(taken.sha256) << "not asked for";
    const lb::RestoreResult fresh = lb::start_restore(archive, out / "new.db").join();
    EXPECT_EQ(fresh.image_bytes, taken.image_bytes);
    EXPECT_EQ(content_hash(out / "new.db"), content_hash(source));

    Db live(source);
    live.exec("DELETE FROM moves");
    const auto changed = content_hash(live);
    lb::RestoreOptions options;
    EXPECT_EQ(thrown_by([&] { (void)lb::start_restore(archive, source, options).join(); }).status(),
              LB_STATUS_ALREADY_EXISTS);
    options.existing = lb::Existing::replace;
    options.keep_previous = out / "previous.db";
    int calls = 0;
    options.on_complete = [&](const lb::Result &) { ++calls; };
    EXPECT_GT(lb::start_restore(archive, source, std::move(options)).join().bytes_reused, 0U);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(content_hash(live), content_hash(out / "new.db"));
    EXPECT_EQ(content_hash(out / "previous.db"), changed);
}

TEST_F(Library, verifies_and_tells_which_chunk_is_damaged) {
    lb::VerifyOptions options;
    options.verify = lb::Verify::full;
    EXPECT_EQ(lb::start_verify(archive, options).join().status, LB_STATUS_OK);

    std::error_code ec;
    const lb::VerifyResult verdict = lb::start_verify(damaged_archive()).join(ec);
    EXPECT_EQ(ec, LB_STATUS_CORRUPT);
    EXPECT_EQ(verdict.failed_check, lb::Check::frame);
    EXPECT_EQ(verdict.failed_chunk, 0U);
    EXPECT_FALSE(verdict.failed_page);
    EXPECT_NE(verdict.message.find("damaged.db.zst"), std::string::npos) << verdict.message;
}

TEST_F(Library, verifies_and_tells_which_page_is_damaged) {
    lb::start_restore(archive, dir / "plain.db").join();
    auto image = read_file(dir / "plain.db");
    image.replace(6 * 4096, 64, 64, '\xee');
    write_file(dir / "plain.db", image);
    const auto error = thrown_by([&] { (void)lb::start_verify(dir / "plain.db").join(); });
    ASSERT_NE(error.result(), nullptr);
    EXPECT_EQ(error.result()->failed_check, lb::Check::integrity);
    EXPECT_EQ(error.result()->failed_page, 7U);
    EXPECT_FALSE(error.result()->failed_chunk);
}

TEST_F(Library, inspects_what_c_inspects) {
    lb::BackupOptions options;
    options.reuse = archive;
    lb::start_backup(source, dir / "child.db.zst", options).join();
    for (const auto &name : {"game.db.zst", "child.db.zst", "game.db"}) {
        SCOPED_TRACE(name);
        const auto is = lb::inspect(dir / name);
        const auto c = inspect(dir / name);
        EXPECT_EQ(static_cast<std::uint32_t>(is.kind), c.kind);
        EXPECT_EQ(is.format_version, c.format_version);
        EXPECT_EQ(is.page_size, c.page_size);
        EXPECT_EQ(is.pages, c.pages);
        EXPECT_EQ(is.image_bytes, c.image_bytes);
        EXPECT_EQ(is.archive_bytes, c.archive_bytes);
        EXPECT_EQ(is.chunk_size, c.chunk_size);
        EXPECT_EQ(is.chunks, c.chunks);
        EXPECT_EQ(is.created.time_since_epoch(), std::chrono::nanoseconds(c.created_unix_ns));
        EXPECT_EQ(is.application_id, c.application_id);
        EXPECT_EQ(is.user_version, c.user_version);
        EXPECT_EQ(is.compression_level, c.compression_level);
        EXPECT_EQ(is.archive_id.has_value(), c.kind == LB_KIND_ARCHIVE);
        if (is.archive_id) {
            EXPECT_EQ(std::memcmp(is.archive_id->data(), c.archive_id, 16), 0);
        }
        EXPECT_EQ(is.parent_id.has_value(), c.has_parent == 1);
        EXPECT_EQ(is.library_version, c.library_version);
        EXPECT_EQ(is.sqlite_version, c.sqlite_version);
        EXPECT_EQ(is.zstd_version, c.zstd_version);
    }
    EXPECT_EQ(lb::inspect(dir / "child.db.zst").parent_id, lb::inspect(archive).archive_id);
}

TEST_F(Library, lists_the_jobs_whoever_started_them) {
    EXPECT_TRUE(lb::jobs().empty());
    auto slow = throttled();
    slow.max_bytes_per_second = 1;
    const auto in_c = lbtest::Job::start(source, out / "c.db", slow);
    lb::BackupOptions options;
    options.max_bytes_per_second = 1;
    std::vector<lb::Job> many;  // more than fit into the first try
    for (int i = 0; i < 40; ++i) many.push_back(lb::start_backup(source, out / (std::to_string(i) + ".db"), options));
    std::error_code ec = LB_STATUS_IO;
    const auto all = lb::jobs(ec);
    EXPECT_FALSE(ec);
    ASSERT_EQ(all.size(), 41U);
    std::set<std::string> names;
    for (const auto &job : all) {
        names.insert(job.dest_name);
        EXPECT_LT(job.percent, 100.0);
        EXPECT_EQ(job.dest_name == "c.db", job.handle == in_c.get());
    }
    EXPECT_EQ(names.size(), 41U);
}

TEST_F(Library, tells_its_versions) {
    EXPECT_EQ(lb::version(), lb_version());
    EXPECT_EQ(lb::version().rfind("0.", 0), 0U);
}

/// A backup that costs a warning.
void back_up_with_a_warning(const fs::path &source, const fs::path &dest, const fs::path &reuse) {
    write_file(reuse, "not an archive");
    lb::BackupOptions options;
    options.reuse = reuse;
    lb::start_backup(source, dest, options).join();
}

TEST_F(Library, logs_to_the_function_of_the_present_configuration) {
    lb::shutdown();
    std::vector<std::string> first, second;
    const auto captured = std::make_shared<int>(0);
    lb::Config config;
    config.workers = 1;
    config.max_concurrent_jobs = 1;
    config.queue_length = 1;
    config.priority = lb::Priority::normal;
    config.on_log = [&first, captured](lb::LogLevel level, std::string_view line) {
        if (level == lb::LogLevel::warning) first.emplace_back(line);
    };
    lb::configure(config);
    config.on_log = nullptr;
    EXPECT_EQ(captured.use_count(), 2);
    back_up_with_a_warning(source, out / "a.db.zst", dir / "bad.zst");
    EXPECT_EQ(thrown_by([&] { lb::configure(config); }).status(), LB_STATUS_BUSY) << "it runs";
    EXPECT_EQ(captured.use_count(), 2) << "still in use";

    lb::shutdown();
    ASSERT_EQ(first.size(), 1U);
    EXPECT_NE(first[0].find("bad.zst"), std::string::npos) << first[0];
    config.on_log = [&](lb::LogLevel, std::string_view line) {
        second.emplace_back(line);
        throw std::runtime_error("nobody hears this");
    };
    lb::configure(config);
    EXPECT_EQ(captured.use_count(), 1) << "replaced";
    back_up_with_a_warning(source, out / "b.db.zst", dir / "bad.zst");
    lb::shutdown();
    EXPECT_EQ(first.size(), 1U);
    EXPECT_GE(second.size(), 1U);
    lb::configure({});
}

TEST_F(Library, is_configured_in_every_field) {
    lb::shutdown();
    const auto refused = [](const char *name, auto change) {
        lb::Config config;
        change(config);
        const auto error = thrown_by([&] { lb::configure(config); });
        EXPECT_EQ(error.status(), LB_STATUS_INVALID_ARGUMENT);
        EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
    };
    refused("workers", [](auto &c) { c.workers = 65; });
    refused("max_concurrent_jobs", [](auto &c) { c.max_concurrent_jobs = 65; });
    refused("queue_length", [](auto &c) { c.queue_length = 65537; });
    refused("priority", [](auto &c) { c.priority = static_cast<lb::Priority>(9); });
    lb::Config config;
    config.source_not_open_in_process = true;
    std::error_code ec = LB_STATUS_IO;
    lb::configure(config, ec);
    EXPECT_FALSE(ec);
    lb::configure({});
}

TEST_F(Library, shuts_down_cancels_and_begins_afresh) {
    lb::BackupOptions slow;
    slow.max_bytes_per_second = 1;
    std::error_code in_callback;
    slow.on_complete = [&](const lb::Result &) { lb::shutdown(in_callback); };
    auto job = lb::start_backup(source, out / "a.db", std::move(slow));
    const auto threads = count_threads();
    std::error_code ec = LB_STATUS_IO;
    lb::shutdown(ec);
    EXPECT_FALSE(ec);
    EXPECT_LT(count_threads(), threads);
    EXPECT_EQ(in_callback, LB_STATUS_WOULD_DEADLOCK);
    job.join(ec);
    EXPECT_EQ(ec, LB_STATUS_CANCELLED);
    EXPECT_EQ(lb::start_backup(source, out / "b.db").join().status, LB_STATUS_OK);
    while (!lb::shutdown_for(1ms)) {
    }
    EXPECT_TRUE(lb::shutdown_for(0s)) << "nothing runs";
}

}  // namespace
