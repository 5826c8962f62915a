"""The documentation builds as a site, without network, and its links lead somewhere."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    # A proxy that is not there: whatever is fetched fails.
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:1")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, **nowhere, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_pages_load_nothing_from_other_servers(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        found = re.findall(
            r'<(?:script|link|img)[^>]*(?:src|href)="(https?://[^"]+)"', page.read_text()
        )
        assert [url for url in found if "canonical" not in url] == [], page


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages - {"package.md"} if f": {page}" not in text} == set()


def test_what_the_package_index_shows_has_no_relative_link() -> None:
    text = (ROOT / "docs" / "package.md").read_text(encoding="utf-8")
    assert [target for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target] == []


def test_the_notebook_is_shown_as_it_was_run(site: Path) -> None:
    book = json.loads((ROOT / "docs/tutorials/first_study.ipynb").read_text(encoding="utf-8"))
    page = (site / "tutorials" / "notebook" / "index.html").read_text(encoding="utf-8")
    figures = [
        output
        for cell in book["cells"]
        for output in cell.get("outputs", ())
        if "application/vnd.plotly.v1+json" in output.get("data", {})
    ]
    assert len(figures) > 2
    assert page.count("Plotly.newPlot(") == len(figures)
    assert page.count("<table") >= 3
    [script] = re.findall(r'<script src="([^"]*plotly[^"]*)"', page)
    assert (site / "tutorials" / "notebook" / script).stat().st_size > 1_000_000


def test_the_container_copies_what_is_there() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert copied
    kept = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines()}
    for name in copied:
        assert (ROOT / name).exists(), name
        assert name in kept
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert services["tensorboard"]["ports"] == ["127.0.0.1:6006:6006"]
    targets = set(re.findall(r"^FROM \S+ AS (\w+)$", "\n".join(lines), re.MULTILINE))
    assert targets == {"base", "cpu", "cuda"}
