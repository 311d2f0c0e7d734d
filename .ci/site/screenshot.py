"""Write nbs/images/example.png, a picture of the running example: `python .ci/site/screenshot.py`.

It needs Chromium. The example runs on a port of its own, with data that are thrown away.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "example"))

from tests.tools import free_port  # noqa: E402

PICTURE = ROOT / "nbs" / "images" / "example.png"
EPISODE = "/shows/broken-chords/morning/"
SEEK = """player => new Promise((resolve, reject) => {
    player.onerror = () => reject(player.error.message)
    player.onseeked = resolve
    player.preload = "auto"
    player.onloadedmetadata = () => { player.currentTime = player.duration * 0.7 }
    player.load()
})"""


@contextmanager
def running_example() -> Iterator[str]:
    """The address of the example, for as long as the block lasts."""
    with TemporaryDirectory() as data:
        port = free_port()
        command = [sys.executable, ROOT / "example" / "run.py", f"--port={port}", "--large-mb=1"]
        environment = {**os.environ, "EXAMPLE_DATA": data}
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(url, process)
            yield url
        finally:
            process.terminate()
            process.wait()


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Return when the address answers; an error when the process has ended instead."""
    while process.poll() is None:
        try:
            urlopen(url, timeout=5).close()
            return
        except URLError:
            time.sleep(0.1)
    raise RuntimeError("the example has ended")


def take_picture(url: str, path: Path) -> None:
    """An episode's page with its player in the middle of the sound."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 920, "height": 792})
        page.goto(url + EPISODE)
        page.locator("audio").evaluate(SEEK)
        page.screenshot(path=path)
        browser.close()


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    with running_example() as address:
        take_picture(address, PICTURE)
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size:,} bytes")
