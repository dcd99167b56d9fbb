"""Groups are an equivalence; identical pixels are found whatever file holds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hounsfield.audit import audit
from hounsfield.audit.exact import merged

links = st.lists(st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=4), max_size=12)


@given(links)
def test_groups_are_the_finest_in_which_each_link_lies_together(found: list[list[str]]) -> None:
    groups = merged(found)
    flat = [item for group in groups for item in group]
    assert len(flat) == len(set(flat)), "a case in two groups"
    home = {item: group for group in groups for item in group}
    for link in found:
        assert len({home.get(item, (item,)) for item in link}) == 1
    # No finer grouping would do: inside a group, everything is reached from the first by links.
    for group in groups:
        reached = {group[0]}
        for _ in group:
            reached |= {i for link in found if reached & set(link) for i in link}
        assert reached == set(group)


@given(links, st.randoms())
def test_groups_do_not_depend_on_the_order_of_links(found: list[list[str]], random) -> None:  # type: ignore[no-untyped-def]
    mixed = [list(link) for link in found]
    random.shuffle(mixed)
    assert {frozenset(g) for g in merged(found)} == {frozenset(g) for g in merged(mixed)}


def test_the_same_pixels_in_other_files_are_found(
    build: Callable, noise: Callable, tmp_path: Path
) -> None:
    one, other = noise(1), noise(2)
    catalog = build([one, other, one, one], suffixes=[".png", ".png", ".tif", ".nii.gz"])
    found = audit(catalog, cache=tmp_path / "cache")
    assert found.exact == (("c0", "c2", "c3"),)
    assert [f.severity for f in found.findings if f.kind == "identity-conflict"] == ["warning"]


def test_one_pixel_more_is_another_picture(
    build: Callable, noise: Callable, tmp_path: Path
) -> None:
    changed = noise(1).copy()
    changed[7, 3] ^= 1
    catalog = build([noise(1), changed, noise(1).reshape(30, 40)])
    assert audit(catalog, cache=tmp_path / "cache").exact == ()


def test_blank_pictures_are_nobodys_copies(
    build: Callable, noise: Callable, tmp_path: Path
) -> None:
    blank = np.zeros((40, 30), np.uint8)
    found = audit(build([blank, noise(1), blank]), cache=tmp_path / "cache")
    assert found.exact == ()
    assert [f.groups for f in found.findings if f.kind == "blank"] == [(("c0", "c2"),)]


def test_pneumoniamnist_holds_twenty_five_groups(real_data: Path, tmp_path: Path) -> None:
    from hounsfield.catalog.scan import index
    from hounsfield.catalog.split import split
    from hounsfield.catalog.summary import labels_of

    made = index([real_data / "pneumoniamnist" / "pneumoniamnist.npz"], tmp_path / "catalog")
    catalog = made.catalog
    found = audit(catalog, split(catalog, labels_of(catalog, None)), cache=tmp_path / "cache")
    part = dict(catalog.cases.select("case", "part").iter_rows())
    assert Counter(tuple(sorted(part[case] for case in group)) for group in found.exact) == {
        ("train", "train"): 16,
        ("train", "val"): 6,
        ("train", "train", "val"): 2,
        ("test", "test"): 1,
    }
    kinds = {finding.kind for finding in found.findings}
    assert {"near-unreliable", "patients-unknown", "exact-duplicate-leak"} <= kinds
    assert found.near == ()
    assert found.conflicts == ()
