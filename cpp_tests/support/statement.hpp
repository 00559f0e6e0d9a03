// A prepared statement of the host's own SQLite, for programs that write much: the demo, the torture and the bench.
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_STATEMENT_HPP
#define LBTEST_STATEMENT_HPP

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace lbtest {

struct SqlError : std::runtime_error {
    SqlError(const std::string &what, int result_code) : std::runtime_error(what), code(result_code) {}
    int code;
};

class Statement {
public:
    Statement(sqlite3 *db, std::string_view sql) {
        sqlite3_stmt *raw = nullptr;
        const int code = sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &raw, nullptr);
        statement_.reset(raw);
        if (code != SQLITE_OK) throw SqlError(std::string(sql) + ": " + sqlite3_errmsg(db), code);
    }

    /// Texts are bound without a copy: they must live until the statement has run.
    template <class... Values>
    Statement &bind(const Values &...values) {
        int index = 0;
        (bind_one(++index, values), ...);
        return *this;
    }

    /// True while there is a row. Throws SqlError, and resets the statement.
    bool step() {
        const int code = sqlite3_step(statement_.get());
        if (code == SQLITE_ROW) return true;
        if (code == SQLITE_DONE) return false;
        const SqlError error(std::string(sqlite3_sql(statement_.get())) + ": " +
                                 sqlite3_errmsg(sqlite3_db_handle(statement_.get())),
                             code);
        sqlite3_reset(statement_.get());
        throw error;
    }

    void reset() { sqlite3_reset(statement_.get()); }

    /// To its end, ready for the next values.
    void run() {
        while (step()) {}
        reset();
    }

    std::int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

    /// Valid until the next step.
    std::string_view bytes(int column) const {
        const auto *start = static_cast<const char *>(sqlite3_column_blob(statement_.get(), column));
        return {start, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
    }

private:
    void bind_one(int index, std::int64_t value) { sqlite3_bind_int64(statement_.get(), index, value); }
    void bind_one(int index, int value) { sqlite3_bind_int64(statement_.get(), index, value); }
    void bind_one(int index, std::string_view value) {
        sqlite3_bind_text(statement_.get(), index, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
    }

    struct Finalize {
        void operator()(sqlite3_stmt *statement) const { sqlite3_finalize(statement); }
    };
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

}  // namespace lbtest

#endif
