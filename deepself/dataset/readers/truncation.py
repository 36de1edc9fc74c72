"""Whether a file lacks its end, where its format says how long it is.

Decoders read many such files as shorter recordings, and say nothing.
"""

from collections.abc import Iterator
from mmap import mmap


def is_cut(content: bytes | mmap) -> bool:
    """Whether the file ends before its format says that it does; False where it does not say."""
    start = content[:4]
    if start == b"RIFF":  # WAV, AVI, WebP
        size = int.from_bytes(content[4:8], "little")
        streamed = size in (0, 0xFFFFFFFF)  # a writer that could not go back to fill it in
        return not streamed and size + 8 > len(content) + size % 2
    if start == b"RF64":  # EBU Tech 3306
        size = int.from_bytes(content[20:28], "little")
        return content[12:16] == b"ds64" and size + 8 > len(content) + size % 2
    if start == b"FORM":  # AIFF
        size = int.from_bytes(content[4:8], "big")
        return size + 8 > len(content) + size % 2
    if start == b"riff":  # Sony Wave64: the size counts its own header
        return int.from_bytes(content[16:24], "little") > len(content)
    if start == b".snd":
        offset, size = (int.from_bytes(content[i : i + 4], "big") for i in (4, 8))
        return size != 0xFFFFFFFF and offset + size > len(content)
    if start == b"OggS":
        return _lacks_last_page(content)
    if content[4:8] == b"ftyp":
        return any(end > len(content) for end in _box_ends(content))
    if start == b"\x1a\x45\xdf\xa3":
        return _lacks_segment(content)
    if content[:6] in (b"GIF87a", b"GIF89a"):
        return not content[:].rstrip(b"\0").endswith(b";")  # the trailer
    return _lacks_frames(content)


def _lacks_last_page(content: bytes | mmap) -> bool:
    page = content[content.rfind(b"OggS") :]
    if len(page) < 27:
        return True
    # The last page says that it is the last, and how long it is (RFC 3533, section 6).
    segments = page[26]
    return not page[5] & 4 or len(page) < 27 + segments + sum(page[27 : 27 + segments])


def _box_ends(content: bytes | mmap) -> Iterator[int]:
    """Where each outer box of an MP4 ends (ISO/IEC 14496-12, section 4.2)."""
    at = 0
    while at + 8 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(content[at + 8 : at + 16], "big")
        if size < 8:  # 0: to the end of the file, however long
            return
        at += size
        yield at


def _lacks_segment(content: bytes | mmap) -> bool:
    """Whether a Matroska or WebM file ends within its one segment (RFC 8794, section 6)."""
    at = 4
    header, at = _vint(content, at)
    if header is None:
        return False
    at += header
    if content[at : at + 4] != b"\x18\x53\x80\x67":
        return at >= len(content)
    size, at = _vint(content, at + 4)
    return size is not None and at + size > len(content)


def _vint(content: bytes | mmap, at: int) -> tuple[int | None, int]:
    """Read a number of variable width, None where it says `unknown`; and where it ends."""
    first = content[at : at + 1]
    if not first or not first[0]:
        return None, at
    width = 9 - first[0].bit_length()
    value = int.from_bytes(content[at : at + width], "big") & ((1 << 7 * width) - 1)
    return (None if value == (1 << 7 * width) - 1 else value), at + width


def _lacks_frames(content: bytes | mmap) -> bool:
    """Whether an MP3 has fewer bytes than its Xing or Info frame says; few others say any."""
    at = 0
    if content[:3] == b"ID3" and len(content) > 10:
        size = 0
        for byte in content[6:10]:
            size = size << 7 | byte & 0x7F
        at = size + 10
    if content[at : at + 1] != b"\xff":
        return False
    # The tag stands where the first frame's samples would, at most 36 bytes after its header.
    frame = content[at : at + 64]
    tag = max(frame.find(b"Xing"), frame.find(b"Info"))
    if tag < 0:
        return False
    flags = int.from_bytes(frame[tag + 4 : tag + 8], "big")
    size_at = tag + 8 + 4 * (flags & 1)
    # Some writers count the tags around the frames too; so only more than the file is too many.
    return bool(flags & 2) and int.from_bytes(frame[size_at : size_at + 4], "big") > len(content)
