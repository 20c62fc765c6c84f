"""A reader's form in a real browser: pointer and keyboard, saved, kept, and imported.

Needs what tests/slow/test_card_browser.py needs.
"""

import json
import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.reviewing.export import blind_set, draw_blind, maps_set, write_form
from benchmark.reviewing.folder import Reviews, ReviewSet
from benchmark.reviewing.importing import import_answers
from benchmark.reviewing.maps import _overlay
from benchmark.reviewing.pictures import Picture
from benchmark.runs import Run
from tests.card_fixture import write_run
from tests.slow.test_card_browser import CHROMIUM, DRIVER, QUIET

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ASKED = ("Edema", "Pneumothorax")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(write_run(tmp_path_factory.mktemp("run") / "run", images=60))


@pytest.fixture(scope="module")
def pictures(run: Run) -> dict[str, Picture]:
    drawn, _ = draw_blind(run, ASKED, count=3, seed=1)
    rng = np.random.default_rng(0)
    return {
        name: Picture(rng.integers(0, 256, (200, 200), dtype=np.uint8), (200, 160))
        for name in drawn["image_id"]
    }


@pytest.fixture(scope="module")
def blind(run: Run, pictures: dict[str, Picture]) -> tuple[ReviewSet, Path]:
    drawn, about = draw_blind(run, ASKED, count=3, seed=1)
    chosen = blind_set(drawn, pictures, ASKED, about)
    Reviews(run).add_set(chosen)
    file = run.path.parent / "blind.html"
    write_form(file, chosen, pictures, synthetic=True)
    return chosen, file


@pytest.fixture(scope="module")
def maps(
    run: Run, pictures: dict[str, Picture], blind: tuple[ReviewSet, Path]
) -> tuple[ReviewSet, Path]:
    asked = [
        {key: case[key] for key in ("image_id", "patient_id", "weight")}
        | {"network": "densenet121/seed-0", "observation": "Edema", "score": 0.8}
        for case in blind[0].cases
    ]
    heat = np.linspace(0, 1, 64).reshape(8, 8)
    overlays = [_overlay(heat, pictures[case["image_id"]], "squash") for case in asked]
    chosen = maps_set(blind[0], asked, pictures, overlays, seed=1, each=3)
    Reviews(run).add_set(chosen)
    file = run.path.parent / "maps.html"
    by_case = {case["case"]: drawn for case, drawn in zip(chosen.cases, overlays, strict=True)}
    write_form(file, chosen, pictures, by_case, synthetic=True)
    return chosen, file


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Path]]:
    downloads = tmp_path_factory.mktemp("downloads")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*QUIET, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.add_argument("--window-size=1280,1600")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)}
    )
    yield driver, downloads
    driver.quit()


def open_form(driver: Any, file: Path) -> None:
    """Open the form as one who has never seen it: what another test left is cleared."""
    driver.get(file.as_uri())
    driver.find_element(By.ID, "clear").click()
    driver.switch_to.alert.accept()
    driver.get("about:blank")
    driver.get(file.as_uri())


def saved(downloads: Path) -> Path:
    """Return the file that the form just saved."""
    for _ in range(100):
        files = list(downloads.glob("*.json"))
        if files:
            return files[0]
        time.sleep(0.05)
    raise AssertionError("nothing was saved")


def choose(driver: Any, key: str, value: str) -> None:
    driver.find_element(By.CSS_SELECTOR, f"input[name='{key}'][value='{value}']").click()


def tab_to(driver: Any, selector: str, *, back: bool = False) -> Any:
    """Press Tab until the focus is on `selector`; the reader has no pointer."""
    keys = ActionChains(driver)
    for _ in range(80):
        focused = driver.switch_to.active_element
        if driver.execute_script("return arguments[0].matches(arguments[1])", focused, selector):
            return focused
        if back:
            keys.key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()
        else:
            keys.send_keys(Keys.TAB).perform()
    raise AssertionError(f"Tab never came to {selector}")


