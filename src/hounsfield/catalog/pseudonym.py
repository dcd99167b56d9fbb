"""Pseudonyms: keyed, the same for the same name, and of no use without the key.

A pseudonym is a prefix and the first 12 hex digits of HMAC-SHA256 (RFC 2104) of the name under
a random key that lies in the catalog's link. Names that say nothing of a person stay as they
are: numbers, UUIDs, DICOM UIDs, and those with the few words that data sets number images by.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import PurePath, PurePosixPath

KEY_BYTES = 16
# fmt: off
WORDS = frozenset((  # that data sets number their images by
    "train", "training", "val", "valid", "validation", "test", "testing", "image", "images",
    "img", "imgs", "im", "picture", "pictures", "photo", "frame", "slice", "scan", "volume",
    "case", "data", "dataset", "raw", "stage",
))
PLACES = WORDS | frozenset((  # that a folder given by the user may be called, besides
    "hospital", "site", "center", "centre", "clinic", "chest", "xray", "x", "ray", "ct", "mr",
    "mri", "cr", "dx", "us", "pet", "lung", "brain", "covid", "covid19", "pneumonia",
    "pneumoniamnist", "rsna", "nih", "kermany", "mooney", "cohen", "radiography", "digits",
    "phantom", "phantoms", "demo", "internal", "external", "a", "b", "c", "d", "e", "f",
))
SUFFIXES = frozenset((
    "png", "jpg", "jpeg", "tif", "tiff", "bmp", "gif", "dcm", "dicom", "ima", "nii", "gz", "npy",
    "npz", "csv", "mha", "mhd", "nrrd", "mnc", "jp2",
))
IDENTIFYING = frozenset((  # in a column's name
    "name", "surname", "forename", "firstname", "lastname", "birth", "birthdate", "birthday",
    "dob", "id", "ids", "uid", "patient", "patientid", "mrn", "ssn", "date", "datetime",
    "address", "street", "city", "zip", "postcode", "phone", "email", "mail", "accession",
    "insurance", "physician", "doctor", "operator", "institution", "hospital", "location",
    "url", "doi", "note", "notes", "comment", "comments", "file", "filename", "path", "folder",
))
# fmt: on
_SPLIT = re.compile(r"[/\\_\-. ]+")
_UID = re.compile(r"[0-2](\.\d+){3,}")
_HEX = re.compile(r"(?=.*\d)([0-9a-f]{8,}|[0-9A-F]{8,})")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DATE = re.compile(
    r"(19|20)\d\d[-_./]?(0?[1-9]|1[0-2])[-_./]?([12]\d|3[01]|0?[1-9])"
    r"|([12]\d|3[01]|0?[1-9])[-_./](0?[1-9]|1[0-2])[-_./](19|20)\d\d"
)


def plain(name: str, words: Collection[str] = WORDS) -> bool:
    """Does a name say nothing of a person? Numbers, UUIDs, hexadecimal digests, UIDs, `words`."""
    if _UUID.fullmatch(name) or _UID.fullmatch(name):
        return True
    if _DATE.search(name):
        return False
    parts = [part for part in _SPLIT.split(cut_suffix(name)[0]) if part]
    return bool(parts) and all(part.isascii() and _says_nothing(part, words) for part in parts)


def plain_path(path: PurePath) -> bool:
    """Does no part of a relative path say anything of a person?"""
    return all(map(plain, path.parts))


def _says_nothing(part: str, words: Collection[str]) -> bool:
    """Digits, a word, a word with digits ("IM0001"), or a hexadecimal digest."""
    letters = part.rstrip("0123456789").lower()
    return not letters or letters in words or bool(_HEX.fullmatch(part))


def cut_suffix(name: str) -> tuple[str, str]:
    """A file's name without the suffixes of image files, and those: "a.nii.gz", "a", ".nii.gz"."""
    stem = name
    while (cut := stem.rpartition("."))[0] and cut[2].lower() in SUFFIXES:
        stem = cut[0]
    return stem, name[len(stem) :]


def holds(name: str, identity: str | None) -> bool:
    """Is an identity among the parts of a name? Leading zeros do not matter."""
    if not identity:
        return False
    wanted = identity.strip().casefold().lstrip("0")
    parts = (name, *_SPLIT.split(name))
    return any(part.casefold().lstrip("0") == wanted for part in parts if part)


def looks_identifying(column: str) -> bool:
    """Does a column's name say that it holds an identity, a date, an address or free text?"""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column)
    return any(part in IDENTIFYING for part in _SPLIT.split(spaced.lower()))


def looks_dated(text: str) -> bool:
    """Is a text a calendar date, or does it begin with one?"""
    return _DATE.match(text.strip()) is not None


@dataclass(frozen=True)
class Pseudonyms:
    """Makes pseudonyms under one key; with `keep`, hands the originals back."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(KEY_BYTES), repr=False)
    keep: bool = False

    def of(self, kind: str, *names: str) -> str:
        """`kind` (the prefix, e.g. "pt"), a dash and 12 hex digits."""
        text = "\0".join((kind, *names)).encode("utf-8", "surrogateescape")
        return f"{kind}-{hmac.digest(self.key, text, 'sha256')[:6].hex()}"

    def named(self, kind: str, name: str, identities: Collection[str | None] = ()) -> str:
        """A name itself where it is plain and holds none of the identities, else a pseudonym."""
        clear = plain(name) and not any(holds(name, one) for one in identities)
        return name if self.keep or clear else self.of(kind, name)

    def path(self, path: str) -> str:
        """A path with each folder and file name that is not plain replaced; suffixes stay."""
        if self.keep:
            return path
        *folders, file = PurePosixPath(path.replace("\\", "/")).parts or ("",)
        stem, suffix = cut_suffix(file)
        kept = [folder if plain(folder) else self.of("dir", folder) for folder in folders]
        return "/".join((*kept, (stem if plain(stem) else self.of("im", stem)) + suffix))
