// Stand-in for the game's header of this name: what the adapter meets, written anew.
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LIARSDICE_DATABASE_DATABASE_ERROR_HPP
#define LIARSDICE_DATABASE_DATABASE_ERROR_HPP

#include <boost/system/error_code.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

namespace liarsdice::database {

enum class DatabaseErrorType {
    ConnectionFailed,
    QueryFailed,
    TransactionFailed,
    PreparedStatementFailed,
    ConstraintViolation,
    Timeout,
    InvalidParameter,
    InternalError,
    BackupFailed
};

class DatabaseError {
public:
    DatabaseError(DatabaseErrorType type, const std::string &message, boost::system::error_code error_code = {})
        : type_(type), message_(message), error_code_(error_code) {}

    DatabaseErrorType type() const { return type_; }
    const std::string &message() const { return message_; }
    const boost::system::error_code &error_code() const { return error_code_; }
    std::string full_message() const { return error_code_ ? message_ + " (" + error_code_.message() + ")" : message_; }

private:
    DatabaseErrorType type_;
    std::string message_;
    boost::system::error_code error_code_;
};

template <typename T> class DatabaseResult {
public:
    DatabaseResult(T value) : outcome_(std::in_place_index<0>, std::move(value)) {}
    DatabaseResult(DatabaseError error) : outcome_(std::in_place_index<1>, std::move(error)) {}

    bool has_value() const { return outcome_.index() == 0; }
    bool has_error() const { return !has_value(); }
    explicit operator bool() const { return has_value(); }

    T &value() { return const_cast<T &>(std::as_const(*this).value()); }
    const T &value() const {
        if (has_error()) throw std::runtime_error("there is no value: " + error().full_message());
        return *std::get_if<0>(&outcome_);
    }
    DatabaseError &error() { return const_cast<DatabaseError &>(std::as_const(*this).error()); }
    const DatabaseError &error() const {
        if (has_value()) throw std::runtime_error("there is no error");
        return *std::get_if<1>(&outcome_);
    }

    T &operator*() { return value(); }
    const T &operator*() const { return value(); }
    T *operator->() { return &value(); }
    const T *operator->() const { return &value(); }

private:
    std::variant<T, DatabaseError> outcome_;
};

template <> class DatabaseResult<void> {
public:
    DatabaseResult() = default;
    DatabaseResult(DatabaseError error) : error_(std::move(error)) {}

    bool has_value() const { return !error_; }
    bool has_error() const { return error_.has_value(); }
    explicit operator bool() const { return has_value(); }
    const DatabaseError &error() const {
        if (!error_) throw std::runtime_error("there is no error");
        return *error_;
    }

private:
    std::optional<DatabaseError> error_;
};

}  // namespace liarsdice::database

#endif
