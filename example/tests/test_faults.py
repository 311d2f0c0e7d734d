"""The short form of `make faults`: what goes wrong on one server of each kind, and what the clients see."""

from collections.abc import Iterator

import pytest
from faults.__main__ import GROUPS
from faults.place import Fault, Place, run, started

FAULTS = [
    fault
    for group in GROUPS.values()
    for fault in group
    if fault.is_short and fault.options is None
]


@pytest.fixture(scope="module", params=["uvicorn, sendfile", "gunicorn"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A server of each kind."""
    with started(request.param, tmp_path_factory.mktemp("faults")) as place:
        yield place


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_only_what_may_come_of_it(place: Place, fault: Fault) -> None:
    row = run(fault, place)
    assert row["problems"] == [], row
