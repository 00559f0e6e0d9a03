"""A wheel that carries the shared library which LB_BACKUP_LIBRARY names; without it, one that uses the system's."""

import os
import shutil
from pathlib import Path
from typing import Tuple

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

LIBRARY = os.environ.get("LB_BACKUP_LIBRARY")


class CarryLibrary(build_py):  # type: ignore[misc, unused-ignore]
    def run(self) -> None:
        super().run()
        if LIBRARY:
            shutil.copyfile(LIBRARY, Path(self.build_lib, "lb_backup", "liblb_backup.so.0"))


class OfThisPlatform(bdist_wheel):  # type: ignore[misc, unused-ignore]
    def finalize_options(self) -> None:
        super().finalize_options()
        self.root_is_pure = not LIBRARY

    def get_tag(self) -> Tuple[str, str, str]:
        # Any Python 3: the package talks to the library, and not the library to Python.
        platform = super().get_tag()[2] if LIBRARY else "any"
        return "py3", "none", platform


setup(cmdclass={"build_py": CarryLibrary, "bdist_wheel": OfThisPlatform})
