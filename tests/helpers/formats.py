"""PNG and TIFF files of any depth and kind, written by hand: Pillow writes only some of them."""

import struct
import zlib


def png(samples, depth, *, color=False, transparent=None):
    """Return a PNG file of rows of samples (gray, or three a pixel) of `depth` bits each."""
    width = len(samples[0]) // (3 if color else 1)
    header = struct.pack(">IIBBBBB", width, len(samples), depth, 2 if color else 0, 0, 0, 0)
    chunks = [(b"IHDR", header)]
    if transparent is not None:
        chunks.append((b"tRNS", struct.pack(f">{len(transparent)}H", *transparent)))
    rows = b"".join(b"\0" + _packed(row, depth, "big") for row in samples)
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def tiff(samples, depth, *, white_is_zero=False):
    """Return an uncompressed TIFF file of rows of gray samples of `depth` bits each."""
    rows = b"".join(_packed(row, depth, "little") for row in samples)
    tags = {
        256: len(samples[0]),
        257: len(samples),
        258: depth,
        259: 1,  # not compressed
        262: 0 if white_is_zero else 1,
        273: 0,  # where the rows begin, below
        277: 1,  # sample a pixel
        278: len(samples),
        279: len(rows),
    }
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + rows


def _packed(row, depth, order):
    if depth >= 16:
        return b"".join(int(value).to_bytes(depth // 8, order) for value in row)
    bits = "".join(format(value, f"0{depth}b") for value in row)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
