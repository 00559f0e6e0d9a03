// The operations that the power is cut in: what is laid out for each, what it runs, and what must be found afterwards.
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_POWER_SCENES_HPP
#define LBTEST_POWER_SCENES_HPP

#include "recorder.h"
#include "support/support.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>

namespace lbtest::power {

enum class Outcome { absent, old, made };

inline void expect(bool condition, const std::string &otherwise) {
    if (!condition) fail(otherwise);
}

inline void must(const lb_result &outcome, const std::string &what) {
    if (outcome.status != LB_STATUS_OK) fail(what + ": " + lb_status_name(outcome.status) + ": " + outcome.message);
}

/// Of a database that this opens as any program would, and closes again.
inline std::uint64_t sound_content(const fs::path &database) {
    Db db(database, SQLITE_OPEN_READWRITE);
    const auto verdict = db.text("PRAGMA integrity_check");
    expect(verdict == "ok", "integrity_check of " + database.filename().string() + ": " + verdict);
    const auto content = content_hash(db);
    // As any writer after a crash: what is left of a journal goes.
    db.exec("PRAGMA user_version = " + std::to_string(db.scalar("PRAGMA user_version") + 1));
    return content;
}

/// One operation, recorded in a directory of its own, and judged in others.
class Scene {
public:
    Scene() {
        fs::create_directory(out);
        // Nobody else's business.
        write_file(out / "notes.txt", "not ours");
        write_file(out / ".lb_backup-notes.tmp", "not ours either");
        make_database(small_, sized("DELETE", 9));
        small_content_ = sound_content(small_);
    }
    Scene(const Scene &) = delete;
    Scene &operator=(const Scene &) = delete;
    virtual ~Scene() = default;

    /// The operation, whose completion marks the record.
    virtual lb_result run() = 0;
    /// When the recording has ended.
    virtual void leave() {}
    /// What is found in a directory that was `out` when the power went; throws what must not be. Whether the job had
    /// `succeeded` by then. The first to open what it finds is the library, or the host.
    virtual Outcome judge(const fs::path &found, bool succeeded, bool library_first) = 0;
    /// Names whose entries may not be on the disk yet at the beginning.
    virtual std::vector<std::string> fleeting() const { return {}; }

    const fs::path &directory() const { return dir_.path(); }

private:
    TempDir dir_;
    const fs::path small_ = dir_ / "small.db";
    std::uint64_t small_content_ = 0;

protected:
    const fs::path source = dir_ / "game.db";
    const fs::path out = dir_ / "out";

    static DatabaseOptions sized(const std::string &journal_mode, int seed, int page_size = 4096, int rows = 60) {
        DatabaseOptions wanted;
        wanted.journal_mode = journal_mode;
        wanted.page_size = page_size;
        wanted.rows = rows;
        wanted.bytes = rows * 1000;
        wanted.seed = seed;
        return wanted;
    }

    /// A source, in WAL mode with commits in the log.
    void take_source(const std::string &journal_mode, int page_size = 4096, int rows = 60) {
        make_database(source, sized(journal_mode, 1, page_size, rows));
        host_.emplace(source);
        host_->exec("PRAGMA wal_autocheckpoint = 0");
        host_->exec("UPDATE moves SET bid = 'in the log' WHERE id % 7 = 0");
        content_ = content_hash(*host_);
    }
    void take_archive(const fs::path &path) {
        auto chunked = options();
        chunked.chunk_size = 65536;
        must(backup(source, path, chunked), "an archive");
    }

    template <class Options> static void mark_completion(Options &wanted) {
        wanted.on_complete = [](lb_job *, const lb_result *outcome, void *) {
            if (outcome->status == LB_STATUS_OK) recorder_mark_success();
        };
    }

    /// The content of an archive that verifies fully.
    std::uint64_t verified_content(const fs::path &archive) const {
        auto full = verify_options();
        full.verify = LB_VERIFY_FULL;
        must(verify(archive, full), "lb_verify");
        const TempDir image;
        must(restore(archive, image / "image.db"), "a restore of what was found");
        return sound_content(image / "image.db");
    }

    /// A next backup succeeds, and takes away what an earlier run has left.
    void back_up_again(const fs::path &found) const {
        must(backup(small_, found / "next.db"), "the next backup");
        expect(sound_content(found / "next.db") == small_content_, "the next backup has another content");
    }
    void expect_names(const fs::path &found, std::vector<std::string> names) const {
        names.insert(names.end(), {"next.db", "notes.txt", ".lb_backup-notes.tmp"});
        std::sort(names.begin(), names.end());
        const auto there = list_dir(found);
        std::string list;
        for (const auto &name : there) list += " " + name;
        expect(there == names, "left behind or gone: there is" + list);
        expect(read_file(found / "notes.txt") == "not ours", "notes.txt changed");
        expect(read_file(found / ".lb_backup-notes.tmp") == "not ours either", ".lb_backup-notes.tmp changed");
    }

