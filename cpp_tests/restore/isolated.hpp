// What the tests of restores that happen in children have in common. SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_RESTORE_ISOLATED_HPP
#define LBTEST_RESTORE_ISOLATED_HPP

#include "api/isolated.hpp"
#include "fixture.hpp"

namespace lbtest {

/// The library is used in children only.
class IsolatedRestoreTest : public RestoreTest {
protected:
    void take_archive() override {
        isolated([&] { RestoreTest::take_archive(); });
    }

    /// Of some 60 chunks.
    static DatabaseOptions of_many_chunks() {
        DatabaseOptions wanted;
        wanted.bytes = 4 << 20;
        wanted.rows = 2000;
        return wanted;
    }
};

}  // namespace lbtest

#endif
