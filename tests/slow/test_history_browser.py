"""The page of histories in a real browser: wide and narrow, light and dark.

Needs what tests/slow/test_card_browser.py needs.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark.history.page import write_histories
from benchmark.history.series import read_histories
from tests.score_tables import make_cases, make_logits, write_run
from tests.slow.test_card_browser import CHROMIUM, DRIVER, QUIET

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("results")
    cases = make_cases()
    for day in (1, 2):
        logits = {name: make_logits(cases, seed=day) for name in ("densenet121", "resnet50")}
        write_run(
            root / f"run-{day}",
            cases,
            logits,
            whole=False,
            run_id=f"20260101T00000{day}Z-00000000",
            finished=f"2026-01-0{day}T10:00:00Z",
            protocol={"name": "synthetic-00000000"},
            cohort={"name": "Synthetic cohort", "synthetic": True},
            config={"training": {"loss": "bce" if day == 1 else "focal"}},
        )
    histories, _ = read_histories(root)
    write_histories(root / "history.html", histories, metric="auroc")
    return root / "history.html"


@pytest.fixture(params=[(1400, False), (390, True)], ids=["wide, light", "narrow, dark"])
def driver(page: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    if not (CHROMIUM and DRIVER):
        pytest.skip("Chromium or its driver is not installed")
    width, dark = request.param
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", f"--window-size={width},1800", *QUIET):
        options.add_argument(argument)
    if dark:
        options.add_argument("--force-dark-mode")
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]},
        )
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 1800, "deviceScaleFactor": 1, "mobile": False},
        )
        browser.get(page.as_uri())
        yield browser
    finally:
        browser.quit()


def test_nothing_is_wider_than_the_window(driver: Any) -> None:
    """Tables scroll in their own frame; the page itself never scrolls sideways."""
    assert driver.execute_script(
        "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    errors = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert errors == []


def test_axe_finds_no_violation_in_the_histories(driver: Any) -> None:
    """axe-core's rules of WCAG 2.0 to 2.2, A and AA, hold."""
    axe = os.environ.get("CXR_BENCH_AXE")
    if not axe:
        pytest.skip("CXR_BENCH_AXE does not name axe-core's axe.min.js")
    driver.execute_script(Path(axe).read_text(encoding="utf-8"))
    result = driver.execute_async_script(
        "axe.run({runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa']})"
        ".then(arguments[arguments.length - 1])"
    )
    found = [(v["id"], [node["html"] for node in v["nodes"]]) for v in result["violations"]]
    assert found == []