    std::optional<Db> host_;
    std::uint64_t content_ = 0;
};

// --------------------------------------------------------------------------------------------------------- backups

class BackupScene : public Scene {
public:
    struct Shape {
        const char *journal_mode;
        const char *name;
        bool replacing = false;
        bool reusing = false;
        std::uint32_t verify = LB_VERIFY_QUICK;
    };

    explicit BackupScene(const Shape &shape) : dest(out / shape.name) {
        take_source(shape.journal_mode);
        wanted.chunk_size = 65536;
        wanted.verify = shape.verify;
        if (shape.replacing || shape.reusing) take_archive(shape.replacing ? dest : parent);
        if (shape.replacing) {
            earlier_ = read_file(dest);
            wanted.existing = LB_EXISTING_REPLACE;
        }
        if (shape.reusing) wanted.reuse_path = shape.replacing ? dest.c_str() : parent.c_str();
        host_->exec("UPDATE moves SET bid = 'later' WHERE id % 9 = 0");
        content_ = content_hash(*host_);
        mark_completion(wanted);
    }

    lb_result run() override { return backup(source, dest, wanted); }
    void leave() override {
        made_ = read_file(dest);
        host_.reset();
    }

    Outcome judge(const fs::path &found, bool succeeded, bool library_first) override {
        const auto name = dest.filename();
        if (library_first) back_up_again(found);
        auto outcome = Outcome::absent;
        if (!fs::exists(found / name)) {
            expect(earlier_.empty(), "the earlier backup is gone");
        } else if (const auto bytes = read_file(found / name); !earlier_.empty() && bytes == earlier_) {
            outcome = Outcome::old;
        } else {
            expect(bytes == made_, "the backup is neither the old one nor the new one");
            expect(verified_content(found / name) == content_, "the backup has another content");
            outcome = Outcome::made;
        }
        expect(!succeeded || outcome == Outcome::made, "the job had succeeded, and its backup is not there");
        if (!library_first) back_up_again(found);
        expect_names(found,
                     outcome == Outcome::absent ? std::vector<std::string>{} : std::vector<std::string>{name.string()});
        return outcome;
    }

private:
    const fs::path dest, parent = directory() / "parent.db.zst";
    lb_backup_options wanted = options();
    std::string earlier_, made_;
};

// -------------------------------------------------------------------------------------------------- restores to new

class RestoreScene : public Scene {
public:
    struct Shape {
        const char *archive;
        std::uint32_t verify = LB_VERIFY_QUICK;
        const char *leftover = "";  // "-wal" or "-journal": of a database that is gone
    };

    explicit RestoreScene(const Shape &shape) : archive(directory() / shape.archive) {
        take_source("DELETE");
        if (archive.extension() == ".gz") {
            take_archive(directory() / "plain.db");
            gzip(directory() / "plain.db", archive);
        } else {
            take_archive(archive);
        }
        wanted.verify = shape.verify;
        mark_completion(wanted);
        if (const std::string suffix = shape.leftover; !suffix.empty()) {
            wanted.existing = LB_EXISTING_REPLACE;
            leave_behind(suffix);
        }
    }

    lb_result run() override { return restore(archive, dest, wanted); }
    void leave() override { host_.reset(); }

    Outcome judge(const fs::path &found, bool succeeded, bool library_first) override {
        const auto database = found / dest.filename();
        if (library_first) back_up_again(found);
        auto outcome = Outcome::absent;
        if (fs::exists(database)) {
            expect(sound_content(database) == content_, "the restored database has another content");
            outcome = Outcome::made;
        }
        expect(!succeeded || outcome == Outcome::made, "the job had succeeded, and its database is not there");
        // Whatever is there: onto it, or to where nothing is.
        auto again = restore_options();
        again.existing = LB_EXISTING_REPLACE;
        must(restore(archive, database, again), "the next restore");
        expect(sound_content(database) == content_, "the next restore has another content");
        if (!library_first) back_up_again(found);
        expect_names(found, {dest.filename().string()});
        return outcome;
    }

private:
    /// A log, or a journal, that whoever opens the name would replay.
    void leave_behind(const std::string &suffix) const {
        const auto kept = directory() / "leftover";
        make_database(dest, sized(suffix == "-wal" ? "WAL" : "DELETE", 3));
        {
            Db gone(dest);
            gone.exec("PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 5");
            gone.exec("BEGIN; UPDATE moves SET bid = 'of another database'");
            if (suffix == "-wal") gone.exec("COMMIT");
            fs::copy_file(dest.string() + suffix, kept);
        }
        fs::remove(dest);
        fs::rename(kept, dest.string() + suffix);
    }

