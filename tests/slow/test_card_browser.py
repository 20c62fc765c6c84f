"""The HTML card in a real browser: scripts on and off, keyboard, phone, light and dark.

Needs Debian's chromium and chromium-driver, and selenium; skipped where they are not there.
axe-core is used where CXR_BENCH_AXE names its axe.min.js (npm install axe-core).
"""

import csv
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark.card import build_card, render_html
from tests.card_fixture import write_run

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not (CHROMIUM and DRIVER):
    pytest.skip("chromium and chromedriver are not installed", allow_module_level=True)

QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("run") / "run")
    for sex, view in (("F", "PA"), ("M", "AP")):  # a second trait of the subgroups
        for file in folder.glob(f"*/seed-0/metrics.sex-{sex}.json"):
            group = json.loads(file.read_text()) | {"group": f"view={view}"}
            file.with_name(f"metrics.view-{view}.json").write_text(json.dumps(group))
    return folder


@pytest.fixture(scope="module")
def page(run: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("card") / "card.html"
    file.write_text(render_html(build_card(run)), encoding="utf-8")
    return file.as_uri()


@pytest.fixture(scope="module")
def browse(page: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """Open the card afresh; a browser is started once for each kind of reader."""
    drivers: dict[tuple[int, bool, bool], Any] = {}

    def start(*, width: int = 1280, scripts: bool = True, dark: bool = False) -> Any:
        kind = (width, scripts, dark)
        if kind not in drivers:
            drivers[kind] = launch(*kind)
        drivers[kind].get("about:blank")
        drivers[kind].get(page)
        return drivers[kind]

    def launch(width: int, scripts: bool, dark: bool) -> Any:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for argument in (*QUIET, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
            options.add_argument(argument)
        options.add_argument(f"--window-size={width},900")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        if not scripts:
            options.add_experimental_option(
                "prefs", {"profile.managed_default_content_settings.javascript": 2}
            )
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
        driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {
                "features": [
                    {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                    {"name": "prefers-reduced-motion", "value": "reduce"},
                ]
            },
        )
        if width < 500:
            driver.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride",
                {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": True},
            )
        return driver

    yield start
    for driver in drivers.values():
        driver.quit()


def test_the_card_asks_for_nothing_and_logs_nothing(browse: Open, page: str) -> None:
    """Opening the card makes no request but for the file, and the console stays empty."""
    driver = browse()
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = {
        message["params"]["request"]["url"].partition("#")[0]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    assert {url for url in asked if not url.startswith(("data:", "chrome:"))} <= {page}
    assert driver.get_log("browser") == []


def test_everything_can_be_read_with_scripts_off(browse: Open) -> None:
    """Without scripts all sections and numbers are there, and no dead control is shown."""
    driver = browse(scripts=False)
    text = driver.find_element(By.TAG_NAME, "main").text
    assert "Strongest observations" in text
    assert "fewer than 10 positive patients" in text
    assert not driver.find_element(By.ID, "operating-panel").is_displayed()
    assert not driver.find_element(By.ID, "fade-panel").is_displayed()
    assert driver.find_elements(By.CSS_SELECTOR, ".view, .tools") == []


def test_sorting_by_auroc_orders_the_groups(browse: Open) -> None:
    """The header's button sorts observations with their networks; what has no value is last."""
    driver = browse()
    header = driver.find_element(By.XPATH, "//table[@id='table-results']//th[contains(.,'AUROC')]")
    header.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert header.get_attribute("aria-sort") == "ascending"
    values = driver.execute_script(
        "return [...document.querySelectorAll('#table-results tbody:not(.average)')].map(b =>"
        "b.rows[0].querySelector('td.e') ? Number(b.rows[0].querySelector('td.e').dataset.sort)"
        " : null)"
    )
    known = [value for value in values if value is not None]
    assert known == sorted(known)
    assert values[-2:] == [None, None]


def test_hiding_a_network_keeps_the_observations_names(browse: Open) -> None:
    """With the first network hidden, each group keeps its heading in the row that is left."""
    driver = browse()
    driver.find_element(By.CSS_SELECTOR, "input[data-toggle=densenet121-seed-0]").click()
    table = driver.find_element(By.ID, "table-results")
    shown = [row for row in table.find_elements(By.CSS_SELECTOR, "tbody tr") if row.is_displayed()]
    assert len(shown) == 17
    assert all(row.find_elements(By.CSS_SELECTOR, "th") for row in shown)
    assert "DenseNet-121" not in table.find_element(By.CSS_SELECTOR, "tbody").text


def test_the_filter_leaves_what_was_typed(browse: Open) -> None:
    """Typing an observation leaves its rows, curves and examples alone on the page."""
    driver = browse()
    driver.find_element(By.ID, "filter").send_keys("pneumoth")
    shown = driver.execute_script(
        "return [...new Set([...document.querySelectorAll('[data-observation]')]"
        ".filter(e => e.style.display !== 'none').map(e => e.dataset.observation))]"
    )
    assert shown == ["Pneumothorax"]


def test_one_trait_of_the_subgroups_is_shown_at_a_time(browse: Open, run: Path) -> None:
    """Choosing a trait leaves its columns and the names; choosing all brings the rest back."""
    driver = browse()
    table = driver.find_element(By.ID, "table-groups")

    def columns() -> list[str]:
        cells = table.find_elements(By.CSS_SELECTOR, "thead th.g")
        return [cell.text for cell in cells if cell.is_displayed()]

    assert columns() == ["Sex", "View"]
    choice = driver.find_element(By.ID, "groups-shown")
    choice.send_keys("View")
    assert columns() == ["View"]
    row = table.find_element(By.CSS_SELECTOR, "tbody tr")
    shown = [cell for cell in row.find_elements(By.CSS_SELECTOR, "th, td") if cell.is_displayed()]
    heads = table.find_elements(By.CSS_SELECTOR, "thead tr:last-child th")
    assert len(shown) == 2 + sum(head.is_displayed() for head in heads)
    choice.send_keys(Keys.HOME)
    assert columns() == ["Sex", "View"]


def test_formulas_are_copied_as_text(browse: Open) -> None:
    """A cell that a spreadsheet would run starts with an apostrophe in the copied table."""
    driver = browse()
    text = driver.execute_script(
        "const table = document.getElementById('table-networks');"
        "const cells = [...table.querySelectorAll('tbody th, tbody td')];"
        "['=cmd|x', '+SUM(A1)', '-2+3', '@A1', '\\u22121+cmd|x', '\\u22120.05 (\\u22120.1 to 0.2)',"
        " 'a, \"b\"'].forEach("
        "(text, i) => { cells[i].textContent = text; });"
        "return table.csv();"
    )
    row = next(csv.reader(io.StringIO(text.split("\r\n", 1)[1])))
    assert row[:4] == ["'=cmd|x", "'+SUM(A1)", "'-2+3", "'@A1"]
    assert row[4:] == ["'\u22121+cmd|x", "-0.05 (-0.1 to 0.2)", 'a, "b"', *row[7:]]


def test_the_slider_starts_at_the_metrics_own_counts(browse: Open, run: Path) -> None:
    """At the run's operating point the matrix is metrics.json's; moving the slider changes it."""
    driver = browse()
    metrics = json.loads((run / "densenet121/seed-0/metrics.json").read_text())
    wanted = metrics["observations"]["Edema"]["confusion"]
    driver.find_element(By.ID, "op-observation").send_keys("Edema")
    box = driver.find_element(By.CSS_SELECTOR, "[data-matrix=densenet121-seed-0]")

    def counts() -> dict[str, int]:
        return {n: int(box.find_element(By.CLASS_NAME, n).text) for n in ("tp", "fp", "fn", "tn")}

    assert counts() == wanted
    slider = driver.find_element(By.ID, "op-threshold")
    slider.send_keys(Keys.HOME)
    assert counts()["tp"] == wanted["tp"] + wanted["fn"]
    assert counts()["tn"] == 0


def test_ppv_follows_the_prevalence_that_is_typed(browse: Open) -> None:
    """The positive predictive value is Bayes' rule at the reader's prevalence."""
    driver = browse()
    box = driver.find_element(By.CSS_SELECTOR, "[data-matrix=densenet121-seed-0]")
    field = driver.find_element(By.ID, "op-prevalence")
    field.clear()
    field.send_keys("1")
    found = {n: int(box.find_element(By.CLASS_NAME, n).text) for n in ("tp", "fp", "fn", "tn")}
    sensitivity = found["tp"] / (found["tp"] + found["fn"])
    false = found["fp"] / (found["fp"] + found["tn"])
    wanted = sensitivity * 0.01 / (sensitivity * 0.01 + false * 0.99)
    assert float(box.find_element(By.CLASS_NAME, "ppv").text) == pytest.approx(wanted, abs=0.006)


def test_a_table_copied_as_csv_has_its_columns_and_numbers(browse: Open) -> None:
    """The copied table has one header row, and as many cells in each row as the header."""
    driver = browse()
    text = driver.execute_script("return document.getElementById('table-prevalence').csv()")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0][:3] == ["Observation", "Training: Stated", "Training: Hedged"]
    assert {len(row) for row in rows} == {10}
    assert len(rows) == 15


def test_heatmaps_fade_and_enlarge_by_keyboard(browse: Open) -> None:
    """The fade slider makes overlays transparent; Enter on an example opens it, Escape closes."""
    driver = browse()
    driver.find_element(By.ID, "fade").send_keys(Keys.HOME)
    overlay = driver.find_element(By.CSS_SELECTOR, ".overlay")
    assert overlay.value_of_css_property("opacity") == "0"
    driver.find_element(By.CSS_SELECTOR, ".pictures button").send_keys(Keys.ENTER)
    dialog = driver.find_element(By.TAG_NAME, "dialog")
    assert dialog.is_displayed()
    dialog.find_element(By.TAG_NAME, "button").send_keys(Keys.ESCAPE)
    assert not dialog.is_displayed()


@pytest.mark.parametrize("width", [390, 1280, 3840])
def test_the_page_is_never_wider_than_the_window(browse: Open, width: int) -> None:
    """On a phone, a laptop and a 4K screen nothing sticks out sideways."""
    driver = browse(width=width)
    overflow = driver.execute_script(
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0


def test_deep_links_lead_to_their_section(browse: Open) -> None:
    """Each link of the contents leads to a heading that is there."""
    driver = browse()
    targets = driver.execute_script(
        "return [...document.querySelectorAll('.contents a')].map(a => a.getAttribute('href'))"
    )
    assert len(targets) == 21
    assert all(driver.find_elements(By.CSS_SELECTOR, f"h2{target}") for target in targets)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_violation(browse: Open, width: int, dark: bool) -> None:
    """axe-core's rules of WCAG 2.0 to 2.2, A and AA, hold in light and dark, wide and narrow."""
    axe = os.environ.get("CXR_BENCH_AXE")
    if not axe:
        pytest.skip("CXR_BENCH_AXE does not name axe-core's axe.min.js")
    driver = browse(width=width, dark=dark)
    driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    driver.refresh()
    driver.execute_script(Path(axe).read_text(encoding="utf-8"))
    found = driver.execute_async_script(
        "axe.run({runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa']})"
        ".then(r => arguments[0](r.violations.map(v => [v.id, v.nodes.length,"
        " v.nodes[0].html.slice(0, 200), v.nodes[0].failureSummary])))"
    )
    assert found == []