def test_a_reader_with_a_pointer_reads_saves_and_is_imported(
    run: Run, browser: tuple[Any, Path], blind: tuple[ReviewSet, Path]
) -> None:
    """Clicks, a dragged box and a comment come back in the file, and the import takes it."""
    driver, downloads = browser
    file = blind[1]
    open_form(driver, file)
    driver.get_log("browser")
    driver.find_element(By.ID, "reader").send_keys("AB")
    for number in range(3):
        choose(driver, "Edema", "absent")
        choose(driver, "Pneumothorax", "unsure")
        if number == 1:
            driver.find_element(By.CSS_SELECTOR, "[data-draw=Edema]").click()
            sheet = driver.find_element(By.ID, "sheet")
            side = sheet.size["width"]
            ActionChains(driver).move_to_element_with_offset(
                sheet, int(-0.3 * side), int(-0.3 * side)
            ).click_and_hold().move_by_offset(int(0.2 * side), int(0.1 * side)).release().perform()
            driver.find_element(By.ID, "comment").send_keys("Haze <b>left</b>")
        driver.find_element(By.ID, "next").click()
    assert "Every question is answered" in driver.find_element(By.ID, "open").text
    driver.find_element(By.ID, "save").click()
    kept = saved(downloads)
    values = json.loads(kept.read_text())
    second = values["answers"][1]
    assert second["answers"] == {"Edema": "present", "Pneumothorax": "unsure"}
    assert second["boxes"]["Edema"][0] == pytest.approx([0.2, 0.2, 0.4, 0.3], abs=0.02)
    assert second["comment"] == "Haze <b>left</b>"
    said = import_answers(run, [kept], now=NOW, pdf=False)
    assert said == ["AB answered 6 of 6 questions on radiographs."]
    kept.unlink()
    assert driver.get_log("browser") == []


def test_two_clicks_draw_a_box_and_a_box_can_be_moved(
    browser: tuple[Any, Path], blind: tuple[ReviewSet, Path]
) -> None:
    """Without dragging, a click on each of two corners draws a box; dragging it moves it."""
    driver, _ = browser
    open_form(driver, blind[1])
    driver.find_element(By.CSS_SELECTOR, "[data-draw=Edema]").click()
    sheet = driver.find_element(By.ID, "sheet")
    side = sheet.size["width"]
    for across in (-0.2, 0.1):
        ActionChains(driver).move_to_element_with_offset(
            sheet, int(across * side), int(across * side)
        ).click().perform()
    box = driver.find_element(By.CSS_SELECTOR, ".box")
    before = box.rect["x"]
    ActionChains(driver).drag_and_drop_by_offset(box, 40, 0).perform()
    assert driver.find_element(By.CSS_SELECTOR, ".box").rect["x"] == pytest.approx(
        before + 40, abs=3
    )
    driver.find_element(By.CSS_SELECTOR, "[aria-label='Remove box 1 of Edema']").click()
    assert driver.find_elements(By.CSS_SELECTOR, ".box") == []


def test_the_keyboard_alone_is_enough(
    run: Run, browser: tuple[Any, Path], blind: tuple[ReviewSet, Path]
) -> None:
    """With Tab, arrows, Enter and letters: answer, add, move and size a box, go on, save."""
    driver, downloads = browser
    open_form(driver, blind[1])
    tab_to(driver, "#reader").send_keys("KB")
    tab_to(driver, "[data-draw=Edema]").send_keys(Keys.ENTER)
    box = driver.switch_to.active_element
    assert box.get_attribute("class") == "box"
    box.send_keys(Keys.ARROW_LEFT, Keys.ARROW_UP)
    ActionChains(driver).key_down(Keys.SHIFT).send_keys(Keys.ARROW_RIGHT).key_up(
        Keys.SHIFT
    ).perform()
    assert "39 % across and 39 % down, 21 % wide, 20 % high" in box.get_attribute("aria-label")
    tab_to(driver, "input[name=Pneumothorax]").send_keys(Keys.ARROW_RIGHT)
    tab_to(driver, "#next").send_keys(Keys.ENTER)
    assert driver.find_element(By.ID, "case-title").text == "Case 2 of 3"
    assert driver.switch_to.active_element.get_attribute("id") == "case-title"
    tab_to(driver, "#save").send_keys(Keys.ENTER)
    kept = saved(downloads)
    values = json.loads(kept.read_text())
    assert values["answers"][0]["boxes"] == {"Edema": [[0.39, 0.39, 0.6, 0.59]]}
    assert values["answers"][0]["answers"]["Edema"] == "present"
    said = import_answers(run, [kept], now=NOW, pdf=False)
    assert said == ["KB answered 2 of 6 questions on radiographs."]
    kept.unlink()


def test_what_was_answered_is_still_there_after_closing(
    browser: tuple[Any, Path], blind: tuple[ReviewSet, Path]
) -> None:
    """Opened again, the form is at the same case with the same answers, and has counted time."""
    driver, _ = browser
    open_form(driver, blind[1])
    driver.find_element(By.ID, "next").click()
    choose(driver, "Edema", "present")
    time.sleep(1.3)
    driver.get("about:blank")
    driver.get(blind[1].as_uri())
    assert driver.find_element(By.ID, "case-title").text == "Case 2 of 3"
    chosen = driver.find_element(By.CSS_SELECTOR, "input[name=Edema]:checked")
    assert chosen.get_attribute("value") == "present"
    values = json.loads(driver.find_element(By.ID, "text").get_attribute("value"))
    assert values["answers"][1]["seconds"] >= 1


