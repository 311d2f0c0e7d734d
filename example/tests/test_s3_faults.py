"""What can go wrong between the application and an S3 store, and what its clients see of it."""

import asyncio
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from fileresponse.testing import ObjectStore
from .tools import FaultyProxy, free_port

from .client import Answer, SlowClient, download, fetch
from .conftest import MIB
from .objects import behind, mortal_store, noise, put, sha256, variables
from .servers import HOST, Server, running, wait_until

THREE = ("uvicorn", "granian", "gunicorn")
THREADS = {"gunicorn": ("--threads", "50")}
KEY, SIZE = "faults.bin", 32 * MIB  # more than fits in all buffers between the store and a client
PATH, WINDOW = f"/object/{KEY}", 1 << 16
CONTENT = noise(KEY, SIZE)
PATIENCE, CONNECTIONS, RETRIES = 3, 4, 3
SLOTS = 32


@dataclass
class Faulty:
    """The example under a server, and what is between it and its store."""

    server: Server
    proxy: FaultyProxy
    store: ObjectStore  # without the proxy
    log_start: int = 0  # where the test began

    @property
    def log(self) -> str:
        """What has been printed since the test began."""
        return self.server.log[self.log_start :]

    @property
    def configured(self) -> ObjectStore:
        """The store, as the server knows it."""
        return behind(self.store, self.proxy.url)

    def get(self, path: str = PATH) -> Answer:
        """Ask the server."""
        return fetch(self.server.port, path)

    def begin(self) -> SlowClient:
        """A client in the middle of a download."""
        return SlowClient(self.server.port, PATH, window=WINDOW)


@pytest.fixture(scope="module", params=THREE)
def place(
    request: pytest.FixtureRequest,
    juicefs: ObjectStore,
    data: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Faulty]:
    """A server for which the store is behind a proxy."""
    log_file = tmp_path_factory.mktemp("log") / "server.log"
    put(juicefs, KEY, CONTENT)
    put(juicefs, "small", CONTENT[:MIB])
    with FaultyProxy(juicefs.endpoint_url) as proxy:
        env = variables(
            behind(juicefs, proxy.url),
            WAIT_TIMEOUT=PATIENCE,
            MAX_CONNECTIONS=CONNECTIONS,
            MAX_RETRIES=RETRIES,
        )
        more = THREADS.get(request.param, ())
        with running(request.param, data, log_file, *more, env=env) as server:
            yield Faulty(server, proxy, juicefs)


@pytest.fixture
def faulty(place: Faulty) -> Iterator[Faulty]:
    """The same, with a proxy that does no harm yet; whatever it does, afterwards all works again."""
    place.log_start = len(place.server.log)
    yield place
    place.proxy.heal()
    assert place.get("/object/small").sha256 == sha256(CONTENT[:MIB])


@pytest.mark.parametrize("cuts", [(0,), (0, 3 * MIB), (MIB, 10 * MIB, 5 * MIB)], ids=str)
def test_a_body_that_breaks_off_is_resumed(faulty: Faulty, cuts: tuple[int, ...]) -> None:
    faulty.get("/object/missing")  # so that a connection is there already
    before = faulty.proxy.connections
    faulty.proxy.reset_after(*cuts)
    answer = faulty.get()
    assert (answer.status, answer.length, answer.complete) == (200, SIZE, True)
    assert answer.sha256 == sha256(CONTENT)
    assert faulty.proxy.connections - before >= len(cuts)


def test_a_store_that_is_gone_for_good_breaks_the_connection(faulty: Faulty) -> None:
    client = faulty.begin()
    faulty.proxy.refuse()
    body = client.read_to_the_end()
    assert 0 < len(body) < SIZE
    assert CONTENT.startswith(body)
    wait_until(lambda: "bytes short" in faulty.log, "the log tells it")
    log = faulty.log
    lines = [
        line for line in log.splitlines() if line.startswith(f"Sending S3Source('tests/{KEY}'")
    ]
    assert len(lines) == 1
    assert "store 'default'" in lines[0]
    assert faulty.proxy.url in lines[0]


def test_two_objects_are_never_mixed(faulty: Faulty) -> None:
    client = faulty.begin()
    put(faulty.store, KEY, noise("other", SIZE))
    faulty.proxy.reset_after(0)
    body = client.read_to_the_end()
    assert 0 < len(body) < SIZE
    assert CONTENT.startswith(body)
    wait_until(lambda: "the object has been replaced" in faulty.log, "the log tells it")
    assert faulty.get().sha256 == sha256(noise("other", SIZE))
    put(faulty.store, KEY, CONTENT)


