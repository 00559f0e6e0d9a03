// What a directory may look like after a power loss, if a file system keeps what it has promised and nothing else;
// docs/POWER.md says what that is, and who says so. SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_POWER_MODEL_HPP
#define LBTEST_POWER_MODEL_HPP

#include "recorder.h"
#include "support/support.hpp"

#include <sys/stat.h>

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string_view>

namespace lbtest::power {

/// What a disk writes whole or not at all.
constexpr std::size_t sector_bytes = 512;

using Random = std::mt19937_64;

inline bool toss(Random &random, double probability) { return std::bernoulli_distribution(probability)(random); }

/// Which of what is not durable has reached the disk.
struct Fate {
    enum Share { none, all, latest, all_but_latest, some };
    Share data = none;
    Share size = none;
    double probability = 0.5;  // of each version of `some`
    bool garbage = false;      // where a file has grown and its data did not arrive: zeros otherwise
};

/// A file: what is durable of it, what programs see, and all the versions between of each sector and of the size.
class File {
public:
    File() = default;
    explicit File(std::string durable) : durable_(durable), seen_(std::move(durable)) {}

    void write(std::size_t offset, std::string_view bytes) {
        if (seen_.size() < offset + bytes.size()) seen_.resize(offset + bytes.size(), '\0');
        seen_.replace(offset, bytes.size(), bytes);
        touched(offset, offset + bytes.size());
    }
    void truncate(std::size_t size) {
        const auto before = seen_.size();
        seen_.resize(size, '\0');
        touched(std::min(size, before), std::max(size, before));
    }
    void sync() {
        durable_ = seen_;
        versions_.clear();
        sizes_.clear();
    }

    const std::string &seen() const { return seen_; }
    bool is_pending() const { return !sizes_.empty(); }

    std::string after(const Fate &fate, Random &random) const {
        if (sizes_.empty()) return durable_;
        std::string content = durable_;
        content.resize(pick(sizes_.size(), fate.size, fate, random, sizes_.size() - 1,
                            [&](std::size_t version) { return version == 0 ? durable_.size() : sizes_[version - 1]; }));
        for (const auto &[sector, versions] : versions_) {
            const auto start = sector * sector_bytes;
            if (start >= content.size()) break;
            const auto length = std::min(sector_bytes, content.size() - start);
            const auto version = pick(versions.size(), fate.data, fate, random,
                                      versions.back().change == sizes_.size() ? versions.size() - 1 : versions.size(),
                                      [](std::size_t n) { return n; });
            if (version > 0)
                content.replace(start, length, versions[version - 1].bytes, 0, length);
            else if (fate.garbage && start >= durable_.size())
                content.replace(start, length, length, '\xA5');
        }
        return content;
    }

private:
    struct Version {
        std::size_t change;  // the number of the change that made it
        std::string bytes;   // a whole sector, zeros beyond the end of the file
    };

    void touched(std::size_t start, std::size_t end) {
        sizes_.push_back(seen_.size());
        for (auto sector = start / sector_bytes; sector * sector_bytes < end; ++sector) {
            const auto at = sector * sector_bytes;
            auto bytes = at < seen_.size() ? seen_.substr(at, sector_bytes) : std::string();
            bytes.resize(sector_bytes, '\0');
            versions_[sector].push_back({sizes_.size(), std::move(bytes)});
        }
    }

    /// One of `count` versions, or 0 for the durable one. `before_latest`: which it was before the latest change.
    template <class Value>
    static std::size_t pick(std::size_t count, Fate::Share share, const Fate &fate, Random &random,
                            std::size_t before_latest, Value value) {
        switch (share) {
        case Fate::none:
            return value(0);
        case Fate::all:
            return value(count);
        case Fate::latest:
            return value(before_latest == count ? 0 : count);
        case Fate::all_but_latest:
            return value(before_latest);
        case Fate::some:
            break;
        }
        if (!toss(random, fate.probability)) return value(0);
        return value(std::uniform_int_distribution<std::size_t>(1, count)(random));
    }

    std::string durable_, seen_;
    std::map<std::size_t, std::vector<Version>> versions_;
    std::vector<std::size_t> sizes_;  // after each change
};

using Names = std::map<std::string, std::shared_ptr<File>>;
/// Names and bytes.
using State = std::map<std::string, std::string>;

inline std::size_t hash_of(const State &state) {
    std::size_t hash = 0;
    for (const auto &[name, bytes] : state) {
        hash = hash * 1099511628211U + std::hash<std::string>()(name);
        hash = hash * 1099511628211U + std::hash<std::string>()(bytes);
    }
    return hash;
}

/// One change of names, which a file system makes as a whole or not at all.
struct Renaming {
    recorded_kind kind;
    std::string name, other;
    std::shared_ptr<File> file;

