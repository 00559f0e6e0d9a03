// The operations that are walked through, each with a host at work: what it lays out, what it runs, and what must hold
// afterwards, whatever failed. SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_FAULTS_SCENES_HPP
#define LBTEST_FAULTS_SCENES_HPP

#include "support/support.hpp"

#include <csignal>
#include <functional>
#include <memory>
#include <optional>

namespace lbtest {

/// Another process: whoever is refused by the host's locks. It also reads the host's files, which the host itself must
/// not open and close beside its SQLite.
class Assistant {
public:
    Assistant() {
        int down[2], up[2];
        if (::pipe2(down, O_CLOEXEC) != 0 || ::pipe2(up, O_CLOEXEC) != 0) fail_errno("pipe2");
        child_ = ::fork();
        if (child_ < 0) fail_errno("fork");
        if (child_ == 0) {
            ::close(down[1]);
            ::close(up[0]);
            serve(down[0], up[1]);
            ::_exit(0);
        }
        ::close(down[0]);
        ::close(up[1]);
        to_ = down[1];
        from_ = up[0];
    }
    Assistant(const Assistant &) = delete;
    Assistant &operator=(const Assistant &) = delete;
    ~Assistant() {
        ::close(to_);
        ::close(from_);
        ::waitpid(child_, nullptr, 0);
    }

    /// SQLite's code for whoever wants to write to the database.
    int try_to_write(const fs::path &database) { return static_cast<int>(ask('w', database)); }
    /// A hash of the file's bytes; 0 if there is none.
    std::uint64_t digest(const fs::path &file) { return ask('d', file); }

private:
    std::uint64_t ask(char what, const fs::path &file) {
        const std::string question = what + file.string() + '\n';
        std::uint64_t answer = 0;
        if (::write(to_, question.data(), question.size()) != static_cast<ssize_t>(question.size()) ||
            ::read(from_, &answer, sizeof answer) != sizeof answer)
            fail_errno("the other process is gone");
        return answer;
    }

    static void serve(int from, int to) {
        std::string question;
        for (char c = 0; ::read(from, &c, 1) == 1;) {
            if (c != '\n') {
                question += c;
                continue;
            }
            const std::uint64_t answer = question[0] == 'w' ? write(question.substr(1)) : hash(question.substr(1));
            question.clear();
            if (::write(to, &answer, sizeof answer) != sizeof answer) break;
        }
    }
    static std::uint64_t write(const std::string &path) {
        Db db(path, SQLITE_OPEN_READWRITE);
        return static_cast<std::uint64_t>(db.try_exec("BEGIN IMMEDIATE"));
    }
    static std::uint64_t hash(const std::string &path) {
        if (!fs::exists(path)) return 0;
        std::uint64_t hash = 1469598103934665603U;  // FNV-1a
        for (const char c : read_file(path)) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
        return hash;
    }

    pid_t child_ = 0;
    int to_ = -1;
    int from_ = -1;
};

inline void expect(bool condition, const std::string &otherwise) {
    if (!condition) fail(otherwise);
}

/// One operation in a directory of its own.
class Scene {
public:
    Scene() { fs::create_directory(out); }
    Scene(const Scene &) = delete;
    Scene &operator=(const Scene &) = delete;
    virtual ~Scene() = default;

    /// Before each run.
    virtual void prepare() {}
    virtual lb_result run() = 0;
    /// After each run, whatever its outcome; throws what is not as promised. `untidy`: SQLite could not tidy up,
    /// because what failed went on failing, or because it was just that.
    virtual void check(const lb_result &outcome, bool untidy) = 0;

    bool has_hidden_files() const {
        const auto is_there = [](const fs::path &directory) {
            const auto names = list_dir(directory);
            return std::any_of(names.begin(), names.end(),
                               [](auto &name) { return name.rfind(".lb_backup-", 0) == 0; });
        };
        return is_there(out) || is_there(dir_.path());
    }
    /// Has a job of the library look through the destination's directory.
    void sweep() {
        for (const auto &archive : {out / "sweep.db", dir_ / "sweep.db"}) {
            must(backup(source, archive));
            fs::remove(archive);
        }
    }
    /// Every file that a message may name is in there.
    const fs::path &directory() const { return dir_.path(); }

protected:
    static DatabaseOptions small(const std::string &journal_mode, int seed, int page_size = 4096) {
        DatabaseOptions wanted;
        wanted.journal_mode = journal_mode;
        wanted.rows = 30 * page_size / 1024;
        wanted.bytes = wanted.rows * 1000;
        wanted.seed = seed;
        wanted.page_size = page_size;
        return wanted;
    }

