// lb::Error and the codes of lb::category(). SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <map>

using namespace lbtest;

namespace {

static_assert(std::is_nothrow_copy_constructible_v<lb::Error>, "an exception is copied while it is thrown");
static_assert(std::is_error_code_enum_v<lb_status>);

class Errors : public WrapperTest {};

/// The table of lb::category(); statuses that are not in it are equal to no std::errc.
const std::map<lb_status, std::errc> conditions{
    {LB_STATUS_INVALID_ARGUMENT, std::errc::invalid_argument},
    {LB_STATUS_INVALID_HANDLE, std::errc::bad_file_descriptor},
    {LB_STATUS_NOT_FOUND, std::errc::no_such_file_or_directory},
    {LB_STATUS_ALREADY_EXISTS, std::errc::file_exists},
    {LB_STATUS_PERMISSION_DENIED, std::errc::permission_denied},
    {LB_STATUS_CORRUPT, std::errc::bad_message},
    {LB_STATUS_BUSY, std::errc::device_or_resource_busy},
    {LB_STATUS_NO_SPACE, std::errc::no_space_on_device},
    {LB_STATUS_IO, std::errc::io_error},
    {LB_STATUS_CANCELLED, std::errc::operation_canceled},
    {LB_STATUS_TIMED_OUT, std::errc::timed_out},
    {LB_STATUS_QUEUE_FULL, std::errc::resource_unavailable_try_again},
    {LB_STATUS_WAL_LIMIT, std::errc::file_too_large},
    {LB_STATUS_UNSUPPORTED, std::errc::not_supported},
    {LB_STATUS_OUT_OF_MEMORY, std::errc::not_enough_memory},
    {LB_STATUS_WRONG_PROCESS, std::errc::operation_not_permitted},
    {LB_STATUS_WOULD_DEADLOCK, std::errc::resource_deadlock_would_occur},
};

std::vector<lb_status> every_status() {
    std::vector<lb_status> all;
    for (int value = 0; std::string(lb_status_name(static_cast<lb_status>(value))) != "LB_STATUS_UNKNOWN"; ++value)
        all.push_back(static_cast<lb_status>(value));
    return all;
}

TEST_F(Errors, have_a_message_for_every_status_of_the_library) {
    std::set<std::string> messages;
    const auto all = every_status();
    EXPECT_GE(all.size(), 22U);
    for (const auto status : all) {
        const auto message = lb::category().message(status);
        EXPECT_EQ(message, lb_status_message(status));
        EXPECT_TRUE(messages.insert(message).second) << message << " twice";
    }
    EXPECT_EQ(lb::category().message(4711), "unknown status");
    EXPECT_STREQ(lb::category().name(), "lb_backup");
}

TEST_F(Errors, are_equal_to_their_status_and_to_the_documented_condition_only) {
    for (const auto status : every_status()) {
        const std::error_code code = status;
        EXPECT_EQ(code, status);
        EXPECT_NE(code, status == LB_STATUS_BUSY ? LB_STATUS_IO : LB_STATUS_BUSY);
        for (const auto &[other, condition] : conditions)
            EXPECT_EQ(code == condition, status == other) << lb_status_name(status) << lb_status_name(other);
        if (conditions.count(status) == 0 && status != LB_STATUS_OK) {
            EXPECT_EQ(code.default_error_condition().category(), lb::category()) << lb_status_name(status);
        }
    }
}

TEST_F(Errors, of_success_are_a_cleared_code) {
    const std::error_code code = LB_STATUS_OK;
    EXPECT_FALSE(code);
    EXPECT_EQ(code, std::error_code());
}

TEST_F(Errors, come_as_an_exception_or_as_a_code_from_every_function) {
    make_database(dir / "other.db", DatabaseOptions());
    write_file(dir / "text", "this is no database at all, and no archive of one either");
    write_file(out / "there.db", "");
    lb::BackupOptions wrong;
    wrong.compression_level = 99;
    const fs::path nowhere = dir / "nowhere.db";
    const lb::Config configuration;
    auto running = start_slow();
    const lb::Job empty;

    struct Call {
        const char *name;
        lb_status status;
        const char *says;
        std::function<void()> throwing;
        std::function<void(std::error_code &)> coding;
    };
    const Call calls[] = {
        {"source is missing", LB_STATUS_NOT_FOUND, "nowhere.db", [&] { (void)lb::start_backup(nowhere, dest); },
         [&](auto &ec) { EXPECT_FALSE(lb::start_backup(nowhere, dest, {}, ec)); }},
        {"destination is there", LB_STATUS_ALREADY_EXISTS, "there.db",
         [&] { (void)lb::start_backup(source, out / "there.db"); },
         [&](auto &ec) { EXPECT_FALSE(lb::start_backup(source, out / "there.db", {}, ec)); }},
        {"option is wrong", LB_STATUS_INVALID_ARGUMENT, "compression_level",
         [&] { (void)lb::start_backup(source, dest, wrong); },
         [&](auto &ec) { EXPECT_FALSE(lb::start_backup(source, dest, wrong, ec)); }},
        {"archive to restore is missing", LB_STATUS_NOT_FOUND, "nowhere.db",
         [&] { (void)lb::start_restore(nowhere, out / "a.db"); },
         [&](auto &ec) { EXPECT_FALSE(lb::start_restore(nowhere, out / "a.db", {}, ec)); }},
        {"archive to verify is missing", LB_STATUS_NOT_FOUND, "nowhere.db", [&] { (void)lb::start_verify(nowhere); },
         [&](auto &ec) { EXPECT_FALSE(lb::start_verify(nowhere, {}, ec)); }},
        {"archive to inspect is missing", LB_STATUS_NOT_FOUND, "nowhere.db", [&] { (void)lb::inspect(nowhere); },
         [&](auto &ec) { (void)lb::inspect(nowhere, ec); }},
        {"text is no archive", LB_STATUS_NOT_A_DATABASE, "text", [&] { (void)lb::inspect(dir / "text"); },
         [&](auto &ec) { (void)lb::inspect(dir / "text", ec); }},
        {"library runs", LB_STATUS_BUSY, "", [&] { lb::configure(configuration); },
         [&](auto &ec) { lb::configure(configuration, ec); }},
        {"no job to look at", LB_STATUS_INVALID_HANDLE, "progress", [&] { (void)empty.progress(); },
         [&](auto &ec) { (void)empty.progress(ec); }},
        {"no job to wait for", LB_STATUS_INVALID_HANDLE, "wait", [&] { empty.wait(); },
         [&](auto &ec) { empty.wait(ec); }},
        {"no job to wait for some time for", LB_STATUS_INVALID_HANDLE, "wait_for", [&] { (void)empty.wait_for(1s); },
         [&](auto &ec) { (void)empty.wait_for(1s, ec); }},
        {"no job to slow", LB_STATUS_INVALID_HANDLE, "set_rate", [] { lb::Job().set_rate(1); },
         [](auto &ec) { lb::Job().set_rate(1, ec); }},
        {"no job to join", LB_STATUS_INVALID_HANDLE, "join", [] { (void)lb::Job().join(); },
         [](auto &ec) { (void)lb::Job().join(ec); }},
        {"text is no source", LB_STATUS_NOT_A_DATABASE, "text",
         [&] { (void)lb::start_backup(dir / "text", out / "a.db").join(); },
         [&](auto &ec) {
             if (auto job = lb::start_backup(dir / "text", out / "a.db", {}, ec)) (void)job.join(ec);
         }},
    };
    for (const auto &call : calls) {
        SCOPED_TRACE(call.name);
        const auto error = thrown_by(call.throwing);
        EXPECT_EQ(error.status(), call.status) << error.what();
        EXPECT_EQ(error.code(), call.status);
        EXPECT_NE(std::string(error.what()).find(call.says), std::string::npos) << error.what();
        std::error_code ec;
        call.coding(ec);
        EXPECT_EQ(ec, call.status) << ec.message();
    }
}

TEST_F(Errors, of_a_call_carry_errno_and_no_result) {
    const auto error = thrown_by([&] { (void)lb::start_backup(dir / "nowhere.db", dest); });
    EXPECT_EQ(error.sys_errno(), ENOENT);
    EXPECT_EQ(error.sqlite_code(), 0);
    EXPECT_EQ(error.result(), nullptr);
}

TEST_F(Errors, of_a_job_carry_sqlites_code_the_message_and_the_whole_result) {
    make_database(dir / "locked.db", sizable("DELETE"));
    Db host(dir / "locked.db");
    host.exec("BEGIN EXCLUSIVE");
    lb::BackupOptions impatient;
    impatient.busy_timeout = 0ms;
    auto job = lb::start_backup(dir / "locked.db", dest, impatient);
    auto future = job.get_future();
    const auto error = thrown_by([&] { (void)job.join(); });
    EXPECT_EQ(error.status(), LB_STATUS_BUSY);
    EXPECT_EQ(error.sqlite_code() & 0xFF, SQLITE_BUSY);
    EXPECT_NE(std::string(error.what()).find("locked.db"), std::string::npos) << error.what();
    ASSERT_NE(error.result(), nullptr);
    EXPECT_EQ(error.result()->status, LB_STATUS_BUSY);
    EXPECT_EQ(error.result()->message, error.what());
    EXPECT_EQ(error.result()->sqlite_code, error.sqlite_code());
    EXPECT_GE(error.result()->finished, error.result()->started);
    const lb::Error copy = error;
    EXPECT_EQ(copy.result(), error.result()) << "shared by the copies";

    const auto same = thrown_by([&] { (void)future.get(); });
    EXPECT_STREQ(same.what(), error.what());
    EXPECT_FALSE(job) << "joined, well or not";
}

TEST_F(Errors, without_a_message_say_what_their_status_means) {
    for (const auto status : every_status()) {
        lb::Result silent;
        silent.status = status;
        EXPECT_STREQ(lb::Error(silent).what(), lb_status_message(status));
        EXPECT_EQ(lb::Error(status, "join").what(), std::string("join: ") + lb_status_message(status));
    }
}

TEST_F(Errors, are_standard_exceptions) {
    try {
        (void)lb::inspect(dir / "nowhere.db");
        FAIL();
    } catch (const std::system_error &error) {
        EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    }
}

}  // namespace
