"""The page in a browser, headless."""

import shutil

import numpy as np
import pytest
from PIL import Image

from kgen.demo.page import Page
from tests.demo.urls import pixels
from tests.zoo import ZOO, dense_vae

pytestmark = pytest.mark.full

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPEN = "section:not([hidden])"
SETTLED = f"""() => !document.querySelector("{OPEN} [aria-busy]")"""


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: pip install '.[browser]'"
    )
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed, as by apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser, served):
    """Callable that opens a page in the browser; at the end no script may have failed."""
    opened, errors = [], []

    def visit(page):
        context = browser.new_context()
        tab = context.new_page()
        tab.set_default_timeout(30_000)
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.asked = []
        tab.on("request", lambda request: tab.asked.append(request.url))
        tab.server = served(page)
        tab.goto(tab.server.url)
        opened.append(context)
        tab.locator(f"{OPEN} figure img").first.wait_for()
        return tab

    yield visit
    for context in opened:
        context.close()
    assert not errors


def go_to(tab, title):
    tab.get_by_role("tab", name=title, exact=True).click()
    settle(tab)


def settle(tab):
    tab.wait_for_function(SETTLED)


def shown(tab):
    images = tab.locator(f"{OPEN} figure img").all()
    return [pixels(image.get_attribute("src")) for image in images]


def message(tab):
    return tab.locator(f"{OPEN} .message")


def test_it_opens_and_asks_nobody_else(open_page, vae_page):
    tab = open_page(vae_page)
    settle(tab)
    assert tab.title() == "vae · kgen"
    assert tab.get_by_role("tab").all_inner_texts() == [
        panel.title for panel in vae_page.panels.values()
    ]
    np.testing.assert_array_equal(
        shown(tab), np.rint(255 * vae_page.model.sample(32, seed=0)[..., 0])
    )
    for title in ("Latents", "Between samples", "Reconstruct", "Between images"):
        go_to(tab, title)
        assert shown(tab) and not message(tab).is_visible()
    others = [url for url in tab.asked if not url.startswith((tab.server.url, "data:"))]
    assert not others


def test_a_slider_moves_the_picture_and_goes_back(open_page, vae_page):
    tab = open_page(vae_page)
    go_to(tab, "Latents")
    [before] = shown(tab)
    slider = tab.get_by_label("z2")
    assert float(slider.input_value()) == pytest.approx(
        vae_page.model.draw_latents(1, seed=0)[0, 1]
    )
    slider.focus()
    slider.press("End")
    settle(tab)
    [after] = shown(tab)
    assert (after != before).any()
    tab.get_by_role("button", name="Back to the seed").click()
    settle(tab)
    np.testing.assert_array_equal(shown(tab)[0], before)


def test_a_bad_value_is_a_message_and_the_page_goes_on(open_page, vae_page):
    tab = open_page(vae_page)
    seed = tab.get_by_label("Seed").first
    seed.fill("one")
    seed.press("Enter")
    message(tab).wait_for()
    assert message(tab).inner_text() == ("Expected seed as a whole number. Received: seed='one'")
    seed.fill("5")
    seed.press("Enter")
    settle(tab)
    assert not message(tab).is_visible()
    expected = np.rint(255 * vae_page.model.sample(32, seed=5)[..., 0])
    np.testing.assert_array_equal(shown(tab), expected)


def test_a_hole_is_painted_and_completed(open_page, pixel_page):
    tab = open_page(pixel_page)
    go_to(tab, "Complete")
    tab.get_by_role("button", name="nothing").click()
    tab.get_by_role("button", name="Complete", exact=True).click()
    settle(tab)
    assert message(tab).inner_text().startswith("Expected a hole: paint over the pixels")
    box = tab.locator(f"{OPEN} .board").bounding_box()
    height, width = 5, 4

    def middle(row, column):
        return (
            box["x"] + box["width"] * (column + 0.5) / width,
            box["y"] + box["height"] * (row + 0.5) / height,
        )

    tab.mouse.move(*middle(1, 1))
    tab.mouse.down()
    tab.mouse.move(*middle(1, 2))
    tab.mouse.move(*middle(3, 2))
    tab.mouse.up()
    tab.get_by_role("button", name="Complete", exact=True).click()
    settle(tab)
    hidden = np.zeros((height, width), bool)
    hidden[1, 1:3] = hidden[1:4, 2] = True
    blank, *completions = np.array(shown(tab))
    assert len(completions) == 4 and (blank[hidden] == 128).all()
    for completion in completions:
        np.testing.assert_array_equal(completion[~hidden], blank[~hidden])
    assert (np.std(completions, axis=0)[hidden] > 0).all()


def test_own_images(open_page, vae_page, tmp_path):
    tab = open_page(vae_page)
    go_to(tab, "Reconstruct")
    image = ZOO["vae"].images[0, ..., 0]
    Image.fromarray(image).save(tmp_path / "own.png")
    (tmp_path / "words.png").write_text("words")
    file = tab.locator(f"{OPEN} input[type=file]")
    file.set_input_files(tmp_path / "own.png")
    tab.wait_for_function(
        f"src => document.querySelector('{OPEN} figure img').src !== src",
        arg=tab.locator(f"{OPEN} figure img").first.get_attribute("src"),
    )
    settle(tab)
    expected = np.rint(255 * vae_page.model.reconstruct(image[None, ..., None])[0, ..., 0])
    np.testing.assert_array_equal(shown(tab), [image, expected])
    file.set_input_files(tmp_path / "words.png")
    message(tab).wait_for()
    assert "cannot be read: it is none of PNG" in message(tab).inner_text()
    box = tab.locator(f"{OPEN} .board").bounding_box()
    tab.mouse.click(box["x"] + box["width"] / 16, box["y"] + box["height"] / 16)
    settle(tab)
    drawn = image.copy()
    drawn[0, 0] = 255
    np.testing.assert_array_equal(shown(tab)[0], drawn)
    assert not message(tab).is_visible()


def test_a_sample_is_taken_along_with_its_class(open_page):
    tab = open_page(Page(dense_vae(num_classes=3, seed=0), "classes"))
    settle(tab)
    chosen = shown(tab)[4]
    tab.locator(f"{OPEN} figure button").nth(4).click()
    tab.locator(f"{OPEN} .picked button", has_text="Latents").click()
    settle(tab)
    np.testing.assert_array_equal(shown(tab)[0], chosen)
    go_to(tab, "Samples")
    tab.locator(f"{OPEN} .picked button", has_text="Reconstruct").click()
    settle(tab)
    np.testing.assert_array_equal(shown(tab)[0], chosen)
    assert tab.locator(f"{OPEN} select").input_value() == "1"


def test_a_server_that_is_gone_is_told_of(open_page, vae_page):
    tab = open_page(vae_page)
    settle(tab)
    tab.route("**/make*", lambda route: route.abort())
    tab.get_by_role("button", name="Another").first.click()
    message(tab).wait_for()
    assert message(tab).inner_text() == "The server does not answer: has `kgen demo` ended?"
