"""Help appears at once, and a slip of the fingers is answered with what was meant."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from folders import Answer

from hounsfield.catalog.phantoms import PHANTOMS
from hounsfield.cli import COMMANDS

Ask = Callable[..., Answer]
HEAVY = {"torch", "pandas", "scipy", "lightning", "sklearn", "matplotlib", "numba", "timm"}
HEAVY |= {"numpy", "polars", "pydicom", "PIL"}
PAGES = [[], *([name] for name in COMMANDS), *(["phantom", kind] for kind in PHANTOMS)]


@pytest.mark.parametrize("page", PAGES, ids=" ".join)
def test_every_page_of_help(page: list[str], ask: Ask) -> None:
    answer = ask(*page, "--help")
    assert answer.code == 0
    assert answer.out.startswith(f"Usage: hounsfield {' '.join(page)}".rstrip())
    assert not answer.err
    assert "--empty-" not in answer.out
    assert not re.search(r"--no-(phi|keep-ids|overwrite|masks)", answer.out)
    assert "None" not in answer.out


def test_the_list_tells_what_each_command_is_for(ask: Ask) -> None:
    told = ask("--help").said
    assert all(f"{name} " in told and purpose in told for name, (_, purpose) in COMMANDS.items())


def test_a_command_s_own_help_says_more_than_the_list(ask: Ask) -> None:
    assert "Files that cannot be used are listed with the reason" in ask("index", "--help").said


@pytest.mark.parametrize("fields", ["plan", "train"])
def test_every_field_of_the_plan_is_a_flag(fields: str, ask: Ask) -> None:
    from hounsfield.plan.schema import Plan

    told = ask(fields, "--help").out
    sections = {name: info.annotation.model_fields for name, info in Plan.model_fields.items()}
    flags = [f"--{a}.{b.replace('_', '-')}" for a, section in sections.items() for b in section]
    assert len(flags) > 50
    assert [flag for flag in flags if f"{flag} " not in told] == []


def test_help_imports_nothing_heavy() -> None:
    """One process prints all pages: what none of them imports, no single one does."""
    code = f"from hounsfield.cli import main; [main([*page, '--help']) for page in {PAGES!r}]"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert done.stdout.count("Usage: ") == len(PAGES)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {"cyclopts", "pydantic"} <= imported  # the list is read as it is written
    assert imported & HEAVY == set()


def test_versions_are_told(ask: Ask) -> None:
    from hounsfield import __version__

    assert ask("--version").out.strip() == __version__


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("trian data", 'Unknown command "trian". Did you mean "train"?'),
        ("phantom chest-xary out", 'Did you mean "chest-xray"?'),
        ("index data --labelmap x", "Unknown option: --labelmap. Did you mean --label-map?"),
        ("train data --training.epoch 3", "Did you mean --training.epochs?"),
        ("train data --traning.epochs 3", "Did you mean --training.epochs?"),
        ("info", "PATH"),
        ("train", "nothing to train on Expected: DATA, or --resume RUN"),
        ("train data --resume run", "a run goes on with its own data and plan"),
        ("train --resume run --training.epochs 9", "a run goes on with its own data and plan"),
        ("predict run", "nothing to predict"),
        ("index", "no folder was given"),
        ("layouts rsna", "did you mean 'rsna-pneumonia'?"),
        ("audit data --near sometimes", 'Choose from: "auto", "on", "off"'),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(words: str, said: str, ask: Ask) -> None:
    answer = ask(*words.split())
    answer.refuses(2)
    assert said in answer.said


@pytest.mark.parametrize(
    "words", [("info", ""), ("index", ""), ("train", ""), ("convert", "", "x.png")]
)
def test_an_empty_path_is_not_the_current_folder(words: tuple[str, ...], ask: Ask) -> None:
    answer = ask(*words)
    answer.refuses(2)
    assert any(f"no{what} was given" in answer.said for what in (" path", " folder")) or (
        "nothing to train on" in answer.said
    )


def test_settings_of_a_network_are_words(ask: Ask, tiny_data: object, tmp_path: object) -> None:
    out = f"{tmp_path}/plan.yaml"
    answer = ask("plan", tiny_data, "--model.settings.widths", "4,8", "--out", out)
    assert answer.code == 0
    assert "model.settings.widths 4 8 user asked for" in answer.said
    assert answer.out.endswith(f"{out}\n")
