"""The requests, and the answers that RFC 9110 allows an origin server that has a file.

Words in braces are filled in from what the server itself says about the file; see `Known.words`.
A full implementation gives one of the answers in `ok`. Those in `choices` the RFC allows as well.
"""

from dataclasses import dataclass

from .answers import (
    CACHE_FIELDS,
    REPRESENTATION_FIELDS,
    Answer,
    allow_with_405,
    dated,
    expect,
    has,
    lacks,
    not_from_the_future,
    not_modified,
    not_status,
    part,
    parts,
    same,
    small,
    true_length,
    unsatisfiable,
    whole,
)

MUST, SHOULD, MAY, OUGHT = "MUST", "SHOULD", "MAY", "ought to"
FILE, EMPTY, FUTURE, MISSING = "episode.mp3", "empty.mp3", "future.mp3", "missing.mp3"


@dataclass(frozen=True)
class Row:
    """One request, and what may be answered to it."""

    name: str
    section: str  # of RFC 9110
    level: str
    headers: list[tuple[str, str]]
    ok: tuple[Answer, ...]
    choices: tuple[Answer, ...] = ()
    method: str = "GET"
    file: str = FILE
    body: bytes = b""
    replaced: bool = False  # the file is, within a second, by other bytes of the same length

    @property
    def link(self) -> str:
        """The section, in the RFC Editor's text."""
        return f"https://www.rfc-editor.org/rfc/rfc9110#section-{self.section}"


NOT_RANGED = (whole("Range ignored, as §14.2 allows"),)
FAILED = (expect(412, "precondition failed"),)
WHOLE, HIT, UNSATISFIABLE = (whole(),), (not_modified(),), (unsatisfiable(),)
MALFORMED = (  # §14.2: "MAY ignore or reject"
    whole("ignored"),
    expect(416, "rejected"),
    expect(400, "rejected"),
)
MANY = (*MALFORMED, expect(206, "served in part", small))
OTHER_METHOD = (expect(None, "neither partial nor conditional", not_status(206, 304, 412, 416)),)


def get(name, section, level, ok, choices=(), **headers) -> Row:  # noqa: ANN001, ANN003
    """A GET; header names are given with underscores."""
    pairs = [(key.replace("_", "-"), value) for key, value in headers.items()]
    return Row(name, section, level, pairs, ok, choices)


def ranged(name: str, section: str, value: str, ok: Answer, level: str = SHOULD, file: str = FILE) -> Row:
    """A valid `Range`; that a server ignores it is allowed."""
    return Row(name, section, level, [("Range", value)], (ok,), NOT_RANGED, file=file)


def malformed(name: str, value: str, *recovered: Answer) -> Row:
    """An invalid `Range`; §2.4 allows to recover something usable from it."""
    return Row(f"malformed: {name}", "14.2", MAY, [("Range", value)], MALFORMED, recovered)
