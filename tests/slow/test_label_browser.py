"""The page of labels in a real browser: filters, reasons by keyboard, phone, light and dark.

Needs Debian's chromium and chromium-driver, and selenium; skipped where they are not there.
axe-core is used where CXR_BENCH_AXE names its axe.min.js (npm install axe-core).
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark.labels.inputs import Report
from benchmark.labels.page import write_page
from cxr.labeling import label_report

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not (CHROMIUM and DRIVER):
    pytest.skip("chromium and chromedriver are not installed", allow_module_level=True)

TEXTS = (
    "FINDINGS: There is no focal consolidation. A small left pleural effusion has decreased.\n\n"
    "IMPRESSION: Possible left basilar pneumonia. Right IJ line in place.",
    "Lungs are clear. No effusion.",
    "CHF with hydropneumothorax; cannot exclude malignancy. " + "Unremarkable. " * 60,
    "",
)
ARGUMENTS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--window-size=1280,900"),
)
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("labels") / "labels.html"
    reports = [Report((f"s{number}",), text) for number, text in enumerate(TEXTS)]
    labeled = [(report, label_report(report.text)) for report in reports]
    write_page(path, labeled, name="reports.csv", count=len(TEXTS))
    return path.as_uri()


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield started
    started.quit()


@pytest.fixture
def browse(driver: Any, page: str) -> Open:
    """Open the page afresh, on some screen, in light or dark, with or without scripts."""

    def start(*, width: int = 1280, dark: bool = False, scripts: bool = True) -> Any:
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        driver.get("about:blank")
        driver.get(page)
        return driver

    return start


def shown(driver: Any) -> list[str]:
    """Return the titles of the reports that are shown."""
    articles = driver.find_elements(By.TAG_NAME, "article")
    return [a.find_element(By.TAG_NAME, "h2").text for a in articles if a.is_displayed()]


def test_the_page_asks_for_nothing_and_logs_nothing(browse: Open, page: str) -> None:
    """Opening the page makes no request but for the file, and the console stays empty."""
    driver = browse()
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    assert {url for url in asked if url.startswith(("http", "file"))} == {page}
    assert driver.get_log("browser") == []


@pytest.mark.parametrize(
    ("observation", "label", "titles"),
    [
        ("any", "any", ["s0", "s1", "s2", "s3"]),
        ("Pleural Effusion", "any", ["s0", "s1", "s2"]),
        ("Pleural Effusion", "present", ["s0", "s2"]),
        ("Pleural Effusion", "absent", ["s1"]),
        ("Pleural Effusion", "not mentioned", ["s3"]),
        ("any", "in doubt", ["s0", "s2"]),
    ],
)
def test_filters_leave_the_reports_with_that_label(
    browse: Open, observation: str, label: str, titles: list[str]
) -> None:
    """Observation and label together choose the reports; the number shown is said."""
    driver = browse()
    driver.find_element(By.ID, "observation").send_keys(observation)
    driver.find_element(By.ID, "look").send_keys(label)
    assert shown(driver) == titles
    assert driver.find_element(By.ID, "shown").text == f"{len(titles)} shown"
    driver.find_element(By.CSS_SELECTOR, "button[type=reset]").send_keys(Keys.ENTER)
    assert shown(driver) == ["s0", "s1", "s2", "s3"]


@pytest.mark.parametrize("width", [390, 1280])
def test_the_tab_key_tells_why_and_escape_hides_it(browse: Open, width: int) -> None:
    """Reaching a finding by keyboard shows what decided, inside the window; Escape hides it."""
    driver = browse(width=width)
    driver.find_element(By.CSS_SELECTOR, "button[type=reset]").send_keys(Keys.TAB)
    marked = driver.switch_to.active_element
    assert marked.tag_name == "mark"
    why = marked.find_element(By.CLASS_NAME, "why")
    assert why.is_displayed()
    assert why.text == "Consolidation: absent by \u201cno\u201d (C11), in findings"
    box = driver.execute_script("return arguments[0].getBoundingClientRect().toJSON()", why)
    assert box["left"] >= 0
    assert box["right"] <= width
    marked.send_keys(Keys.ESCAPE)
    assert not why.is_displayed()


@pytest.mark.parametrize("width", [390, 1280])
def test_every_reason_lies_inside_the_window(browse: Open, width: int) -> None:
    """No reason makes the page wider than the window, wherever its finding stands."""
    driver = browse(width=width)
    for marked in driver.find_elements(By.CSS_SELECTOR, "mark[tabindex]"):
        driver.execute_script("arguments[0].focus()", marked)
        box = driver.execute_script(
            "return arguments[0].querySelector('.why').getBoundingClientRect().toJSON()", marked
        )
        assert 0 <= box["left"] < box["right"] <= width
        overflow = driver.execute_script(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0


def test_without_scripts_all_is_read_and_no_control_is_dead(browse: Open) -> None:
    """Scripts off, every report and reason is there and the filter is not."""
    driver = browse(scripts=False)
    assert len(driver.find_elements(By.TAG_NAME, "article")) == 4
    assert not driver.find_element(By.TAG_NAME, "form").is_displayed()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_violation_in_the_labels(browse: Open, width: int, dark: bool) -> None:
    """axe-core's rules of WCAG 2.0 to 2.2, A and AA, hold in light and dark, wide and narrow."""
    axe = os.environ.get("CXR_BENCH_AXE")
    if not axe:
        pytest.skip("CXR_BENCH_AXE does not name axe-core's axe.min.js")
    driver = browse(width=width, dark=dark)
    driver.execute_script(Path(axe).read_text(encoding="utf-8"))
    found = driver.execute_async_script(
        "axe.run({runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa']})"
        ".then(r => arguments[0](r.violations.map(v => [v.id, v.nodes.length,"
        " v.nodes[0].html.slice(0, 200), v.nodes[0].failureSummary])))"
    )
    assert found == []
