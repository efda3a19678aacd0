"""Archives of files with a manifest: written whole or not at all, unpacked only as they were."""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from rowlift.kit.durable import make_folder, open_private, publish, temporary_for

MANIFEST = "manifest.json"
FORMAT = 1

_CHUNK = 1 << 20
_LARGEST_MANIFEST = 256 << 20
_PACKED = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError,
    TypeError, ValueError,
)  # fmt: skip


class ArchiveDamaged(Exception):
    """An archive is not one of ours, is cut short, or was changed; the text says what is wrong."""


class ArchiveNewer(Exception):
    """An archive is of a format that this release does not know."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive holds, and what its maker says about it."""

    about: Mapping[str, Any]
    members: tuple[Member, ...]


def pack(path: Path, files: Mapping[str, Path], about: Mapping[str, Any]) -> int:
    """Write files by their names into an archive (mode 0600); return its size in bytes.

    Parquet is stored as it is, all else is compressed. Raises OSError, with nothing at `path`.
    """
    temporary = temporary_for(path)
    try:
        with open_private(temporary) as out, zipfile.ZipFile(out, "w") as archive:
            members = [_add(archive, name, source) for name, source in files.items()]
            manifest = {
                "format": FORMAT, "about": about, "members": [asdict(one) for one in members],
            }  # fmt: skip
            archive.writestr(MANIFEST, json.dumps(manifest, indent=1), zipfile.ZIP_DEFLATED)
        return publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def manifest_of(path: Path, is_expected: Callable[[str], bool]) -> Manifest:
    """Read what an archive says it holds; raises ArchiveDamaged, ArchiveNewer and OSError.

    It must hold exactly that, under names that are expected.
    """
    with _opened(path) as archive:
        if archive.getinfo(MANIFEST).file_size > _LARGEST_MANIFEST:
            raise ArchiveDamaged("its manifest is too large")
        document = json.loads(archive.read(MANIFEST))
        if int(document["format"]) > FORMAT:
            raise ArchiveNewer
        members = tuple(Member(**one) for one in document["members"])
        names = [one.name for one in members]
        if sorted([*names, MANIFEST]) != sorted(archive.namelist()):
            raise ArchiveDamaged("it does not hold what its manifest lists")
        if strange := [name for name in names if not is_expected(name)]:
            raise ArchiveDamaged(f"it holds a file that is none of a backup: {strange[0][:100]!r}")
        return Manifest(dict(document["about"]), members)


def unpack(path: Path, manifest: Manifest, folder: Path) -> None:
    """Write every file below a folder, each as long and with the checksum that is promised.

    Raises ArchiveDamaged and OSError; what was written until then stays.
    """
    with _opened(path) as archive:
        for member in manifest.members:
            target = folder / member.name
            make_folder(target.parent)
            with archive.open(_plain(archive, member)) as source, open_private(target) as out:
                if _copy(source, out, member.bytes) != (member.bytes, member.sha256):
                    raise ArchiveDamaged(f"{member.name} is not as it was written")


def _add(archive: zipfile.ZipFile, name: str, source: Path) -> Member:
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_STORED if name.endswith(".parquet") else zipfile.ZIP_DEFLATED
    with source.open("rb") as file, archive.open(info, "w", force_zip64=True) as out:
        return Member(name, *_copy(file, out))


def _copy(source: IO[bytes], out: IO[bytes], most: int | None = None) -> tuple[int, str]:
    """Copy a file, hardly more than `most` bytes of it; return its length and its checksum."""
    checksum, size = hashlib.sha256(), 0
    while (most is None or size <= most) and (chunk := source.read(_CHUNK)):
        checksum.update(chunk)
        out.write(chunk)
        size += len(chunk)
    return size, checksum.hexdigest()


def _plain(archive: zipfile.ZipFile, member: Member) -> zipfile.ZipInfo:
    info = archive.getinfo(member.name)
    if info.compress_type not in _PACKED or info.file_size != member.bytes:
        raise ArchiveDamaged(f"{member.name} is not as it was written")
    return info


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    if path.exists() and not path.is_file():
        raise ArchiveDamaged("it is no file")  # a pipe or a device may have no end
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _BROKEN as error:
        raise ArchiveDamaged("it is cut short, or is no archive of Rowlift") from error