def test_a_store_that_is_silent_is_given_up(faulty: Faulty) -> None:
    faulty.proxy.stall_after(0)
    begun = time.monotonic()
    answer = faulty.get()
    assert PATIENCE <= time.monotonic() - begun < PATIENCE + 10
    assert_refused(answer, 504, faulty.log, "ENDPOINT_URL", faulty.configured)
    assert "retry-after" not in answer.headers


def test_slow_clients_take_all_connections(faulty: Faulty) -> None:
    clients = [faulty.begin() for _ in range(CONNECTIONS)]
    pongs = []
    with ThreadPoolExecutor() as pool:
        begun = time.monotonic()
        fifth = pool.submit(faulty.get)
        while not fifth.done():
            pongs.append(faulty.get("/ping").body)
        assert PATIENCE <= time.monotonic() - begun < PATIENCE + 10
        assert_refused(fifth.result(), 503, faulty.log, "MAX_CONNECTIONS", faulty.configured)
        assert int(fifth.result().headers["retry-after"]) > 0
        assert len(pongs) > PATIENCE  # less than a second for each
        assert set(pongs) == {b"pong"}
        rest = list(pool.map(SlowClient.digest, clients))
    assert rest == [(SIZE, sha256(CONTENT))] * CONNECTIONS


def said_by(answer: Answer) -> str:
    """The headers; but the example's own policy for pages names the store, to which players are sent."""
    return str([item for item in answer.headers.items() if item[0] != "content-security-policy"])


def assert_refused(answer: Answer, status: int, log: str, setting: str, store: ObjectStore) -> None:
    """The client learns only that it does not work, and the log why."""
    assert (answer.status, answer.length, answer.complete) == (status, 0, True)
    assert answer.headers["cache-control"] == "no-store"
    said = said_by(answer)
    for secret in (store.endpoint_url.removeprefix("http://"), store.access_key, store.secret_key):
        assert secret not in said
    assert f"FILERESPONSE_S3_{setting}" in log
    assert store.secret_key not in log
    assert "Traceback" not in log


@pytest.mark.thorough(but=["uvicorn"])
@pytest.mark.parametrize("name", THREE)
@pytest.mark.parametrize(
    ("status", "setting", "value"),
    [
        (502, "SECRET_ACCESS_KEY", "not-the-secret-key"),
        (502, "ACCESS_KEY_ID", "not-the-access-key"),
        (502, "STORAGE_BUCKET_NAME", "not-the-bucket"),
        (503, "ENDPOINT_URL", ""),
    ],
)
def test_a_wrong_setting_is_named(
    juicefs: ObjectStore,
    data: Path,
    tmp_path: Path,
    name: str,
    status: int,
    setting: str,
    value: str,
) -> None:
    value = value or f"http://{HOST}:{free_port()}"
    env = variables(juicefs, WAIT_TIMEOUT=PATIENCE * 5, **{setting: value})
    put(juicefs, "small", CONTENT[:MIB])
    with running(name, data, tmp_path / "server.log", env=env) as server:
        answer = fetch(server.port, "/object/small")
        assert_refused(answer, status, server.log, setting, juicefs)
        assert ("retry-after" in answer.headers) == (status == 503)
        assert value not in said_by(answer)
        assert fetch(server.port, "/ping").body == b"pong"
    assert "Unclosed" not in server.log
    if "SECRET" in setting:
        assert value not in server.log


@pytest.mark.parametrize("name", THREE)
def test_a_store_that_dies_and_comes_back(data: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "store").mkdir()
    with mortal_store(tmp_path / "store") as mortal:
        put(mortal.store, KEY, CONTENT)
        env, log_file = variables(mortal.store, MAX_RETRIES=40), tmp_path / "server.log"
        with running(name, data, log_file, *THREADS.get(name, ()), env=env) as server:
            clients = [SlowClient(server.port, PATH, window=WINDOW) for _ in range(20)]
            mortal.kill()
            assert fetch(server.port, PATH).status == 503
            with ThreadPoolExecutor(len(clients)) as pool:
                downloads = [pool.submit(client.digest) for client in clients]
                time.sleep(0.5)  # some have noticed it by then
                mortal.start()
                found = [download.result() for download in downloads]
            assert found == [(SIZE, sha256(CONTENT))] * len(clients)
            assert fetch(server.port, PATH).sha256 == sha256(CONTENT)
        assert "Sending" not in server.log
        assert "Traceback" not in server.log


