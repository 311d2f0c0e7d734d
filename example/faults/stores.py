"""What can happen to an S3 store and to the way there, while an object is sent."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer

from tests.tools import FaultyProxy
from tests.objects import BUCKET, MortalStore, behind, mortal_store, put, s3
from tests.servers import wait_until

from .clients import clients
from .files import no_descriptors
from .hostile import ANSWERS, SECONDS, fuzz
from .hostile import NAME as FUZZED
from .hostile import SIZE as FUZZED_SIZE
from .place import CPU, MIB, Fault, Place, noise

KEY, SIZE = "object.bin", 64 * MIB  # more than all buffers on the longer way
PATH, PLAIN = f"/objects/{KEY}", f"/plain-objects/{KEY}"
CONTENT = noise(KEY, SIZE)
OPTIONS = {"WAIT_TIMEOUT": 10, "READ_TIMEOUT": 8, "MAX_RETRIES": 3}  # as set for the library
WHOLE, OVER = frozenset({"whole"}), frozenset({"whole", "cut", "502", "503", "504"})


@dataclass
class Behind:
    """The store, and the proxy before it; there is one of each while these faults happen."""

    mortal: MortalStore
    proxy: FaultyProxy


NOW: list[Behind] = []


@contextmanager
def faulty_store() -> Iterator[dict[str, str]]:
    """A store behind a proxy that can do harm; the variables with which it is found."""
    with TemporaryDirectory(prefix="faults-store-") as folder, mortal_store(Path(folder)) as mortal:
        put(mortal.store, KEY, CONTENT)
        put(mortal.store, FUZZED, noise(FUZZED, FUZZED_SIZE))
        with FaultyProxy(mortal.store.endpoint_url) as proxy:
            NOW[:] = [Behind(mortal, proxy)]
            found = behind(mortal.store, proxy.url).settings(BUCKET)
            found |= {f"FILERESPONSE_S3_{name}": value for name, value in OPTIONS.items()}
            yield {"FAULTS_SETTINGS": json.dumps(found)}


def an_object(_: Place) -> tuple[str, bytes]:
    """What clients do harm to, if not to a file."""
    return PATH, CONTENT


def works_again(place: Place) -> Iterator[str]:
    """All is well with the store, and so with the server; within the time in which it may still be careful."""
    NOW[0].proxy.heal()
    wait_until(
        lambda: place.get(PATH, "Range: bytes=0-9").status == 206, "the object can be had", 60
    )
    yield place.get(PATH).saw(CONTENT)


def cut_off(place: Place) -> Iterator[str]:
    """The connection to the store is reset, three times: it is resumed where it was."""
    for cuts in ((3 * MIB,), (MIB, 10 * MIB, 5 * MIB)):
        NOW[0].proxy.reset_after(*cuts)
        yield place.get(PATH).saw(CONTENT)
    yield from works_again(place)


def late(place: Place) -> Iterator[str]:
    """Nothing comes for 5 seconds, which is less than the library waits."""
    NOW[0].proxy.stall_after(MIB)
    Timer(5, NOW[0].proxy.heal).start()
    yield place.get(PATH).saw(CONTENT)
    yield from works_again(place)


def gone_for_good(place: Place) -> Iterator[str]:
    """All connections are cut, and no new one is taken: less is sent than was announced."""
    client = place.begin(PATH)
    NOW[0].proxy.refuse()
    yield client.finish().saw(CONTENT)
    yield place.get(PATH).saw(CONTENT)
    yield from works_again(place)


def killed_and_restarted(place: Place) -> Iterator[str]:
    """The store dies, and comes back with the same objects."""
    client = place.begin(PATH)
    NOW[0].mortal.kill()
    yield place.get(PATH).saw(CONTENT)
    NOW[0].mortal.start()
    yield client.finish().saw(CONTENT)
    yield from works_again(place)


def overwritten(place: Place) -> Iterator[str]:
    """Another object under the same key, and then a reset: the two are never mixed."""
    client = place.begin(PATH)
    put(NOW[0].mortal.store, KEY, bytes(SIZE))
    NOW[0].proxy.reset_after(MIB)
    yield client.finish().saw(CONTENT)
    put(NOW[0].mortal.store, KEY, CONTENT)
    yield from works_again(place)


def deleted(place: Place) -> Iterator[str]:
    """The object is deleted: who comes later is told, and whom a reset hits is cut."""
    client = place.begin(PATH)
    with closing(s3(NOW[0].mortal.store)) as direct:
        direct.delete_object(Bucket=BUCKET, Key=KEY)
    yield place.get(PATH).saw(CONTENT)
    NOW[0].proxy.reset_after(MIB)
    yield client.finish().saw(CONTENT)
    put(NOW[0].mortal.store, KEY, CONTENT)
    yield from works_again(place)


def revoked(place: Place) -> Iterator[str]:
    """The keys are no longer good, in the middle of a download."""
    client, mortal = place.begin(PATH), NOW[0].mortal
    good = mortal.store
    mortal.kill()
    mortal.store = replace(good, secret_key="another-secret-key")  # noqa: S106
    mortal.start()
    yield client.finish().saw(CONTENT)
    yield place.get(PATH).saw(CONTENT)
    mortal.kill()
    mortal.store = good
    mortal.start()
    yield from works_again(place)


def too_much_announced(place: Place) -> Iterator[str]:
    """The store says 1000 bytes more than it has: none of them can be sent, and nobody may believe in them."""
    NOW[0].proxy.lie(1000)
    yield place.get(PATH).saw(CONTENT)
    yield place.get(PATH, f"Range: bytes={SIZE - 5000}-{SIZE - 1}").saw(CONTENT[-5000:])
    yield from works_again(place)


def too_little_announced(place: Place) -> Iterator[str]:
    """The store says 1000 bytes less: where it has not said how long all is, its word has to be taken."""
    NOW[0].proxy.lie(-1000)
    answer = place.get(PATH)
    is_as_told = answer.is_complete and answer.body == CONTENT[:-1000]
    seen = answer.saw(CONTENT, promised=not is_as_told)
    yield "as announced" if is_as_told else seen
    yield place.get(PATH, f"Range: bytes={SIZE - 5000}-{SIZE - 1}").saw(CONTENT[-5000:])
    yield from works_again(place)


def no_descriptors_left(place: Place) -> Iterator[str]:
    """Nothing more can be opened, so no connection to the store either: who has begun is served."""
    begun, waiting = [place.begin(PLAIN) for _ in range(3)], place.client(PLAIN)
    waiting.socket.sendall(waiting.ask[:10])
    with no_descriptors(place):
        waiting.socket.sendall(waiting.ask[10:])
        refused = waiting.finish().saw(CONTENT)
        ended = [client.finish().saw(CONTENT) for client in begun]
    yield refused
    yield from ended
    yield from works_again(place)


STORES = [
    Fault("the connection to the store is reset", cut_off, WHOLE, is_short=False),
    Fault("the store is 5 s late", late, WHOLE, is_short=False),
    Fault("the store is gone", gone_for_good, OVER, KEY, is_short=False),
    Fault("the store is killed and restarted", killed_and_restarted, OVER, KEY, is_short=False),
    Fault("the object is overwritten", overwritten, OVER, KEY, is_short=False),
    Fault("the object is deleted", deleted, OVER | {"404"}, KEY),
    Fault("the keys are revoked", revoked, OVER, KEY, is_short=False),
    Fault("the store announces too much", too_much_announced, OVER, KEY, is_short=False),
    Fault("the store announces too little", too_little_announced, OVER | {"as announced"}, KEY),
    Fault("no descriptor for the store", no_descriptors_left, OVER, KEY, keeps_serving=False, is_short=False),
    Fault("hostile requests for objects", partial(fuzz, root="/objects/"), ANSWERS, cpu_seconds=2 * SECONDS + CPU, is_short=False),
    *clients(an_object, ", of an object", 1000, is_short=False, memory_mb=96),
]  # fmt: skip
