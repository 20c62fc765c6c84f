"""The page about new images in a real browser: wide and narrow, light and dark.

Needs what tests/slow/test_card_browser.py needs.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmark.asking.page import render_page
from cxr.findings import NOTICE, call_observations, findings_text
from cxr.observations import OBSERVATIONS
from tests.slow.test_card_browser import CHROMIUM, DRIVER, QUIET

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.common.by import By  # noqa: E402

HOSTILE = 'a <img src=x onerror="document.title=1"> & name.png'


def answers(folder: Path) -> dict[str, Any]:
    """A document of one image and one network, and its pictures in `folder`."""
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (90, 120), np.uint8)).save(folder / "image.png")
    Image.fromarray(rng.integers(0, 255, (99, 120, 3), np.uint8)).save(folder / "edema.png")
    scores = np.linspace(0.05, 0.95, len(OBSERVATIONS))
    values = call_observations(scores, 0.5, doubt=1.25)
    words = {1.0: "present", 0.0: "absent", -1.0: "possible"}
    region = {"words": "left lower zone, 12 % of the picture"}
    observations = {
        name: {
            "score": float(score),
            "calibrated": None if score < 0.2 else float(score) / 2,
            "operating_point": 0.5,
            "call": words.get(value, "not judged"),
            **({"blank": score < 0.3, "regions": [region]} if name != "No Finding" else {}),
            **({"overlay": "edema.png"} if value in (1.0, -1.0) else {}),
        }
        for name, score, value in zip(OBSERVATIONS, scores, values, strict=True)
    }
    network = {
        "network": "densenet121",
        "seed": 0,
        "maps": "Grad-CAM at features",
        "observations": observations,
        "no_finding_contradicts": True,
        "text": findings_text(values, scores=scores, points=0.5),
    }
    image = {
        "image": HOSTILE,
        "rows": 90,
        "columns": 120,
        "view": "",
        "side_from": "",
        "synthetic": False,
        "schematic": False,
        "warnings": ["trained on synthetic images alone, which this is not known to be"],
        "picture": "image.png",
        "networks": [network],
    }
    about = {
        "run_id": "20260101T000000Z-00000000",
        "protocol": "synthetic-00000000",
        "cohort": "Synthetic cohort",
        "synthetic": True,
        "restricted": False,
        "points": "0.5",
    }
    return {"schema": 1, "notice": NOTICE, "doubt": 1.25, "run": about, "images": [image]}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    file = folder / "explain.html"
    file.write_text(render_page(folder, answers(folder)), encoding="utf-8")
    return file.as_uri()


@pytest.fixture(scope="module", params=[(1280, False), (375, True)], ids=["wide", "narrow-dark"])
def driver(request: Any, page: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    width, dark = request.param
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*QUIET, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.add_argument("--window-size=1280,900")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    driver.get(page)
    yield driver
    driver.quit()


def test_the_page_fits_and_loads_nothing(driver: Any) -> None:
    """Nothing sticks out sideways, every picture is there, and nothing is complained of."""
    inner, outer = driver.execute_script(
        "return [document.documentElement.scrollWidth, window.innerWidth]"
    )
    assert inner <= outer
    for picture in driver.find_elements(By.TAG_NAME, "img"):
        driver.execute_script("arguments[0].scrollIntoView()", picture)
        loaded = "return arguments[0].decode().then(() => arguments[0].naturalWidth)"
        assert driver.execute_script(loaded, picture) > 0
        assert picture.get_attribute("alt")
    assert driver.get_log("browser") == []


def test_a_file_name_is_text(driver: Any) -> None:
    """A name that looks like markup is shown as it is."""
    assert driver.find_element(By.ID, "image-1").text.startswith(HOSTILE)
    assert driver.title == "What densenet121 sees in 1 image"


def test_the_warning_stands_before_the_findings(driver: Any) -> None:
    """That there is no verdict is read before any score."""
    warning = driver.find_element(By.CLASS_NAME, "warned")
    findings = driver.find_element(By.CLASS_NAME, "findings")
    assert "No verdict." in warning.text
    assert warning.location["y"] < findings.location["y"]


def test_axe_finds_no_violation(driver: Any) -> None:
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