    /// A database with the host at work on it: in WAL mode with commits in the log, and in the middle of a transaction.
    void take_source(const std::string &journal_mode) {
        make_database(source, small(journal_mode, 1));
        host_.emplace(source);
        host_->exec("PRAGMA wal_autocheckpoint = 0");
        host_->exec("UPDATE moves SET bid = 'in the log' WHERE id % 7 = 0");
        content_ = content_hash(*host_);
        host_->exec("BEGIN IMMEDIATE; UPDATE players SET rating = 0");
        source_bytes_ = assistant_.digest(source);
        log_bytes_ = assistant_.digest(source.string() + "-wal");
    }
    void check_source() {
        expect(assistant_.try_to_write(source) == SQLITE_BUSY, "another process gets into the host's transaction");
        expect(assistant_.digest(source) == source_bytes_, "the source changed");
        expect(assistant_.digest(source.string() + "-wal") == log_bytes_, "the source's log changed");
    }

    /// An archive of the source in chunks of 64 KiB, which is then as it must stay.
    void take_archive(const fs::path &path) {
        auto chunked = options();
        chunked.chunk_size = 65536;
        must(backup(source, path, chunked));
    }
    static void must(const lb_result &outcome) {
        if (outcome.status != LB_STATUS_OK) fail(std::string(lb_status_name(outcome.status)) + ": " + outcome.message);
    }

    /// What is in the destination's directory, and nothing else.
    void expect_out(std::vector<std::string> names) {
        std::sort(names.begin(), names.end());
        const auto found = list_dir(out);
        if (found == names) return;
        std::string list;
        for (const auto &name : found) list += " " + name;
        fail("left behind or gone: there is" + list);
    }

    static std::uint64_t content_of(const fs::path &database) {
        const Db db(database, SQLITE_OPEN_READWRITE);
        expect(db.text("PRAGMA integrity_check") == "ok", "integrity_check of " + database.string());
        return content_hash(db);
    }
    std::uint64_t content_of_archive(const fs::path &archive) {
        if (archive.extension() != ".zst") return content_of(archive);
        const auto image = dir_ / "image.db";
        unzstd(archive, image);
        const auto content = content_of(image);
        fs::remove(image);
        return content;
    }

    Assistant assistant_;  // before the library is used: its process must not be a child of one that has

private:
    TempDir dir_;

protected:
    const fs::path source = dir_ / "game.db";
    const fs::path out = dir_ / "out";
    std::optional<Db> host_;
    std::uint64_t content_ = 0;

private:
    std::uint64_t source_bytes_ = 0;
    std::uint64_t log_bytes_ = 0;
};

// --------------------------------------------------------------------------------------------------------- backups

class BackupScene : public Scene {
public:
    BackupScene(const char *journal_mode, const char *name, bool replacing, bool reusing) : dest(out / name) {
        take_source(journal_mode);
        wanted = options();
        wanted.chunk_size = 65536;
        wanted.busy_timeout_ms = 20;
        if (replacing) {
            take_archive(dest);
            earlier_ = read_file(dest);
            wanted.existing = LB_EXISTING_REPLACE;
            wanted.verify = LB_VERIFY_FULL;
        }
        if (reusing) {
            take_archive(parent);
            wanted.reuse_path = parent.c_str();
        }
    }

    lb_result run() override { return backup(source, dest, wanted); }

