"""The documentation's site: it builds without a warning, its links lead somewhere, and it needs no network."""

import dataclasses
import html
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from chromium import said
from pages import ROOT
from selenium.webdriver import Chrome

from tpt.settings import Fact, every, names

sys.path.insert(0, str(ROOT / "docs" / "extensions"))
import configuration
import gallery

WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
LOADS = {  # attributes whose address is loaded when a page is opened; of `link` see `Page`
    **dict.fromkeys(("img", "script", "iframe", "source", "video", "audio", "embed", "input", "track"), ("src",)),
    "object": ("data",),
    "use": ("href", "xlink:href"),
    "image": ("href", "xlink:href"),
    "body": ("background",),
}
CSS_LOADS = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")
LABELLED = ("canonical", "search", "index", "next", "prev", "alternate", "author", "license")  # of `link`: not loaded


class Page(HTMLParser):
    """What an HTML page links to, what it loads, and what can be linked to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = {name: value or "" for name, value in attrs}
        self.ids |= {own[name] for name in ("id", "name") if name in own}
        if tag == "a" and "href" in own:
            self.links.append(own["href"])
        if tag == "link" and not set(own.get("rel", "").split()) & set(LABELLED):
            self.loads.append(own.get("href", ""))
        self.loads += [own[name] for name in LOADS.get(tag, ()) if name in own]
        self.loads += [one.strip().split()[0] for one in own.get("srcset", "").split(",") if one.strip()]
        self.loads += in_css(own.get("style", ""))


def in_css(text: str) -> list[str]:
    """The addresses that a style sheet loads."""
    return [one or other for one, other in CSS_LOADS.findall(text)]


def build(source: Path, out: Path) -> "subprocess.CompletedProcess[str]":
    """What `make docs` does, into a folder of its own."""
    strict = ("-W", "--keep-going", "-n", "-q")
    command = [sys.executable, "-m", "sphinx", *strict, "-d", f"{out}.trees", "-c", str(source / "docs")]
    return subprocess.run([*command, str(source), str(out)], capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site") / "html"
    done = build(ROOT, out)
    assert (done.returncode, done.stderr) == (0, "")
    return out


@pytest.fixture(scope="module")
def site_pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(site.rglob("*.html"))}


def test_every_page_is_built(site: Path) -> None:
    there = {path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")}
    sources = [*ROOT.glob("docs/*.md"), *ROOT.glob("experiments/*/README.md"), *ROOT.glob("benchmarks/*.md")]
    assert {path.relative_to(ROOT).with_suffix("").as_posix() for path in sources} | {"index"} <= there


FAULTS = {  # each with a part of what the build says of it
    "[a](nowhere.md)": "nowhere.md",
    "[a](index.md#somewhere)": "somewhere",
    "![a](nothing.png)": "nothing.png",
    "{py:class}`nowhere.Thing`": "nowhere.Thing",
    "# One\n\n### Three": "header level",
}


def test_a_planted_fault_fails_the_build(tmp_path: Path) -> None:
    docs = tmp_path / "source" / "docs"
    for name in ("extensions", "style", "templates"):
        shutil.copytree(ROOT / "docs" / name, docs / name)
    shutil.copy(ROOT / "docs" / "conf.py", docs)
    (docs / "index.md").write_text("# A page\n\n" + "\n\n".join(FAULTS))
    done = build(docs.parent, tmp_path / "html")
    assert done.returncode != 0
    assert [fault for fault, words in FAULTS.items() if words not in done.stderr] == []


def dead(pages: dict[Path, Page]) -> list[str]:
    """Links within a site to pages or anchors that are not there."""
    found = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[there].ids if there in pages else set()
            if not there.is_file() or (parts.fragment and there.suffix == ".html" and parts.fragment not in anchors):
                found.append(f"{path.name}: {link}")
    return found


def test_every_link_within_the_site_leads_somewhere(site_pages: dict[Path, Page], tmp_path: Path) -> None:
    assert dead(site_pages) == []
    planted = tmp_path / "planted.html"
    planted.write_text("<p id='here'><a href='#here'>a</a><a href='#there'>b</a><a href='gone.html'>c</a></p>")
    assert len(dead({planted: Page(planted)})) == 2


def foreign(addresses: list[str]) -> list[str]:
    """Those that are not files beside the page."""
    return [one for one in addresses if re.match(r"(?!data:)[a-z]+:|//", one)]


def test_no_page_names_anything_to_load_from_the_network(
    site: Path, site_pages: dict[Path, Page], tmp_path: Path
) -> None:
    for page in site_pages.values():
        assert foreign(page.loads) == []
    for sheet in site.rglob("*.css"):
        assert foreign(in_css(sheet.read_text(encoding="utf-8"))) == []
    for drawing in site.rglob("*.svg"):
        assert foreign(Page(drawing).loads + in_css(drawing.read_text(encoding="utf-8"))) == []
    planted = tmp_path / "planted.html"
    planted.write_text("<link rel=stylesheet href='https://a.example/x.css'><img src='//a.example/x.png'>")
    assert len(foreign(Page(planted).loads)) == 2
    assert foreign(in_css("@import 'https://a.example/x.css'; a {background: url(https://a.example/x)}"))


def test_every_image_has_a_description(site_pages: dict[Path, Page]) -> None:
    for path in site_pages:
        images = re.findall(r"<img[^>]*>", path.read_text(encoding="utf-8"))
        assert [one for one in images if not re.search(r'alt="[^"]{5,}"', one)] == [], path.name


def test_the_configuration_page_has_every_setting_and_every_choice(site: Path) -> None:
    source = (site / "docs" / "configuration.html").read_text(encoding="utf-8")
    text = html.unescape(re.sub(r"<[^>]+>", "", source))
    shown = set(re.findall(r"[\w.@=-]+", text))
    assert {fact.key for fact in every()} <= shown
    at = {names.COMMAND: "command@commands.NAME"}  # of which a run may have several
    assert {f"{at.get(group, group)}={one}" for group in names.groups() for one in names.choices(group)} <= shown


def test_the_gallery_shows_a_prompt_and_a_verdict_of_each_task_whose_problems_are_here(site: Path) -> None:
    text = (site / "docs" / "qa.html").read_text(encoding="utf-8")
    entries = dict(
        re.findall(
            r"<code[^>]*><span class=\"pre\">task=(\w+)</span></code>[^\n]*</h3>(.*?)</section>", text, re.DOTALL
        )
    )
    assert sorted(entries) == gallery.choices()
    assert {path.stem for path in gallery.TINY.glob("*.jsonl")} <= set(entries)
    assert [name for name, shown in entries.items() if not re.search("judged? ", shown) or "<pre>" not in shown] == []


def test_a_setting_without_a_meaning_fails_the_build() -> None:
    said = Fact("train.a", "a number", "1", "What it is.", "", runtime=False, path=False, section="")
    facts = [said, dataclasses.replace(said, key="train.b", meaning="")]
    with pytest.raises(Exception, match=r"no meaning: train\.b"):
        configuration.check(facts)
    configuration.check(facts[:1])


def asked(browser: Chrome) -> list[str]:
    """The addresses that the browser asked for since it was last asked itself."""
    messages = [json.loads(one)["message"] for one in said(browser, "performance")]
    return [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_opens_without_a_network_and_fits_the_screen(width: str, browser: Chrome, site: Path) -> None:
    wide, high = WIDTHS[width]
    metrics = {"width": wide, "height": high, "deviceScaleFactor": 1, "mobile": width == "phone"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    asked(browser), said(browser)
    for page in sorted(site.rglob("*.html")):
        browser.get(page.as_uri())
        addresses = asked(browser)
        assert addresses
        assert foreign([one for one in addresses if not one.startswith("file:")]) == [], page.name
        assert said(browser) == [], page.name
        assert browser.execute_script("return document.documentElement.scrollWidth") <= wide, page.name
        broken = "return [...document.images].filter(one => one.complete && !one.naturalWidth).map(one => one.src)"
        assert browser.execute_script(broken) == [], page.name
