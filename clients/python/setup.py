"""A wheel that carries the shared library which LB_BACKUP_LIBRARY names; without it, one that uses the system's.

With the library go the licences of what others wrote in it: LB_BACKUP_NOTICES names the file, which else is the one
that was installed with the library.
"""

import os
import shutil
from pathlib import Path
from typing import Tuple

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.errors import FileError

LIBRARY = os.environ.get("LB_BACKUP_LIBRARY")
NOTICES = "LICENSES-OF-OTHERS"


def notices() -> Path:
    named = os.environ.get("LB_BACKUP_NOTICES")
    if named:
        return Path(named)
    for folder in Path(LIBRARY or "").resolve().parents:
        installed = folder / "share/licenses/lb_backup" / NOTICES
        if installed.exists():
            return installed
    raise FileError(f"there is no {NOTICES} with {LIBRARY}: LB_BACKUP_NOTICES must name it")


class CarryLibrary(build_py):  # type: ignore[misc, unused-ignore]
    def run(self) -> None:
        super().run()
        if LIBRARY:
            shutil.copyfile(LIBRARY, Path(self.build_lib, "lb_backup", "liblb_backup.so.0"))


class OfThisPlatform(bdist_wheel):  # type: ignore[misc, unused-ignore]
    def finalize_options(self) -> None:
        super().finalize_options()
        self.root_is_pure = not LIBRARY

    def egg2dist(self, egginfo_path: str, distinfo_path: str) -> None:
        super().egg2dist(egginfo_path, distinfo_path)
        if LIBRARY:
            licences = Path(distinfo_path, "licenses")
            licences.mkdir(exist_ok=True)
            shutil.copyfile(notices(), licences / NOTICES)

    def get_tag(self) -> Tuple[str, str, str]:
        # Any Python 3: the package talks to the library, and not the library to Python.
        platform = super().get_tag()[2] if LIBRARY else "any"
        return "py3", "none", platform


setup(cmdclass={"build_py": CarryLibrary, "bdist_wheel": OfThisPlatform})