def test_window_and_zoom_change_what_is_seen(
    browser: tuple[Any, Path], blind: tuple[ReviewSet, Path]
) -> None:
    """Window centre and width set the grey scale, Invert turns it, Zoom makes it scroll."""
    driver, _ = browser
    open_form(driver, blind[1])
    slope = "return document.querySelector('#grey feFuncR').getAttribute('slope')"
    assert driver.execute_script(slope) == "1"
    driver.find_element(By.ID, "width").send_keys(Keys.HOME)
    assert float(driver.execute_script(slope)) == pytest.approx(20)
    driver.find_element(By.ID, "invert").click()
    assert float(driver.execute_script(slope)) == pytest.approx(-20)
    driver.find_element(By.ID, "zoom").send_keys(Keys.END)
    assert driver.execute_script(
        "const w = document.querySelector('.window'); return w.scrollWidth > 5 * w.clientWidth"
    )
    driver.find_element(By.ID, "reset").click()
    assert driver.execute_script(slope) == "1"


def test_a_form_asks_nothing_of_the_network(
    browser: tuple[Any, Path], blind: tuple[ReviewSet, Path]
) -> None:
    """Opening and reading make no request but for the file itself."""
    driver, _ = browser
    driver.get_log("performance")
    open_form(driver, blind[1])
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    assert {url for url in asked if not url.startswith(("data:", "about:", "chrome:"))} == {
        blind[1].as_uri()
    }


def test_maps_are_judged_and_signed_off(
    run: Run, browser: tuple[Any, Path], maps: tuple[ReviewSet, Path]
) -> None:
    """The second form fades its maps, names no network, and carries a sign-off into the card."""
    driver, downloads = browser
    assert "densenet" not in maps[1].read_text().lower()
    open_form(driver, maps[1])
    driver.find_element(By.ID, "fade").send_keys(Keys.HOME)
    assert driver.find_element(By.ID, "overlay").value_of_css_property("opacity") == "0"
    driver.find_element(By.ID, "reader").send_keys("AB")
    for verdict in ("well", "partly", "no finding"):
        choose(driver, "map", verdict)
        choose(driver, "score", "yes")
        driver.find_element(By.ID, "next").click()
    driver.find_element(By.CSS_SELECTOR, "#sign summary").click()
    driver.find_element(By.ID, "sign-decision").send_keys("accepted with")
    driver.find_element(By.ID, "save").click()
    assert "needs a name" in driver.find_element(By.ID, "told").text
    driver.find_element(By.ID, "sign-name").send_keys("Dr B")
    driver.find_element(By.ID, "save").click()
    kept = saved(downloads)
    said = import_answers(run, [kept], now=NOW, pdf=False)
    kept.unlink()
    assert said[0] == "AB answered 6 of 6 questions on maps."
    assert re.match(r"Dr B signed off on \d{4}-\d\d-\d\d: accepted with limits\.", said[1])
    found = json.loads((run.path / "reviews/review.json").read_text())["maps"][0]
    judged = found["networks"]["densenet121/seed-0"]["Edema"]
    assert judged["answers"] == {"well": 1, "partly": 1, "not at all": 0, "no finding": 1}
    assert judged["believed"]["estimate"] == 1


def test_answers_without_a_reader_are_not_saved(
    browser: tuple[Any, Path], blind: tuple[ReviewSet, Path]
) -> None:
    """Without initials or a code nothing is saved, and the field gets the focus."""
    driver, downloads = browser
    open_form(driver, blind[1])
    driver.find_element(By.ID, "save").click()
    assert "Give your initials or code first" in driver.find_element(By.ID, "told").text
    assert driver.switch_to.active_element.get_attribute("id") == "reader"
    assert list(downloads.glob("*.json")) == []


@pytest.mark.parametrize("width", [390, 1280, 2560])
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_violation_in_a_form(
    browser: tuple[Any, Path], blind: tuple[ReviewSet, Path], width: int, dark: bool
) -> None:
    """WCAG A and AA hold in light and dark, narrow and wide, and nothing sticks out sideways."""
    driver, _ = browser
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    open_form(driver, blind[1])
    overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert driver.execute_script(overflow) <= 0
    axe = os.environ.get("CXR_BENCH_AXE")
    if not axe:
        pytest.skip("CXR_BENCH_AXE does not name axe-core's axe.min.js")
    driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    driver.refresh()
    driver.find_element(By.CSS_SELECTOR, "header summary").click()
    driver.execute_script(Path(axe).read_text(encoding="utf-8"))
    found = driver.execute_async_script(
        "axe.run({runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa']})"
        ".then(r => arguments[0](r.violations.map(v => [v.id, v.nodes.length,"
        " v.nodes[0].html.slice(0, 200), v.nodes[0].failureSummary])))"
    )
    assert found == []
