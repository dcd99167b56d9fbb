"""hounsfield audit CATALOG, as a user calls it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hounsfield.audit import Audit
from hounsfield.catalog.split import Split
from hounsfield.cli import main


def test_the_command_tells_saves_and_drops(
    build: Callable,
    noise: Callable,
    shared: Callable,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    catalog = build([noise(1), noise(2), noise(1)], known="unknown", labels=["a", "b", "a"])
    folder = str(catalog.folder)
    catalog.save(folder)
    shared(["train", "train", "test"]).save(folder)
    out = tmp_path / "out"
    assert main(["audit", folder, "--on-leak", "drop", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "1 group of identical pictures" in text
    assert "left the train part" in text
    assert text.splitlines()[-1] == str(out / "audit.json")
    assert Audit.load(out).exact == (("c0", "c2"),)
    assert Split.load(out).table["case"].to_list() == ["c1", "c2"]
    assert Split.load(folder).table.height == 3
    assert main(["audit", folder, "--strict"]) == 3
    (catalog.folder / "audit.json").unlink()
    assert main(["audit", folder, "--on-leak", "stop"]) == 3
    assert Audit.load(folder).exact == (("c0", "c2"),)  # what stopped it can be read


def test_no_split_to_change_is_said(
    build: Callable, noise: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = build([noise(1), noise(2)])
    catalog.save(catalog.folder)
    assert main(["audit", str(catalog.folder), "--on-leak", "drop"]) == 2
    assert "hounsfield split" in capsys.readouterr().err
