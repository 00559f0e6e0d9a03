#include "game_database.hpp"

#include <array>
#include <random>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace demo {
namespace {

constexpr const char *kSchema = R"sql(
    CREATE TABLE players(
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT NOT NULL, rating INTEGER NOT NULL,
        joined_at INTEGER NOT NULL, motto TEXT NOT NULL);
    CREATE TABLE games(
        id INTEGER PRIMARY KEY, table_name TEXT NOT NULL, host_id INTEGER NOT NULL REFERENCES players(id),
        seats INTEGER NOT NULL, stake INTEGER NOT NULL, started_at INTEGER NOT NULL);
    CREATE TABLE moves(
        game_id INTEGER NOT NULL, turn INTEGER NOT NULL, player_id INTEGER NOT NULL, action TEXT NOT NULL,
        quantity INTEGER NOT NULL, face INTEGER NOT NULL, dice TEXT NOT NULL, thinking_ms INTEGER NOT NULL,
        said TEXT NOT NULL, PRIMARY KEY(game_id, turn)) WITHOUT ROWID;
    CREATE TABLE commits(
        seq INTEGER PRIMARY KEY, players INTEGER NOT NULL, games INTEGER NOT NULL, moves INTEGER NOT NULL,
        rating_sum INTEGER NOT NULL);
    CREATE INDEX games_by_host ON games(host_id);
    CREATE INDEX players_by_rating ON players(rating);
)sql";

constexpr std::array<std::string_view, 24> kFirst = {
    "Ada",   "Bo",    "Chiara", "Dmitri", "Elif", "Farid", "Grace", "Hana",  "Ines",  "Jonas", "Kofi",  "Lucía",
    "Maeve", "Nuria", "Oskar",  "Priya",  "Quin", "Rosa",  "Søren", "Tariq", "Ulla", "Viktor", "Wanda", "Yuki"};
constexpr std::array<std::string_view, 20> kLast = {
    "Almeida", "Brandt", "Castellanos", "Dvořák", "Eriksen", "Fontaine", "Goldberg", "Haddad", "Ivanova", "Jansen",
    "Kowalski", "Lindqvist", "Moreau",  "Nakamura", "Okafor", "Petrov",  "Quispe",   "Rossi",  "Šimić",   "Tanaka"};
constexpr std::array<std::string_view, 12> kCountries = {"BR", "CZ", "DE", "ES", "FR", "GH",
                                                         "IN", "JP", "NO", "PE", "PL", "TR"};
constexpr std::array<std::string_view, 16> kSaid = {
    "", "", "", "", "", "", "I don't believe a word of it.", "Bold. Very bold.", "You always say that with one six.",
    "No chance there are that many.", "Fine, one more then.", "Liar!", "My grandmother bluffs better than you.",
    "Spot on, I say.", "Ones are wild, remember?", "Let me count again…"};
constexpr std::array<std::string_view, 8> kMottos = {
    "Never trust a quiet table.", "Two sixes beat a good story.", "I count, therefore I am.",
    "Bluff early, bluff often.",  "Ones are wild and so am I.",   "Last die standing.",
    "Here for the snacks.",       "Ask me about my perfect record."};
constexpr std::array<std::string_view, 8> kTables = {"The Crooked Mast", "Captain's Cabin", "Low Tide",  "Black Spot",
                                                     "Gallows Point",    "Rum Cellar",      "The Brig", "Lantern Room"};

constexpr std::int64_t kFirstDay = 1'672'531'200;  // 2023-01-01, so that two runs make the same database

constexpr std::chrono::milliseconds kPeriod{2};  // between two commits of the writer

template <class List> std::string_view pick(const List &list, std::mt19937_64 &random) {
    return list[random() % list.size()];
}

std::int64_t between(std::int64_t least, std::int64_t most, std::mt19937_64 &random) {
    return least + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(most - least + 1));
}

// Inserts players, games and moves with statements prepared once, and keeps count of them.
class Dealer {
public:
    Dealer(const lbtest::Db &database, const GameState &state, std::uint64_t seed)
        : state_(state),
          random_(seed),
          player_(database.handle(), "INSERT INTO players VALUES(?,?,?,?,?,?)"),
          game_(database.handle(), "INSERT INTO games VALUES(?,?,?,?,?,?)"),
          move_(database.handle(), "INSERT INTO moves VALUES(?,?,?,?,?,?,?,?,?)"),
          rate_(database.handle(), "UPDATE players SET rating = rating + ? WHERE id = ?"),
          commit_(database.handle(), "INSERT INTO commits VALUES(?,?,?,?,?)") {}

    const GameState &state() const { return state_; }
    std::mt19937_64 &random() { return random_; }

    void add_player() {
        const std::string name = std::string(pick(kFirst, random_)) + " " + std::string(pick(kLast, random_));
        const std::int64_t rating = between(800, 2400, random_);
        const std::int64_t joined_at = kFirstDay + between(0, 90'000'000, random_);
        player_.bind(++state_.players, std::string_view(name), pick(kCountries, random_), rating, joined_at,
                     pick(kMottos, random_));
        player_.run();
        state_.rating_sum += rating;
    }

    void open_game() {
        seats_ = between(2, 6, random_);
        host_id_ = between(1, state_.players, random_);
        turn_ = 0;
        ++state_.games;
        game_.bind(state_.games, pick(kTables, random_), host_id_, seats_, between(1, 40, random_) * 25,
                   kFirstDay + state_.games * 37);
        game_.run();
    }