    const fs::path archive, dest = out / "restored.db";
    lb_restore_options wanted = restore_options();
};

// ------------------------------------------------------------------------------------------------- restores to live

class LiveScene : public Scene {
public:
    struct Shape {
        const char *journal_mode;  // of the live database
        const char *archive;
        const char *keeping = nullptr;
        std::uint32_t verify = LB_VERIFY_QUICK;
        enum { in_use, with_commits_in_its_log, at_rest, empty } condition = in_use;
        int page_size = 4096;  // of both
        int rows = 60;
        bool other_layout = false;  // the live database has pages of a quarter of that
    };

    explicit LiveScene(const Shape &shape) : shape_(shape), archive(directory() / shape.archive) {
        take_source("WAL", shape.page_size, shape.rows);
        take_archive(archive);
        if (shape.condition == Shape::empty) {
            write_file(dest, "");
            old_content_ = content_hash(dest);
        } else {
            const auto page_size = shape.other_layout ? shape.page_size / 4 : shape.page_size;
            make_database(dest, sized(shape.journal_mode, 2, page_size, shape.rows));
            player_.emplace(dest);
            player_->exec("PRAGMA wal_autocheckpoint = 0; UPDATE players SET rating = 7");
            if (shape.condition == Shape::in_use) player_->exec("PRAGMA wal_checkpoint");
            old_content_ = content_hash(*player_);
            if (shape.condition == Shape::at_rest) player_.reset();
        }
        wanted.existing = LB_EXISTING_REPLACE;
        wanted.verify = shape.verify;
        if (shape.keeping != nullptr) {
            kept_ = out / shape.keeping;
            wanted.keep_previous = kept_.c_str();
        }
        mark_completion(wanted);
    }

    lb_result run() override { return restore(archive, dest, wanted); }
    void leave() override {
        player_.reset();
        host_.reset();
    }
    std::vector<std::string> fleeting() const override {
        // In WAL mode without synchronous=FULL a host syncs nothing before a checkpoint. What this log holds the database
        // has, too: the log may be gone.
        return shape_.condition == Shape::in_use ? std::vector<std::string>{"live.db-wal"} : std::vector<std::string>{};
    }

    Outcome judge(const fs::path &found, bool succeeded, bool library_first) override {
        const auto database = found / dest.filename();
        expect(fs::exists(database), "the database is gone");
        if (library_first) back_up_again(found);
        const auto archived = found / "next.db.zst";
        if (library_first) must(backup(database, archived), "a backup of what was found");
        const auto content = sound_content(database);
        expect(content == content_ || content == old_content_, "the database has neither the old nor the new content");
        const auto outcome = content == content_ ? Outcome::made : Outcome::old;
        if (library_first)
            expect(verified_content(archived) == content, "a backup has another content than its source");
        fs::remove(archived);
        take_away_dead_journal(database);
        expect(!succeeded || outcome == Outcome::made, "the job had succeeded, and the database has its old content");
        std::vector<std::string> names{dest.filename().string()};
        if (const auto kept = found / kept_.filename(); !kept_.empty() && fs::exists(kept)) {
            expect(content_of_kept(kept) == old_content_, "what was kept has another content");
            names.push_back(kept_.filename().string());
        } else {
            expect(kept_.empty() || outcome == Outcome::old,
                   "the database has its new content, and the old was not kept");
        }
        if (!library_first) back_up_again(found);
        expect_names(found, names);
        return outcome;
    }

private:
    /// Nobody writes, or removes, the journal of a database in WAL mode; but SQLite looks at it at each opening, so that
    /// it must say that there is nothing to roll back.
    static void take_away_dead_journal(const fs::path &database) {
        const fs::path journal = database.string() + "-journal";
        if (!fs::exists(journal) || read_file(database).at(18) != 2) return;
        const auto bytes = read_file(journal);
        expect(bytes.empty() || bytes[0] == '\0', "a journal is left that will be replayed");
        fs::remove(journal);
    }

    /// The same bytes are not looked at twice.
    std::uint64_t content_of_kept(const fs::path &kept) {
        const auto bytes = read_file(kept);
        const auto known = contents_.find(bytes);
        return known != contents_.end() ? known->second : contents_[bytes] = verified_content(kept);
    }