    void apply(Names &names) const {
        switch (kind) {
        case RECORDED_LINK:
            names[name] = file;
            break;
        case RECORDED_UNLINK:
            names.erase(name);
            break;
        case RECORDED_RENAME:
            names[other] = names.at(name);
            names.erase(name);
            break;
        default:
            std::swap(names.at(name), names.at(other));
            break;
        }
    }
    /// Two changes of one name take place in their order.
    bool needs(const Renaming &earlier) const {
        const auto is_same = [](const std::string &one, const std::string &another) {
            return !one.empty() && one == another;
        };
        return is_same(name, earlier.name) || is_same(name, earlier.other) || is_same(other, earlier.name) ||
               is_same(other, earlier.other);
    }
};

/// Protections that are taken away, to see that they are needed.
struct Dropped {
    bool file_syncs = false;
    bool directory_syncs = false;
};

/// A directory, event after event.
class Directory {
public:
    /// As it is now; all of it durable but the entries called `fleeting`. What ends in -shm is left out.
    Directory(const fs::path &path, const std::vector<std::string> &fleeting, Dropped dropped) : dropped_(dropped) {
        inode_ = inode_of(path);
        for (const auto &name : list_dir(path)) {
            if (is_index(name)) continue;
            auto file = std::make_shared<File>(read_file(path / name));
            files_[inode_of(path / name)] = file;
            if (std::find(fleeting.begin(), fleeting.end(), name) == fleeting.end())
                durable_[name] = file;
            else
                pending_.push_back({RECORDED_LINK, name, "", file});
            seen_[name] = file;
        }
    }

    /// Of its own: what happens to one does not happen to the other.
    Directory(const Directory &other)
        : dropped_(other.dropped_), inode_(other.inode_), durable_(other.durable_), seen_(other.seen_),
          pending_(other.pending_) {
        std::map<std::shared_ptr<File>, std::shared_ptr<File>> copies;
        const auto copy = [&](std::shared_ptr<File> &file) {
            if (file == nullptr) return;
            auto &copied = copies[file];
            if (copied == nullptr) copied = std::make_shared<File>(*file);
            file = copied;
        };
        for (auto *names : {&durable_, &seen_})
            for (auto &[name, file] : *names) copy(file);
        for (auto &renaming : pending_) copy(renaming.file);
        files_ = other.files_;
        for (auto &[inode, file] : files_) copy(file);
    }
    Directory &operator=(const Directory &) = delete;

    /// False for an event that changes nothing that could be lost or kept.
    bool apply(const recorded &event) {
        const auto found = files_.find(event.inode);
        const bool is_file = found != files_.end();
        switch (event.kind) {
        case RECORDED_CREATE: {
            const std::string name = event.name;
            files_.erase(event.inode);
            if (is_index(name)) return false;
            auto file = files_[event.inode] = std::make_shared<File>();
            if (!name.empty()) rename({RECORDED_LINK, name, "", file});
            return !name.empty();
        }
        case RECORDED_WRITE:
            if (is_file)
                found->second->write(event.offset, {reinterpret_cast<const char *>(event.bytes), event.length});
            return is_file;
        case RECORDED_TRUNCATE:
            if (is_file) found->second->truncate(event.length);
            return is_file;
        case RECORDED_SYNC:
            if (event.inode == inode_ && !dropped_.directory_syncs) {
                for (const auto &renaming : pending_) renaming.apply(durable_);
                pending_.clear();
            }
            if (is_file && !dropped_.file_syncs) found->second->sync();
            return is_file || event.inode == inode_;
        case RECORDED_LINK:
            if (!is_file) fail(std::string("the record does not know what was linked as ") + event.name);
            rename({RECORDED_LINK, event.name, "", found->second});
            return true;
        case RECORDED_UNLINK:
        case RECORDED_RENAME:
        case RECORDED_EXCHANGE:
            if (is_index(event.name)) return false;
            rename({event.kind, event.name, event.other, nullptr});
            return true;
        case RECORDED_RANGE:
        case RECORDED_SUCCESS:
            break;
        }
        return event.kind == RECORDED_SUCCESS;
    }

    /// What programs see now.
    State seen() const {
        State state;
        for (const auto &[name, file] : seen_) state[name] = file->seen();
        return state;
    }

