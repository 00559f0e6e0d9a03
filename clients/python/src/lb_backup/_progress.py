"""What may be given as ``progress``: a function, or a progress bar of tqdm's kind."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Iterator, Optional

from ._types import Progress

if TYPE_CHECKING:
    from ._job import ProgressFunction, ProgressLike


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
def observing(progress: Optional[ProgressLike]) -> Iterator[Optional[ProgressFunction]]:
    """The function to call with each look. A bar that was made here is closed at the end."""
    if progress is None:
        yield None
    elif isinstance(progress, type) and hasattr(progress, "update"):
        bar = progress(unit="B", unit_scale=True, unit_divisor=1024)
        try:
            yield _ToBar(bar)
        finally:
            bar.close()
    else:
        yield observer_of(progress)


def observer_of(progress: Any) -> Optional[ProgressFunction]:
    """As observing(), for a bar that somebody else closes."""
    if progress is None:
        return None
    if hasattr(progress, "update") and hasattr(progress, "total"):
        return _ToBar(progress)
    if not callable(progress):
        raise TypeError("progress must be a function of a Progress, or a progress bar with 'total' and 'update'")
    return progress  # type: ignore[no-any-return]
