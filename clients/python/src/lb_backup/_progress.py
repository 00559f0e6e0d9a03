"""What may be given as ``progress``: a function, or a progress bar of tqdm's kind."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any, Dict, Iterator, Optional, Type

from ._types import Progress

if TYPE_CHECKING:
    from ._job import ProgressFunction


class _ToBar:
    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._shown = 0

    def __call__(self, look: Progress) -> None:
        if look.bytes_total and self._bar.total != look.bytes_total:
            self._bar.total = look.bytes_total
        if look.bytes_done > self._shown:
            self._bar.update(look.bytes_done - self._shown)
            self._shown = look.bytes_done


@contextlib.contextmanager
def observing(progress: Any) -> Iterator[Optional[ProgressFunction]]:
    """The function to call with each look. A bar that was made here is closed at the end."""
    if hasattr(_class_of(progress), "update"):
        keywords: Dict[str, Any] = {"unit": "B", "unit_scale": True, "unit_divisor": 1024}
        if isinstance(progress, functools.partial):
            keywords.update(progress.keywords)
        bar = progress(**keywords)
        try:
            yield _ToBar(bar)
        finally:
            bar.close()
    else:
        yield observer_of(progress)


def _class_of(progress: Any) -> Optional[Type[Any]]:
    made = progress.func if isinstance(progress, functools.partial) else progress
    return made if isinstance(made, type) else None


def observer_of(progress: Any) -> Optional[ProgressFunction]:
    """As observing(), for a bar that somebody else closes."""
    if progress is None:
        return None
    if _class_of(progress) is not None:
        raise TypeError("progress is a class, of which each look would make another object; give an object")
    if hasattr(progress, "update") and hasattr(progress, "total"):
        return _ToBar(progress)
    if not callable(progress):
        raise TypeError("progress must be a function of a Progress, or a progress bar with 'total' and 'update'")
    return progress  # type: ignore[no-any-return]
