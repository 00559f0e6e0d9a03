#include "library.hpp"

#include <mutex>
#include <stdexcept>

namespace lbbackup {
namespace {

// Lives as long as the library may call.
struct Log {
    std::mutex mutex;
    std::vector<std::string> warnings;
};

Log &log() {
    static auto *lasting = new Log;
    return *lasting;
}

void on_log(std::uint32_t level, const char *message, void *) {
    if (level != LB_LOG_WARNING) return;
    const std::lock_guard<std::mutex> lock(log().mutex);
    log().warnings.emplace_back(message);
}

}  // namespace

void configure() {
    auto config = sized<lb_config>();
    // So that the tool also works where a sandbox keeps the library from separating its locks from those of its host:
    // nothing in this process but the library opens a database.
    config.flags = LB_CONFIG_SOURCE_NOT_OPEN_IN_PROCESS;
    config.on_log = on_log;
    auto error = sized<lb_error>();
    if (lb_configure(&config, &error) != LB_STATUS_OK) throw std::runtime_error(error.message);
}

std::vector<std::string> take_warnings() {
    const std::lock_guard<std::mutex> lock(log().mutex);
    return std::exchange(log().warnings, {});
}

}  // namespace lbbackup
