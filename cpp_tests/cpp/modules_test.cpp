// modules_test THROWS CATCHES: an lb::Error and codes of one module in another, each loaded for itself.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "modules.hpp"
#include "support/support.hpp"

#include <dlfcn.h>

namespace {

template <typename Function> Function *load(const char *module, const char *name) {
    void *handle = ::dlopen(module, RTLD_NOW | RTLD_LOCAL);
    void *function = handle != nullptr ? ::dlsym(handle, name) : nullptr;
    if (function == nullptr) lbtest::fail(::dlerror());
    return reinterpret_cast<Function *>(function);
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    const lbtest::TempDir directory;
    const auto text = directory / "text";
    lbtest::write_file(text, "this is no database at all, and no archive of one either");
    const auto thrower = load<thrower_fn>(argv[1], "lbt_thrower");
    const auto check = load<check_errors_fn>(argv[2], "lbt_check_errors");
    const char *wrong = check(thrower(), text.c_str());
    if (wrong != nullptr) std::fprintf(stderr, "%s\n", wrong);
    return wrong == nullptr ? 0 : 1;
}
