# Runs lb_demo at 16 MiB with its output in a pipe, and looks at what it says and what it leaves.
execute_process(COMMAND mktemp -d OUTPUT_VARIABLE directory OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
set(ENV{TMPDIR} "${directory}")
execute_process(COMMAND "${DEMO}" 16 OUTPUT_VARIABLE output ERROR_VARIABLE error RESULT_VARIABLE code)
file(GLOB left LIST_DIRECTORIES true "${directory}/*" "${directory}/.*")
file(REMOVE_RECURSE "${directory}")
message("${output}")

if(NOT code EQUAL 0)
    message(FATAL_ERROR "lb_demo ended with ${code}: ${error}")
endif()
if(left)
    message(FATAL_ERROR "lb_demo left ${left}")
endif()
string(ASCII 27 escape)
string(ASCII 13 carriage_return)
foreach(terminal_only "${escape}" "${carriage_return}")
    string(FIND "${output}" "${terminal_only}" at)
    if(NOT at EQUAL -1)
        message(FATAL_ERROR "lb_demo wrote a control character to a pipe")
    endif()
endforeach()
foreach(line
        "game.db.zst: integrity_check says ok"
        "game.db: integrity_check says ok"
        "the cancelled backup left nothing"
        "longest frame  .*[0-9] ms"
        "commits meanwhile  .*[0-9]"
        "\nEvery proof holds.\n$")
    if(NOT output MATCHES "${line}")
        message(FATAL_ERROR "lb_demo did not say: ${line}")
    endif()
endforeach()
