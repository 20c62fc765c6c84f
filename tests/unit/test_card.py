"""The card: what it says from a whole run, from a bare one, and what it refuses."""

import builtins
import json
import re
import shutil
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from jinja2 import UndefinedError

from benchmark.card import build_card, check_pdf, render_html, render_markdown, words
from benchmark.card.pages import environment
from benchmark.card.render import hub_metadata
from cxr.errors import InputError
from cxr.estimates import Estimate
from tests.card_fixture import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run") / "run")


@pytest.fixture(scope="module")
def html(run: Path) -> str:
    return render_html(build_card(run))


def test_the_card_names_the_run_and_both_networks(html: str) -> None:
    """Title and byline say what was compared and in which run."""
    assert "<h1>DenseNet-121 and ResNet-50 on chest radiographs</h1>" in html
    assert "20260101T000000Z-abcd1234" in html


def test_every_section_of_a_synthetic_run_is_marked_so(html: str) -> None:
    """A synthetic run carries a banner, and the mark beside every section's heading."""
    assert 'aria-label="Synthetic data"' in html
    headings = re.findall(r"<h2 id=.*?</h2>", html)
    assert len(headings) == 21
    assert all("Synthetic</span>" in heading for heading in headings)


def test_one_seed_speaks_of_two_checkpoints(html: str) -> None:
    """With one seed each, the card says that two checkpoints are compared, not architectures."""
    assert "Two checkpoints, not two architectures" in html


def test_what_can_not_be_estimated_says_why(html: str) -> None:
    """An observation with too few patients shows the reason in place of a number."""
    assert "not estimable (fewer than 10 positive patients)" in html
    assert "<strong>Not estimable</strong> (the results say why): Pleural Other, Fracture." in html


def test_a_bare_run_shows_what_is_not_provided(tmp_path: Path) -> None:
    """Missing files show as "not provided" in their sections, which stay."""
    html = render_html(build_card(write_run(tmp_path / "run", optional=False)))
    for said in (
        "Training curves: not provided",
        "the run holds no comparison.json",
        "the run holds no explanations",
        "no lesion outlines are known",
        "no gate was run",
        "the run measured no subgroups",
    ):
        assert said in html
    assert len(re.findall(r"<h2 id=", html)) == 21


def test_a_folder_without_run_json_is_refused(tmp_path: Path) -> None:
    """A folder that is no run is refused in one sentence."""
    with pytest.raises(InputError, match=r"holds no run\.json; name the folder of one run"):
        build_card(tmp_path)


def test_markdown_starts_with_metadata(run: Path) -> None:
    """MODEL_CARD.md starts with Hugging Face's metadata."""
    assert render_markdown(build_card(run)).startswith("---\nlanguage: en\n")


def test_markdown_is_a_hugging_face_card_with_a_model_index(run: Path) -> None:
    """huggingface_hub reads the metadata, and finds each checkpoint's averages in the index."""
    card = ModelCard(render_markdown(build_card(run)))
    metrics = json.loads((run / "resnet50/seed-0/metrics.json").read_text())
    results = card.data.eval_results or []
    assert len(results) == 18
    assert results[0].metric_name == "macro AUROC"
    assert results[9].metric_value == pytest.approx(metrics["macro"]["auroc"]["estimate"])
    assert card.data.tags == ["chest-x-ray", "radiology", "multi-label", "cxr-bench", "synthetic"]


def test_a_licence_stands_in_the_metadata_only_where_it_was_given(
    run: Path, tmp_path: Path
) -> None:
    """Nothing is invented: without card.toml there is no licence; with it, it is the one given."""
    assert "license" not in hub_metadata(build_card(run))
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "card.toml").write_text('licence = "Apache-2.0"\nowner = "A ward"\n')
    card = build_card(copy)
    assert hub_metadata(card)["license"] == "apache-2.0"
    assert "A ward" in render_html(card)


