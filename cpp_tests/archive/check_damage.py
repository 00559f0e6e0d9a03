#!/usr/bin/env python3
"""Shows that check_archive.py can fail: damages an archive in every part and has it tell lies, one at a time.

Every one must be found out, and for the right reason. Prints one line; the exit code is 0 or 1.

SPDX-License-Identifier: MIT OR Apache-2.0
"""

import copy
import struct
import sys
import time
from pathlib import Path

import blake3
import cbor2
import pyzstd

from check_archive import FOOTER_MAGIC, MANIFEST_MAGIC, TABLE_MAGIC, Archive, Wrong, check


def flipped(data, at):
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def skippable(magic, content):
    return struct.pack("<II", magic, len(content)) + content


def sealed(encoded):
    return skippable(MANIFEST_MAGIC, encoded + b"\x58\x20" + blake3.blake3(encoded).digest())


def seek_table(sizes, descriptor=0):
    entries = b"".join(struct.pack("<II", *size) for size in sizes)
    return skippable(TABLE_MAGIC, entries + struct.pack("<IBI", len(sizes), descriptor, FOOTER_MAGIC))


def content_bytes(frame):
    return pyzstd.get_frame_info(frame).decompressed_size


def assembled(frames, manifest, sizes=None):
    """An archive as the library would make it, of whatever it is given. `manifest` may be a frame already."""
    manifest = manifest if isinstance(manifest, bytes) else sealed(cbor2.dumps(manifest))
    sizes = sizes or [(len(frame), content_bytes(frame)) for frame in frames] + [(len(manifest), 0)]
    return b"".join(frames) + manifest + seek_table(sizes)


