// The C interface with destructors: as much of it as this tool needs.
#pragma once

#include <lb_backup.h>

#include <string>
#include <utility>
#include <vector>

namespace lbbackup {

template <class Sized> Sized sized() {
    Sized value{};
    value.struct_size = static_cast<std::uint32_t>(sizeof value);
    return value;
}

// Sets the library up for this process; before its first use.
void configure();

// What the library warned of since the last call.
std::vector<std::string> take_warnings();

// Owns a handle. What is still at work at the end is cancelled and waited for.
class Job {
public:
    explicit Job(lb_job *handle) : handle_(handle) {}
    Job(const Job &) = delete;
    Job &operator=(const Job &) = delete;
    ~Job() {
        if (handle_ == nullptr) return;
        lb_backup_cancel(handle_);
        lb_backup_join(handle_, nullptr);
    }

    lb_progress progress() const {
        auto now = sized<lb_progress>();
        lb_backup_progress(handle_, &now);
        return now;
    }
    void cancel() const { lb_backup_cancel(handle_); }
    lb_result join() {
        auto result = sized<lb_result>();
        lb_backup_join(std::exchange(handle_, nullptr), &result);
        return result;
    }

private:
    lb_job *handle_;
};

}  // namespace lbbackup