def test_a_card_toml_that_is_no_toml_is_refused(run: Path, tmp_path: Path) -> None:
    """A mistake in card.toml ends with a sentence that names the file and the line."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "card.toml").write_text("owner = me\n")
    with pytest.raises(InputError, match=r"card\.toml is no TOML .*line 1"):
        build_card(copy)


def test_a_broken_file_is_named(run: Path, tmp_path: Path) -> None:
    """A JSON file that can't be read is named, with what to do."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "comparison.json").write_text("{")
    with pytest.raises(InputError, match=r"comparison\.json is no JSON .*restore it or run again"):
        build_card(copy)


def test_pictures_outside_the_run_folder_are_not_read(run: Path, tmp_path: Path) -> None:
    """An explanation that points out of the run folder shows as not provided."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    index = copy / "densenet121/seed-0/explanations/index.json"
    entries = json.loads(index.read_text())
    outside = tmp_path / "secret.png"
    shutil.copy(copy / "densenet121/seed-0" / entries[0]["image"], outside)
    for entry in entries:
        entry["image"] = entry["overlay"] = "../../../secret.png"
    index.write_text(json.dumps(entries))
    groups = build_card(copy).examples
    shown = [e for g in groups for c, e in g.examples if e and c.slot == 1]
    assert shown
    assert all(e.image == e.overlay == "" for e in shown)


def test_a_restricted_run_shows_no_case_ids(run: Path, tmp_path: Path) -> None:
    """Where the source is restricted, the ids of the examples stay out of the card."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    values = json.loads((copy / "run.json").read_text())
    values["cohort"]["restricted"] = True
    (copy / "run.json").write_text(json.dumps(values))
    ids = {
        entry["image_id"]
        for entry in json.loads((copy / "densenet121/seed-0/explanations/index.json").read_text())
    }
    html = render_html(build_card(copy))
    assert not any(identifier in html for identifier in ids)
    assert any(identifier in render_html(build_card(run)) for identifier in ids)


def test_a_run_without_its_radiographs_says_so(run: Path, tmp_path: Path) -> None:
    """Where the examples hold no radiograph, the card says that a drawing stands for it."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    for index in copy.rglob("index.json"):
        entries = json.loads(index.read_text())
        index.write_text(json.dumps([entry | {"image": None} for entry in entries]))
    html = render_html(build_card(copy))
    assert "the maps lie on a drawing of a chest" in html
    assert 'id="fade-panel"' not in html
    assert 'alt="Schematic chest with the heatmap of' in html


def test_one_network_is_not_compared(tmp_path: Path) -> None:
    """A run of one network says that there is nothing to compare, and speaks of one checkpoint."""
    html = render_html(build_card(write_run(tmp_path / "run", networks=("resnet50",))))
    assert "there is nothing to compare it with" in html
    assert "One checkpoint, not an architecture" in html


def test_age_bands_stand_in_order(run: Path) -> None:
    """Bands of age run from young to old."""
    ages = next(b for b in build_card(run).breakdowns if b.title.startswith("Age"))
    assert [name for name, _ in ages.rows] == ["<40", "40-59", "60-79", "80+"]


def test_the_largest_gap_between_groups_is_found(run: Path, tmp_path: Path) -> None:
    """The summary names the observation, network and groups that differ most, of how many."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    file = copy / "resnet50/seed-0/metrics.sex-M.json"
    document = json.loads(file.read_text())
    document["observations"]["Edema"]["auroc"] |= {"estimate": 0.21, "low": 0.1, "high": 0.4}
    file.write_text(json.dumps(document))
    groups = build_card(copy).groups
    assert groups is not None
    assert [(group.trait, group.value) for group in groups.groups] == [("Sex", "F"), ("Sex", "M")]
    gap = groups.gap
    assert gap is not None
    assert (gap.observation, gap.checkpoint.name) == ("Edema", "ResNet-50")
    assert (gap.lower[0].value, gap.lower[1].text, gap.compared) == ("M", "0.21", 24)


