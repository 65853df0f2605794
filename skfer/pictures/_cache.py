"""Decoded pictures kept on disk as a memory-mapped .npy file that is complete or not there.

A cache is two files, `<name>-<key>.npy` and `<name>-<key>.json` (what it was made from and what
was left out). The key is a hash of the files' names, sizes and times of change (that of the
content and that of the entry, which renaming changes) and of every parameter that alters a pixel,
so a changed source or parameter makes a new cache. Pictures are written to a file of another
name, which is renamed at the end: a killed process leaves a `.partial` file, which the next writer
of any cache in the folder removes, and never a half-written cache. Writers that run at the same
time write one file each, and the last rename wins with the same content.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import numpy as np

from skfer.pictures._decode import Chunk, check_some_left
from skfer.pictures._problems import Problem

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed anyway
    fcntl = None  # type: ignore[assignment]

_NAME = re.compile(r"-[0-9a-f]{24}\.(npy|json|[0-9a-f]{32}\.partial)$")
_FORMAT = 3  # to be raised when the same parameters give other pixels than before


# Images (memory-mapped, read only), the numbers of the files that failed, and why they did.
Loaded = tuple[np.ndarray, list[int], list[Problem]]


class Cache:
    """One cache file in a folder; `key_parts` is all that its content depends on."""

    def __init__(self, folder: str | os.PathLike[str], name: str, key_parts: Iterable[str]) -> None:
        digest = hashlib.sha256(str(_FORMAT).encode())
        for part in key_parts:
            digest.update(b"\0" + part.encode("utf-8", "surrogateescape"))
        self.key = digest.hexdigest()[:24]
        self.folder = Path(folder)
        self.images = self.folder / f"{name}-{self.key}.npy"
        self.manifest = self.images.with_suffix(".json")

    def load(self) -> Loaded | None:
        """Return images (memory-mapped, read only), what failed and why; None if not there."""
        try:
            manifest = json.loads(self.manifest.read_text(encoding="utf-8"))
            content = manifest["content"]
            if manifest["checksum"] != _checksum(content) or content["may_pass"]:
                return None
            self._check_images(content)
            return self._open(content)
        except (FileNotFoundError, ValueError, KeyError, TypeError):  # cut short by someone else
            return None

    def write(
        self, chunks: Iterable[Chunk], shape: Sequence[int], about: Mapping[str, Any]
    ) -> Loaded:
        """Write all chunks, put both files in place, and return what `load` will."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._remove_dead()
        failed: list[int] = []
        problems: list[Problem] = []
        blocks: list[tuple[int, int]] = []
        may_pass = False
        n_images = 0
        with self._atomic(self.images) as images, self._atomic(self.manifest) as manifest:
            images.write(_header((n_images, *shape)))
            for chunk in chunks:
                pixels = chunk.images.tobytes()
                images.write(pixels)
                blocks.append((len(pixels), zlib.crc32(pixels)))
                n_images += len(chunk.kept)
                failed += chunk.failed
                problems += chunk.problems
                may_pass = may_pass or bool(chunk.passing)
            check_some_left(problems, n_images + len(failed))
            images.seek(0)
            images.write(_header((n_images, *shape)))
            content = {
                "key": self.key,
                **about,
                "shape": [n_images, *shape],
                "failed": failed,
                "problems": problems,
                "may_pass": may_pass,
                "blocks": blocks,
            }
            text = json.dumps({"checksum": _checksum(content), "content": content})
            manifest.write(text.encode())
        return self._open(content)

    def _check_images(self, content: Mapping[str, Any]) -> None:
        """Raise ValueError unless the file still holds what was written.

        It is read, not mapped, so that its pages do not count as this process's memory.
        """
        header = _header(content["shape"])
        with open(self.images, "rb", buffering=0) as file:
            is_intact = file.read(len(header)) == header and all(
                zlib.crc32(file.read(size)) == checksum for size, checksum in content["blocks"]
            )
        if content["key"] != self.key or not is_intact:
            raise ValueError("damaged, or another cache than its manifest tells of")

    def _open(self, content: Mapping[str, Any]) -> Loaded:
        shape = tuple(content["shape"])
        images = np.memmap(self.images, np.uint8, "r", len(_header(shape)), shape)
        problems = [Problem(where, what) for where, what in content["problems"]]
        return images, content["failed"], problems

    @contextlib.contextmanager
    def _atomic(self, final: Path) -> Iterator[BinaryIO]:
        """Yield a file of another name that becomes `final` at the end, or goes on failure."""
        file, path = self._partial()
        try:
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                if fcntl is None:  # Windows does not rename an open file
                    file.close()
                _put(path, final)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _partial(self) -> tuple[BinaryIO, Path]:
        """Open a new file that no other writer takes for a dead one."""
        for _ in range(10):
            path = self.folder / f"{self.images.stem}.{uuid4().hex}.partial"
            file = open(path, "xb")  # noqa: SIM115 (the caller closes it)
            with contextlib.suppress(OSError):
                _lock(file)
                if path.exists():  # else another writer saw it before it was locked
                    break
            file.close()
        else:  # a file system without locks, where nobody removes anything either
            file = open(path, "wb")  # noqa: SIM115
        return file, path

    def _remove_dead(self) -> None:
        """Remove what killed writers left."""
        for path in self.folder.glob("*.partial"):
            if not is_cache_file(path.name):
                continue
            with contextlib.suppress(OSError):  # alive, or just renamed
                with open(path, "rb") as file:
                    _lock(file)
                path.unlink()


def is_cache_file(name: str) -> bool:
    """Return whether a file is one that a cache consists of, by its name."""
    return _NAME.search(name) is not None


def fingerprint(root: Path, files: Sequence[str]) -> Iterator[str]:
    """Yield a line for each file that changes when the file does."""
    yield os.path.abspath(root)
    for name in files:
        try:
            status = os.stat(f"{root}/{name}")
            yield f"{name} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
        except OSError:
            yield f"{name} missing"


def _put(path: Path, final: Path) -> None:
    try:
        os.replace(path, final)
    except PermissionError:
        # Windows: another process has the same content open there. Its file will do.
        path.unlink(missing_ok=True)
        if not final.exists():
            raise


def _lock(file: BinaryIO) -> None:
    """Lock the file until it is closed; raise OSError if a living process has."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _checksum(content: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(content, sort_keys=True).encode())


def _header(shape: Sequence[int]) -> bytes:
    """Return the header of a .npy file, padded by numpy so that the first axis may grow in it."""
    file = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": tuple(shape)}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()
