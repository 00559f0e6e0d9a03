# What Doxygen reads of a header: the same lines, with two things put right that would only be noise in the header itself.
#
# Every item of lb_backup.h goes into a group, by its name. What matches nothing goes into none, and a test says so.
# The inline namespaces of the C++ headers, which are about linking, are left out.

BEGIN {
    groups["lb_c_jobs"] = "^lb_(job|job_info|backup_start|restore_start|verify_start|backup_(cancel|wait|join|release|set_rate|jobs))$"
    groups["lb_c_options"] = "^(lb_(backup|restore|verify)_options|LB_(FORMAT|EXISTING|VERIFY|DIGEST)_.*)$"
    groups["lb_c_progress"] = "^(lb_(backup_progress|progress|job_state|phase|progress_fn|complete_fn))$"
    groups["lb_c_outcome"] = "^(lb_(status|status_name|status_message|error|result)|LB_(CHECK_.*|NO_CHUNK|MESSAGE_SIZE))$"
    groups["lb_c_files"] = "^(lb_(backup_inspect|archive_info)|LB_KIND_.*)$"
    groups["lb_c_library"] = "^(lb_(config|configure|shutdown|version|abi_version|log_fn)|LB_(ABI_VERSION|CONFIG_.*|PRIORITY_.*|LOG_.*))$"
}

# A comment waits for the line that it belongs to; its end says the group. No line is added: warnings name the right one.
held != "" || (/^\/\*\*/ && !/@file/) {
    held = held == "" ? $0 : held "\n" $0
    if (!ended) {
        ended = /\*\/$/
        next
    }
    name = name_of($0)
    for (group in groups)
        if (name ~ groups[group]) sub(/ \*\/\n/, " @ingroup " group " */\n", held)
    print held
    held = ""
    ended = 0
    next
}

/^inline namespace / || /^\} *\/\/ namespace (v[0-9_]+|LB_BACKUP_)/ || /^#(define|undef) LB_BACKUP_ASIO_/ { $0 = "" }

{ print }

END { if (held != "") print held }

# The name that a declaration at the left margin declares, or "".
function name_of(line) {
    if (line ~ /^#define /) {
        sub(/^#define /, "", line)
    } else if (line ~ /^typedef .*\(\*/) {
        sub(/^.*\(\*/, "", line)
    } else if (line ~ /^(enum|typedef struct) /) {
        sub(/^(enum|typedef struct) /, "", line)
        if (line ~ /;$/) sub(/^.* /, "", line)
    } else if (line ~ /^[a-z].*\(/) {
        sub(/\(.*/, "", line)
        sub(/^.*[ *]/, "", line)
    }
    return match(line, /^[A-Za-z0-9_]+/) ? substr(line, 1, RLENGTH) : ""
}
