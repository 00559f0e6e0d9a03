"""One asynchronous operation, and how its end reaches whoever waits for it."""

from __future__ import annotations

import atexit
import collections
import contextlib
import ctypes
import itertools
import os
import threading
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterator,
    Callable,
    Deque,
    Dict,
    Generator,
    Iterator,
    List,
    NoReturn,
    Optional,
    Tuple,
    Type,
    Union,
)

from . import _ffi
from ._errors import ShutDownError, Status, TimedOutError, WrongProcessError, check, make_error, raise_error
from ._types import JobState, Progress, Result, to_progress, to_result

if TYPE_CHECKING:
    import asyncio

    from typing import Protocol

    class Bar(Protocol):
        """What a progress bar of tqdm's kind has."""

        total: Any

        def update(self, n: Any = ..., /) -> Any: ...

        def close(self) -> Any: ...

    ProgressFunction = Callable[[Progress], object]
    ProgressLike = Union[ProgressFunction, Bar]
    ProgressOrClass = Union[ProgressLike, Type[Bar]]

# Jobs from before their start until their on_complete, by their user_data: what the library's thread looks them up by,
# and what keeps a job that nobody holds alive until it has ended.
_jobs: Dict[int, Job] = {}
# Handles of jobs whose on_complete has begun. One is released once its on_complete has returned to the library: until
# then the interpreter must not end, because the library's thread still needs it.
_ended: Deque[int] = collections.deque()
_keys = itertools.count(1)
_lock = threading.Lock()
_completing: Optional[int] = None  # the thread that is inside an on_complete
_closed = False
_shut_down_at_exit = False  # configure() gave the library a function of ours to call at any time


