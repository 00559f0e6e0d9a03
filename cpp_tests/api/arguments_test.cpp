// What the interface can see to be wrong is refused at once, and the message names the argument or the field.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <sys/mman.h>

#include <functional>
#include <limits>

using namespace lbtest;

namespace {

/// One byte off: what no aligned pointer looks like.
template <class T>
T *misaligned(T *pointer) {
    return reinterpret_cast<T *>(reinterpret_cast<std::uintptr_t>(pointer) + 1);
}

// ------------------------------------------------------------------------------------------------------- start

struct StartArguments {
    const char *source;
    const char *dest;
    const lb_backup_options *options;
    lb_job **out_job;
};

class StartPointers : public CleanTest {
protected:
    lb_result start(const StartArguments &arguments) {
        auto refused = result();
        auto why = error();
        refused.status =
            lb_backup_start(arguments.source, arguments.dest, arguments.options, arguments.out_job, &why);
        EXPECT_EQ(why.status, refused.status);
        std::memcpy(refused.message, why.message, sizeof refused.message);
        return refused;
    }

    const std::string dest = (out / "new.db").string();
    lb_backup_options defaults = options();
    lb_job *const untouched = reinterpret_cast<lb_job *>(this);
    lb_job *job = untouched;
    StartArguments good{source.c_str(), dest.c_str(), &defaults, &job};
};

TEST_F(StartPointers, null_source_is_named) {
    good.source = nullptr;
    expect_failed(start(good), LB_STATUS_INVALID_ARGUMENT, "source_path");
    EXPECT_EQ(job, nullptr) << "a handle out is set to NULL first";
}

TEST_F(StartPointers, null_dest_is_named) {
    good.dest = nullptr;
    expect_failed(start(good), LB_STATUS_INVALID_ARGUMENT, "dest_path");
    EXPECT_EQ(job, nullptr);
}

TEST_F(StartPointers, null_out_job_is_named) {
    good.out_job = nullptr;
    expect_failed(start(good), LB_STATUS_INVALID_ARGUMENT, "out_job");
}

TEST_F(StartPointers, misaligned_out_job_is_named_and_not_written) {
    good.out_job = misaligned(&job);
    expect_failed(start(good), LB_STATUS_INVALID_ARGUMENT, "out_job");
    EXPECT_EQ(job, untouched);
}

TEST_F(StartPointers, misaligned_options_are_named) {
    good.options = misaligned(&defaults);
    expect_failed(start(good), LB_STATUS_INVALID_ARGUMENT, "options");
}

TEST_F(StartPointers, misaligned_out_error_is_refused_and_not_written) {
    auto why = error();
    EXPECT_EQ(lb_backup_start(source.c_str(), dest.c_str(), nullptr, &job, misaligned(&why)),
              LB_STATUS_INVALID_ARGUMENT);
    EXPECT_EQ(job, nullptr);
    EXPECT_EQ(why.status, LB_STATUS_OK);
    EXPECT_STREQ(why.message, "");
}

TEST_F(StartPointers, null_out_error_is_allowed_in_refusal_and_success) {
    EXPECT_EQ(lb_backup_start(nullptr, dest.c_str(), nullptr, &job, nullptr), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_EQ(lb_backup_start(source.c_str(), dest.c_str(), nullptr, &job, nullptr), LB_STATUS_OK);
    EXPECT_EQ(lb_backup_join(job, nullptr), LB_STATUS_OK);
    fs::remove(dest);
}

TEST_F(StartPointers, null_options_and_null_result_are_allowed) {
    auto why = error();
    ASSERT_EQ(lb_backup_start(source.c_str(), dest.c_str(), nullptr, &job, &why), LB_STATUS_OK) << why.message;
    EXPECT_EQ(lb_backup_join(job, nullptr), LB_STATUS_OK);
    EXPECT_EQ(why.status, LB_STATUS_OK) << "an error is written on failure only";
    EXPECT_STREQ(why.message, "");
    EXPECT_EQ(integrity_check(dest), "ok");
    fs::remove(dest);
}

// ------------------------------------------------------------------------------------------------------- paths

class StartPaths : public CleanTest {};

TEST_F(StartPaths, empty_source_is_named) {
    expect_failed(backup("", out / "new.db"), LB_STATUS_INVALID_ARGUMENT, "source_path");
}

TEST_F(StartPaths, empty_dest_is_named) {
    expect_failed(backup(source, ""), LB_STATUS_INVALID_ARGUMENT, "dest_path");
}

TEST_F(StartPaths, source_that_is_not_utf8_is_named) {
    expect_failed(backup(dir / "g\xffme.db", out / "new.db"), LB_STATUS_INVALID_ARGUMENT, "source_path");
}

TEST_F(StartPaths, dest_that_is_not_utf8_is_named) {
    expect_failed(backup(source, out / "\xc3\x28.db"), LB_STATUS_INVALID_ARGUMENT, "dest_path");
}

TEST_F(StartPaths, dest_without_a_file_name_is_refused) {
    for (const auto &dest : {out / "", out / ".", out / "..", fs::path("/"), fs::path("."), fs::path("..")}) {
        SCOPED_TRACE(dest);
        const auto outcome = backup(source, dest);
        EXPECT_NE(outcome.status, LB_STATUS_OK);
        EXPECT_NE(outcome.status, LB_STATUS_INTERNAL);
        EXPECT_STRNE(outcome.message, "");
    }
}

TEST_F(StartPaths, path_longer_than_the_system_takes_is_refused_with_a_readable_message) {
    const std::string endless = dir.path().string() + "/" + std::string(100'000, 'x');
    for (const auto &outcome : {backup(endless, out / "new.db"), backup(source, endless)}) {
        EXPECT_NE(outcome.status, LB_STATUS_OK);
        EXPECT_NE(outcome.status, LB_STATUS_INTERNAL) << outcome.message;
        const std::string message = outcome.message;
        EXPECT_LT(message.size(), std::size_t{LB_MESSAGE_SIZE});
        EXPECT_NE(message.find(dir.path().string()), std::string::npos) << "both ends stay: " << message;
        EXPECT_NE(message.back(), 'x') << "both ends stay: " << message;
    }
}

TEST_F(StartPaths, message_cut_to_size_is_still_utf8) {
    for (int shift = 0; shift < 4; ++shift) {
        std::string wide(static_cast<std::size_t>(shift), 'x');
        for (int i = 0; i < 700; ++i) wide += "\xf0\x9f\x8e\xb2";  // U+1F3B2, a die
        const std::string message = backup(wide, out / "new.db").message;
        ASSERT_FALSE(message.empty());
        for (std::size_t i = 0; i < message.size();) {
            const auto lead = static_cast<unsigned char>(message[i]);
            const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
            ASSERT_TRUE(lead < 0x80 || lead >= 0xc2) << "a stray continuation byte at " << i << ": " << message;
            ASSERT_LE(i + length, message.size()) << "the last character is cut";
            for (std::size_t k = 1; k < length; ++k)
                ASSERT_EQ(static_cast<unsigned char>(message[i + k]) & 0xc0, 0x80) << "a cut character at " << i;
            i += length;
        }
    }
}

// ----------------------------------------------------------------------------------------------------- options

struct BadOption {
    const char *field;
    std::string value;
    std::function<void(lb_backup_options &)> set;
};

template <class Field, class Value>
BadOption bad_option(const char *name, Field lb_backup_options::*field, Value value) {
    return {name, std::to_string(value), [=](lb_backup_options &o) { o.*field = static_cast<Field>(value); }};
}

class OptionOutOfRange : public CleanTest, public ::testing::WithParamInterface<BadOption> {};

TEST_P(OptionOutOfRange, is_refused_by_name) {
    auto wanted = options();
    GetParam().set(wanted);
    expect_failed(backup(source, out / "new.db", wanted), LB_STATUS_INVALID_ARGUMENT, GetParam().field);
}

constexpr auto u32_max = std::numeric_limits<std::uint32_t>::max();
constexpr auto u64_max = std::numeric_limits<std::uint64_t>::max();
constexpr auto i32_max = std::numeric_limits<std::int32_t>::max();
constexpr auto i32_min = std::numeric_limits<std::int32_t>::min();

INSTANTIATE_TEST_SUITE_P(
    Options, OptionOutOfRange,
    ::testing::Values(bad_option("format", &lb_backup_options::format, 3U),
                      bad_option("format", &lb_backup_options::format, u32_max),
                      bad_option("existing", &lb_backup_options::existing, 2U),
                      bad_option("existing", &lb_backup_options::existing, u32_max),
                      bad_option("verify", &lb_backup_options::verify, 3U),
                      bad_option("verify", &lb_backup_options::verify, u32_max),
                      bad_option("digest", &lb_backup_options::digest, 2U),
                      bad_option("digest", &lb_backup_options::digest, u32_max),
                      bad_option("compression_level", &lb_backup_options::compression_level, 20),
                      bad_option("compression_level", &lb_backup_options::compression_level, -8),
                      bad_option("compression_level", &lb_backup_options::compression_level, i32_max),
                      bad_option("compression_level", &lb_backup_options::compression_level, i32_min),
                      bad_option("chunk_size", &lb_backup_options::chunk_size, 1U),
                      bad_option("chunk_size", &lb_backup_options::chunk_size, 65535U),
                      bad_option("chunk_size", &lb_backup_options::chunk_size, 8388609U),
                      bad_option("chunk_size", &lb_backup_options::chunk_size, u64_max)),
    [](const auto &tested) { return test_name(std::string(tested.param.field) + "_" + tested.param.value); });

class OptionAtItsBound : public CleanTest, public ::testing::WithParamInterface<BadOption> {};

TEST_P(OptionAtItsBound, is_accepted) {
    auto wanted = options();
    GetParam().set(wanted);
    for (const auto *name : {"new.db", "new.db.zst"}) {
        expect_ok(backup(source, out / name, wanted));
        fs::remove(out / name);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Options, OptionAtItsBound,
    ::testing::Values(bad_option("compression_level", &lb_backup_options::compression_level, -7),
                      bad_option("compression_level", &lb_backup_options::compression_level, 19),
                      bad_option("chunk_size", &lb_backup_options::chunk_size, 65536U),
                      bad_option("chunk_size", &lb_backup_options::chunk_size, 8388608U),
                      bad_option("max_bytes_per_second", &lb_backup_options::max_bytes_per_second, u64_max),
                      bad_option("busy_timeout_ms", &lb_backup_options::busy_timeout_ms, 1U),
                      bad_option("busy_timeout_ms", &lb_backup_options::busy_timeout_ms, u32_max),
                      bad_option("progress_interval_ms", &lb_backup_options::progress_interval_ms, 1U),
                      bad_option("progress_interval_ms", &lb_backup_options::progress_interval_ms, u32_max),
                      bad_option("wal_limit_bytes", &lb_backup_options::wal_limit_bytes, 1U),
                      bad_option("wal_limit_bytes", &lb_backup_options::wal_limit_bytes, u64_max)),
    [](const auto &tested) { return test_name(std::string(tested.param.field) + "_" + tested.param.value); });

// ------------------------------------------------------------------------------------------------------- config

/// Settings count before the first job only, so each of these tests begins with the library at rest.
class Config : public ApiTest {
protected:
    void SetUp() override { ASSERT_EQ(lb_shutdown(60'000), LB_STATUS_OK); }
    void TearDown() override { EXPECT_EQ(lb_configure(nullptr, nullptr), LB_STATUS_OK); }
};

struct BadSetting {
    const char *field;
    std::uint32_t lb_config::*member;
    std::uint32_t value;
};

class SettingOutOfRange : public Config, public ::testing::WithParamInterface<BadSetting> {};

TEST_P(SettingOutOfRange, is_refused_by_name) {
    auto wanted = config();
    wanted.*GetParam().member = GetParam().value;
    auto why = error();
    EXPECT_EQ(lb_configure(&wanted, &why), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_EQ(why.status, LB_STATUS_INVALID_ARGUMENT);
    EXPECT_NE(std::string(why.message).find(GetParam().field), std::string::npos) << why.message;
    EXPECT_EQ(lb_configure(&wanted, nullptr), LB_STATUS_INVALID_ARGUMENT);
}

INSTANTIATE_TEST_SUITE_P(Settings, SettingOutOfRange,
                         ::testing::Values(BadSetting{"flags", &lb_config::flags, 2},
                                           BadSetting{"flags", &lb_config::flags, u32_max},
                                           BadSetting{"workers", &lb_config::workers, 65},
                                           BadSetting{"workers", &lb_config::workers, u32_max},
                                           BadSetting{"max_concurrent_jobs", &lb_config::max_concurrent_jobs, 65},
                                           BadSetting{"queue_length", &lb_config::queue_length, 65537},
                                           BadSetting{"priority", &lb_config::priority, 2},
                                           BadSetting{"priority", &lb_config::priority, u32_max}),
                         [](const auto &tested) {
                             return std::string(tested.param.field) + "_" + std::to_string(tested.param.value);
                         });

TEST_F(Config, settings_at_their_bounds_are_accepted) {
    auto wanted = config();
    wanted.workers = 64;
    wanted.max_concurrent_jobs = 64;
    wanted.queue_length = 65536;
    wanted.priority = LB_PRIORITY_NORMAL;
    wanted.flags = LB_CONFIG_SOURCE_NOT_OPEN_IN_PROCESS;
    EXPECT_EQ(lb_configure(&wanted, nullptr), LB_STATUS_OK);
}

TEST_F(Config, misaligned_config_is_named) {
    auto wanted = config();
    auto why = error();
    EXPECT_EQ(lb_configure(misaligned(&wanted), &why), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_NE(std::string(why.message).find("config"), std::string::npos) << why.message;
    EXPECT_EQ(lb_configure(&wanted, misaligned(&why)), LB_STATUS_INVALID_ARGUMENT);
}

// --------------------------------------------------------------------------------------- outs of the other functions

class Outs : public CleanTest {};

TEST_F(Outs, null_or_misaligned_progress_is_refused_and_not_written) {
    const auto job = Job::start(source, out / "new.db");
    EXPECT_EQ(job.wait(u32_max), LB_STATUS_OK);
    auto now = progress();
    const auto before = now;
    EXPECT_EQ(lb_backup_progress(job.get(), nullptr), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_EQ(lb_backup_progress(job.get(), misaligned(&now)), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_EQ(std::memcmp(&now, &before, sizeof now), 0);
    fs::remove(out / "new.db");
}

TEST_F(Outs, misaligned_result_leaves_the_handle_open) {
    auto job = Job::start(source, out / "new.db");
    auto outcome = result();
    EXPECT_EQ(lb_backup_join(job.get(), misaligned(&outcome)), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_EQ(outcome.struct_size, sizeof outcome);
    expect_ok(job.join());
    fs::remove(out / "new.db");
}

TEST_F(Outs, jobs_wants_a_count_and_an_array) {
    auto info = job_info();
    std::size_t count = 77;
    EXPECT_EQ(lb_backup_jobs(&info, 1, nullptr), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_EQ(lb_backup_jobs(&info, 1, misaligned(&count)), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_EQ(lb_backup_jobs(nullptr, 1, &count), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_EQ(lb_backup_jobs(misaligned(&info), 1, &count), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_EQ(count, 77U) << "outs are written on success only";
    EXPECT_EQ(lb_backup_jobs(nullptr, 0, &count), LB_STATUS_OK);
    EXPECT_EQ(count, 0U);
}

// -------------------------------------------------------------------------------------------------- struct sizes

/// A structure that ends, after `extra` bytes of zeros, where readable memory ends.
template <class Sized>
class AtTheEdge {
public:
    explicit AtTheEdge(std::size_t extra) : page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))) {
        void *memory = ::mmap(nullptr, 3 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) fail_errno("mmap");
        start_ = static_cast<unsigned char *>(memory);
        if (::mprotect(start_ + 2 * page_, page_, PROT_NONE) != 0) fail_errno("mprotect");
        value_ = reinterpret_cast<Sized *>(start_ + 2 * page_ - sizeof(Sized) - extra);
        value_->struct_size = static_cast<std::uint32_t>(sizeof(Sized) + extra);
    }
    AtTheEdge(const AtTheEdge &) = delete;
    AtTheEdge &operator=(const AtTheEdge &) = delete;
    ~AtTheEdge() { ::munmap(start_, 3 * page_); }

    Sized *get() { return value_; }
    unsigned char &last_byte() { return start_[2 * page_ - 1]; }

private:
    std::size_t page_;
    unsigned char *start_ = nullptr;
    Sized *value_ = nullptr;
};

/// One structure of the interface, by a call in which everything else is right.
template <class Sized>
struct Subject;

template <>
struct Subject<lb_backup_options> {
    static constexpr bool is_input = true, written_on_success = false;
    static lb_status call(const fs::path &source, const fs::path &dest, lb_backup_options *wanted) {
        lb_job *handle = nullptr;
        auto why = error();
        const auto status = lb_backup_start(source.c_str(), dest.c_str(), wanted, &handle, &why);
        if (status != LB_STATUS_OK) {
            EXPECT_NE(std::string(why.message).find("struct_size"), std::string::npos);
        }
        EXPECT_EQ(handle == nullptr, status != LB_STATUS_OK);
        if (status == LB_STATUS_OK) {
            EXPECT_EQ(lb_backup_join(handle, nullptr), LB_STATUS_OK);
        }
        return status;
    }
};

template <>
struct Subject<lb_restore_options> {
    static constexpr bool is_input = true, written_on_success = false;
    static lb_status call(const fs::path &source, const fs::path &dest, lb_restore_options *wanted) {
        const auto outcome = restore(source, dest, *wanted);
        if (outcome.status != LB_STATUS_OK) expect_failed(outcome, LB_STATUS_INVALID_ARGUMENT, "struct_size");
        return outcome.status;
    }
};

template <>
struct Subject<lb_verify_options> {
    static constexpr bool is_input = true, written_on_success = false;
    static lb_status call(const fs::path &source, const fs::path &, lb_verify_options *wanted) {
        const auto outcome = verify(source, *wanted);
        if (outcome.status != LB_STATUS_OK) expect_failed(outcome, LB_STATUS_INVALID_ARGUMENT, "struct_size");
        return outcome.status;
    }
};

template <>
struct Subject<lb_archive_info> {
    static constexpr bool is_input = false, written_on_success = true;
    static lb_status call(const fs::path &source, const fs::path &, lb_archive_info *info) {
        const auto status = lb_backup_inspect(source.c_str(), info, nullptr);
        EXPECT_EQ(info->page_size, status == LB_STATUS_OK ? 4096U : 0U);
        return status;
    }
};

template <>
struct Subject<lb_error> {
    static constexpr bool is_input = false, written_on_success = false;
    static lb_status call(const fs::path &source, const fs::path &dest, lb_error *why) {
        lb_job *handle = nullptr;
        const auto status = lb_backup_start(source.c_str(), dest.c_str(), nullptr, &handle, why);
        EXPECT_EQ(handle == nullptr, status != LB_STATUS_OK);
        EXPECT_STREQ(why->message, "") << "on success not written, with a wrong size never";
        if (status == LB_STATUS_OK) {
            EXPECT_EQ(lb_backup_join(handle, nullptr), LB_STATUS_OK);
        }
        return status;
    }
};

template <>
struct Subject<lb_progress> {
    static constexpr bool is_input = false, written_on_success = true;
    static lb_status call(const fs::path &source, const fs::path &dest, lb_progress *now) {
        const auto job = Job::start(source, dest);
        EXPECT_EQ(job.wait(u32_max), LB_STATUS_OK);
        const auto status = lb_backup_progress(job.get(), now);
        EXPECT_EQ(now->percent, status == LB_STATUS_OK ? 100.0 : 0.0);
        return status;
    }
};

template <>
struct Subject<lb_result> {
    static constexpr bool is_input = false, written_on_success = true;
    static lb_status call(const fs::path &source, const fs::path &dest, lb_result *outcome) {
        auto job = Job::start(source, dest);
        const auto status = lb_backup_join(job.get(), outcome);
        EXPECT_EQ(outcome->pages > 0, status == LB_STATUS_OK);
        if (status == LB_STATUS_OK)
            job.forget();
        else
            expect_ok(job.join());  // the handle is still open
        return status;
    }
};

template <>
struct Subject<lb_job_info> {
    static constexpr bool is_input = false, written_on_success = true;
    static lb_status call(const fs::path &source, const fs::path &dest, lb_job_info *info) {
        const auto job = Job::start(source, dest);
        EXPECT_EQ(job.wait(u32_max), LB_STATUS_OK);
        std::size_t count = 0;
        const auto status = lb_backup_jobs(info, 1, &count);
        EXPECT_EQ(count, status == LB_STATUS_OK ? 1U : 0U);
        EXPECT_EQ(info->job, status == LB_STATUS_OK ? job.get() : nullptr);
        return status;
    }
};

template <>
struct Subject<lb_config> {
    static constexpr bool is_input = true, written_on_success = false;
    static lb_status call(const fs::path &, const fs::path &, lb_config *wanted) {
        EXPECT_EQ(lb_shutdown(60'000), LB_STATUS_OK);
        auto why = error();
        const auto status = lb_configure(wanted, &why);
        if (status != LB_STATUS_OK) {
            EXPECT_NE(std::string(why.message).find("struct_size"), std::string::npos);
        }
        return status;
    }
};

template <class Sized>
class StructSize : public ApiTest {
protected:
    lb_status call(Sized *value) {
        const auto size = value->struct_size;
        const fs::path dest = out / "new.db";
        const auto status = Subject<Sized>::call(source, dest, value);
        EXPECT_EQ(value->struct_size, size) << "the size is the caller's";
        EXPECT_EQ(list_dir(out).size(), fs::exists(dest) ? 1U : 0U);
        fs::remove(dest);
        return status;
    }
};

using Structs = ::testing::Types<lb_backup_options, lb_error, lb_progress, lb_result, lb_job_info, lb_config,
                                 lb_restore_options, lb_verify_options, lb_archive_info>;
struct StructNames {
    template <class Sized>
    static std::string GetName(int index) {
        static const char *const names[] = {"options", "error", "progress", "result", "job_info",
                                            "config", "restore_options", "verify_options", "archive_info"};
        return names[index];
    }
};
TYPED_TEST_SUITE(StructSize, Structs, StructNames);

TYPED_TEST(StructSize, as_declared_is_accepted) {
    AtTheEdge<TypeParam> value(0);
    EXPECT_EQ(this->call(value.get()), LB_STATUS_OK);
}

TYPED_TEST(StructSize, zero_is_refused) {
    AtTheEdge<TypeParam> value(0);
    value.get()->struct_size = 0;
    EXPECT_EQ(this->call(value.get()), LB_STATUS_INVALID_ARGUMENT);
}

TYPED_TEST(StructSize, too_small_is_refused) {
    for (const auto size : {std::size_t{1}, sizeof(std::uint32_t), sizeof(TypeParam) - 1}) {
        AtTheEdge<TypeParam> value(0);
        value.get()->struct_size = static_cast<std::uint32_t>(size);
        EXPECT_EQ(this->call(value.get()), LB_STATUS_INVALID_ARGUMENT) << size;
    }
}

/// A program that was compiled with an earlier header: it knows nothing of what came later.
using EarlierOptions = StructSize<lb_backup_options>;
TEST_F(EarlierOptions, are_accepted_and_what_follows_them_is_not_read) {
    AtTheEdge<lb_backup_options> value(0);
    std::memset(&value.get()->reuse_path, 0x5a, sizeof(char *));
    value.get()->struct_size = offsetof(lb_backup_options, reuse_path);
    EXPECT_EQ(call(value.get()), LB_STATUS_OK);
}

TYPED_TEST(StructSize, larger_with_a_zero_tail_is_accepted) {
    AtTheEdge<TypeParam> value(64);
    EXPECT_EQ(this->call(value.get()), LB_STATUS_OK);
    EXPECT_EQ(value.last_byte(), 0);
}

/// What a newer caller asks for must not be ignored; what it has room for must not be left as it was.
TYPED_TEST(StructSize, larger_with_a_tail_that_is_not_zero_is_refused_for_inputs_and_zeroed_in_outs) {
    AtTheEdge<TypeParam> value(64);
    value.last_byte() = 1;
    const auto status = this->call(value.get());
    if (Subject<TypeParam>::is_input) {
        EXPECT_EQ(status, LB_STATUS_INVALID_ARGUMENT);
        EXPECT_EQ(value.last_byte(), 1);
    } else {
        EXPECT_EQ(status, LB_STATUS_OK);
        EXPECT_EQ(value.last_byte(), Subject<TypeParam>::written_on_success ? 0 : 1);
    }
}

TYPED_TEST(StructSize, absurd_is_refused_without_reading_that_far) {
    for (const auto size : {u32_max, std::uint32_t{0x8000'0000}, std::uint32_t{1 << 24}}) {
        AtTheEdge<TypeParam> value(0);
        value.get()->struct_size = size;
        EXPECT_EQ(this->call(value.get()), LB_STATUS_INVALID_ARGUMENT) << size;
    }
}

TEST_F(StartPointers, error_larger_than_known_is_written_like_any_other) {
    AtTheEdge<lb_error> why(64);
    why.last_byte() = 1;
    EXPECT_EQ(lb_backup_start(nullptr, dest.c_str(), nullptr, &job, why.get()), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_EQ(why.get()->status, LB_STATUS_INVALID_ARGUMENT);
    EXPECT_NE(std::string(why.get()->message).find("source_path"), std::string::npos);
    EXPECT_EQ(why.last_byte(), 0);
}

TEST_F(StartPointers, error_of_configure_with_a_wrong_size_is_refused) {
    auto why = error();
    why.struct_size = 7;
    EXPECT_EQ(lb_configure(nullptr, &why), LB_STATUS_INVALID_ARGUMENT);
    EXPECT_STREQ(why.message, "");
}

}  // namespace
