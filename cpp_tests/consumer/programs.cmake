# The programs, the same for every way of finding lb_backup. The project is a C++14 one; lb_backup::cxx asks for more.
set(CMAKE_CXX_STANDARD 14)
find_package(SQLite3 REQUIRED)
enable_testing()

function(lb_add_program name source library)
    add_executable(${name} "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/${source}")
    target_compile_options(${name} PRIVATE -Wall -Wextra -Wpedantic -Werror)
    target_link_libraries(${name} PRIVATE ${library} SQLite::SQLite3)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT 120)
endfunction()

lb_add_program(backup_c backup.c lb_backup::lb_backup)
lb_add_program(backup_cpp backup.cpp lb_backup::cxx)
lb_add_program(cpp14 cpp14.cpp lb_backup::lb_backup)
