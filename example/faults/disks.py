"""What can happen to the file system under the files: a real one in user space, whose disk is slow, loses a block, or dies."""

import errno
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

from tests.servers import wait_until
from tests.stores import program

from .place import MIB, Fault, Place, noise

NAME, SIZE = "mounted.bin", 24 * MIB
PATH, CONTENT = f"/fuse/{NAME}", noise(NAME, SIZE)
LIMIT = 64  # Mbit/s, after what a second brings at once
MOUNT = (
    "--no-usage-report --no-bgjob --backup-meta 0 --metrics 127.0.0.1:0 --attr-cache 0 --entry-cache 0 "
    f"--cache-size 0 --buffer-size 32 --io-retries 1 --download-limit {LIMIT}"
).split()
CAN_MOUNT = os.geteuid() == 0 and Path("/dev/fuse").exists() and program("juicefs") is not None


@dataclass
class Fuse:
    """JuiceFS on a folder: a process answers for each read, from blocks of 4 MiB, which are files of a folder."""

    folder: Path

    def __post_init__(self) -> None:
        self.mount = self.folder / "fuse"
        self.mount.mkdir()
        self._catalogue = f"sqlite3://{self.folder}/catalogue.db"
        kind = ["--storage", "file", "--bucket", f"{self.folder}/blocks/", "--trash-days", "0"]
        run(program("juicefs"), "format", *kind, self._catalogue, "disk")

    def start(self) -> None:
        """Mount it; nothing of it is in memory then."""
        own = ["--cache-dir", f"{self.folder}/cache", "--log", f"{self.folder}/fuse.log"]
        with (self.folder / "fuse.out").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [program("juicefs"), "mount", *MOUNT, *own, self._catalogue, str(self.mount)],
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        wait_until(self.mount.is_mount, "it is mounted", 60)

    def kill(self) -> None:
        """End the process in the middle of whatever it does; the one that watches over it, too."""
        os.killpg(self._process.pid, 9)
        self._process.wait()

    def stop(self) -> None:
        """Unmount it, whatever has become of it."""
        run("umount", "--lazy", self.mount)
        self.kill()

    def block(self, number: int) -> Path:
        """Where a block of the file is."""
        return next(self.folder.glob(f"blocks/disk/chunks/*/*/*_{number}_*"))


NOW: list[Fuse] = []


def run(*command: object) -> None:
    """Run a command, which has nothing to say."""
    subprocess.run([str(part) for part in command], check=True, capture_output=True)  # noqa: S603


@contextmanager
def disks() -> Iterator[dict[str, str]]:
    """A slow file system and one that is full; the variable with which the site finds them."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="faults-disks-")))
        fuse, full = Fuse(folder), folder / "full"
        fuse.start()
        stack.callback(fuse.stop)
        (fuse.mount / NAME).write_bytes(CONTENT)
        full.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={2 * SIZE}", "tmpfs", full)
        stack.callback(run, "umount", "--lazy", full)
        fill(full)
        NOW[:] = [fuse]
        yield {"FAULTS_DISKS": str(folder)}


def fill(folder: Path) -> None:
    """Write a file, and then until nothing more fits."""
    (folder / NAME).write_bytes(CONTENT)
    with (folder / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: S101


@contextmanager
def pinging(place: Place) -> Iterator[None]:
    """Ask for a sign of life all the time, and tell how long 99 of 100 took at the most."""
    over, took = threading.Event(), []

    def ping() -> None:
        while not over.wait(0.02):
            begun = time.monotonic()
            place.ping()
            took.append((time.monotonic() - begun) * 1000)

    thread = threading.Thread(target=ping, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    place.facts["ping p99 ms"] = round(quantiles(took, n=100)[98])


def afresh(place: Place) -> None:
    """Mount it again, so that nothing of the file is in memory."""
    NOW[0].stop()
    NOW[0].start()


def slow(place: Place) -> Iterator[str]:
    """A file that comes at 8 MB/s, to two clients at once; nobody else has to wait for it."""
    afresh(place)
    with pinging(place):
        clients = [place.client(PATH).send(), place.client(PATH, f"Range: bytes={8 * MIB}-").send()]
        yield clients[0].finish().saw(CONTENT)
        yield clients[1].finish().saw(CONTENT[8 * MIB :])


def bad_block(place: Place) -> Iterator[str]:
    """The fourth block is lost: the kernel says EIO from byte 12 MiB on; what comes before is fine."""
    block = NOW[0].block(3)
    block.rename(block.with_name("lost"))
    afresh(place)
    yield place.get(PATH).saw(CONTENT)
    yield place.get(PATH, f"Range: bytes={12 * MIB}-").saw(CONTENT[12 * MIB :])
    yield place.get(PATH, "Range: bytes=0-999").saw(CONTENT[:1000])
    block.with_name("lost").rename(block)


def dead(place: Place) -> Iterator[str]:
    """The process that answers for the file system is killed: nothing can be read or opened any more."""
    afresh(place)
    client = place.begin(PATH)
    NOW[0].kill()
    yield client.finish().saw(CONTENT)
    yield place.get(PATH).saw(CONTENT)
    afresh(place)
    yield place.get(PATH).saw(CONTENT)


def full(place: Place) -> Iterator[str]:
    """No byte more fits on it: nothing that is sent needs to be written down before."""
    yield place.get(f"/full/{NAME}").saw(CONTENT)
    yield place.get(f"/full/{NAME}", "Range: bytes=1000-").saw(CONTENT[1000:])


FAIL = frozenset({"whole", "cut", "none", "500", "503"})
GONE = frozenset({"whole", "cut", "none", "503"})
DISKS = [
    Fault("the file system is slow", slow, frozenset({"whole"}), is_short=False),
    Fault("the file system loses a block", bad_block, FAIL, NAME),
    Fault("the file system dies", dead, GONE, NAME, is_short=False),
    Fault("the file system is full", full, frozenset({"whole"})),
] * CAN_MOUNT