def test_the_gate_stands_on_the_first_page(run: Path, tmp_path: Path) -> None:
    """A verdict in gate.json is shown in the summary."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "gate.json").write_text('{"verdict": "fail", "checks": [{}, {}]}')
    summary = build_card(copy).summary
    assert (summary.gate_state, summary.gate) == ("failed", "Failed, 2 checks.")


def test_without_pango_the_ways_out_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Pango can't be loaded, the message names the packages and --no-pdf."""

    def refuse(name: str, *args: object, **kwargs: object) -> object:
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")
        return original(name, *args, **kwargs)

    original = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(InputError, match=r"libpango-1\.0-0 libpangoft2-1\.0-0.*--no-pdf"):
        check_pdf()


def test_an_unknown_name_in_a_template_is_an_error(run: Path) -> None:
    """Templates may not name what the card does not have."""
    template = environment().from_string("{{ card.nonsense }}")
    with pytest.raises(UndefinedError, match="nonsense"):
        template.render(card=build_card(run))


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(0.7149, 0.65, 0.77), "0.71"),
        (Estimate(0.8341, 0.826, 0.842), "0.834"),
        (Estimate(-0.004, -0.05, 0.05), "0.00"),
    ],
)
def test_digits_follow_the_interval(estimate: Estimate, text: str) -> None:
    """Two decimals, or three where the interval is narrow; never minus nought."""
    assert words.ratio(estimate.estimate, words.decimals(estimate)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0004, "<0.001"),
        (0.0041, "0.004"),
        (0.0479, "0.048"),
        (0.0512, "0.051"),
        (0.62, "0.62"),
        (1.0, ">0.99"),
    ],
)
def test_p_values_are_written_as_journals_do(value: float, text: str) -> None:
    """Below 0.001 as that, three decimals below 0.01 and around 0.05, else two."""
    assert words.p_value(value) == text


def test_checklists_point_to_sections_or_say_not_provided(run: Path) -> None:
    """Each item of each checklist has a section that is there, or is open."""
    card = build_card(run)
    html = render_html(card)
    counts = {checklist.name: len(checklist.items) for checklist in card.checklists}
    assert counts == {"CLAIM 2024": 44, "TRIPOD+AI": 27, "Model Cards": 9}
    sections = {item.section for checklist in card.checklists for item in checklist.items}
    assert "" in sections
    assert all(f'<h2 id="{section}">' in html for section in sections - {""})


def test_funding_that_is_told_closes_its_items(run: Path, tmp_path: Path) -> None:
    """What people state in card.toml is shown, and closes the items that ask for it."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "card.toml").write_text('funding = "A foundation"\n')

    def item(folder: Path) -> str:
        claim = build_card(folder).checklists[0]
        return next(item.section for item in claim.items if item.number == "44")

    assert (item(run), item(copy)) == ("", "use")


def test_reading_and_truth_stand_apart(html: str) -> None:
    """How well reports were read is a table of its own, beside how well they tell the truth."""
    assert 'id="table-label-reading"' in html
    assert "not how well they tell the truth" in html
    assert "label_reading.json#observations.Edema.negation.f1.estimate" in html


def test_the_card_says_how_maps_are_made(html: str) -> None:
    """The maps' making and their gain over plain Grad-CAM are told with an interval."""
    assert "Grad-CAM at a finer grid" in html
    assert "localization.json#gain.difference.iou.low" in html


def test_the_card_tells_boxes_and_sizes_of_lesions(html: str) -> None:
    """Boxes at several limits, pixel ranking and hit rates by size stand in the card."""
    assert "localization.json#observations.Cardiomegaly.present.boxes.0%2E3.estimate" in html
    assert "localization.json#observations.Pneumothorax.present.wrong_boxes.estimate" in html
    assert "localization.json#strata.0.hit_rate.low" in html
    assert "Size: below 1 % of the picture" in html


def test_the_card_tells_a_shortcut(html: str) -> None:
    """Evidence outside the lungs and on marks stands beside the share of the picture."""
    assert "elsewhere.json#observations.Atelectasis.on_marks.estimate" in html
    assert "elsewhere.json#observations.Edema.outside.low" in html
    assert "elsewhere.json#observations.Atelectasis.fall_without_marks.low" in html
    assert "the score falls without the mark: a shortcut" in html
    assert "no mark on its images" in html
