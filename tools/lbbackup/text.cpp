#include "text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <cwchar>

namespace lbbackup {
namespace {

template <class... Values> std::string print(const char *format, Values... values) {
    std::array<char, 96> text{};
    std::snprintf(text.data(), text.size(), format, values...);
    return text.data();
}

struct Unit {
    const char *name;
    double bytes;
};

Unit unit_of(std::uint64_t count) {
    constexpr std::array<Unit, 5> kUnits = {
        {{"TiB", 0x1p40}, {"GiB", 0x1p30}, {"MiB", 0x1p20}, {"KiB", 0x1p10}, {"B", 1}}};
    for (const Unit &unit : kUnits)
        // 1023.95 KiB and more would be printed as 1024.0.
        if (static_cast<double>(count) >= unit.bytes - unit.bytes / 20480) return unit;
    return kUnits.back();
}

std::string in(const Unit &unit, std::uint64_t count) {
    return decimal(static_cast<double>(count) / unit.bytes, unit.bytes > 1 ? 1 : 0);
}

std::string clock(std::uint64_t seconds) {
    const auto hours = static_cast<unsigned>(seconds / 3600);
    const auto minutes = static_cast<unsigned>(seconds / 60 % 60);
    const auto rest = static_cast<unsigned>(seconds % 60);
    return hours > 0 ? print("%u:%02u:%02u", hours, minutes, rest) : print("%u:%02u", minutes, rest);
}

std::string calendar(const char *format, const std::tm &time) {
    std::array<char, 64> text{};
    return {text.data(), std::strftime(text.data(), text.size(), format, &time)};
}

// Rounded down: the second, and the milliseconds into it.
struct Moment {
    std::time_t second;
    int milliseconds;
    explicit Moment(std::int64_t unix_ns)
        : second(unix_ns / 1'000'000'000), milliseconds(static_cast<int>(unix_ns / 1'000'000 % 1000)) {
        if (unix_ns % 1'000'000'000 >= 0) return;
        --second;
        milliseconds = static_cast<int>((unix_ns % 1'000'000'000 + 1'000'000'000) / 1'000'000);
    }
};

struct Character {
    std::uint32_t code;
    std::size_t length;  // 0 if it is no UTF-8
};

// The first character of a text that is not empty, as RFC 3629 has it: neither longer than needed nor a surrogate.
Character first_character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
    const std::uint32_t first = byte(0);
    if (first < 0x80) return {first, 1};
    const std::size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (length == 0 || length > text.size()) return {0, 0};
    std::uint32_t code = first & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return {0, 0};
        code = code << 6 | (byte(i) & 0x3f);
    }
    const bool too_long = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    if (too_long || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return {0, 0};
    return {code, length};
}

// The controls of bidirectional text, Unicode's annex 9: they show what comes after in another order.
bool turns_direction(std::uint32_t code) {
    return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

}  // namespace

std::string bytes(std::uint64_t count) {
    const Unit unit = unit_of(count);
    return in(unit, count) + " " + unit.name;
}

std::string bytes_of(std::uint64_t part, std::uint64_t whole) {
    const Unit unit = unit_of(whole);
    return in(unit, part) + "/" + in(unit, whole) + " " + unit.name;
}

std::string thousands(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t i = digits.size(); i > 3;) digits.insert(i -= 3, ",");
    return digits;
}

std::string decimal(double number, int digits) { return print("%.*f", digits, number); }

std::string duration(std::uint64_t ns) {
    const double seconds = static_cast<double>(ns) / 1e9;
    return seconds < 59.995 ? decimal(seconds, 2) + " s" : clock(static_cast<std::uint64_t>(seconds + 0.5));
}

std::string seconds(std::uint64_t ns) {
    const std::uint64_t count = (ns + 999'999'999) / 1'000'000'000;
    return count < 60 ? std::to_string(count) + " s" : clock(count);
}

std::string ratio(std::uint64_t image_bytes, std::uint64_t file_bytes) {
    return file_bytes == 0 ? "-" : decimal(static_cast<double>(image_bytes) / static_cast<double>(file_bytes), 2);
}

std::string hex(const std::uint8_t *from, std::size_t count) {
    constexpr const char *kDigits = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        text += kDigits[from[i] >> 4];
        text += kDigits[from[i] & 15];
    }
    return text;
}

std::string utc(std::int64_t unix_ns) {
    const Moment moment(unix_ns);
    std::tm time{};
    gmtime_r(&moment.second, &time);
    return calendar("%Y-%m-%dT%H:%M:%S", time) + print(".%03dZ", moment.milliseconds);
}

std::string local(std::int64_t unix_ns) {
    const Moment moment(unix_ns);
    std::tm time{};
    localtime_r(&moment.second, &time);
    return calendar("%Y-%m-%d %H:%M:%S", time);
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = first_character(text).length;
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

std::string printable(std::string_view text) {
    std::string safe;
    while (!text.empty()) {
        const auto [code, length] = first_character(text);
        if (length == 0 || code < 0x20 || code == 0x7f)
            safe += print("\\x%02x", static_cast<unsigned char>(text.front()));
        else if ((code >= 0x80 && code < 0xa0) || turns_direction(code))
            safe += print("\\u%04x", code);
        else
            safe += text.substr(0, length);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return safe;
}

std::size_t width(const std::string &text) {
    std::size_t columns = 0;
    std::mbstate_t state{};
    for (std::size_t at = 0; at < text.size();) {
        wchar_t character = 0;
        const std::size_t length = std::mbrtowc(&character, text.data() + at, text.size() - at, &state);
        if (length == 0 || length > text.size() - at) {  // no character of this locale: a terminal shows one of its own
            state = {};
            ++at;
            ++columns;
            continue;
        }
        const int wide = wcwidth(character);
        columns += wide > 0 ? static_cast<std::size_t>(wide) : 0;
        at += length;
    }
    return columns;
}

std::string padded(const std::string &text, std::size_t columns) {
    const std::size_t has = width(text);
    return columns > has ? text + std::string(columns - has, ' ') : text;
}

std::string padded_before(const std::string &text, std::size_t columns) {
    const std::size_t has = width(text);
    return columns > has ? std::string(columns - has, ' ') + text : text;
}

}  // namespace lbbackup
