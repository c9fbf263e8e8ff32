"""The page of `hashzoo report` in a real browser. `nox -s browser` runs this."""

from __future__ import annotations

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from hashzoo.cli import main

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the extra [browser]")

pytestmark = pytest.mark.browser

ANSWERS = ".answers li"
PATIENCE = 120_000  # ms; a screenshot takes a second, unless all cores are busy


@pytest.fixture(scope="module")
def chromium():
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(finished_runs, tree, tmp_path_factory):
    page = tmp_path_factory.mktemp("page") / "report.html"
    words = ["report", str(finished_runs), "-o", str(page), "--data-root", str(tree), "--queries", "6"]
    assert main(words) == 0
    return page


@pytest.fixture(scope="module")
def explorer(file):
    text = file.read_text().partition('id="explorers">')[2].partition("</script>")[0]
    return json.loads(text)["explorer-0"]


@pytest.fixture
def opened(chromium, request):
    """opened(file, scheme=, width=) is the page; at the end it may have neither complained nor loaded anything."""
    complaints = []

    def open_page(file, scheme="light", width=1280):
        context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
        request.addfinalizer(context.close)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda r: None if r.url.startswith(("data:", file.as_uri())) else complaints.append(r.url))
        page.goto(file.as_uri())
        return page

    yield open_page
    assert complaints == []


def shown(page):
    """Label, distance and relevance of each answer on the page."""
    found = []
    for item in page.locator(ANSWERS).all():
        words = item.inner_text().split()
        assert (words[2] == "✓") == (item.get_attribute("class") == "relevant")
        found.append((item.locator("img").get_attribute("title"), int(words[1]), words[2] == "✓"))
    return found


def expected(explorer, query, method):
    return [
        (explorer["labels"][image], distance, bool(relevant))
        for length in explorer["methods"][method]["lengths"]
        for image, distance, relevant in length["answers"][query]
    ]


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_drawn_in_both_schemes_and_fits_its_window(opened, file, scheme, width):
    page = opened(file, scheme, width)
    pixels = np.asarray(Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB"))
    background = pixels[:5].mean()
    assert background > 240 if scheme == "light" else background < 40
    flat = (np.abs(pixels.astype(int) - pixels[0, 0]) < 8).all(axis=(1, 2))
    assert flat.mean() < 0.6, "most rows of the screenshot are empty"
    coloured = np.ptp(pixels.astype(int), axis=2) > 60
    assert coloured.mean() > 0.005, "no lines, marks or images are to be seen"
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(opened, file, scheme):
    page = opened(file, scheme)
    for selector in ("body", "figcaption", ".answers li.relevant", ".answers li:not(.relevant)", "nav a"):
        colour = luminance(page.evaluate("s => getComputedStyle(document.querySelector(s)).color", selector))
        behind = luminance(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        light, dark = max(colour, behind), min(colour, behind)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, selector  # WCAG 2.1, level AA
    for line in page.locator(".panel .line").all()[:8]:
        colour = luminance(line.evaluate("line => getComputedStyle(line).stroke"))
        behind = luminance(line.evaluate("line => getComputedStyle(line.closest('.panel')).backgroundColor"))
        assert (max(colour, behind) + 0.05) / (min(colour, behind) + 0.05) >= 3


def luminance(colour):
    """Relative luminance of a CSS colour "rgb(r, g, b)", as WCAG defines it."""
    channels = np.array([int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_the_explorer_answers_a_click(opened, file, explorer):
    page = opened(file)
    assert shown(page) == expected(explorer, 0, 0)
    page.locator(".explorer fieldset").nth(0).locator("label").nth(4).click()
    assert shown(page) == expected(explorer, 4, 0)
    page.locator(".explorer fieldset").nth(1).locator("label").nth(1).click()
    assert shown(page) == expected(explorer, 4, 1)
    assert expected(explorer, 0, 0) != expected(explorer, 4, 0) != expected(explorer, 4, 1)
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")


def test_the_explorer_answers_the_keyboard(opened, file, explorer):
    page = opened(file)
    chosen = "document.activeElement.name"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(chosen) == "explorer-0-query":
            break
    assert page.evaluate(chosen) == "explorer-0-query"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert shown(page) == expected(explorer, 2, 0)
    outline = "getComputedStyle(document.activeElement.nextElementSibling).outlineStyle"
    assert page.evaluate(outline) == "solid", "what has the focus is not marked"
    page.keyboard.press("Tab")
    assert page.evaluate(chosen) == "explorer-0-method"
    page.keyboard.press("ArrowDown")
    assert shown(page) == expected(explorer, 2, 1)


def test_whatever_a_record_says_is_only_shown(opened, finished_runs, tree, tmp_path):
    nasty = "</script><img src=x onerror=alert(1)><script>alert(2)</script>\" onload='alert(3)'"
    shutil.copytree(finished_runs, tmp_path / "runs")
    for result in tmp_path.rglob("result.json"):
        result.write_text(json.dumps({**json.loads(result.read_text()), "method": nasty, "title": nasty}))
    words = ["report", str(tmp_path / "runs"), "-o", str(tmp_path / "report.html"), "--data-root", str(tree)]
    assert main(words) == 0
    page = opened(tmp_path / "report.html")
    assert page.locator("h2").inner_text().startswith(nasty)
    assert page.locator(".explorer fieldset").nth(1).locator("label").first.inner_text().startswith(nasty)