    void add_move() {
        char dice[] = "[1,1,1,1,1]";
        for (int i = 1; i < 10; i += 2) dice[i] = static_cast<char>('0' + between(1, 6, random_));
        const std::uint64_t kind = random_() % 16;
        const std::string_view action = kind == 0 ? "spot on" : kind < 3 ? "challenge" : "bid";
        const std::int64_t player_id = (host_id_ + (turn_ - 1) % seats_ * 7919) % state_.players + 1;
        ++turn_;
        move_.bind(state_.games, turn_, player_id, action, 1 + turn_ / 3, between(1, 6, random_),
                   std::string_view(dice), between(400, 20'000, random_), pick(kSaid, random_));
        move_.run();
        ++state_.moves;
    }

    void change_rating() {
        const std::int64_t change = between(-12, 12, random_);
        rate_.bind(change, between(1, state_.players, random_));
        rate_.run();
        state_.rating_sum += change;
    }

    void write_commit_row() {
        ++state_.commit;
        commit_.bind(state_.commit, state_.players, state_.games, state_.moves, state_.rating_sum);
        commit_.run();
    }

private:
    GameState state_;
    std::mt19937_64 random_;
    std::int64_t seats_ = 2;
    std::int64_t host_id_ = 1;
    std::int64_t turn_ = 0;
    lbtest::Statement player_, game_, move_, rate_, commit_;
};

}  // namespace

GameState create_game_database(const std::string &path, std::uint64_t bytes,
                               const std::function<void(std::uint64_t)> &progress) {
    lbtest::Db database(path);
    // Nobody else has the file yet, and a crash now loses nothing: no journal, no sync.
    database.exec("PRAGMA page_size=4096; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536");
    database.exec(kSchema);
    GameState made;
    {
        Dealer dealer(database, GameState{}, 2023);
        lbtest::Statement page_count(database.handle(), "PRAGMA page_count");
        const auto players = static_cast<std::int64_t>(bytes / 32'768 + 100);
        database.exec("BEGIN");
        for (std::int64_t i = 0; i < players; ++i) dealer.add_player();
        for (std::uint64_t size = 0; size < bytes;) {
            for (int game = 0; game < 500; ++game) {
                dealer.open_game();
                for (std::int64_t turns = between(8, 40, dealer.random()); turns > 0; --turns) dealer.add_move();
            }
            page_count.step();
            size = static_cast<std::uint64_t>(page_count.integer(0)) * 4096;
            page_count.reset();
            progress(size < bytes ? size : bytes);
        }
        dealer.write_commit_row();
        database.exec("COMMIT");
        made = dealer.state();
    }
    // The first commit that is synced: what was written so far reaches the disk now, not during the measuring.
    database.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA user_version=1");
    return made;
}

lbtest::Db open_game_database(const std::string &path) {
    lbtest::Db database(path);
    sqlite3_busy_timeout(database.handle(), 5000);
    database.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA mmap_size=268435456");
    return database;
}

GameState recorded_state(const lbtest::Db &database, std::int64_t commit) {
    lbtest::Statement row(database.handle(),
                          "SELECT seq, players, games, moves, rating_sum FROM commits WHERE seq = ?");
    row.bind(commit);
    if (!row.step()) throw std::runtime_error("no row for commit " + std::to_string(commit));
    return {row.integer(0), row.integer(1), row.integer(2), row.integer(3), row.integer(4)};
}

GameState counted_state(const lbtest::Db &database) {
    lbtest::Statement gap(database.handle(), "SELECT count(*), min(seq), max(seq) FROM commits");
    gap.step();
    const std::int64_t commits = gap.integer(0);
    if (commits == 0 || gap.integer(1) != 1 || gap.integer(2) != commits)
        throw std::runtime_error("the commits have a gap");
    return {commits, database.scalar("SELECT count(*) FROM players"), database.scalar("SELECT count(*) FROM games"),
            database.scalar("SELECT count(*) FROM moves"), database.scalar("SELECT sum(rating) FROM players")};
}

Writer::Writer(std::string path, const GameState &start) : acknowledged_(start.commit) {
    commits_.reserve(1 << 16);
    thread_ = std::thread([this, path = std::move(path), start] {
        try {
            write(path, start);
        } catch (...) {
            failure_ = std::current_exception();
        }
    });
}

Writer::~Writer() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
}

void Writer::stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Writer::write(const std::string &path, GameState state) {
    const lbtest::Db database = open_game_database(path);
    Dealer dealer(database, state, 1);
    lbtest::Statement begin(database.handle(), "BEGIN IMMEDIATE");
    lbtest::Statement commit(database.handle(), "COMMIT");
    for (Clock::time_point next = Clock::now(); !stopping_;) {
        next += kPeriod;
        std::this_thread::sleep_until(next);
        const Clock::time_point start = Clock::now();
        begin.run();
        dealer.open_game();
        for (std::int64_t moves = between(1, 6, dealer.random()); moves > 0; --moves) dealer.add_move();
        dealer.change_rating();
        if (dealer.random()() % 16 == 0) dealer.add_player();
        dealer.write_commit_row();
        commit.run();
        acknowledged_ = dealer.state().commit;
        const Clock::time_point end = Clock::now();
        commits_.push_back({end, end - start});
        if (end > next + kPeriod) next = end;  // a late commit does not make the next ones come in a burst
    }
}

std::vector<std::chrono::nanoseconds> Writer::commit_times(Clock::time_point from, Clock::time_point to) const {
    std::vector<std::chrono::nanoseconds> times;
    for (const Commit &commit : commits_)
        if (commit.end >= from && commit.end < to) times.push_back(commit.duration);
    return times;
}

}  // namespace demo
