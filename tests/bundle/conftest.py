"""A bundle of the tiny run, and ways to spoil a copy of it."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hounsfield import workflow
from hounsfield.bundle import export as exporting
from hounsfield.bundle.manifest import seal_of

if TYPE_CHECKING:
    from hounsfield.run import Run


CALLS = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request")


@pytest.fixture(scope="session")
def connections() -> list[str]:
    """What the export of `whole_bundle` says to others."""
    return []


@pytest.fixture(scope="session")
def whole_bundle(
    tiny_run: Run, connections: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A bundle that no test may change; the one export in this room that uses the exporter."""
    listening = True

    def heard(event: str, arguments: object) -> None:
        if listening and event in CALLS:
            connections.append(f"{event} {arguments}")

    sys.addaudithook(heard)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hounsfield.bundle.speed.SECONDS", 0.0)
        made = workflow.export(tiny_run, tmp_path_factory.mktemp("bundles") / "tiny").path
    listening = False
    return made


@pytest.fixture
def exported(whole_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Exports of the tiny run take its ONNX file from here instead of making it again."""
    monkeypatch.setattr("hounsfield.bundle.speed.SECONDS", 0.0)
    content = (whole_bundle / "model.onnx").read_bytes()
    monkeypatch.setattr(exporting, "as_onnx", lambda *_: content)
    return whole_bundle / "model.onnx"


@pytest.fixture
def bundle(whole_bundle: Path, tmp_path: Path) -> Path:
    """A bundle of this test's own."""
    return Path(shutil.copytree(whole_bundle, tmp_path / "bundle"))


@pytest.fixture
def told(bundle: Path) -> Callable[..., None]:
    """Change what bundle.json says, at a dotted path."""

    def change(path: str, value: Any) -> None:
        manifest = json.loads((bundle / "bundle.json").read_text())
        *above, last = path.split("/")
        at = manifest
        for name in above:
            at = at[int(name)] if isinstance(at, list) else at[name]
        at[last] = value
        manifest["sha256"] = seal_of(manifest)  # as somebody would who wants it believed
        (bundle / "bundle.json").write_text(json.dumps(manifest))

    return change


@pytest.fixture
def forged(bundle: Path, told: Callable[..., None]) -> Callable[[str, bytes], None]:
    """Replace a file and its hash, as somebody would who wants it believed."""

    def forge(name: str, content: bytes) -> None:
        (bundle / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        told(f"files/{name}", {"size": len(content), "sha256": digest})

    return forge
