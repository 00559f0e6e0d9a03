#!/usr/bin/env bash
# check_header.sh COMPILER STANDARD INCLUDE_DIR [FLAG...]: lb_backup_asio.hpp, alone and twice, in one version of C++ and as
# strictly as a host may compile.
# SPDX-License-Identifier: MIT OR Apache-2.0
set -euo pipefail
compiler=$1 standard=$2 include=$3
shift 3
strict=(-Wall -Wextra -Wpedantic -Wshadow -Wundef -Wconversion -Wsign-conversion -Wold-style-cast
    -Wnon-virtual-dtor -Woverloaded-virtual -Werror -fvisibility=hidden)
printf '#include <lb_backup_asio.hpp>\n#include <lb_backup_asio.hpp>\n' |
    "$compiler" -x c++ "-std=$standard" "${strict[@]}" "$@" "-I$include" -fsyntax-only -
