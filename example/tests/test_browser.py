"""The podcast host in Chromium, as `make run` starts it: listening, sharing, uploading, counting."""

import csv
import hashlib
import io
import os
import shutil
import subprocess
import sys
import time
import wave
import zipfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Download,
    Page,
    Response,
    expect,
    sync_playwright,
)

from .client import SlowClient
from .conftest import MIB
from .servers import HOST
from .test_clients import CHROMIUM_ARGS, tool
from .test_example_store import Run, started, wait_for_page

LINK_SECONDS = 4
AXE = Path(sys.prefix) / "axe"
MEMBERS = "/shows/members-hour/"
LONG = {
    "from a folder": (f"{MEMBERS}the-long-way/", 300),
    "from the store": ("/shows/night-train/outbound/", 240),
}
PAGES = [
    "/",
    "/login/",
    "/shows/broken-chords/",
    "/shows/night-train/",
    MEMBERS,
    "/shows/broken-chords/morning/",
    "/shows/broken-chords/morning/?way=redirect",
    f"{MEMBERS}the-long-way/",
    "/upload/",
    "/downloads/",
    "/nowhere/",
]


@pytest.fixture(scope="module")
def site(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The example with its store, and links that expire soon."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(samples, folder / "data")
    more = {"EXAMPLE_LINK_SECONDS": str(LINK_SECONDS), "EXAMPLE_UPLOAD_MB": "40"}
    more |= {"EXAMPLE_DEBUG": "0", "EXAMPLE_SECRET_KEY": "tests"}
    with started(folder / "data", folder / "log", **more) as run:
        wait_for_page(run)
        yield run


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tool("chromium"), args=CHROMIUM_ARGS)
        yield browser
        browser.close()