    /// Calls `visit` with states that there may be if the power goes now: with every legal choice of the changes of names
    /// (of more than eight, with some), and for each with chosen fates of what was written, and `draws` random ones.
    void for_each_state(std::size_t draws, Random &random, const std::function<void(const State &)> &visit) const {
        for (const auto &names : legal_names(random)) {
            std::vector<std::string> pending;
            for (const auto &[name, file] : names)
                if (file->is_pending()) pending.push_back(name);
            if (pending.empty()) {
                visit(build(
                    names, [](const std::string &) { return Fate{}; }, random));
                continue;
            }
            static const Fate common[] = {
                {Fate::none, Fate::none},
                {Fate::all, Fate::all},
                {Fate::none, Fate::all},
                {Fate::all, Fate::none},
                {Fate::none, Fate::all, 0, true},
                {Fate::latest, Fate::all},
                {Fate::latest, Fate::all, 0, true},
                {Fate::all_but_latest, Fate::all_but_latest},
                {Fate::all_but_latest, Fate::all},
            };
            for (const auto &fate : common)
                visit(build(
                    names, [&](const std::string &) { return fate; }, random));
            if (pending.size() > 1)  // one of them as it is seen, the others as they were; and the other way round
                for (const auto &chosen : pending)
                    for (const auto share : {Fate::all, Fate::none})
                        visit(build(
                            names,
                            [&](const std::string &name) {
                                const auto fate = (name == chosen) == (share == Fate::all) ? Fate::all : Fate::none;
                                return Fate{fate, fate};
                            },
                            random));
            for (std::size_t draw = 0; draw < draws; ++draw)
                visit(build(
                    names, [&](const std::string &) { return any_fate(random); }, random));
        }
    }

private:
    static bool is_index(const std::string &name) {
        return name.size() > 4 && name.compare(name.size() - 4, 4, "-shm") == 0;
    }
    static std::uint64_t inode_of(const fs::path &path) {
        struct stat info;
        if (::lstat(path.c_str(), &info) != 0) fail_errno("lstat " + path.string());
        return info.st_ino;
    }

    void rename(Renaming renaming) {
        renaming.apply(seen_);
        pending_.push_back(std::move(renaming));
    }

    static Fate any_fate(Random &random) {
        static const double probabilities[] = {0.03, 0.2, 0.5, 0.8, 0.97};
        const auto share = [&] { return static_cast<Fate::Share>(std::uniform_int_distribution<int>(0, 5)(random)); };
        Fate fate;
        fate.data = std::min(share(), Fate::some);  // `some` twice as often
        fate.size = std::min(share(), Fate::some);
        fate.probability = probabilities[std::uniform_int_distribution<std::size_t>(0, 4)(random)];
        fate.garbage = toss(random, 0.3);
        return fate;
    }

    std::vector<Names> legal_names(Random &random) const {
        std::vector<Names> legal;
        const auto try_choice = [&](auto is_chosen) {
            std::vector<const Renaming *> done, undone;
            for (std::size_t i = 0; i < pending_.size(); ++i) {
                const bool chosen = is_chosen(i);
                if (chosen && std::any_of(undone.begin(), undone.end(),
                                          [&](auto *earlier) { return pending_[i].needs(*earlier); }))
                    return;
                (chosen ? done : undone).push_back(&pending_[i]);
            }
            Names names = durable_;
            for (const auto *renaming : done) renaming->apply(names);
            legal.push_back(std::move(names));
        };
        constexpr std::size_t few = 8;
        if (pending_.size() <= few) {
            for (std::size_t choice = 0; choice < std::size_t{1} << pending_.size(); ++choice)
                try_choice([&](std::size_t i) { return (choice >> i & 1) != 0; });
            return legal;
        }
        for (std::size_t first = 0; first <= pending_.size(); ++first)
            try_choice([&](std::size_t i) { return i < first; });
        for (int tries = 0; tries < 64; ++tries) try_choice([&](std::size_t) { return toss(random, 0.7); });
        return legal;
    }

    /// A file with two names has one fate.
    template <class FateOf> static State build(const Names &names, FateOf fate_of, Random &random) {
        State state;
        std::map<const File *, const std::string *> built;
        for (const auto &[name, file] : names) {
            auto &bytes = built[file.get()];
            auto &content = state[name];
            content = bytes != nullptr ? *bytes : file->after(fate_of(name), random);
            bytes = &content;
        }
        return state;
    }

    const Dropped dropped_;
    std::uint64_t inode_ = 0;
    std::map<std::uint64_t, std::shared_ptr<File>> files_;
    Names durable_, seen_;
    std::vector<Renaming> pending_;
};

}  // namespace lbtest::power

#endif