class Job:
    """A backup, restore or verification that runs on the library's threads.

    Every method may be called by any thread. A job that nobody refers to goes on to its end, like a call submitted to
    an executor; one that fails then is told to the ``lb_backup`` logger.

    As a context manager it is over when the block is left: by an exception, it is cancelled; else it is waited for, and
    its error raised, unless that was seen already or the job was cancelled by ``cancel()``. ``async with`` likewise.

    ``await job`` gives the result; cancelling the task that awaits cancels the job, and the task ends once the job has.
    """

    source: Path
    """What is read."""
    dest: Optional[Path]
    """What is made; None for a verification."""

    def __init__(self, source: Path, dest: Optional[Path]) -> None:
        self.source = source
        self.dest = dest
        self._handle = _ffi.Handle()  # filled in by the library itself: no exception comes between
        self._key = next(_keys)
        self._observer: Optional[ProgressFunction] = None
        self._guard = threading.Lock()
        self._done = threading.Event()
        self._when_done: List[Callable[[], object]] = []
        self._last_look: Optional[Progress] = None
        self._result: Optional[Result] = None
        self._failure: Optional[BaseException] = None  # what the progress function raised, or the end itself
        self._cancel_asked = False
        self._outcome_seen = False

    # ---- looking and steering

    @property
    def progress(self) -> Progress:
        """One look at the job, in microseconds, whatever it is doing."""
        if self._last_look is None:
            raw = _ffi.lb_progress()
            status = _ffi.library().lb_backup_progress(self._handle, ctypes.byref(raw))
            if status == Status.OK:
                return to_progress(raw)
            if self._last_look is None:  # else it has ended, and was let go, meanwhile
                check(status, "progress")
        assert self._last_look is not None
        return self._last_look

    def done(self) -> bool:
        """Whether the job has ended, well or not."""
        return self._done.is_set()

    def cancel(self) -> bool:
        """Asks the job to end, which takes milliseconds and leaves nothing behind. Returns at once.

        False: it had ended already. A job that has published its file by now succeeds all the same.
        """
        self._cancel_asked = True
        if self.done():
            return False
        status = _ffi.library().lb_backup_cancel(self._handle)
        if status == Status.INVALID_HANDLE:
            return False
        check(status, "cancel")
        return True

    def set_rate(self, max_bytes_per_second: Optional[int]) -> None:
        """Changes the throttle, at once: bytes of the image per second, None for no limit.

        Raises InvalidHandleError if the job has ended.
        """
        if max_bytes_per_second is not None and not 0 < max_bytes_per_second <= _ffi.UINT64_MAX:
            raise make_error(Status.INVALID_ARGUMENT, "set_rate: max_bytes_per_second is not positive, or too large")
        if self.done():
            raise make_error(Status.INVALID_HANDLE, "set_rate: the job has ended")
        check(_ffi.library().lb_backup_set_rate(self._handle, max_bytes_per_second or 0), "set_rate")

    # ---- waiting

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Waits until the job has ended, well or not, or for that many seconds. Returns whether it has ended.

        A KeyboardInterrupt ends the wait, and not the job. Raises WouldDeadlockError in a progress function.
        """
        if self._done.is_set():
            return True
        _may_wait(self._handle)
        return self._done.wait(timeout)

    def result(self, timeout: Optional[float] = None) -> Result:
        """Waits as wait() does. Returns the result of a job that succeeded.

        Raises the Error that it ended with; what its progress function raised; TimedOutError if it has not ended yet.
        """
        if not self.wait(timeout):
            raise TimedOutError("result: the job has not ended yet", Status.TIMED_OUT)
        return self._outcome()

    def watch(self, interval: float = 0.1) -> Iterator[Progress]:
        """A look every so many seconds, the last one when the job has ended. Raises nothing for a job that fails."""
        while True:
            ended = self.wait(interval)
            yield self.progress
            if ended:
                return

    def __iter__(self) -> Iterator[Progress]:
        return self.watch()

    def future(self) -> Future[Result]:
        """A concurrent.futures.Future of the result. No thread waits behind it.

        Its cancel() cancels the job: the future is running until the job has ended, and cancelled() after that, unless
        the job was done by then. Functions added to it run on the library's thread, as progress functions do.
        """
        future = _JobFuture(self)
        self._call_when_done(future.settle)
        return future

    def __enter__(self) -> Job:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if kind is not None:
            self._abandon()
        else:
            self.wait()
            self._raise_if_unseen()

    # ---- the same in asyncio

    def __await__(self) -> Generator[Any, None, Result]:
        return self._awaited().__await__()

    async def watch_async(self, interval: float = 0.1) -> AsyncIterator[Progress]:
        """As watch(), in asyncio."""
        import asyncio

        ended = self._loop_future()
        while True:
            await asyncio.wait((ended,), timeout=interval)
            yield self.progress
            if ended.done():
                return

    def __aiter__(self) -> AsyncIterator[Progress]:
        return self.watch_async()

    async def __aenter__(self) -> Job:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if kind is not None:
            await self._abandon_async(kind)
        else:
            await self._until_done()
            self._raise_if_unseen()

    async def _awaited(self) -> Result:
        await self._until_done()
        return self._outcome()

    async def _until_done(self) -> None:
        try:
            await self._loop_future()
        except BaseException as error:
            await self._abandon_async(type(error))
            raise

    async def _abandon_async(self, kind: Type[BaseException]) -> None:
        self.cancel()
        if not issubclass(kind, GeneratorExit):  # a coroutine that is being closed cannot await
            await self._loop_future()

    def _loop_future(self) -> asyncio.Future[None]:
        import asyncio

        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def tell() -> None:
            if not ended.done():
                ended.set_result(None)

        def wake() -> None:
            # A loop that was closed meanwhile has nobody left to wake.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(tell)

        self._call_when_done(wake)
        return ended

    # ---- from the start to the end

    def _start(
        self, function: str, paths: Tuple[bytes, ...], options: Any, observer: Optional[ProgressFunction]
    ) -> None:
        library = _ffi.library()
        _may_use(function)
        self._observer = observer
        options.user_data = self._key
        options.on_complete = _complete_fn
        if observer is not None:
            options.on_progress = _progress_fn
        _let_go()
        with _lock:
            if _closed:
                raise ShutDownError(f"{function}: the interpreter is shutting down", Status.SHUT_DOWN)
            _jobs[self._key] = self
        error = _ffi.lb_error()
        start = getattr(library, function)
        if start(*paths, ctypes.byref(options), ctypes.byref(self._handle), ctypes.byref(error)) != Status.OK:
            _jobs.pop(self._key, None)
            raise_error(error)

    def _abandon(self) -> None:
        """Cancels the job and waits until it is over; for whoever leaves it by an exception."""
        with contextlib.suppress(WrongProcessError):  # a child leaves its parent's job alone
            if self.cancel():
                self.wait()
            elif not self.done():
                _jobs.pop(self._key, None)  # interrupted before it was started

    def _complete(self, raw: Any) -> None:
        look, result, failure = None, None, self._failure
        try:
            look = self.progress
            result = to_result(_ffi.from_callback(raw, _ffi.lb_result), self.source, self.dest)
        except BaseException as error:  # an end that cannot be told is one all the same
            failure = failure or error
        with self._guard:
            self._result, self._failure = result, failure
            self._last_look = look
            self._observer = None  # it may hold this very job
            self._done.set()
            calls, self._when_done = self._when_done, []
        with contextlib.ExitStack() as stack:  # every one, whatever another raises
            for call in reversed(calls):
                stack.callback(call)

    def _call_when_done(self, call: Callable[[], object]) -> None:
        if not self.done():
            _may_use("wait")  # a child would not be called, and the lock may be that of a thread that it has not
        with self._guard:
            if not self._done.is_set():
                self._when_done.append(call)
                return
        call()

    def _outcome(self) -> Result:
        self._outcome_seen = True
        if self._failure is not None:
            raise self._failure
        assert self._result is not None
        if self._result.status != Status.OK:
            result = self._result
            raise make_error(result.status, result.message, result.sqlite_code, result.sys_errno, result)
        return self._result

    def _raise_if_unseen(self) -> None:
        asked_for = self._cancel_asked and self._failure is None and self._last_state is JobState.CANCELLED
        if not self._outcome_seen and not asked_for:
            self._outcome()

    @property
    def _last_state(self) -> Optional[JobState]:
        return self._last_look.state if self._last_look else None

    def __del__(self) -> None:
        failed = self._failure is not None or self._last_state is JobState.FAILED
        if failed and not self._outcome_seen:
            import logging

            reason = self._failure or (self._result and self._result.message)
            logging.getLogger("lb_backup").error("the error of a job was never looked at: %s", reason)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Job belongs to its process and cannot be pickled")

    def __repr__(self) -> str:
        look = self._last_look
        state = look.state.name.lower() if look else "running"
        return f"<lb_backup.Job {os.fspath(self.source)!r} to {self.dest and os.fspath(self.dest)!r}: {state}>"


class _JobFuture(Future[Result]):
    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def cancel(self) -> bool:
        return self.cancelled() if self.done() else self._job.cancel()

    def running(self) -> bool:
        return not self.done()

    def result(self, timeout: Optional[float] = None) -> Result:
        self._may_wait()
        return super().result(timeout)

    def exception(self, timeout: Optional[float] = None) -> Optional[BaseException]:
        self._may_wait()
        return super().exception(timeout)

    def _may_wait(self) -> None:
        if not self._job.done():
            _may_wait(self._job._handle)

    def settle(self) -> None:
        job = self._job
        if job._failure is None and job._last_state is JobState.CANCELLED:
            job._outcome_seen = True
            super().cancel()
            self.set_running_or_notify_cancel()
            return
        try:
            result = job._outcome()
        except BaseException as error:
            self.set_exception(error)
        else:
            self.set_result(result)


def _may_wait(handle: Any) -> None:
    """Raises where waiting would be for ever: the library knows which thread this is, and which process."""
    status = _ffi.library().lb_backup_wait(handle, 0)
    if status not in (Status.OK, Status.TIMED_OUT, Status.INVALID_HANDLE):
        check(status, "wait")


def _may_use(call: str) -> None:
    """Raises WrongProcessError in a child of the process that has the jobs."""
    if _ffi.library().lb_backup_wait(None, 0) == Status.WRONG_PROCESS:
        check(Status.WRONG_PROCESS, call)


def _on_progress(handle: int, progress: Any, key: int) -> None:
    job = _jobs[key]
    job._handle.value = handle  # a callback may come before the start has returned it
    if job._observer is None or job._failure is not None:
        return
    try:
        job._observer(to_progress(_ffi.from_callback(progress, _ffi.lb_progress)))
    except BaseException as error:  # SystemExit too: this is not the thread that it was meant for
        job._failure = error
        _ffi.library().lb_backup_cancel(handle)


def _on_complete(handle: int, result: Any, key: int) -> None:
    global _completing
    _completing = threading.get_ident()
    _ended.append(handle)
    try:
        _jobs[key]._handle.value = handle  # a callback may come before the start has returned it
        _jobs[key]._complete(result)
    finally:
        del _jobs[key]
        _completing = None


_progress_fn = _ffi.lb_progress_fn(_on_progress)
_complete_fn = _ffi.lb_complete_fn(_on_complete)


def _let_go(timeout_ms: int = 0) -> None:
    """Ends the handles of jobs whose on_complete has returned."""
    if _completing == threading.get_ident():
        return
    library = _ffi.library()
    with contextlib.suppress(IndexError):
        while True:
            handle = _ended.popleft()
            if library.lb_backup_wait(handle, timeout_ms) == Status.TIMED_OUT:
                _ended.appendleft(handle)
                return
            library.lb_backup_release(handle)


def _forked() -> None:
    """In a child: the lock may be held by a thread that it has not."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forked)


@atexit.register
def _close() -> None:
    """Ends every job: the library's thread must not come back to an interpreter that is gone."""
    global _closed
    with _lock:
        _closed = True
    if not (_jobs or _ended or _shut_down_at_exit):
        return
    library = _ffi.library()
    if library.lb_backup_wait(None, 0) == Status.WRONG_PROCESS:
        return
    for key, job in list(_jobs.items()):
        # Again and again: a daemon thread may be in the middle of the start.
        while key in _jobs:
            library.lb_backup_cancel(job._handle)
            job._done.wait(0.01)
    _let_go(_ffi.UINT32_MAX)
    if _shut_down_at_exit:
        library.lb_shutdown(_ffi.UINT32_MAX)
