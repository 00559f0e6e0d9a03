#!/usr/bin/env python3
"""An independent reader of compressed archives: every rule of docs/FORMAT.md, and nothing that is not said there.

Prints one line, "right" or "wrong" with the reason; the exit code is 0 or 1.

SPDX-License-Identifier: MIT OR Apache-2.0
"""

import argparse
import io
import random
import struct
import sys
import time
from pathlib import Path

import blake3
import cbor2
import pyzstd

FORMAT_VERSION = 1
MOST_CHUNKS = 1_048_576

FRAME_MAGIC = 0xFD2FB528  # RFC 8878, 3.1.1
MANIFEST_MAGIC = 0x184D2A5B
TABLE_MAGIC = 0x184D2A5E
FOOTER_MAGIC = 0x8F92EAB1
SKIPPABLE_HEADER = 8
FOOTER = 9

SEED = 1  # of the order in which frames are read, and of the places that are sought


class Wrong(Exception):
    """The archive breaks a rule."""


def need(condition, rule):
    if not condition:
        raise Wrong(rule)


def u32(data, at):
    need(at + 4 <= len(data), "the file ends within a number")
    return struct.unpack_from("<I", data, at)[0]


class Archive:
    """A file taken apart, as "Reading one" says. `frames` are the frames of the chunks, in their order."""

    def __init__(self, data):
        sizes, table_start = read_seek_table(data)
        self.manifest_frame = data[table_start - sizes[-1][0] : table_start]
        self.manifest = read_manifest(self.manifest_frame)
        chunks = self.manifest["chunks"]
        need(sizes[-1][1] == 0, "the seek table says that the manifest decompresses to something")
        need(len(chunks) == len(sizes) - 1, "the seek table and the manifest differ in the number of frames")
        self.frames = []
        start = 0
        for index, ((compressed, decompressed), (_, _, frame_bytes)) in enumerate(zip(sizes, chunks)):
            need(compressed == frame_bytes, f"the seek table and the manifest differ in the length of frame {index}")
            need(decompressed == self.chunk_bytes(index), f"the seek table is wrong about the size of chunk {index}")
            self.frames.append(data[start : start + compressed])
            start += compressed

    def image_bytes(self):
        return self.manifest["page_size"] * self.manifest["page_count"]

    def chunk_bytes(self, index):
        return min(self.manifest["chunk_size"], self.image_bytes() - index * self.manifest["chunk_size"])


def read_seek_table(data):
    """The entries, each a compressed and a decompressed size, and where the table begins."""
    need(len(data) >= FOOTER, "the file is too short for a seek table")
    need(u32(data, len(data) - 4) == FOOTER_MAGIC, "the file does not end with a seek table")
    entries = u32(data, len(data) - FOOTER)
    need(data[-5] == 0, "the seek table's descriptor is not 0")
    table_bytes = SKIPPABLE_HEADER + 8 * entries + FOOTER
    start = len(data) - table_bytes
    need(start >= 0, "the seek table is longer than the file")
    need(u32(data, start) == TABLE_MAGIC, "the seek table has another magic number")
    need(u32(data, start + 4) == table_bytes - SKIPPABLE_HEADER, "the seek table's frame has another length")
    need(1 < entries <= MOST_CHUNKS + 1, f"the seek table has {entries} entries")
    content = data[start + SKIPPABLE_HEADER : -FOOTER]
    sizes = list(struct.iter_unpack("<II", content))
    need(sum(compressed for compressed, _ in sizes) == start, "the seek table does not add up to where it begins")
    return sizes, start


def read_manifest(frame):
    need(u32(frame, 0) == MANIFEST_MAGIC, "the manifest has another magic number")
    need(u32(frame, 4) == len(frame) - SKIPPABLE_HEADER, "the manifest's frame has another length")
    content = frame[SKIPPABLE_HEADER:]
    need(content[-34:-32] == b"\x58\x20", "the manifest does not end with a hash")
    need(content[-32:] == blake3.blake3(content[:-34]).digest(), "the manifest's hash differs")
    stream = io.BytesIO(content)
    decoder = cbor2.CBORDecoder(stream, allow_indefinite=False, allow_duplicate_keys=False)
    try:
        manifest, sealed = decoder.decode(), decoder.decode()
    except (cbor2.CBORError, ValueError) as error:
        raise Wrong(f"the manifest is not CBOR: {error}") from error
    need(isinstance(manifest, dict) and sealed == content[-32:], "the manifest is not a map and its hash")
    try:
        decoder.decode()
        raise Wrong("something follows the manifest's hash")
    except cbor2.CBORDecodeEOF:
        pass
    check_fields(manifest)
    check_geometry(manifest)
    return manifest