async def hang_up_somewhere(port: int, chance: random.Random) -> None:
    """Ask for the object, and be gone: at once, or in the middle of it."""
    client = SlowClient(port, PATH, first=0, window=WINDOW)
    client.socket.setblocking(False)
    loop = asyncio.get_running_loop()
    with closing(client.socket):
        for _ in range(chance.choice((0, 0, 1, 2, 10, 30))):
            await loop.sock_recv(client.socket, WINDOW)
        await asyncio.sleep(chance.random() / 100)


@pytest.mark.parametrize(
    "number", [100, *(pytest.param(many, marks=pytest.mark.thorough) for many in (300, 1000))]
)
@pytest.mark.parametrize("name", ["uvicorn", "gunicorn"])
def test_clients_that_hang_up_leave_nothing_behind(
    juicefs: ObjectStore, data: Path, tmp_path: Path, name: str, number: int
) -> None:
    async def hang_ups(port: int) -> None:
        chance, free = random.Random(0), asyncio.Semaphore(SLOTS + 8)  # so that some have to wait

        async def one() -> None:
            async with free:
                await hang_up_somewhere(port, chance)

        await asyncio.gather(*(one() for _ in range(number)))

    async def downloads(port: int) -> list[tuple[int, str]]:
        return await asyncio.gather(*(download(port, "/object/small") for _ in range(SLOTS)))

    put(juicefs, KEY, CONTENT)
    put(juicefs, "small", CONTENT[:MIB])
    whole = [(MIB, sha256(CONTENT[:MIB]))] * SLOTS
    env = variables(juicefs, MAX_CONNECTIONS=SLOTS, WAIT_TIMEOUT=PATIENCE)
    env |= {"PYTHONWARNINGS": "error::ResourceWarning"}
    with running(name, data, tmp_path / "server.log", *THREADS.get(name, ()), env=env) as server:
        assert asyncio.run(downloads(server.port)) == whole
        before = server.descriptors()
        asyncio.run(hang_ups(server.port))
        wait_until(
            lambda: server.descriptors() <= before + 4,
            f"about {before} descriptors again, not {server.descriptors()}",
        )
        assert asyncio.run(downloads(server.port)) == whole
        clients = [SlowClient(server.port, PATH, window=WINDOW) for _ in range(SLOTS)]
        assert fetch(server.port, PATH).status == 503  # there are exactly as many as before
        assert all(client.received.startswith(b"HTTP/1.1 200 ") for client in clients)
        for client in clients:
            client.hang_up()
        wait_until(lambda: fetch(server.port, "/object/small").status == 200, "it works again")
    for word in ("Unclosed", "ResourceWarning", "Traceback"):
        assert word not in server.log


@pytest.mark.parametrize("name", ["uvicorn", "hypercorn", "granian"])
def test_stopping_closes_the_clients(
    juicefs: ObjectStore, data: Path, tmp_path: Path, name: str
) -> None:
    put(juicefs, "small", CONTENT[:MIB])
    env = variables(juicefs) | {"PYTHONWARNINGS": "always::ResourceWarning"}
    app = "tests.watched:application"
    with running(name, data, tmp_path / "server.log", env=env, asgi=app) as server:
        assert fetch(server.port, "/object/small").sha256 == sha256(CONTENT[:MIB])
        assert any(talks_to(process, juicefs) for process in server.processes())
    assert "connections after the end: 0\n" in server.log
    for word in ("Unclosed", "ResourceWarning", "Traceback"):
        assert word not in server.log


def test_workers_of_a_preloaded_application(
    juicefs: ObjectStore, data: Path, tmp_path: Path
) -> None:
    put(juicefs, "small", CONTENT[:MIB])
    env = variables(juicefs) | {"PYTHONWARNINGS": "always::ResourceWarning"}
    more = ("--preload", "--workers", "2")
    with running("gunicorn", data, tmp_path / "server.log", *more, env=env) as server:

        def both_have_served() -> bool:
            assert fetch(server.port, "/object/small").sha256 == sha256(CONTENT[:MIB])
            return sum(talks_to(process, juicefs) for process in server.processes()) == 2

        wait_until(both_have_served, "both workers have asked the store")
    for word in ("Unclosed", "ResourceWarning", "Traceback"):
        assert word not in server.log


def talks_to(process: psutil.Process, store: ObjectStore) -> bool:
    """Whether a process has a connection to the store."""
    port = int(store.endpoint_url.rpartition(":")[2])
    return any(link.raddr and link.raddr.port == port for link in process.net_connections("tcp"))