def damages(data):
    """A byte in every part of the file, and files cut short or made longer."""
    archive = Archive(data)
    start = 0
    for index, frame in enumerate(archive.frames):
        for at in (0, 4, len(frame) // 2, len(frame) - 1):
            yield f"byte {at} of frame {index}", flipped(data, start + at), f"frame {index} "
        start += len(frame)
    end = start + len(archive.manifest_frame)
    for at in (0, 4, 8, 9, (end - start) // 2, end - start - 34, end - start - 33, end - start - 1):
        yield f"byte {at} of the manifest", flipped(data, start + at), "manifest"
    for at in range(len(data) - end):
        yield f"byte {at} of the seek table", flipped(data, end + at), "seek table"
    for length in (0, 1, 8, 9, start // 2, start, end, len(data) - 9, len(data) - 1):
        yield f"cut to {length} bytes", data[:length], "seek table"
    yield "a byte before", b"\0" + data, "add up"
    yield "a byte behind", data + b"\0", "seek table"
    yield "a byte between", data[:start] + b"\0" + data[start:], "add up"


def lies_of_the_manifest(archive):
    """Manifests with a right hash, of which one thing is not so."""
    truth = archive.manifest

    def changed(**changes):
        return {**truth, **changes}

    def chunks(index, *entry):
        entries = copy.copy(truth["chunks"])
        entries[index] = entry
        return changed(chunks=entries)

    content, frame, length = truth["chunks"][1]
    yield "another version", changed(lb_backup=2), "lb_backup"
    yield "no writer", changed(library=""), "library"
    yield "from the future", changed(created_ns=time.time_ns() + 10**12), "created_ns"
    yield "a short id", changed(archive_id=b"short"), "archive_id"
    yield "a short parent's id", changed(parent_id=b"short"), "parent_id"
    yield "an impossible level", changed(level=20), "level"
    yield "an impossible page size", changed(page_size=truth["page_size"] + 1), "page_size"
    yield "pages of half the size", changed(
        page_size=truth["page_size"] // 2, page_count=truth["page_count"] * 2
    ), "page_size"
    yield "a page too many", changed(page_count=truth["page_count"] + 1), "size of chunk"
    yield "another application", changed(application_id=truth["application_id"] ^ 1), "application_id"
    yield "another user version", changed(user_version=truth["user_version"] + 1), "user_version"
    yield "chunks of half a page", changed(chunk_size=truth["page_size"] // 2), "whole pages"
    yield "chunks of twice the size", changed(chunk_size=truth["chunk_size"] * 2), "chunks"
    yield "a chunk too few", changed(chunks=truth["chunks"][:-1]), "chunks"
    yield "another content", chunks(1, flipped(content, 0), frame, length), "chunk 1 has another hash"
    yield "another frame", chunks(1, content, flipped(frame, 0), length), "frame 1 is damaged"
    yield "a longer frame", chunks(1, content, frame, length + 1), "length of frame 1"
    yield "a short hash", chunks(1, content[:31], frame, length), "chunk 1 is not"
    yield "a hash too few", chunks(1, content, length), "chunk 1 is not"
    for key in truth.keys() - {"lb_backup"}:
        yield f"no {key}", {k: v for k, v in truth.items() if k != key}, f"has no {key}"
    yield "the version last", dict(sorted(truth.items(), reverse=True)), "does not begin"

    encoded = cbor2.dumps(truth)
    yield "no definite length", sealed(b"\xbf" + encoded[1:] + b"\xff"), "not CBOR"
    yield "a key twice", sealed(bytes([encoded[0] + 1]) + encoded[1:] + cbor2.dumps("level") + b"\x03"), "not CBOR"
    yield "more than a map", sealed(encoded + b"\0"), "a map and its hash"
    yield "no map", sealed(cbor2.dumps([truth])), "a map and its hash"


def lies_of_the_frames(archive):
    """Frames that are what the manifest says of them, and not what a chunk's frame must be."""

    def compressed(content, **options):
        parameters = {pyzstd.CParameter.checksumFlag: 1, pyzstd.CParameter.contentSizeFlag: 1}
        parameters.update({pyzstd.CParameter[name]: value for name, value in options.items()})
        return pyzstd.compress(content, parameters)

    def replaced(frame):
        frames, manifest = list(archive.frames), copy.deepcopy(archive.manifest)
        frames[1] = frame
        manifest["chunks"][1] = (manifest["chunks"][1][0], blake3.blake3(frame).digest(), len(frame))
        sizes = [(len(each), archive.chunk_bytes(index)) for index, each in enumerate(frames)]
        encoded = sealed(cbor2.dumps(manifest))
        return assembled(frames, encoded, sizes + [(len(encoded), 0)])

    content = pyzstd.decompress(archive.frames[1])
    half = len(content) // 2
    yield "no checksum", replaced(compressed(content, checksumFlag=0)), "no checksum"
    yield "no content size", replaced(compressed(content, contentSizeFlag=0)), "does not tell"
    yield "two frames", replaced(compressed(content[:half]) + compressed(content[half:])), "not one frame"
    yield "a frame and a skippable one", replaced(compressed(content) + skippable(0x184D2A50, b"")), "not one frame"
    yield "a skippable frame", replaced(skippable(0x184D2A50, content)), "magic number"
    yield "half a frame", replaced(archive.frames[1][: len(archive.frames[1]) // 2]), "does not decompress"
    yield "a shorter content", replaced(compressed(content[:half])), "does not tell"
    yield "a wrong checksum", replaced(flipped(archive.frames[1], -1)), "does not decompress"

    frames, manifest = list(archive.frames), copy.deepcopy(archive.manifest)
    for swapped in (frames, manifest["chunks"]):
        swapped[1], swapped[2] = swapped[2], swapped[1]
    yield "two chunks in each other's place", assembled(frames, manifest), "not what it should be"
    yield "only their frames so", assembled(frames, archive.manifest_frame), "frame"


def lies_of_the_table(archive):
    frames, manifest = archive.frames, archive.manifest_frame
    sizes = [(len(frame), content_bytes(frame)) for frame in frames]
    yield "a manifest with content", assembled(frames, manifest, sizes + [(len(manifest), 1)]), "decompresses to"
    one_more = [(sizes[0][0], sizes[0][1] + 1)] + sizes[1:] + [(len(manifest), 0)]
    yield "a larger chunk", assembled(frames, manifest, one_more), "size of chunk 0"
    body = b"".join(frames) + manifest
    with_flag = seek_table(sizes + [(len(manifest), 0)], descriptor=0x80)
    yield "checksums that are not there", body + with_flag, "descriptor"
    yield "no manifest", b"".join(frames) + seek_table(sizes), "magic number"
    gap = skippable(0x184D2A50, b"")
    spread = sizes + [(len(gap), 0), (len(manifest), 0)]
    yield "a frame of no chunk", b"".join(frames) + gap + manifest + seek_table(spread), "number of frames"
    yield "a manifest that comes first", manifest + b"".join(frames) + seek_table(
        [(len(manifest), 0)] + sizes
    ), "manifest"


def main():
    archive_bytes, image = (Path(name).read_bytes() for name in sys.argv[1:])
    archive = check(archive_bytes, image)
    if check(assembled(archive.frames, archive.manifest), image).manifest != archive.manifest:
        print("what is put together here is not what the library makes")
        return 1
    told = list(damages(archive_bytes)) + list(lies_of_the_frames(archive)) + list(lies_of_the_table(archive))
    told += [(lie, assembled(archive.frames, made), word) for lie, made, word in lies_of_the_manifest(archive)]
    believed = 0
    for name, data, word in told:
        try:
            check(data, image)
            found = None
        except Wrong as wrong:
            found = str(wrong)
        if found is None or word not in found:
            believed += 1
            print(f"{name}: should be found wrong for {word!r}: {found}")
    print(f"{len(told)} damaged archives, {believed} of them not found out")
    return 1 if believed else 0


if __name__ == "__main__":
    sys.exit(main())