def check_fields(manifest):
    def unsigned(value):
        return type(value) is int and value >= 0

    def integer(value):
        return type(value) is int

    def text(value):
        return isinstance(value, str) and value != ""

    def name(value):
        return isinstance(value, bytes) and len(value) == 16

    fields = {
        "lb_backup": lambda value: value == FORMAT_VERSION,
        "library": text,
        "sqlite": text,
        "zstd": text,
        "created_ns": lambda value: integer(value) and 0 < value <= time.time_ns(),
        "archive_id": name,
        "level": lambda value: integer(value) and -7 <= value <= 19,
        "page_size": lambda value: unsigned(value) and 512 <= value <= 65_536 and value & (value - 1) == 0,
        "page_count": lambda value: unsigned(value) and value < 2**32,
        "application_id": lambda value: unsigned(value) and value < 2**32,
        "user_version": lambda value: integer(value) and -(2**31) <= value < 2**31,
        "chunk_size": lambda value: unsigned(value) and value > 0,
        "chunks": lambda value: isinstance(value, list),
    }
    need(next(iter(manifest), None) == "lb_backup", "the manifest does not begin with its version")
    for key, is_right in fields.items():
        need(key in manifest, f"the manifest has no {key}")
        need(is_right(manifest[key]), f"the manifest's {key} is {manifest[key]!r}")
    need("parent_id" not in manifest or name(manifest["parent_id"]), "the manifest's parent_id is not 16 bytes")
    for index, chunk in enumerate(manifest["chunks"]):
        is_chunk = isinstance(chunk, list) and [type(part) for part in chunk] == [bytes, bytes, int]
        need(
            is_chunk and len(chunk[0]) == len(chunk[1]) == 32,
            f"the manifest's chunk {index} is not two hashes and a length",
        )


