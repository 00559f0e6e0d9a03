"""The C interface: include/lb_backup.h in ctypes, and the library behind it. tests/test_layout.py compares the two."""

from __future__ import annotations

import ctypes
import os
import threading
from ctypes import (
    POINTER,
    c_char,
    c_char_p,
    c_double,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Type, TypeVar, Union

ABI_VERSION = 0
LIBRARY_NAME = f"liblb_backup.so.{ABI_VERSION}"
UINT32_MAX = 0xFFFF_FFFF
UINT64_MAX = 0xFFFF_FFFF_FFFF_FFFF
MESSAGE_SIZE = 1024
NO_CHUNK = UINT64_MAX
CONFIG_SOURCE_NOT_OPEN_IN_PROCESS = 1

# A handle is a token, never an address that anybody follows.
Handle = c_void_p


class Sized(ctypes.Structure):
    """What every structure of the interface is: it begins with its size."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        self.struct_size = ctypes.sizeof(self)


class lb_progress(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("state", c_uint32),
        ("phase", c_uint32),
        ("retries", c_uint32),
        ("bytes_done", c_uint64),
        ("bytes_total", c_uint64),
        ("bytes_written", c_uint64),
        ("bytes_reused", c_uint64),
        ("elapsed_ns", c_uint64),
        ("eta_ns", c_uint64),
        ("percent", c_double),
    ]


class lb_result(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("status", c_int32),
        ("sqlite_code", c_int32),
        ("sys_errno", c_int32),
        ("message", c_char * MESSAGE_SIZE),
        ("format", c_uint32),
        ("page_size", c_uint32),
        ("pages", c_uint64),
        ("image_bytes", c_uint64),
        ("archive_bytes", c_uint64),
        ("bytes_reused", c_uint64),
        ("has_sha256", c_uint32),
        ("retries", c_uint32),
        ("sha256", c_uint8 * 32),
        ("start_unix_ns", c_int64),
        ("end_unix_ns", c_int64),
        ("waiting_ns", c_uint64),
        ("reading_ns", c_uint64),
        ("compressing_ns", c_uint64),
        ("writing_ns", c_uint64),
        ("syncing_ns", c_uint64),
        ("verifying_ns", c_uint64),
        ("source_lock_ns", c_uint64),
        ("wal_growth_bytes", c_uint64),
        ("failed_check", c_uint32),
        ("reserved", c_uint32),
        ("failed_chunk", c_uint64),
        ("failed_page", c_uint64),
    ]


class lb_error(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("status", c_int32),
        ("sqlite_code", c_int32),
        ("sys_errno", c_int32),
        ("message", c_char * MESSAGE_SIZE),
    ]


lb_progress_fn = ctypes.CFUNCTYPE(None, Handle, POINTER(lb_progress), c_void_p)
lb_complete_fn = ctypes.CFUNCTYPE(None, Handle, POINTER(lb_result), c_void_p)
lb_log_fn = ctypes.CFUNCTYPE(None, c_uint32, c_char_p, c_void_p)


class lb_backup_options(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("format", c_uint32),
        ("compression_level", c_int32),
        ("existing", c_uint32),
        ("verify", c_uint32),
        ("digest", c_uint32),
        ("chunk_size", c_uint64),
        ("max_bytes_per_second", c_uint64),
        ("busy_timeout_ms", c_uint32),
        ("progress_interval_ms", c_uint32),
        ("wal_limit_bytes", c_uint64),
        ("user_data", c_void_p),
        ("on_progress", lb_progress_fn),
        ("on_complete", lb_complete_fn),
        ("reuse_path", c_char_p),
    ]


class lb_restore_options(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("existing", c_uint32),
        ("verify", c_uint32),
        ("busy_timeout_ms", c_uint32),
        ("max_bytes_per_second", c_uint64),
        ("progress_interval_ms", c_uint32),
        ("reserved", c_uint32),
        ("keep_previous", c_char_p),
        ("user_data", c_void_p),
        ("on_progress", lb_progress_fn),
        ("on_complete", lb_complete_fn),
    ]


class lb_verify_options(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("verify", c_uint32),
        ("max_bytes_per_second", c_uint64),
        ("progress_interval_ms", c_uint32),
        ("reserved", c_uint32),
        ("user_data", c_void_p),
        ("on_progress", lb_progress_fn),
        ("on_complete", lb_complete_fn),
    ]


class lb_archive_info(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("kind", c_uint32),
        ("format_version", c_uint32),
        ("page_size", c_uint32),
        ("pages", c_uint64),
        ("image_bytes", c_uint64),
        ("archive_bytes", c_uint64),
        ("chunk_size", c_uint64),
        ("chunks", c_uint64),
        ("created_unix_ns", c_int64),
        ("application_id", c_uint32),
        ("user_version", c_int32),
        ("compression_level", c_int32),
        ("has_parent", c_uint32),
        ("archive_id", c_uint8 * 16),
        ("parent_id", c_uint8 * 16),
        ("library_version", c_char * 32),
        ("sqlite_version", c_char * 32),
        ("zstd_version", c_char * 32),
    ]


class lb_job_info(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("state", c_uint32),
        ("job", Handle),
        ("user_data", c_void_p),
        ("bytes_done", c_uint64),
        ("bytes_total", c_uint64),
        ("percent", c_double),
        ("dest_name", c_char * 256),
    ]


class lb_config(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("workers", c_uint32),
        ("max_concurrent_jobs", c_uint32),
        ("queue_length", c_uint32),
        ("priority", c_uint32),
        ("user_data", c_void_p),
        ("on_log", lb_log_fn),
    ]


STRUCTURES = (
    lb_progress,
    lb_result,
    lb_error,
    lb_backup_options,
    lb_restore_options,
    lb_verify_options,
    lb_archive_info,
    lb_job_info,
    lb_config,
)

# What each function takes and returns; lb_status is an int32_t.
FUNCTIONS: Dict[str, Tuple[Any, List[Any]]] = {
    "lb_backup_start": (
        c_int32,
        [c_char_p, c_char_p, POINTER(lb_backup_options), POINTER(Handle), POINTER(lb_error)],
    ),
    "lb_restore_start": (
        c_int32,
        [c_char_p, c_char_p, POINTER(lb_restore_options), POINTER(Handle), POINTER(lb_error)],
    ),
    "lb_verify_start": (c_int32, [c_char_p, POINTER(lb_verify_options), POINTER(Handle), POINTER(lb_error)]),
    "lb_backup_inspect": (c_int32, [c_char_p, POINTER(lb_archive_info), POINTER(lb_error)]),
    "lb_backup_progress": (c_int32, [Handle, POINTER(lb_progress)]),
    "lb_backup_cancel": (c_int32, [Handle]),
    "lb_backup_wait": (c_int32, [Handle, c_uint32]),
    "lb_backup_join": (c_int32, [Handle, POINTER(lb_result)]),
    "lb_backup_release": (c_int32, [Handle]),
    "lb_backup_set_rate": (c_int32, [Handle, c_uint64]),
    "lb_backup_jobs": (c_int32, [POINTER(lb_job_info), c_size_t, POINTER(c_size_t)]),
    "lb_configure": (c_int32, [POINTER(lb_config), POINTER(lb_error)]),
    "lb_shutdown": (c_int32, [c_uint32]),
    "lb_status_name": (c_char_p, [c_int32]),
    "lb_status_message": (c_char_p, [c_int32]),
    "lb_version": (c_char_p, []),
    "lb_abi_version": (c_uint32, []),
}

_lock = threading.Lock()
_library: Optional[ctypes.CDLL] = None
_path: Optional[str] = None


def load(path: Union[str, "os.PathLike[str]", None] = None) -> str:
    """Loads the shared library, once per process, and returns the name that it was loaded by.

    Without a path it is, of these, the first that there is: ``LB_BACKUP_LIBRARY`` of the environment, the copy inside
    the wheel, ``liblb_backup.so.0`` by the system's rules. Every other function does this by itself; call it first to
    name another library, or to have the cost at a moment of your choice.

    Raises OSError if it cannot be loaded, ImportError if it has another ABI or lacks a function, RuntimeError if
    another one is loaded.
    """
    global _library, _path
    with _lock:
        wanted = os.fspath(path) if path is not None else None
        if _library is not None and _path is not None:
            if wanted not in (None, _path):
                raise RuntimeError(f"lb_backup: {_path} is loaded already; a process has one library")
            return _path
        wanted = wanted or os.environ.get("LB_BACKUP_LIBRARY") or _carried() or LIBRARY_NAME
        library = ctypes.CDLL(wanted)
        for name, (result, arguments) in FUNCTIONS.items():
            try:
                function = getattr(library, name)
            except AttributeError as error:
                raise ImportError(f"lb_backup cannot use {wanted}: {error}") from error
            function.restype = result
            function.argtypes = arguments
        if library.lb_abi_version() != ABI_VERSION:
            raise ImportError(f"{wanted} has ABI {library.lb_abi_version()}, and lb_backup needs {ABI_VERSION}")
        _library, _path = library, wanted
        return wanted


def library() -> ctypes.CDLL:
    """The library, loaded if it was not."""
    if _library is None:
        load()
    assert _library is not None
    return _library


def _carried() -> Optional[str]:
    carried = Path(__file__).with_name(LIBRARY_NAME)
    return str(carried) if carried.exists() else None


T = TypeVar("T", bound=Sized)


def from_callback(pointer: Any, kind: Type[T]) -> T:
    """A callback's structure has the size that the library knows: an older library's is smaller than ours."""
    size = min(pointer.contents.struct_size, ctypes.sizeof(kind))
    copy = kind()
    ctypes.memmove(ctypes.byref(copy), pointer, size)
    return copy