    const Shape shape_;
    const fs::path archive, dest = out / "live.db";
    fs::path kept_;
    lb_restore_options wanted = restore_options();
    std::optional<Db> player_;
    std::uint64_t old_content_ = 0;
    std::map<std::string, std::uint64_t> contents_;
};

// ------------------------------------------------------------------------------------------------------------- list

struct Named {
    std::string name;
    unsigned lacking;  // what the file system is made to lack
    bool large;        // not every event is worth a look
    std::function<std::unique_ptr<Scene>()> make;
};

inline std::vector<Named> every_scene() {
    std::vector<Named> scenes;
    constexpr auto full = LB_VERIFY_FULL, quick = LB_VERIFY_QUICK;
    constexpr unsigned no_names = RECORDER_NO_NAMELESS_FILES, plain_posix = no_names | RECORDER_NO_RENAME_FLAGS;
    const auto backup = [&](const std::string &name, BackupScene::Shape shape, unsigned lacking = 0) {
        scenes.push_back({"backup " + name, lacking, false, [=] { return std::make_unique<BackupScene>(shape); }});
    };
    const auto restore = [&](const std::string &name, RestoreScene::Shape shape, unsigned lacking = 0) {
        scenes.push_back({"restore " + name, lacking, false, [=] { return std::make_unique<RestoreScene>(shape); }});
    };
    const auto live = [&](const std::string &name, LiveScene::Shape shape, unsigned lacking = 0) {
        const bool large = shape.rows > 1000;
        scenes.push_back({"live " + name, lacking, large, [=] { return std::make_unique<LiveScene>(shape); }});
    };
    for (const std::string mode : {"WAL", "DELETE"})
        for (const std::string name : {"new.db", "new.db.zst"})
            for (const bool replacing : {false, true}) {
                const auto what = mode + " to " + name + (replacing ? ", replacing" : "");
                const BackupScene::Shape shape{mode == "WAL" ? "WAL" : "DELETE",
                                               name == "new.db" ? "new.db" : "new.db.zst", replacing};
                backup(what, shape);
                backup(what + ", hidden names", shape, no_names);
                backup(what + ", plain renames", shape, plain_posix);
            }
    backup("WAL to new.db.zst, reusing", {"WAL", "new.db.zst", false, true});
    backup("WAL to new.db.zst, replacing what it reuses", {"WAL", "new.db.zst", true, true, full});
    backup("WAL to new.db, verified fully", {"WAL", "new.db", false, false, full});
    restore("archive", {"archive.db.zst"});
    restore("archive, verified fully", {"archive.db.zst", full});
    restore("plain file", {"archive.db"});
    restore("gzip", {"plain.db.gz"});
    restore("archive, hidden names", {"archive.db.zst"}, no_names);
    restore("archive, plain renames", {"archive.db.zst"}, plain_posix);
    restore("archive beside an old log", {"archive.db.zst", quick, "-wal"});
    restore("archive beside an old journal", {"archive.db.zst", quick, "-journal"});
    restore("archive beside an old log, plain renames", {"archive.db.zst", quick, "-wal"}, plain_posix);
    using Shape = LiveScene::Shape;
    live("WAL", {"WAL", "archive.db.zst"});
    live("WAL, plain file", {"WAL", "archive.db"});
    live("WAL, keeping", {"WAL", "archive.db.zst", "kept.db.zst"});
    live("WAL, keeping plain", {"WAL", "archive.db.zst", "kept.db", full});
    live("WAL, commits in the log", {"WAL", "archive.db.zst", "kept.db", quick, Shape::with_commits_in_its_log});
    live("WAL, nobody's", {"WAL", "archive.db.zst", nullptr, quick, Shape::at_rest});
    live("DELETE", {"DELETE", "archive.db.zst"});
    live("DELETE, plain file", {"DELETE", "archive.db"});
    live("DELETE, keeping", {"DELETE", "archive.db.zst", "kept.db.zst"});
    live("DELETE, keeping, plain renames", {"DELETE", "archive.db.zst", "kept.db.zst"}, plain_posix);
    live("PERSIST", {"PERSIST", "archive.db.zst"});
    live("WAL, other layout", {"WAL", "archive.db.zst", "kept.db.zst", quick, Shape::at_rest, 4096, 60, true});
    live("DELETE, other layout", {"DELETE", "archive.db.zst", "kept.db.zst", quick, Shape::at_rest, 4096, 60, true});
    live("empty file", {"DELETE", "archive.db.zst", nullptr, quick, Shape::empty});
    // More pages than SQLite's cache holds: some are written before the commit.
    live("WAL, larger than the cache", {"WAL", "archive.db.zst", nullptr, quick, Shape::in_use, 16384, 3000});
    live("DELETE, larger than the cache", {"DELETE", "archive.db.zst", nullptr, quick, Shape::in_use, 16384, 3000});
    return scenes;
}

}  // namespace lbtest::power

#endif
