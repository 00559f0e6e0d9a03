#include "arguments.hpp"

#include "exit_code.hpp"
#include "output.hpp"

#include <CLI/CLI.hpp>
#include <lb_backup.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace lbbackup {
namespace {

const char *const kExamples = R"(Examples:
  lbbackup backup game.db game.db.zst              back up a database that a program has open
  lbbackup backup game.db backups/ --rate 50M      a name with the time, and a limit for the disk
  lbbackup verify --full backups/*.zst             is every one of them good?
  lbbackup list backups                            what is there?
  lbbackup restore backups/game.db.zst game.db     the database again

'lbbackup COMMAND --help' tells the rest, and so does 'man lbbackup'.

)";

const char *const kBackupExamples =
    R"(DEST may be a directory: the backup is then called after SOURCE and the time in UTC, such as
game-20260102T030405Z.db.zst, and compressed unless --format says otherwise.

Examples:
  lbbackup backup game.db game.db.zst
  lbbackup backup game.db new.db.zst --reuse old.db.zst    take unchanged parts from an earlier one
  lbbackup backup game.db game.db.zst --replace --verify full
  lbbackup backup game.db backups/ --json | jq -r .archive
)";

const char *const kRestoreExamples =
    R"(With --replace an existing DEST gets the backup's content in one transaction: programs that have it open see
the old content or the new one, and need not be stopped.

Examples:
  lbbackup restore game.db.zst game.db
  lbbackup restore game.db.zst game.db --replace --keep-previous before.db.zst
)";

const char *const kVerifyExamples = R"(Examples:
  lbbackup verify game.db.zst
  lbbackup verify --full backups/*.zst && echo all good
)";

const char *const kInspectExamples = R"(Examples:
  lbbackup inspect game.db.zst
  lbbackup inspect --json *.zst | jq .image_bytes
)";

const char *const kListExamples = R"(Examples:
  lbbackup list backups
  lbbackup list backups --json | jq -r 'select(.kind == "archive") | .path'
)";

// CLI11's own help tells of every option its type, its range and what it excludes, on a line as long as it takes.
class Help : public CLI::Formatter {
    std::string make_option_opts(const CLI::Option *option) const override {
        const std::string type = option->get_type_name();
        return (type.empty() ? "" : " " + type) + (option->get_expected_max() > 1 ? "..." : "");
    }
};

// Options that several commands have.

void add_output(CLI::App *command, OutputArguments &output) {
    auto *json = command->add_flag("--json", output.json, "One JSON object per result, each on a line");
    auto *quiet = command->add_flag("-q,--quiet", output.quiet, "Say nothing but what went wrong");
    auto *wanted = command->add_flag("--progress", output.progress_wanted, "With --json: progress as objects, too");
    auto *unwanted = command->add_flag("--no-progress", output.progress_unwanted, "No bar, and no lines of progress");
    for (auto *option : {json, quiet, wanted, unwanted}) option->group("Output");
    wanted->excludes(quiet)->excludes(unwanted);
    quiet->excludes(json);
}

// Why `text` is no whole decimal number, which a unit may follow; empty if it is one. CLI11 2.1 also takes octal and
// hexadecimal numbers, a negative one for a very large one, and the largest for what is larger.
template <class Number> std::string fault_of_decimal(const std::string &text) {
    Number number{};
    const char *const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error == std::errc::result_out_of_range) return text + " is too large";
    const char *const digits = text.data() + (text.rfind('-', 0) == 0 ? 1 : 0);
    const bool leading_zero = rest - digits > 1 && *digits == '0';
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (error != std::errc() || leading_zero || std::any_of(rest, end, is_digit))
        return text + " is not a whole number in decimal, without a leading zero";
    return "";
}

// Of an option whose 0 would not be what it seems: to the library it means that nothing was said.
std::string fault_of_zero(const std::string &text) {
    return text.find_first_not_of("-0") == std::string::npos ? "0 is no value for it" : "";
}

// A number with a unit. The description of the check is left out of the help.
template <class Number>
CLI::Option *add_number(CLI::App *command, const char *name, Number &value, std::map<std::string, Number> units,
                        CLI::AsNumberWithUnit::Options unit, const char *what, const char *type) {
    auto with_unit = CLI::AsNumberWithUnit(std::move(units), unit);
    // The last transform is the first to see the text.
    return command->add_option(name, value, what)
        ->transform(with_unit.description(""))
        ->transform(CLI::Validator(fault_of_decimal<Number>, ""))
        ->type_name(type);
}

CLI::Option *add_bytes(CLI::App *command, const char *name, std::uint64_t &value, const char *what) {
    std::map<std::string, std::uint64_t> units = {{"b", 1}};
    std::uint64_t factor = 1;
    for (const char *prefix : {"k", "m", "g", "t"}) {
        factor *= 1024;
        units[prefix] = units[std::string(prefix) + "ib"] = factor;
    }
    return add_number(command, name, value, units, CLI::AsNumberWithUnit::DEFAULT, what, "BYTES");
}

// A path that may be absent. An empty one is there, which is for the library to refuse: CLI11 makes it absent.
CLI::Option *add_path(CLI::App *command, const char *name, std::optional<std::string> &path, const char *what) {
    return command->add_option_function<std::string>(
        name, [&path](const std::string &given) { path = given; }, what);
}

void add_rate(CLI::App *command, std::uint64_t &rate) {
    add_bytes(command, "--rate", rate, "Most bytes of the database per second, such as 50M");
}

void add_busy_timeout(CLI::App *command, std::uint32_t &milliseconds, const char *what) {
    const auto required = static_cast<CLI::AsNumberWithUnit::Options>(CLI::AsNumberWithUnit::CASE_INSENSITIVE |
                                                                      CLI::AsNumberWithUnit::UNIT_REQUIRED);
    add_number(command, "--busy-timeout", milliseconds, {{"ms", 1U}, {"s", 1000U}, {"min", 60'000U}}, required, what,
               "TIME");
}

// Any number of files, each named exactly so: of an option that takes extra arguments, CLI11 makes a list of "[a,b]".
void add_archives(CLI::App *command, std::vector<std::string> &archives) {
    const CLI::callback_t as_given = [&archives](const CLI::results_t &names) {
        archives = names;
        return true;
    };
    command->add_option("ARCHIVE", as_given, "The backups")
        ->expected(CLI::detail::expected_max_vector_size, CLI::detail::expected_max_vector_size)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->required()
        ->type_name("");
}

using Choices = std::vector<std::pair<std::string, std::uint32_t>>;

void add_choice(CLI::App *command, const char *name, std::uint32_t &value, const Choices &choices, const char *what) {
    std::map<std::string, std::uint32_t> values(choices.begin(), choices.end());
    std::string type;
    for (const auto &choice : choices) type += (type.empty() ? "" : "|") + choice.first;
    auto is_one = CLI::IsMember(values);
    command
        ->add_option_function<std::string>(
            name, [&value, values](const std::string &chosen) { value = values.at(chosen); }, what)
        ->check(is_one.description(""))
        ->type_name(type);
}

const Choices kVerifications = {{"quick", LB_VERIFY_QUICK}, {"full", LB_VERIFY_FULL}, {"none", LB_VERIFY_NONE}};

// One function per command.

void add_backup(CLI::App &app, BackupArguments &arguments) {
    auto *command = app.add_subcommand("backup", "Back up a database, which may be in use");
    command->add_option("SOURCE", arguments.source, "The database")->required()->type_name("");
    command->add_option("DEST", arguments.dest, "The backup to make, compressed if it ends in .zst; or its directory")
        ->required()
        ->type_name("");
    command->add_flag("--replace", arguments.replace, "Replace an existing DEST, once the new one is verified");
    add_choice(command, "--format", arguments.format, {{"image", LB_FORMAT_IMAGE}, {"zstd", LB_FORMAT_ZSTD}},
               "A plain database file, or compressed, whatever DEST's name");
    auto levels = CLI::Range(-7, 19);
    command->add_option("--level", arguments.level, "Compression: -7 is fastest, 19 smallest; 3 unless told")
        ->check(CLI::Validator(fault_of_decimal<std::int32_t>, ""))
        ->check(levels.description(""))
        ->check(CLI::Validator(fault_of_zero, ""))
        ->type_name("N");
    add_path(command, "--reuse", arguments.reuse, "Take unchanged parts from this earlier backup")
        ->type_name("ARCHIVE");
    add_choice(command, "--verify", arguments.verify, kVerifications,
               "What is done before DEST appears: read back and\ncompare (quick, unless told), and SQLite's\n"
               "integrity_check (full), or nothing (none)");
    command->add_flag("--no-digest", arguments.no_digest, "Do without the SHA-256 of the backup");
    add_rate(command, arguments.rate);
    add_bytes(command, "--chunk-size", arguments.chunk_size, "Bytes of a chunk, 64K to 8M; adapts unless told");
    add_busy_timeout(command, arguments.busy_timeout_ms,
                     "How long to wait for a lock on SOURCE, such as 500ms\nor 1min; 5s unless told");
    add_bytes(command, "--wal-limit", arguments.wal_limit, "Give up if SOURCE's -wal file grows by more")
        ->check(CLI::Validator(fault_of_zero, ""));
    command->footer(kBackupExamples);
}

void add_restore(CLI::App &app, RestoreArguments &arguments) {
    auto *command = app.add_subcommand("restore", "Make a database of a backup");
    command->add_option("ARCHIVE", arguments.archive, "The backup: .db, .db.zst, or another tool's .zst or .gz")
        ->required()
        ->type_name("");
    command->add_option("DEST", arguments.dest, "The database to make")->required()->type_name("");
    auto *replace = command->add_flag("--replace", arguments.replace, "Give an existing DEST the backup's content");
    add_path(command, "--keep-previous", arguments.keep_previous, "Back up the existing DEST there first")
        ->needs(replace)
        ->type_name("PATH");
    add_choice(command, "--verify", arguments.verify, kVerifications,
               "What is done before DEST is touched: every hash\ncompared (quick, unless told), and SQLite's\n"
               "integrity_check (full), or nothing (none)");
    add_rate(command, arguments.rate);
    add_busy_timeout(command, arguments.busy_timeout_ms,
                     "How long to wait for a lock on DEST, such as 500ms or\n1min; 5s unless told");
    command->footer(kRestoreExamples);
}

void add_verify(CLI::App &app, VerifyArguments &arguments) {
    auto *command = app.add_subcommand("verify", "Check whether backups are good");
    add_archives(command, arguments.archives);
    command->add_flag("--full", arguments.full,
                      "Decompress everything, and let SQLite check it; takes\n"
                      "as much temporary space as the database");
    add_rate(command, arguments.rate);
    command->footer(kVerifyExamples);
}

void add_inspect(CLI::App &app, InspectArguments &arguments) {
    auto *command = app.add_subcommand("inspect", "Tell what backups say about themselves");
    add_archives(command, arguments.archives);
    command->footer(kInspectExamples);
}

void add_list(CLI::App &app, ListArguments &arguments) {
    auto *command = app.add_subcommand("list", "List the backups in a directory, the oldest first");
    command->add_option("DIR", arguments.directory, "The directory; the working directory unless told")->type_name("");
    command->add_flag("-a,--all", arguments.all, "Also files that are no backups, and hidden ones");
    command->footer(kListExamples);
}

bool has_flag(int argc, char **argv, const char *flag) {
    for (int i = 1; i < argc; ++i)
        if (std::string(argv[i]) == flag) return true;
    return false;
}

}  // namespace

std::variant<Arguments, int> parse(int argc, char **argv) {
    OutputArguments output;
    BackupArguments backup;
    RestoreArguments restore;
    VerifyArguments verify;
    InspectArguments inspect;
    ListArguments list;

    CLI::App app("Verified backups of SQLite databases, also of those that are in use.", "lbbackup");
    auto help = std::make_shared<Help>();
    help->column_width(26);
    help->label("SUBCOMMAND", "COMMAND");
    app.formatter(help);
    app.set_help_flag("-h,--help", "Show this and exit");
    app.require_subcommand(1);
    app.set_version_flag("--version", std::string("lbbackup ") + lb_version(), "Show the versions and exit");
    add_backup(app, backup);
    add_restore(app, restore);
    add_verify(app, verify);
    add_inspect(app, inspect);
    add_list(app, list);
    app.footer(std::string(kExamples) + kExitCodes);
    add_output(&app, output);
    for (auto *command : app.get_subcommands({})) {
        command->group("Commands");
        add_output(command, output);
    }

    try {
        app.parse(argc, argv);
    } catch (const CLI::Success &shown) {
        return app.exit(shown);
    } catch (const CLI::ParseError &mistake) {
        output.json = has_flag(argc, argv, "--json");  // wherever the mistake is
        const auto chosen = app.get_subcommands();
        const std::string command = chosen.empty() ? "" : chosen.front()->get_name();
        Failure failure;
        failure.status = LB_STATUS_INVALID_ARGUMENT;
        failure.message = mistake.what();
        failure.hint = "'lbbackup " + command + (command.empty() ? "" : " ") + "--help' tells what can be said";
        Output told(output, command);
        return told.end(told.fail(failure, Json::object()));
    }

    const std::string command = app.get_subcommands().front()->get_name();
    if (command == "backup") return Arguments{output, backup};
    if (command == "restore") return Arguments{output, restore};
    if (command == "verify") return Arguments{output, verify};
    if (command == "inspect") return Arguments{output, inspect};
    return Arguments{output, list};
}

}  // namespace lbbackup