    void check(const lb_result &outcome, bool) override {
        const bool done = outcome.status == LB_STATUS_OK, replacing = !earlier_.empty();
        expect_out(done || replacing ? std::vector<std::string>{dest.filename().string()} : std::vector<std::string>{});
        if (done) {
            expect(content_of_archive(dest) == content_, "success, and the archive has another content");
            if (replacing)
                earlier_ = read_file(dest);
            else
                fs::remove(dest);
        } else if (replacing) {
            expect(read_file(dest) == earlier_, "the earlier backup changed");
        }
        check_source();
    }

protected:
    const fs::path dest;
    lb_backup_options wanted;

private:
    const fs::path parent = directory() / "parent.db.zst";
    std::string earlier_;
};

/// A backup that begins with starting the library.
class FirstUseScene : public BackupScene {
public:
    FirstUseScene() : BackupScene("WAL", "new.db.zst", false, false) {}
    void prepare() override { expect(lb_shutdown(60'000) == LB_STATUS_OK, "lb_shutdown does not end"); }
};

// -------------------------------------------------------------------------------------------------- restores to new

class RestoreScene : public Scene {
public:
    /// From an archive of ours, a file of gzip's or zstd's, or the source itself, which is in use.
    explicit RestoreScene(const char *from, std::uint32_t verify = LB_VERIFY_QUICK)
        : archive(directory() / from), dest(out / "restored.db") {
        take_source(archive == source ? "WAL" : "DELETE");
        wanted.verify = verify;
        wanted.busy_timeout_ms = 20;
        if (archive == source) return;
        if (const auto plain = directory() / "plain.db"; archive.stem() == plain.filename()) {
            take_archive(plain);
            const std::string tool = archive.extension() == ".gz" ? "gzip" : "zstd";
            if (lbtest::run({tool, "-q", plain.string()}) != 0) fail(tool);
        } else {
            take_archive(archive);
        }
        archive_bytes_ = read_file(archive);
    }

    lb_result run() override { return restore(archive, dest, wanted); }

    void check(const lb_result &outcome, bool) override {
        const bool done = outcome.status == LB_STATUS_OK;
        expect_out(done ? std::vector<std::string>{"restored.db"} : std::vector<std::string>{});
        if (done) {
            expect(content_of(dest) == content_, "success, and the database has another content");
            fs::remove(dest);
        }
        expect(archive == source || read_file(archive) == archive_bytes_, "the archive changed");
        check_source();
    }

private:
    const fs::path archive, dest;
    lb_restore_options wanted = restore_options();
    std::string archive_bytes_;
};

// ------------------------------------------------------------------------------------------------- restores to live

class LiveScene : public Scene {
public:
    struct Shape {
        const char *journal_mode;  // of the live database
        const char *archive;       // "….zst" or a plain file
        int page_size = 4096;      // of the live database; another than 4096 means another layout
        bool keeps_previous = false;
        std::uint32_t verify = LB_VERIFY_QUICK;
    };

    explicit LiveScene(const Shape &shape) : shape_(shape), archive(directory() / shape.archive) {
        take_source("WAL");
        take_archive(archive);
        make_database(original, small(shape.journal_mode, 2, shape.page_size));
        old_content_ = content_of(original);
        original_bytes_ = read_file(original);
        wanted.existing = LB_EXISTING_REPLACE;
        wanted.busy_timeout_ms = 20;
        wanted.verify = shape.verify;
        if (shape.keeps_previous) wanted.keep_previous = kept.c_str();
    }

    void prepare() override {
        player_.reset();
        for (const auto *suffix : {"", "-wal", "-shm", "-journal"}) fs::remove(dest.string() + suffix);
        write_file(dest, original_bytes_);
        if (shape_.page_size != 4096) return;  // only for who is alone
        player_.emplace(dest);
        if (is_wal()) {
            is_reading_ = true;
            player_->exec("BEGIN");
            player_->scalar("SELECT count(*) FROM moves");
        }
    }

    lb_result run() override { return restore(archive, dest, wanted); }

    void check(const lb_result &outcome, bool untidy) override {
        if (!player_) player_.emplace(dest);
        if (std::exchange(is_reading_, false)) {
            expect(content_hash(*player_) == old_content_, "a reader's snapshot changed under it");
            player_->exec("COMMIT");
        }
        const auto now = content_hash(*player_);
        expect(player_->text("PRAGMA integrity_check") == "ok", "integrity_check of the live database");
        expect(now == (outcome.status == LB_STATUS_OK ? content_ : old_content_), "neither old nor new as it was told");
        expect(untidy || player_->text("PRAGMA journal_mode") == (is_wal() ? "wal" : "delete"), "another journal mode");
        player_->exec("BEGIN IMMEDIATE");
        expect(assistant_.try_to_write(dest) == SQLITE_BUSY, "another process gets into the host's transaction");
        // As any writer after a crash: what is left of a rolled-back journal goes.
        player_->exec("UPDATE players SET rating = rating; COMMIT");
        if (fs::exists(kept)) {
            expect(content_of_archive(kept) == old_content_, "what was kept has another content");
            fs::remove(kept);
        } else {
            expect(!shape_.keeps_previous || outcome.status != LB_STATUS_OK, "nothing was kept");
        }
        player_.reset();
        // One that SQLite could not remove, but has given up: nobody replays it, the next writer takes it away.
        if (const fs::path journal = dest.string() + "-journal"; fs::exists(journal)) {
            const auto bytes = read_file(journal);
            expect(bytes.empty() || bytes[0] == '\0', "a journal is left that will be replayed");
            fs::remove(journal);
        }
        // Of a database that is no longer in WAL mode.
        if (untidy)
            for (const auto *suffix : {"-wal", "-shm"}) fs::remove(dest.string() + suffix);
        expect_out({"live.db"});
        check_source();
    }

private:
    bool is_wal() const { return std::string(shape_.journal_mode) == "WAL"; }

    const Shape shape_;
    const fs::path archive;
    const fs::path original = directory() / "original.db", dest = out / "live.db", kept = out / "kept.db.zst";
    lb_restore_options wanted = restore_options();
    std::optional<Db> player_;
    bool is_reading_ = false;
    std::uint64_t old_content_ = 0;
    std::string original_bytes_;
};

// ------------------------------------------------------------------------------------------- verification, inspection

class LookingScene : public Scene {
public:
    using Look = std::function<lb_result(const fs::path &)>;

    /// At an archive, or at the source itself, which is in use.
    LookingScene(const char *name, Look look) : archive(directory() / name), look_(std::move(look)) {
        take_source("DELETE");
        if (archive == source) return;
        take_archive(archive);
        archive_bytes_ = read_file(archive);
    }

    lb_result run() override { return look_(archive); }

    void check(const lb_result &, bool) override {
        expect(archive == source || read_file(archive) == archive_bytes_, "the archive changed");
        const auto files = list_dir(directory());
        if (files_.empty()) files_ = files;
        expect(files == files_, "something was left beside the archive");
        check_source();
    }

private:
    const fs::path archive;
    const Look look_;
    std::string archive_bytes_;
    std::vector<std::string> files_;
};

inline lb_result verify_quickly(const fs::path &archive) { return verify(archive); }

inline lb_result verify_fully(const fs::path &archive) {
    auto wanted = verify_options();
    wanted.verify = LB_VERIFY_FULL;
    return verify(archive, wanted);
}

inline lb_result look_into(const fs::path &archive) {
    auto why = error();
    inspect(archive, &why);
    return refused(why);
}

// ------------------------------------------------------------------------------------------------------------- list

struct Named {
    const char *name;
    std::function<std::unique_ptr<Scene>()> make;
};

inline std::vector<Named> every_scene() {
    std::vector<Named> scenes;
    const auto add = [&](const char *name, auto make) { scenes.push_back({name, make}); };
    const auto backup = [](const char *mode, const char *dest, bool replacing = false, bool reusing = false) {
        return [=] { return std::make_unique<BackupScene>(mode, dest, replacing, reusing); };
    };
    const auto restored = [](const char *from, std::uint32_t verify = LB_VERIFY_QUICK) {
        return [=] { return std::make_unique<RestoreScene>(from, verify); };
    };
    const auto live = [](const LiveScene::Shape &shape) { return [=] { return std::make_unique<LiveScene>(shape); }; };
    const auto looking = [](const char *at, auto look) {
        return [=] { return std::make_unique<LookingScene>(at, look); };
    };
    add("first use", [] { return std::make_unique<FirstUseScene>(); });
    add("backup WAL plain", backup("WAL", "new.db"));
    add("backup WAL compressed", backup("WAL", "new.db.zst"));
    add("backup DELETE plain", backup("DELETE", "new.db"));
    add("backup DELETE compressed", backup("DELETE", "new.db.zst"));
    add("replace WAL plain", backup("WAL", "new.db", true));
    add("replace WAL compressed", backup("WAL", "new.db.zst", true));
    add("replace DELETE plain", backup("DELETE", "new.db", true));
    add("replace DELETE compressed", backup("DELETE", "new.db.zst", true));
    add("backup WAL reuse", backup("WAL", "new.db.zst", false, true));
    add("restore new compressed", restored("archive.db.zst"));
    add("restore new full", restored("archive.db.zst", LB_VERIFY_FULL));
    add("restore new plain", restored("archive.db"));
    add("restore new in use", restored("game.db"));
    add("restore new gzip", restored("plain.db.gz"));
    add("restore new zstd", restored("plain.db.zst"));
    add("restore live WAL compressed", live({"WAL", "archive.db.zst"}));
    add("restore live WAL plain", live({"WAL", "archive.db"}));
    add("restore live WAL keeping", live({"WAL", "archive.db.zst", 4096, true, LB_VERIFY_FULL}));
    add("restore live DELETE compressed", live({"DELETE", "archive.db.zst"}));
    add("restore live DELETE plain", live({"DELETE", "archive.db"}));
    add("restore layout WAL", live({"WAL", "archive.db.zst", 1024}));
    add("restore layout DELETE", live({"DELETE", "archive.db.zst", 1024}));
    add("verify quick compressed", looking("archive.db.zst", verify_quickly));
    add("verify full compressed", looking("archive.db.zst", verify_fully));
    add("verify quick plain", looking("archive.db", verify_quickly));
    add("verify full in use", looking("game.db", verify_fully));
    add("inspect compressed", looking("archive.db.zst", look_into));
    add("inspect plain", looking("archive.db", look_into));
    return scenes;
}

}  // namespace lbtest

#endif