class Visitor:
    """Somebody with a browser window, who notes what goes wrong in it."""

    def __init__(self, browser: Browser, site: Run, **options: object) -> None:
        self.context: BrowserContext = browser.new_context(
            base_url=f"http://{HOST}:{site.port}", **options
        )
        self.complaints: list[str] = []
        self.page = self.new_page()

    def new_page(self) -> Page:
        """A window whose complaints are heard."""
        page = self.context.new_page()
        page.on(
            "console",
            lambda message: message.type == "error" and self.complaints.append(message.text),
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def log_in(self) -> "Visitor":
        """By the form, with what it says."""
        self.page.goto("/login/")
        name, password = self.page.locator("main code").all_inner_texts()
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()
        expect(self.page.get_by_role("button", name="Log out")).to_be_visible()
        return self


@pytest.fixture(scope="module")
def session(browser: Browser, site: Run) -> Any:
    """The cookies of somebody who has logged in."""
    visitor = Visitor(browser, site).log_in()
    state = visitor.context.storage_state()
    visitor.context.close()
    return state


@pytest.fixture
def stranger(browser: Browser, site: Run) -> Iterator[Visitor]:
    """Somebody who has not logged in."""
    visitor = Visitor(browser, site)
    yield visitor
    visitor.context.close()
    assert visitor.complaints == []


@pytest.fixture
def member(browser: Browser, site: Run, session: Any) -> Iterator[Visitor]:
    """Somebody who has."""
    visitor = Visitor(browser, site, storage_state=session)
    yield visitor
    visitor.context.close()
    assert visitor.complaints == []


SEEK = """(audio, to) => new Promise((resolve, reject) => {
    audio.addEventListener("error", () => reject(audio.error?.message))
    audio.addEventListener("seeked", () => resolve([audio.currentTime, audio.duration]))
    audio.play().then(() => { audio.currentTime = to }, reject)
})"""
LOAD = """audio => new Promise((resolve, reject) => {
    audio.addEventListener("error", () => reject(audio.error?.message))
    audio.addEventListener("loadedmetadata", () => resolve(audio.duration))
    if (audio.readyState) resolve(audio.duration)
})"""


@pytest.mark.parametrize("place", LONG)
def test_play_and_seek(member: Visitor, place: str) -> None:
    path, seconds = LONG[place]
    seen: list[tuple[int, str]] = []

    def watch(response: Response) -> None:
        if "/audio" in response.url:
            seen.append((response.status, response.headers.get("content-range", "")))

    member.page.on("response", watch)
    member.page.goto(path)
    position = member.page.locator("audio").evaluate(SEEK, seconds - 30)
    assert position == pytest.approx([seconds - 30, seconds], abs=1)
    assert {status for status, _ in seen} == {206}
    starts = [int(where.removeprefix("bytes ").partition("-")[0]) for _, where in seen]
    assert max(starts) > 2 * MIB


def test_every_open_way_plays(stranger: Visitor) -> None:
    page = stranger.page
    page.goto("/shows/broken-chords/morning/")
    ways = page.locator(".choices a").evaluate_all("links => links.map(link => link.search)")
    assert set(ways) == {f"?way={way}" for way in "zero-copy plain slow store redirect".split()}
    closed = page.locator(".choices .off").all_inner_texts()
    assert len(closed) == 2
    assert all("Off: " in text for text in closed)
    for way in ways:
        page.goto(f"/shows/broken-chords/morning/{way}")
        assert page.locator("audio").evaluate(LOAD) == pytest.approx(25, abs=1)
        status = "302 Found" if way.endswith("redirect") else "200 OK"
        expect(page.locator(".headers dd").first).to_have_text(status)
        expect(page.locator("[aria-current]")).to_have_count(1)


def test_members_only(stranger: Visitor) -> None:
    page = stranger.page
    for name in ("", "feed.xml", "episodes.zip", "encore/", "encore/audio", "encore/notes"):
        answer = stranger.context.request.get(f"{MEMBERS}{name}")
        assert answer.status == (200 if name in ("", "encore/") else 403), name
    assert "/login/" in stranger.context.request.get("/downloads.csv").url
    page.goto(MEMBERS)
    expect(page.locator("audio")).to_have_count(0)
    page.locator("main").get_by_role("link", name="Log in").click()
    page.get_by_label("Username").fill("demo")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("not a name with its password")
    page.get_by_label("Password").fill("listen-to-this")
    page.get_by_role("button", name="Log in").click()
    assert urlsplit(page.url).path == MEMBERS
    expect(page.locator("audio")).to_have_count(2)
    answer = stranger.context.request.get(f"{MEMBERS}encore/audio")
    assert (answer.status, answer.headers["cache-control"]) == (200, "private")
    page.get_by_role("button", name="Log out").click()
    assert stranger.context.request.get(f"{MEMBERS}encore/audio").status == 403


def test_share(member: Visitor, stranger: Visitor, site: Run) -> None:
    page = member.page
    page.goto(f"{MEMBERS}encore/")
    page.get_by_role("button", name=f"Share for {LINK_SECONDS} seconds").click()
    link = page.get_by_label("Link to share").input_value()
    shared = time.monotonic()
    answer = stranger.context.request.get(link)
    assert answer.body() == (site.data / "members" / "encore.wav").read_bytes()
    assert answer.headers["cache-control"] == "private"
    assert stranger.context.request.get(link.replace("encore", "the-long-way")).status == 403
    while stranger.context.request.get(link).status == 200:
        assert time.monotonic() < shared + LINK_SECONDS + 10
        time.sleep(0.2)
    assert time.monotonic() >= shared + LINK_SECONDS - 1
    assert stranger.context.request.get(link).status == 403


def finished(download: Download) -> bytes:
    """All bytes of a download; an error if it has failed."""
    assert download.failure() is None
    return Path(download.path()).read_bytes()


def test_archive(member: Visitor, site: Run) -> None:
    page = member.page
    page.goto(MEMBERS)
    lengths: list[str | None] = []

    def watch(answer: Response) -> None:
        if answer.url.endswith(".zip"):
            lengths.append(answer.headers.get("content-length"))

    page.on("response", watch)
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download all").click()
    body = finished(waiting.value)
    assert waiting.value.suggested_filename == "members-hour.zip"
    assert lengths == [str(len(body))]
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        found = {name: hashlib.sha256(archive.read(name)).digest() for name in archive.namelist()}
    assert found == {
        f"members-hour/{path.name}": hashlib.sha256(path.read_bytes()).digest()
        for path in (site.data / "members").iterdir()
    }


def counts(page: Page) -> dict[str, int]:
    """The figures on top of the dashboard."""
    page.goto("/downloads/")
    names = page.locator(".figures dt").all_inner_texts()
    values = page.locator(".figures dd").all_inner_texts()
    return {name: int(value) for name, value in zip(names[:4], values[:4], strict=True)}


def test_what_was_downloaded_is_counted(member: Visitor, site: Run) -> None:
    before = counts(member.page)
    assert member.context.request.get("/download/episode-01.wav").status == 200
    audio = "/shows/broken-chords/morning/audio?way=slow"
    SlowClient(site.port, audio).hang_up()
    deadline = time.monotonic() + 10
    while (after := counts(member.page))["Downloads"] < before["Downloads"] + 2:
        assert time.monotonic() < deadline
    assert {name: after[name] - before[name] for name in after} == {
        "Downloads": 2,
        "Completed": 1,
        "Aborted": 1,
        "Error": 0,
    }
    assert member.page.locator(".chart rect").count() >= 2
    row = member.page.locator("tr", has_text="/download/episode-01.wav").first
    expect(row).to_contain_text("completed")

    with member.page.expect_download() as waiting:
        member.page.get_by_role("link", name="All as CSV").click()
    rows = list(csv.DictReader(io.StringIO(finished(waiting.value).decode())))
    assert len(rows) == after["Downloads"]
    last = rows[-2:]
    assert {row["Outcome"] for row in last} == {"completed", "aborted"}
    whole = next(row for row in last if row["Outcome"] == "completed")
    size = (site.media / "episode-01.wav").stat().st_size
    assert (whole["Path"], whole["Bytes"]) == ("/download/episode-01.wav", str(size))


def make_sound(path: Path, seconds: int) -> Path:
    """A silent WAV file."""
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(22050)
        sound.writeframes(bytes(2 * 22050 * seconds))
    return path


def fill_in(page: Page, title: str, audio: Path, notes: Path | None = None, show: str = "") -> None:
    """Fill in the form for uploads."""
    page.goto("/upload/")
    if show:
        page.get_by_label("Show").select_option(label=show)
    page.get_by_label("Title").fill(title)
    page.get_by_label("Audio").set_input_files(audio)
    if notes:
        page.get_by_label("Notes").set_input_files(notes)


@pytest.mark.parametrize("show", ["Broken Chords", "Night Train", "The Members' Hour"])
def test_upload_then_play(member: Visitor, tmp_path: Path, show: str) -> None:
    page, seconds = member.page, 500
    notes = tmp_path / "notes.html"
    notes.write_text("<script>fetch('/downloads.csv')</script><p>Silence")
    fill_in(page, "A new one", make_sound(tmp_path / "new one.wav", seconds), notes, show)
    page.evaluate("""() => {
        window.name = ""
        const text = document.querySelector("#progress-text")
        const note = () => { window.name += text.textContent + ";" }
        new MutationObserver(note).observe(text, { childList: true })
    }""")
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url("**/a-new-one/?uploaded")
    assert "100 % of" in page.evaluate("window.name")
    expect(page.get_by_role("status")).to_have_text("The episode is uploaded.")
    assert page.locator("audio").evaluate(SEEK, seconds - 10) == pytest.approx(
        [seconds - 10, seconds], abs=1
    )
    answer = member.context.request.get(f"{urlsplit(page.url).path}notes")
    assert answer.body() == notes.read_bytes()
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    if show == "Broken Chords":  # the media folder has another way to it
        answer = member.context.request.get("/inline/broken-chords/notes.html")
        assert answer.headers["content-type"] == "text/html"
        assert answer.headers["content-security-policy"].startswith("sandbox;")


def test_upload_without_scripts(browser: Browser, site: Run, session: Any, tmp_path: Path) -> None:
    member = Visitor(browser, site, storage_state=session, java_script_enabled=False)
    fill_in(member.page, "Without scripts", make_sound(tmp_path / "plain.wav", 3))
    member.page.get_by_role("button", name="Upload").click()
    member.page.wait_for_url("**/without-scripts/?uploaded")
    member.context.close()


def test_what_is_not_taken(member: Visitor, tmp_path: Path) -> None:
    page = member.page
    (tmp_path / "page.wav").write_text("<script>alert(1)</script>" * 10)
    (tmp_path / "page.html").write_text("<p>no audio")
    make_sound(tmp_path / "right.wav", 1)
    for title, name, error in [
        ("A page", "page.wav", "This is not audio"),
        ("A page", "page.html", "This is not audio"),
        ("Morning", "right.wav", "has an episode of this title"),
        ("!", "right.wav", "at least one letter"),
    ]:
        fill_in(page, title, tmp_path / name)
        with page.expect_response("**/upload/") as waiting:
            page.get_by_role("button", name="Upload").click()
        assert waiting.value.status == 400
        expect(page.locator(".error")).to_contain_text(error)
        expect(page.locator("#errors")).to_be_focused()
    fill_in(page, "No show", tmp_path / "right.wav")
    page.get_by_label("Show").evaluate("select => { select.options[0].value = 999 }")
    page.get_by_role("button", name="Upload").click()
    expect(page.locator(".error")).to_contain_text("Select a valid choice")
    member.complaints.remove(next(text for text in member.complaints if "400" in text))
    refused = [text for text in member.complaints if "400" in text]
    assert len(refused) == 4
    member.complaints.clear()
    with (tmp_path / "large.wav").open("wb") as large:
        large.truncate(41 * MIB)
    fill_in(page, "Large", tmp_path / "large.wav")
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#progress-text")).to_have_text("This file is too large.")


def test_feed(member: Visitor, stranger: Visitor) -> None:
    for show in ("broken-chords", "night-train", "members-hour"):
        member.page.goto(f"/shows/{show}/")
        feed = member.page.get_by_role("link", name="RSS feed").get_attribute("href")
        answer = stranger.context.request.get(feed or "")
        assert answer.headers["content-type"].startswith("application/rss+xml")
        items = ElementTree.fromstring(answer.body()).findall("./channel/item")
        assert items
        for item in items:
            enclosure = item.find("enclosure")
            assert enclosure is not None
            audio = stranger.context.request.get(enclosure.attrib["url"])
            assert audio.status == 200
            assert str(len(audio.body())) == enclosure.attrib["length"]
            assert audio.headers["content-type"] == enclosure.attrib["type"]


@pytest.mark.parametrize("path", PAGES)
def test_narrow_as_a_phone(member: Visitor, path: str) -> None:
    member.page.set_viewport_size({"width": 360, "height": 700})
    member.page.goto(path)
    assert member.page.evaluate("document.documentElement.scrollWidth") <= 360
    member.complaints[:] = [text for text in member.complaints if "404" not in text]


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, fetched once from the npm registry."""
    path = AXE / "node_modules" / "axe-core" / "axe.min.js"
    if not path.exists():
        AXE.mkdir(parents=True, exist_ok=True)
        npm = [tool("npm"), "install", "--no-audit", "--no-fund", "--prefix", str(AXE), "axe-core"]
        done = subprocess.run(npm, capture_output=True, text=True, timeout=120)
        if done.returncode and os.environ.get("CI"):
            pytest.fail(f"axe-core cannot be fetched: {done.stderr[-300:]}")
        if done.returncode:
            pytest.skip("axe-core is not installed, and cannot be fetched")
    return path.read_text(encoding="utf-8")


def each_in_a_scheme() -> Iterator[Any]:
    """Each page in one of the schemes, by turns; in the other, where everything is tested."""
    for number, (path, scheme) in enumerate(product(PAGES, ("light", "dark"))):
        is_first = number % 4 in (0, 3)
        yield pytest.param(path, scheme, marks=() if is_first else pytest.mark.thorough)


@pytest.mark.parametrize(("path", "scheme"), list(each_in_a_scheme()))
def test_accessible(
    browser: Browser, site: Run, session: Any, axe: str, path: str, scheme: str
) -> None:
    for state in (None, session):
        visitor = Visitor(browser, site, color_scheme=scheme, storage_state=state)
        visitor.page.goto(path)
        visitor.page.evaluate(axe)
        found = visitor.page.evaluate("axe.run().then(results => results.violations)")
        shown = [(item["id"], [node["html"] for node in item["nodes"]]) for item in found]
        visitor.context.close()
        assert shown == []


def test_by_keyboard(stranger: Visitor) -> None:
    page = stranger.page
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Broken Chords")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
