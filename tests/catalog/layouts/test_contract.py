"""What every layout keeps to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from hounsfield.catalog import layouts
from hounsfield.catalog.layouts import LAYOUTS
from hounsfield.catalog.tables import Kind, Known, Part
from hounsfield.errors import InputError, UsageError

COUNTS = {
    "rsna-pneumonia": 3,
    "class-folders": 8,
    "cohen-covid": 4,
    "covid-radiography": 4,
    "autopet": 4,
    "brats": 12,
    "dsb2017": 7,
    "nih-chestxray14": 4,
    "isic": 4,
    "aptos": 3,
    "kvasir": 6,
    "medmnist": 6,
    "kaggle-digits": 2,
    "video-intervals": 5,
    "table": 3,
    "files": 4,
}


# What a general layout could read, too, and a particular one before it knows better.
GENERAL = {"class-folders": {"kvasir"}, "table": {"isic", "aptos", "nih-chestxray14"}}


@pytest.mark.parametrize("name", LAYOUTS)
def test_is_recognised_as_itself(name: str, example: Callable[[str], Path]) -> None:
    assert layouts.recognise(example(name)) == name


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "files"])
def test_claims_no_other_example(name: str, example: Callable[[str], Path]) -> None:
    claimed = [other for other in LAYOUTS if layouts.load(name).recognise(example(other))]
    assert set(claimed) - GENERAL.get(name, set()) == {name}


@pytest.mark.parametrize("name", LAYOUTS)
def test_entries_open_no_pixels_and_keep_their_order(
    name: str, example: Callable[[str], Path]
) -> None:
    module, root = layouts.load(name), example(name)
    first, again = list(module.entries(root)), list(module.entries(root))
    assert len(first) == COUNTS[name]
    assert first == again
    assert len({entry.name for entry in first}) == len(first)


@pytest.mark.parametrize("name", LAYOUTS)
def test_entries_say_only_what_the_tables_hold(name: str, example: Callable[[str], Path]) -> None:
    root = example(name)
    for entry in layouts.load(name).entries(root):
        assert entry.known in get_args(Known)
        assert (entry.patient is None) == (entry.known == "unknown")
        assert entry.part is None or entry.part in get_args(Part)
        assert {label.kind for label in entry.labels} <= set(get_args(Kind))
        assert Path(entry.source.root).is_relative_to(root)
        assert not any(".." in path or path.startswith("/") for path in entry.source.paths)


@pytest.mark.parametrize("name", LAYOUTS)
def test_tells_how_to_get_the_data(name: str) -> None:
    module: Any = layouts.load(name)
    assert module.TITLE
    assert module.LICENCE
    assert "/" in module.GET
    assert max(map(len, module.GET.splitlines())) <= 100


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "files"])
def test_a_foreign_folder_is_refused_with_the_expected_tree(name: str, tmp_path: Path) -> None:
    (tmp_path / "notes.md").touch()
    assert not layouts.load(name).recognise(tmp_path)
    with pytest.raises(InputError) as caught:
        list(layouts.load(name).entries(tmp_path))
    assert caught.value.remedy


def test_unknown_names_and_missing_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'medmnist'"):
        layouts.load("medmist")
    with pytest.raises(InputError, match="no such folder"):
        layouts.recognise(tmp_path / "nowhere")


def test_the_guide_names_every_layout() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "layouts.md").read_text(encoding="utf-8")
    assert [name for name in LAYOUTS if f"| `{name}` |" not in guide] == []
