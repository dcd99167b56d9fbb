"""What the segments of a DICOM segmentation are (PS3.3 C.8.20.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hounsfield.errors import FormatError
from hounsfield.formats.dicom.elements import Elements
from hounsfield.formats.dicom.tags import Tags
from hounsfield.formats.dicom.words import word

_NUMBER, _LABEL, _CATEGORY, _TYPE = 0x00620004, 0x00620005, 0x00620003, 0x0062000F
_ALGORITHM_TYPE, _ALGORITHM_NAME, _MEANING = 0x00620008, 0x00620009, 0x00080104
MOST = 65_535  # segment numbers have 16 bits


@dataclass(frozen=True)
class Segment:
    """One segment: its value in a label map, and what it is by the file's own words."""

    number: int
    label: str
    category: str  # meaning of its code: Tissue, Morphologically Altered Structure, …
    type: str  # meaning of its code: Liver, Neoplasm, …
    algorithm: str  # AUTOMATIC, SEMIAUTOMATIC or MANUAL, and the name where one is given


def segments_of(tags: Tags) -> tuple[Segment, ...]:
    """The segments that a file describes, by number; 0, a label map's background, is left out.

    Raises:
        FormatError: none, or numbers that are missing or come twice.
    """
    charsets = tags.texts("SpecificCharacterSet")
    items = tags.items("SegmentSequence")
    found = [_segment(item, charsets) for item in items[: MOST + 2]]
    numbers = [one.number for one in found]
    if not any(numbers) or len(set(numbers)) < len(numbers) or len(items) > MOST + 1:
        raise FormatError(
            "two segments have one number" if any(numbers) else "it describes no segment",
            file=tags.path,
            expected="segments with numbers of their own, from 1 on (PS3.3 C.8.20.4)",
            remedy="the file is damaged; export the segmentation again",
        )
    return tuple(sorted((one for one in found if one.number), key=lambda one: one.number))


def _segment(item: Elements, charsets: Sequence[str]) -> Segment:
    def meaning(tag: int) -> str:
        codes = item.items(tag)
        return word(codes[0], _MEANING, charsets) if codes else ""

    numbers = item.numbers(_NUMBER, "US")
    how = (item.text(_ALGORITHM_TYPE) or "", word(item, _ALGORITHM_NAME, charsets))
    return Segment(
        number=int(numbers[0]) if numbers else 0,
        label=word(item, _LABEL, charsets),
        category=meaning(_CATEGORY),
        type=meaning(_TYPE),
        algorithm=", ".join(filter(None, how)),
    )
