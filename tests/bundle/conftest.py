"""A bundle of the tiny run, and ways to spoil a copy of it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hounsfield import workflow

if TYPE_CHECKING:
    from hounsfield.run import Run


@pytest.fixture(scope="session")
def whole_bundle(tiny_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A bundle that no test may change."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hounsfield.bundle.speed.SECONDS", 0.0)
        yield workflow.export(tiny_run, tmp_path_factory.mktemp("bundles") / "tiny").path


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