def check_geometry(manifest):
    page_size, chunk_size = manifest["page_size"], manifest["chunk_size"]
    need(chunk_size % page_size == 0, f"a chunk_size of {chunk_size} is not whole pages")
    chunks = max(1, -(-page_size * manifest["page_count"] // chunk_size))
    need(chunks <= MOST_CHUNKS, f"{chunks} chunks are too many")
    need(len(manifest["chunks"]) == chunks, f"the image has {chunks} chunks, the manifest {len(manifest['chunks'])}")


def read_chunk(archive, index):
    """Decompresses one frame with nothing else at hand."""
    frame = archive.frames[index]
    content_hash, frame_hash, _ = archive.manifest["chunks"][index]
    need(blake3.blake3(frame).digest() == frame_hash, f"frame {index} is damaged: its hash differs")
    need(u32(frame, 0) == FRAME_MAGIC, f"frame {index} has another magic number")
    need(frame[4] & 0x04, f"frame {index} has no checksum")  # Frame_Header_Descriptor: RFC 8878, 3.1.1.1.1
    try:
        need(pyzstd.get_frame_size(frame) == len(frame), f"frame {index} is not one frame")
        told = pyzstd.get_frame_info(frame)
        need(told.dictionary_id == 0, f"frame {index} needs a dictionary")
        need(told.decompressed_size == archive.chunk_bytes(index), f"frame {index} does not tell its content's size")
        content = pyzstd.ZstdDecompressor().decompress(frame)
    except pyzstd.ZstdError as error:
        raise Wrong(f"frame {index} does not decompress: {error}") from error
    need(len(content) == archive.chunk_bytes(index), f"frame {index} decompresses to {len(content)} bytes")
    need(blake3.blake3(content).digest() == content_hash, f"chunk {index} has another hash than its content")
    return content


def read_image(archive):
    """Every frame by itself, in an order of no meaning."""
    order = list(range(len(archive.frames)))
    random.Random(SEED).shuffle(order)
    chunks = {index: read_chunk(archive, index) for index in order}
    return b"".join(chunks[index] for index in sorted(chunks))


def check_header(manifest, image):
    """What the manifest tells of the database, against the database: https://sqlite.org/fileformat2.html, 1.3."""
    if image == b"":
        header = {"page_count": 0, "application_id": 0, "user_version": 0}
    else:
        need(image[:16] == b"SQLite format 3\0", "the image is no database")
        page_size = struct.unpack_from(">H", image, 16)[0]
        header = {
            "page_size": 65_536 if page_size == 1 else page_size,
            "page_count": struct.unpack_from(">I", image, 28)[0],
            "user_version": struct.unpack_from(">i", image, 60)[0],
            "application_id": struct.unpack_from(">I", image, 68)[0],
        }
    for key, value in header.items():
        need(manifest[key] == value, f"the manifest's {key} is {manifest[key]}, the database's {value}")


def check_seeking(data, image):
    """With another's reader of the seek table: the whole, the ends, and places of no meaning."""
    chance = random.Random(SEED)
    with pyzstd.SeekableZstdFile(io.BytesIO(data)) as file:
        _, _, decompressed = file.seek_table_info
        need(decompressed == len(image), "by its seek table, the archive has another size")
        need(file.read() == image, "read through its seek table, the archive is something else")
        places = [chance.randrange(len(image) + 1) for _ in range(100)] + [0, max(len(image) - 1, 0), len(image)]
        for place in places:
            length = chance.choice([1, 100, 5000, 200_000])
            file.seek(place)
            need(file.read(length) == image[place : place + length], f"a read at {place} gives something else")


def check(data, image=None):
    """Every rule; the archive. `image` is what it must decompress to."""
    archive = Archive(data)
    ours = read_image(archive)
    check_header(archive.manifest, ours)
    if image is not None:
        need(ours == image, "the image is not what it should be")
    need(pyzstd.decompress(data) == ours, "decompressed at once, the archive is something else")
    check_seeking(data, ours)
    return archive


def check_relatives(archive, arguments):
    """What is known of other archives: none other has the same name, and a child names its parent."""
    parent_id = archive.manifest.get("parent_id")
    if arguments.child_of:
        parent = Archive(arguments.child_of.read_bytes())
        need(parent_id == parent.manifest["archive_id"], "parent_id is not the parent's archive_id")
        need(archive.manifest["archive_id"] != parent_id, "parent and child have one archive_id")
    else:
        need(parent_id is None, "there is a parent_id and was no parent")
    if arguments.twin_of:
        twin = Archive(arguments.twin_of.read_bytes())
        need(archive.manifest["archive_id"] != twin.manifest["archive_id"], "two archives have one archive_id")
        need(archive.frames == twin.frames, "two archives of one image have other frames")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--image", type=Path, help="what the archive must decompress to")
    parser.add_argument("--child-of", type=Path, metavar="ARCHIVE", help="what it was made from with reuse_path")
    parser.add_argument("--twin-of", type=Path, metavar="ARCHIVE", help="another archive of the same image")
    parser.add_argument("--begun", nargs=2, type=int, metavar=("FROM", "TO"), help="within what its created_ns must be")
    parser.add_argument("--says", nargs="+", default=[], metavar="KEY=VALUE", help="what its manifest must say")
    arguments = parser.parse_args()
    try:
        image = arguments.image.read_bytes() if arguments.image else None
        archive = check(arguments.archive.read_bytes(), image)
        check_relatives(archive, arguments)
        if arguments.begun:
            earliest, latest = arguments.begun
            need(earliest <= archive.manifest["created_ns"] <= latest, "created_ns is not when the copy began")
        for key, value in (pair.split("=", 1) for pair in arguments.says):
            need(str(archive.manifest.get(key)) == value, f"{key} is {archive.manifest.get(key)}, not {value}")
    except Wrong as wrong:
        print(f"{arguments.archive}: wrong: {wrong}")
        return 1
    print(f"{arguments.archive}: right: {len(archive.frames)} frames, {archive.image_bytes()} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
