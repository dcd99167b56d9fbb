"""bundle.json: all that a bundle says of itself, and the files that belong to it.

BUNDLE/bundle.json              this file
    INTENDED_USE.md             what it learned from, how good it is, what it is not for
    model.onnx                  prepared images in [0, 1] (and a table) -> the task's outputs
    model.xml, model.bin        the same for OpenVINO
    int8.xml, int8.bin          the same with weights and activations in 8 bits, where it passed
    references.safetensors      five cases with their expected outputs
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hounsfield.catalog.fingerprint import Fingerprint
from hounsfield.errors import RunError
from hounsfield.inference.unlike import Ranges
from hounsfield.preprocessing.settings import Preprocessing
from hounsfield.preprocessing.table import TableSpec
from hounsfield.tasks.contract import Calibration

VERSION = 1
MANIFEST = "bundle.json"
SEAL = "sha256"  # in bundle.json, of all else in it
LARGEST_MANIFEST = 4 << 20  # bytes
LARGEST_FILE = 4 << 30  # bytes of one file that is read whole
LARGEST_INPUT = 1 << 28  # values of one prepared case: 1 GB
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")  # a file of this folder, and no path

Precision = Literal["fp32", "int8"]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class File(Part):
    """A file's content, which is looked at before anything in it is used."""

    size: int = Field(ge=0, le=LARGEST_FILE)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Score(Part):
    """One measure of the run's test part with its 95 % interval."""

    title: str
    value: float
    low: float
    high: float
    note: str = ""


class IntendedUse(Part):
    """What a hospital must know before it uses the model."""

    title: str
    headline: str
    learned_from: tuple[tuple[str, str], ...]  # what, in words
    limits: tuple[str, ...]  # who must not use it, the gravest first
    measured_on: str
    scores: tuple[Score, ...]


class Network(Part):
    """What was exported, for people to read: the graph itself is in the files."""

    name: str
    fusion: str
    members: int
    views: int  # of each image, that are averaged
    precision: str  # of the run


class Variant(Part):
    """One way to compute, with what was measured on the machine that exported it."""

    runtime: str
    precision: Precision
    images_per_second: float
    batch: int = Field(ge=1, le=1024)
    threads: int
    difference: float  # the largest from PyTorch's fp32, in the reference cases' answers


class Quantised(Part):
    """What 8 bits did to the headline metric on validation data."""

    metric: str
    cases: int
    before: float
    after: float
    calibrated_on: int  # training images


class Manifest(Part):
    """A bundle without its weights."""

    version: int = Field(strict=True, ge=1)
    made: str  # the day, ISO 8601
    task: str
    settings: dict[str, Any]
    labels: tuple[str, ...]
    network: Network
    preprocessing: Preprocessing
    table: TableSpec | None
    label_map: dict[str, str | None] = {}  # a new image's label -> ours; None drops it
    calibration: Calibration
    learned: Fingerprint
    ranges: Ranges
    use: IntendedUse
    references: Literal["made", "patients"]
    variants: tuple[Variant, ...] = Field(min_length=1, max_length=16)  # the fastest first
    quantised: Quantised | None = None
    notes: tuple[str, ...] = ()
    versions: dict[str, str]
    files: dict[str, File]

    @field_validator("files")
    @classmethod
    def _here(cls, files: dict[str, File]) -> dict[str, File]:
        for name in files:
            if not PLAIN.fullmatch(name) or name == MANIFEST:
                raise ValueError(f"{name[:100]!r} is no name of a file in the bundle")
        return files

    @property
    def channels(self) -> int:
        return len(self.preprocessing.mean) or (3 if self.preprocessing.colour else 1)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(C, D, Y, X) of a prepared case."""
        prepared = self.preprocessing
        return (self.channels, prepared.depth, *prepared.size)


def is_bundle(path: str | Path) -> bool:
    """Does a path name a bundle, sound or not?"""
    return any((Path(path) / name).is_file() for name in (MANIFEST, "references.safetensors"))


def sealed(manifest: Manifest) -> str:
    """bundle.json's text, which ends with the SHA-256 of all that it says."""
    said = json.loads(manifest.model_dump_json())
    return json.dumps(said | {SEAL: seal_of(said)}, indent=1, ensure_ascii=False)


def seal_of(said: Mapping[str, Any]) -> str:
    """SHA-256 of what bundle.json says, however it is laid out."""
    text = json.dumps({name: said[name] for name in said if name != SEAL}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """bundle.json of a bundle.

    Raises:
        RunError: there is none, it is damaged, changed, absurd, or of a newer hounsfield.
    """
    path = folder / MANIFEST
    try:
        if path.stat().st_size > LARGEST_MANIFEST:
            raise damaged(path, f"has {path.stat().st_size:,} bytes")
        said = json.loads(path.read_bytes())
        version = said.get("version")
    except FileNotFoundError:
        raise RunError(
            f"there is no {MANIFEST} in it" if is_bundle(folder) else "is no bundle",
            file=folder,
            expected="a folder that `hounsfield export RUN` wrote",
            remedy="check the path, or copy the whole folder again",
        ) from None
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise damaged(path, "cannot be read") from error
    if isinstance(version, int) and version > VERSION:
        raise RunError(
            f"the bundle was written by a newer hounsfield (format {version})",
            file=folder,
            expected=f"format {VERSION} or older",
            remedy="pip install --upgrade hounsfield",
        )
    seal = said.pop(SEAL, None)
    try:
        if seal != seal_of(said):
            raise damaged(path, "was changed after the export: its SHA-256 differs")
        manifest = Manifest.model_validate_json(json.dumps(said))
    except (ValidationError, RecursionError) as error:
        raise damaged(path, _first(error)) from error
    size = 1
    for side in manifest.shape:
        size *= side
    if size > LARGEST_INPUT:
        raise damaged(path, f"asks for images of {size:,} values")
    return manifest


def read_file(folder: Path, manifest: Manifest, name: str) -> bytes:
    """One of the bundle's files, whole, if it is what it was when the bundle was made.

    Raises:
        RunError: it is missing, no plain file, or its content has changed.
    """
    path, known = folder / name, manifest.files.get(name)
    if known is None:
        raise damaged(folder / MANIFEST, f"names no file {name}")
    if path.is_symlink() or not path.is_file():
        raise damaged(path, "is missing")
    if path.stat().st_size != known.size:
        raise damaged(path, f"has {path.stat().st_size:,} bytes, not {known.size:,}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise damaged(path, f"cannot be read ({error.strerror})") from error
    if hashlib.sha256(content).hexdigest() != known.sha256:
        raise damaged(path, "is not the file that was exported: its SHA-256 differs")
    return content


def fingerprint_of(contents: Mapping[str, bytes]) -> dict[str, File]:
    """Size and SHA-256 of each file."""
    return {
        name: File(size=len(content), sha256=hashlib.sha256(content).hexdigest())
        for name, content in sorted(contents.items())
    }


def damaged(path: Path, problem: str) -> RunError:
    return RunError(
        problem,
        file=path,
        expected="the bundle as `hounsfield export` wrote it",
        remedy="copy the whole folder again, or export the run again",
    )


def _first(error: Exception) -> str:
    """What is wrong, without what the file holds."""
    if not isinstance(error, ValidationError):
        return "is nested too deeply"
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))[:100]}: {first['msg'][:200]}"
