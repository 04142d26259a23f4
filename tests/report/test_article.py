import dataclasses
import html as html_module
import json
import re
import shutil

import markupsafe
import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError, nodes

from flatminima.errors import UserError
from flatminima.measurements.measurement import Measurement
from flatminima.report import article, speed
from flatminima.report.claims import Claims, Sentences, judge
from flatminima.storage import read_json, write_json

from .conftest import (
    EXPERIMENTS,
    HOSTILE,
    LIVING,
    ROOT,
    STEMS,
    made_up_manifests,
    made_up_rings,
    measure_rings,
    missing,
    visible_text,
)

TEMPLATES = ROOT / "report" / "templates"
DATA = "figures/living.data.js"


def test_every_number_on_the_page_is_a_measurement(compose, measurements):
    page = compose()
    names = {html_module.unescape(name) for name in re.findall(r' data-name="([^"]*)"', page)}
    assert len(names) > 100
    assert names <= measurements.keys()


def test_no_number_is_typed_into_the_text():
    for file in sorted(TEMPLATES.rglob("*.j2")):
        text = file.read_text()
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", text, flags=re.DOTALL)
        text = re.sub(r"<(head|math)\b.*?</\1>", " ", text, flags=re.DOTALL)
        text = re.sub(r"<[^>]*>", " ", text)
        assert not re.findall(r"\S*\d\S*", text.replace("sha256", "")), file


def literal(source):
    """The words of a template outside of its expressions and tags, piece by piece."""
    return re.split(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", source, flags=re.DOTALL)


def all_sentences(claims):
    """Every sentence by the claim or summary that owns it, and the outcome it is for."""
    owned = [it for it in (*claims.claims, *claims.summaries) if it.sentences is not None]
    return {
        (it.id, outcome, why): it.sentences.of(outcome, why)
        for it in owned
        for outcome, why in OUTCOMES
    }


OUTCOMES = (
    ("holds", None),
    ("partly", "threshold"),
    ("partly", "interval"),
    ("fails", None),
    (None, None),
)


def test_no_number_is_typed_into_a_sentence(claims):
    for owner, sentence in all_sentences(claims).items():
        assert not re.search(r"\d", " ".join(literal(sentence))), owner


COMPARISONS = ("exceeds", "above", "within")


def compares(test):
    """Whether a condition sets measured numbers against each other or against a limit."""
    called = [call.node.name for call in calls(test)]
    numbers = any(
        call.node.name in ("value", "measurement", "of_source")
        for compare in found(test, nodes.Compare)
        for call in calls(compare)
    )
    return numbers or any(name in COMPARISONS for name in called)


def found(node, kind):
    return [*([node] if isinstance(node, kind) else []), *node.find_all(kind)]


def calls(node):
    return [call for call in found(node, nodes.Call) if isinstance(call.node, nodes.Name)]


def faults(tree):
    """Where a template chooses words by an outcome, or denies what may not have been measured."""
    for call in calls(tree):
        if call.node.name in ("outcome", "outcomes", "why"):
            yield call.lineno, "chooses by an outcome; let the claim own the sentences"
    for choice in tree.find_all((nodes.If, nodes.CondExpr)):
        chain = [choice, *getattr(choice, "elif_", [])]
        otherwise = choice.expr2 if isinstance(choice, nodes.CondExpr) else choice.else_
        if otherwise and any(compares(link.test) for link in chain):
            yield choice.lineno, "an else after a comparison; ask whether it was measured"
    for denial in tree.find_all(nodes.Not):
        if compares(denial):
            yield denial.lineno, "denies a comparison; ask whether it was measured"
    for kept in tree.find_all(nodes.Assign):
        if any(compares(compare) for compare in found(kept.node, nodes.Compare)):
            yield kept.lineno, "keeps a comparison for later, where nobody sees it"


def test_no_else_denies_what_may_only_be_unmeasured(claims):
    environment = Environment(autoescape=True)
    sources = {file.name: file.read_text() for file in TEMPLATES.rglob("*.j2")}
    for name, source in (sources | all_sentences(claims)).items():
        assert not list(faults(environment.parse(source))), name


@pytest.mark.parametrize(
    "source",
    [
        "{% if outcome('a') == 'holds' %}yes{% endif %}",
        "{{ 'yes' if outcomes('a', 'b') == 'holds' else 'no' }}",
        "{% if value('a') > 1 %}yes{% else %}no{% endif %}",
        "{% if measured('b') %}yes{% elif value('a') < value('b') %}no{% else %}no{% endif %}",
        "{% if exceeds('a', 1) and measured('b') %}yes{% else %}no{% endif %}",
        "{{ 'yes' if above('a', 1) else 'no' }}",
        "{% if not within('a', 1) %}no{% endif %}",
        "{% if 0 < measurement('a').low %}yes{% else %}no{% endif %}",
        "{% set it = value('a') > 1 %}",
    ],
)
def test_an_else_that_denies_is_found(source):
    assert list(faults(Environment(autoescape=True).parse(source)))


def forced(claims, measurements, outcome, why):
    """Verdicts that all have one outcome."""
    verdicts = judge(claims, measurements, scale="laptop")
    return [verdict | {"outcome": outcome, "why": why} for verdict in verdicts]


def marked(claims):
    """The claims with a mark before every sentence: whose it is, and for which outcome."""

    def mark(it):
        if it.sentences is None:
            return it
        said = it.sentences
        parts = {"holds": said.holds, "fails": said.fails, "unmeasured": said.unmeasured}
        marked = {name: f"[{it.id}:{name}]{text}" for name, text in parts.items()}
        marked["partly"] = {why: f"[{it.id}:{why}]{text}" for why, text in said.partly.items()}
        return dataclasses.replace(it, sentences=Sentences(**marked))

    return dataclasses.replace(
        claims,
        claims=tuple(map(mark, claims.claims)),
        summaries=tuple(map(mark, claims.summaries)),
    )


def test_each_sentence_is_said_for_its_outcome_and_for_no_other(compose, claims, measurements):
    said = set()
    owners = {owner for owner, *_ in all_sentences(claims)}
    for outcome, why in OUTCOMES:
        page = compose(
            claims=marked(claims.of(EXPERIMENTS)),
            verdicts=forced(claims.of(EXPERIMENTS), measurements, outcome, why),
        )
        marks = re.findall(r"\[([\w.-]+):(\w+)\]", page)
        assert {kind for _, kind in marks} == {why or outcome or "unmeasured"}
        said |= {owner for owner, _ in marks}
    assert said == owners


def foreign(claims, outcome, why):
    """Words of sentences of other outcomes that no template and no sentence of this one has."""
    sentences = all_sentences(claims)
    own = [text for (_, *of), text in sentences.items() if of == [outcome, why]]
    own += [file.read_text() for file in TEMPLATES.rglob("*.j2")]
    allowed = visible_text(" ".join(own))
    pieces = {visible_text(piece).strip() for text in sentences.values() for piece in literal(text)}
    return {piece for piece in pieces if len(piece) > 12 and piece not in allowed}


@pytest.mark.parametrize(("outcome", "why"), OUTCOMES)
def test_no_word_of_another_outcome_is_on_the_page(compose, claims, measurements, outcome, why):
    verdicts = forced(claims.of(EXPERIMENTS), measurements, outcome, why)
    text = argument(compose(verdicts=verdicts))
    words = foreign(claims, outcome, why)
    assert len(words) > 50
    assert not {piece for piece in words if piece in text}


def argument(page):
    """The words of a page without the table of verdicts, which repeats the claims."""
    start = page.index('<section id="verdict"')
    return visible_text(page[:start] + page[page.index("</section>", start) :])


def unmeasured(measurement):
    return dataclasses.replace(measurement, value=None, low=None, high=None)


@pytest.mark.parametrize("which", ["all", "those of claims"])
def test_what_was_not_measured_is_neither_claimed_nor_denied(compose, claims, measurements, which):
    of_claims = {claim.measurement for claim in claims.claims}
    gone = {
        name: unmeasured(it) if which == "all" or name in of_claims else it
        for name, it in measurements.items()
    }
    page = compose(measurements=gone)
    text = argument(page)
    assert not {piece for piece in foreign(claims, None, None) if piece in text}
    if which == "all":
        for denial in ("<em>not</em>", "<em>Not</em>", "<em>no</em>", "<em>still</em>"):
            assert denial not in page


def test_a_sentence_escapes_what_was_measured_and_not_itself(compose, claims, measurements):
    name = "swiss_roll.bad.train_accuracy"
    hostile = dataclasses.replace(measurements[name], value=0.5, note=HOSTILE)
    page = compose(measurements=measurements | {name: hostile})
    end = page.index("so it has not fitted them all")
    assert str(markupsafe.escape(HOSTILE)) in page[end - 500 : end]
    assert HOSTILE not in page
    less = dataclasses.replace(measurements["swiss_roll.slice.distance_ratio"], value=1.0)
    page = compose(measurements=measurements | {"swiss_roll.slice.distance_ratio": less})
    assert "here the good minimum is <em>not</em> clearly the flatter one" in page


def test_a_claim_without_sentences_has_none_to_say(tmp_path, compose, claims):
    (tmp_path / "sections.html.j2").write_text("{{ say('basins.none') }}")
    with pytest.raises(KeyError, match=r"the unknown claim basins\.none"):
        article.build(
            tmp_path,
            run=article.Run("laptop", None, None, "2026"),
            measurements={},
            claims=claims,
            verdicts=judge(claims, {}, scale="laptop"),
            references={},
            figures=[],
            manifests={},
            checks=[],
            experiments=[],
        )


def test_a_changed_measurement_changes_the_sentence(compose, measurements):
    name = "swiss_roll.good.test_accuracy"
    changed = dataclasses.replace(measurements[name], value=0.9712)
    page = compose(measurements={**measurements, name: changed})
    assert "97.1%" in page
    assert "97.1%" not in compose()


def test_an_unknown_number_is_an_error(compose, measurements):
    part = {n: m for n, m in measurements.items() if n != "swiss_roll.weights"}
    with pytest.raises(KeyError, match=r"unknown measurement swiss_roll\.weights"):
        compose(measurements=part)


def test_templates_cannot_use_what_is_unknown(tmp_path, compose):
    def build(body):
        (tmp_path / "sections.html.j2").write_text(body)
        (tmp_path / "slides").mkdir(exist_ok=True)
        (tmp_path / "slides/slides.html.j2").write_text("")
        return article.build(
            tmp_path,
            run=article.Run("laptop", None, None, "2026"),
            measurements={"d.x": Measurement(0.5, "fraction", "d")},
            claims=Claims(),
            verdicts=[],
            references={},
            figures=[],
            manifests={},
            checks=[],
            experiments=[],
        )

    assert ">50%</a>" in build("{{ number('d.x') }}")["index.html"]
    for body in ("{{ number('d.y') }}", "{{ number('e.x') }}", "{{ say('z') }}"):
        with pytest.raises(KeyError, match="unknown"):
            build(body)
    for body in ("{{ source('z') }}", "{{ cite('z') }}", "{{ picture('z') }}"):
        with pytest.raises(KeyError):
            build(body)
    with pytest.raises(UndefinedError):
        build("{{ nothing_of_the_kind }}")
    with pytest.raises(ValueError, match="number format"):
        build("{{ number('d.x', 'roman') }}")


def test_everything_from_outside_is_escaped(compose):
    run = article.Run(HOSTILE, HOSTILE, False, "2026-01-01", version=HOSTILE, note=HOSTILE)
    claims_of = {"run": run}
    gap = {"state": "missing", "why": (HOSTILE,), "alt": HOSTILE}
    figures = [article.Figure(stem, **gap) for stem in (*STEMS, LIVING)]
    page = compose(**claims_of, figures=figures)
    assert HOSTILE in html_module.unescape(page)
    assert {*re.findall(r"<script[^>]*>", page)} == {
        '<script src="report.js" defer>',
        '<script src="slides.js" defer>',
        '<script src="dimensions.js" defer>',
    }
    assert "<img" not in page
    assert "onerror=&#34;" in page


def test_the_settings_of_a_figure_are_escaped(compose):
    page = compose()
    assert "&lt;script&gt;document.title" in page
    scripts = re.findall(r"<script[^>]*>", page)
    assert {*scripts} <= {f'<script src="{name}" defer>' for name in (*article.ASSETS, DATA)}
    assert len(scripts) == page.count("<script")


def test_the_policy_leaves_no_hole(compose):
    page = compose()
    assert f'content="{html_module.escape(article.POLICY)}"'.replace("&#x27;", "&#39;") in page
    # Leave to compile WebAssembly lets nothing else in.
    assert "unsafe" not in article.POLICY.replace("'wasm-unsafe-eval'", "")
    assert "http" not in article.POLICY
    assert not re.search(r"<[^>]*\s(style|on\w+)=", page)
    assert "<style" not in page
    assert not re.search(r'(?:src|srcset)="(?:https?:)?//', page)


def test_words_follow_the_numbers(compose, measurements):
    good = visible_text(compose())
    assert "Both estimates say that natural basins are larger" in good
    assert "as the paper’s slices show it" in good
    assert "the other fails almost at once, as the blog post shows it" in good
    assert "The bad one’s is still the larger" in good
    assert "The wider the margin, the smaller the gap" in good
    against = dict(measurements)
    for name, measurement in measurements.items():
        if measurement.unit == "correlation":
            against[name] = dataclasses.replace(
                measurement,
                value=-measurement.value,
                low=measurement.high and -measurement.high,
                high=measurement.low and -measurement.low,
            )
        elif "volume_difference" in name:
            against[name] = dataclasses.replace(measurement, value=-10.0, low=-20.0, high=-5.0)
        elif "ratio" in name:
            against[name] = dataclasses.replace(measurement, value=0.8, low=0.7, high=0.9)
        elif name == "swiss_roll.perturbation.random.good.fails_share":
            against[name] = dataclasses.replace(measurement, value=0.001)
        elif name in ("swiss_roll.bad.train_accuracy", "swiss_roll.bad.test_accuracy"):
            against[name] = dataclasses.replace(measurement, value=0.9)
        elif name == "swiss_roll.most_poisoned.reaching":
            against[name] = dataclasses.replace(measurement, value=0.0)
    bad = visible_text(compose(measurements=against))
    for words in (
        "so it has not fitted them all",
        "not clearly the flatter one",
        "does not rise with the factor",
        "The radius does not fall with the gap at every cutoff",
        "natural basins are not larger",
        "the estimates of the volume do not both fall with the gap",
        "The pattern of the paper is not there",
        "these images do not show the disparity",
        "shown only nearly",
        "as the blog post shows it, is not what is found here",
        "is not clearly the larger: the ratio is 0.8",
        "The gap is not clearly smaller where the margin is wider",
    ):
        assert words in bad
    for words in ("worse than tossing a coin", "as the paper’s slices show it", "is there again"):
        assert words not in bad


RANDOM, HESSIAN = (f"swiss_roll.perturbation.{way}." for way in ("random", "hessian"))


def perturbed(measurements, **values):
    """The measurements with values of perturbation replaced, or with (value, note)."""
    changed = dict(measurements)
    for name, value in values.items():
        pair = value if isinstance(value, tuple) else (value, "")
        changed[name] = dataclasses.replace(measurements[name], value=pair[0], note=pair[1])
    return changed


def test_the_area_swept_over_agrees_only_with_what_it_agrees_with(compose, measurements):
    assert "Counted like this, too, the wide margin stands more" in visible_text(compose())
    against = perturbed(measurements, **{RANDOM + "ratio": 0.5})
    text = visible_text(compose(measurements=against))
    assert "Counted like this, the wide margin stands more" in text
    less = perturbed(measurements, **{RANDOM + "good.changed": 0.001})
    assert "the wide margin does not stand more" in visible_text(compose(measurements=less))


def test_a_direction_without_a_failure_undoes_nothing(compose, measurements):
    undone = "has a direction in which a shorter step undoes it"
    assert f"Even the minimum that holds along random directions {undone}" in visible_text(
        compose()
    )
    note = "the network does not fail within the whole length"
    held = perturbed(
        measurements,
        **{HESSIAN + "good.fails_at": (0.1, note), HESSIAN + "good.changed": None},
    )
    text = visible_text(compose(measurements=held))
    assert undone not in text
    assert f"From the good one, {note}." in text
    fragile = perturbed(measurements, **{RANDOM + "good.fails_share": 0.001})
    assert f"The good minimum {undone}" in visible_text(compose(measurements=fragile))


def test_without_a_common_loss_the_curvatures_are_not_compared(compose, measurements):
    note = "the loss of one does not rise through this level"
    without = perturbed(
        measurements,
        **{
            RANDOM + "bad.level_largest_curvature": (None, note),
            RANDOM + "level_ratio": (None, note),
        },
    )
    text = visible_text(compose(measurements=without))
    assert f"At the same loss the two cannot be compared here: {note}." in text


def test_animations_and_the_living_figure_are_spoken_of_only_if_they_are_there(compose, pictures):
    words = "moving pictures for slides is among the downloads"
    assert words in visible_text(compose())
    figures = [article.figure(pictures, stem) for stem in STEMS]
    figures = [
        dataclasses.replace(it, suffixes=tuple(s for s in it.suffixes if "webp" not in s))
        for it in figures
    ]
    figures.append(article.figure(pictures.parent, LIVING, main="data.js"))
    text = visible_text(compose(figures=figures))
    assert words not in text
    assert "your browser evaluates them" not in text


def test_an_interval_that_reaches_chance_is_told_apart_from_a_missed_threshold(
    compose, measurements
):
    ratio = "images.headline.radius_ratio.mean_log"
    missed = dataclasses.replace(measurements[ratio], value=1.05, low=1.02, high=1.06)
    unsure = dataclasses.replace(measurements[ratio], value=1.3, low=0.9, high=1.6)
    text = visible_text(compose(measurements={**measurements, ratio: missed}))
    assert "points the same way and is smaller" in text
    text = visible_text(compose(measurements={**measurements, ratio: unsure}))
    assert "is as large on average, but these networks do not rule out" in text
    assert "Chance is not ruled out" in text
    name = "swiss_roll.headline.volume_difference.mean_exp"
    unsure = dataclasses.replace(measurements[name], low=None, high=None)
    text = visible_text(compose(measurements={**measurements, name: unsure}))
    assert "larger on average than the most poisoned ones, but" in text


def test_only_exact_directions_give_volumes_and_bounds_of_them(compose, measurements):
    paper = visible_text(compose())
    assert "and by nothing beyond it" in paper
    assert "lower bound of the volume" not in paper
    exactly = dict(measurements)
    for dataset in ("swiss_roll", "images"):
        name = f"{dataset}.setting.exact_directions"
        exactly[name] = dataclasses.replace(measurements[name], value=1.0)
    text = visible_text(compose(measurements=exactly))
    assert "estimates a lower bound of the volume" in text
    assert "Distances are in filter-normalised units" in text
    assert "own average" not in text


def test_without_bad_minima_none_are_promised(compose, measurements):
    name = "swiss_roll.most_poisoned.share_bad"
    for value, words in ((1.0, "most fit every training point"), (0.0, "hardly any fits")):
        changed = dataclasses.replace(measurements[name], value=value)
        assert words in visible_text(compose(measurements={**measurements, name: changed}))
    name = "swiss_roll.most_poisoned.fitted_test_accuracy"
    for value, words in (
        (0.7, "generalize worse than every natural one"),
        (0.99, "did not lead to bad minima"),
    ):
        changed = dataclasses.replace(measurements[name], value=value)
        assert words in visible_text(compose(measurements={**measurements, name: changed}))


def test_a_notice_stands_above_everything(compose):
    assert 'class="notice"' not in compose()
    page = compose(notice=article.Notice(True, "stale", ("config seed: 1 → 2",)))
    text = visible_text(page)
    assert page.index('class="notice"') < page.index("<h1>")
    assert "The run failed" in text
    assert "come from an earlier run and are out of date: config seed: 1 → 2." in text
    figures = [article.Figure(stem) for stem in (*STEMS, LIVING)]
    text = visible_text(
        compose(measurements={}, manifests={}, figures=figures, notice=article.Notice(True))
    )
    assert f"Missing figures: {', '.join((*STEMS, LIVING))}." in text


def test_sentences_leave_paths_and_names_alone():
    assert article.sentence("audited 3 files") == "Audited 3 files"
    assert article.sentence("a.npz: gone in Rome") == "a.npz: gone in Rome"
    assert article.sentence("results/a: Gone") == "results/a: Gone"
    assert article.sentence("") == ""


def test_networks_that_missed_points_are_reported(compose, measurements):
    text = visible_text(compose())
    assert re.search(
        r"Of 48 networks, 46 fit every one of their training points\. Any other, 2 in all", text
    )
    assert re.search(r"All 36 networks fit every one of their training images", text)


def test_the_rings_are_told_as_they_were_found(compose, measurements):
    good = visible_text(compose())
    for words in (
        "They do it without the circle",
        "It arcs away from the many points",
        "The circle is the sharper solution by curvature",
        "As the rings move apart, training finds the circle",
        "Not in the paper.",
        "the less sharp of two sharp solutions",
    ):
        assert words in good
    bad = visible_text(
        compose(
            measurements=rings_with(
                measurements,
                **{
                    "pinched.between_share": 1.0,
                    "pinched.clearance": 0.5,
                    "sharp.curvature_ratio": 0.5,
                    "sharp.radius_ratio": 0.5,
                    "pinching.radius_ratio": 0.9,
                    "rank_correlation.between_vs_gap": -0.5,
                    "widening.found_difference": -0.5,
                },
            )
        )
    )
    for words in (
        "The circle is not missed, against what the paper shows",
        "The boundary does not arc away",
        "By curvature the circle is not the sharper solution",
        "Its basin is not narrower at every cutoff",
        "The circle is not found more often as the rings move apart",
        "not what training finds in its place:",
    ):
        assert words in bad
    assert "two sharp solutions" not in bad
    part = {n: m for n, m in measurements.items() if not n.startswith("rings.")}
    gone = visible_text(compose(measurements=part))
    assert "Everything about the rings could not be measured" in gone


def rings_with(measurements, **values):
    """The measurements with others of the rings, a tenth uncertain; None for not measured."""
    changed = dict(measurements)
    for name, value in values.items():
        ends = {} if value is None else {"low": value - 0.1, "high": value + 0.1}
        changed[f"rings.{name}"] = dataclasses.replace(
            measurements[f"rings.{name}"], **{"low": None, "high": None, "value": value, **ends}
        )
    return changed


def test_rings_without_a_network_that_fits_are_not_said_to_miss_the_circle(compose, measurements):
    made_up = made_up_rings()
    made_up["survey"]["converged"][0] = False
    found = measurements | measure_rings(**made_up, seed=1906, resamples=200)
    text = visible_text(compose(measurements=found))
    assert "none fit every training point. So nothing can be said" in text
    assert "How sharp the circle is beside what training finds could not be measured" in text
    for words in ("do it without the circle", "It arcs away", "sharper solution by"):
        assert words not in text


def test_a_share_that_rises_with_the_gap_is_no_circle_found(compose, measurements):
    found = rings_with(
        measurements,
        **{"rank_correlation.between_vs_gap": 0.9, "widening.found_difference": 0.0},
    )
    text = visible_text(compose(measurements=found))
    assert "The circle is not found more often as the rings move apart" in text
    assert "until training succeeds" not in text
    by_chance = dataclasses.replace(found["rings.widening.found_difference"], value=0.6, low=-0.1)
    text = visible_text(
        compose(measurements=found | {"rings.widening.found_difference": by_chance})
    )
    assert "do not rule out that it is by chance" in text
    assert "until training succeeds" not in text


def test_an_undefined_correlation_is_left_out(compose, measurements):
    found = rings_with(measurements, **{"rank_correlation.between_vs_gap": None})
    text = visible_text(compose(measurements=found))
    assert "As the rings move apart, training finds the circle" in text
    assert "The share of the way round goes with the gap" not in text


def test_a_basin_hardly_narrower_is_told_from_one_that_may_not_be(compose, measurements):
    def told(value):
        return visible_text(
            compose(measurements=rings_with(measurements, **{"sharp.radius_ratio": value}))
        )

    assert "Its basin is narrower at every cutoff, but by less than" in told(1.5)
    assert "Its basin is narrower on average, but" in told(1.05)
    assert "Its basin could not be compared at every cutoff" in told(None)


def test_a_missing_data_set_leaves_a_labelled_gap(compose, measurements, claims):
    part = {n: m for n, m in measurements.items() if n.startswith("swiss_roll.")}
    figures = [article.Figure(stem) for stem in STEMS if "images" in stem] + [
        article.Figure(stem, why=("the job swiss failed",))
        for stem in (*STEMS, LIVING)
        if "images" not in stem
    ]
    page = compose(measurements=part, figures=figures)
    text = visible_text(page)
    assert (
        "Everything about images could not be measured in this run: a job that it rests on failed"
        in text
    )
    assert missing(page) == {figure.stem for figure in figures}
    assert "The job swiss failed" in text
    assert "Not measured" in text
    nothing = visible_text(compose(measurements={}, manifests={}))
    assert "Everything about the swiss roll in this section could not be measured" in nothing
    assert f"Not measured – – – {len(claims.claims)} " in nothing


def images_of(measurements, source, **settings):
    """The measurements of images alone, made on some source with some settings."""
    found = {
        name: dataclasses.replace(it, dataset=source)
        for name, it in measurements.items()
        if name.startswith("images.")
    }
    for name, value in settings.items():
        key = f"images.setting.{name}"
        found[key] = dataclasses.replace(found[key], value=value)
    return found


def images_alone(compose, pictures, measurements, **changes):
    figures = [article.figure(pictures, stem) for stem in STEMS if stem.endswith("-images")]
    manifests = {path: m for path, m in made_up_manifests().items() if "images" in path}
    return compose(
        experiments=("images",),
        measurements=measurements,
        figures=figures,
        manifests=manifests,
        **changes,
    )


@pytest.fixture
def pictured(compose, pictures):
    """Render a page of images alone."""
    return lambda measurements: images_alone(compose, pictures, measurements)


def test_a_run_of_images_alone_speaks_of_nothing_else(compose, pictures, measurements):
    page = images_alone(compose, pictures, images_of(measurements, "svhn"))
    # Of the items of the sources all are listed, and where their place would be.
    start = page.index('<section id="sources"')
    text = visible_text(page[:start] + page[page.index("</section>", start) :])
    assert "<h1>Good and bad minima on images: house numbers (SVHN)</h1>" in page
    for words in ("swiss roll", "The rings", "The minefield", "Full batches", "not be measured"):
        assert words not in text
    assert "This figure is missing" not in text
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    assert 'id="rings"' not in page
    assert 'id="basins"' not in page
    scripts = {*re.findall(r"<script[^>]*>", page)}
    assert scripts == {f'<script src="{name}.js" defer>' for name in ("report", "slides")}
    claims = re.findall(r'id="claim-([^"]+)"', page)
    assert claims
    assert all("swiss" not in claim and "rings" not in claim for claim in claims)


@pytest.mark.parametrize(
    ("source", "settings", "told"),
    [
        ("digits", {}, "small grey pictures of handwritten digits"),
        ("cifar10", {}, "the photographs of animals and vehicles of CIFAR-10"),
        ("svhn", {}, "But 400 of them are for training, where the sources train on 73,257"),
        ("svhn", {"unofficial_files": 1.0}, "although their checksums are not those"),
        (
            "svhn",
            {"batch_norm.frozen": 0.0, "batch_norm.refreshed": 1.0},
            "computed anew from all images on which the loss is taken",
        ),
        ("svhn", {"batch_norm.frozen": 0.0, "batch_norm.batch": 1.0}, "those of the batch"),
        (
            "svhn",
            {"architecture.resnet": 0.0, "architecture.resnet18": 1.0, "depth": None},
            "The network is a ResNet-18, eight filters wide in its first layer: 19,074",
        ),
    ],
)
def test_what_the_images_and_networks_are(pictured, measurements, source, settings, told):
    text = visible_text(pictured(images_of(measurements, source, **settings)))
    assert told in text
    assert ("Measured on other data" in text) == (source != "svhn")
    assert ("Measured at smaller scale" in text) == (source == "svhn")
    assert ("not vouched for" in text) == ("unofficial_files" in settings)


def test_a_survey_on_a_part_of_the_images_is_said_and_makes_no_reproduction(
    compose, pictures, measurements
):
    few = {"train_points": 73257.0, "survey_points": 200.0, "directions": 3000.0}
    text = visible_text(images_alone(compose, pictures, images_of(measurements, "svhn", **few)))
    assert "taken on 200 of the training images, a random part" in text
    assert "halves of the training images on which the loss is taken" in text
    assert "✓ Reproduced" not in text
    assert "200 training points of the survey in place of 73,257" in text


def test_enough_images_of_the_source_make_a_reproduction(compose, pictures, measurements):
    enough = {"train_points": 73257.0, "survey_points": 73257.0, "directions": 3000.0}
    text = visible_text(images_alone(compose, pictures, images_of(measurements, "svhn", **enough)))
    assert "✓ Reproduced" in text
    assert "where the sources train on" not in text


def test_missing_parts_leave_labelled_gaps(compose, measurements):
    lost = {
        name: dataclasses.replace(entry, value=None, low=None, high=None)
        for name, entry in measurements.items()
        if ".slice." in name
    }
    text = visible_text(compose(measurements=measurements | lost))
    assert "The slices through these minima could not be measured" in text


def test_the_smallest_scale_says_so(compose):
    text = visible_text(compose(scale="smoke"))
    assert "Measured at smaller scale" in text
    assert "✓ Reproduced" not in text
    assert "the run is too small to judge by" in text
    assert "for tests, not for conclusions" in text


def test_states_of_figures(compose, pictures):
    figures = [article.figure(pictures, stem) for stem in STEMS]
    figures.append(article.figure(pictures, LIVING, main="data.js"))
    figures[0] = article.figure(
        pictures, STEMS[0], state="stale", why=("training.steps was 30000 and is 20000",)
    )
    figures[1] = article.figure(pictures.parent, STEMS[1])
    page = compose(figures=figures)
    text = visible_text(page)
    assert "Stale: training.steps was 30000 and is 20000" in text
    assert missing(page) == {STEMS[1]}
    assert (
        "Reduced: handwritten digits (scikit-learn) in place of house numbers (SVHN); 400 training"
        in text
    )
    assert "Reduced: 8 networks per poison factor in place of 10" in text


def test_a_figure_is_found_with_its_sizes(pictures):
    found = article.figure(pictures, "margins")
    assert found.state == "fresh"
    assert (found.title, found.alt) == ("The figure margins", "Curves named margins.")
    assert set(found.suffixes) == {
        *article.VARIANTS,
        *(suffix for suffix in article.DOWNLOADS if not suffix.startswith(("webp", "gif"))),
    }
    moving = article.figure(pictures, "perturbation-random")
    assert set(moving.suffixes) == {*article.VARIANTS, *article.DOWNLOADS}
    assert found.sizes["svg"] == (518, 288)
    assert found.sizes["narrow.svg"][0] < found.sizes["narrow.svg"][1]
    assert found.file("dark.svg") == "figures/margins.dark.svg"


def test_a_figure_without_its_record_is_missing_and_goes_by_its_name(pictures, tmp_path):
    shutil.copy(pictures / "margins.svg", tmp_path)
    bare = article.figure(tmp_path, "margins")
    assert (bare.state, bare.title, bare.source) == ("missing", "margins", None)
    (tmp_path / "margins.json").write_bytes(b"{}")
    with pytest.raises(UserError, match=r"margins\.json: not the record of a figure"):
        article.figure(tmp_path, "margins")


def test_titles_and_sources_of_figures_come_from_their_records(compose, pictures):
    text = visible_text(compose())
    for stem in STEMS:
        assert f"The figure {stem}. " in text
        assert f"SVG of The figure {stem} " in text
    assert text.count("After Fig. 3 of Huang et al. 2020 .") >= len(STEMS)
    own = [dataclasses.replace(article.figure(pictures, stem), source=None) for stem in STEMS]
    own.append(article.figure(pictures, LIVING, main="data.js"))
    assert "After Fig. 3" not in visible_text(compose(figures=own))


def test_bibtex(claims):
    references = {
        "a1": {"kind": "article", "short": "A", "author": ["B, C", "D, E"], "title": "T", "year": 1}
    }
    assert article.bibtex(references, "a1") == (
        "@article{a1,\n  author = {B, C and D, E},\n  title = {T},\n  year = {1}\n}"
    )
    own = article.own_bibtex(article.Run("paper", "abc", True, "2026-05-05", version="9"))
    assert "year = {2026}" in own
    assert "note = {Report at paper scale, commit abc, with uncommitted changes}" in own


def test_every_verdict_and_origin_is_on_the_page(compose, claims, measurements):
    page = compose()
    text = html_module.unescape(visible_text(page))
    for record in judge(claims, measurements, scale="laptop"):
        assert f'id="claim-{record["id"]}"' in page
        assert " ".join(record["statement"].split()) in text
        assert record["verdict"].capitalize() in text
    for manifest in made_up_manifests().values():
        if "/figures/" in manifest["output"]["path"]:
            assert manifest["output"]["sha256"] in page


def test_links_within_and_between_pages_have_targets(compose_pages):
    pages = {name: text for name, text in compose_pages().items() if name.endswith(".html")}
    ids = {name: re.findall(r'\sid="([^"]+)"', page) for name, page in pages.items()}
    for name, page in pages.items():
        assert len(ids[name]) == len(set(ids[name]))
        targets = {*re.findall(r'href="#([^"]+)"', page)}
        # The living figure reads its state from there.
        states = {target for target in targets if target.startswith("living?")}
        assert targets - states <= set(ids[name])
        for file, anchor in re.findall(r'href="([\w-]+\.html)#([^"]+)"', page):
            assert anchor in ids[file]


def test_an_anchor_that_a_page_has_itself_is_linked_there(compose_pages):
    """The numbers of a figure's page lead to the measurements, its own figure to itself."""
    page = compose_pages()["swiss-roll.html"]
    assert 'id="bad-minima"' in page
    assert 'href="#bad-minima"' in page
    assert 'href="measurements.html#m-swiss_roll.seeds"' in page
    assert "swiss-roll.html#" not in page


def test_the_page_is_the_same_twice(compose):
    assert compose() == compose()


def test_pages_keep_their_weight(compose_pages):
    """Without pictures; the budget of the first leaves room for those of its first view."""
    static = sum((ROOT / "report" / "static" / name).stat().st_size for name in article.ASSETS)
    for name, page in compose_pages().items():
        assert len(page.encode()) < (320_000 if name == "index.html" else 600_000), name
    assert static < 120_000


def test_provenance_is_one_record():
    manifests = made_up_manifests()
    record = article.provenance(article.Run("laptop", None, None, "2026"), [], manifests)
    assert record["run"]["scale"] == "laptop"
    assert record["manifests"] == manifests


def test_templates_parse_strictly():
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=True
    )
    environment.filters |= article.FILTERS
    for name in environment.list_templates():
        environment.get_template(name)


def test_what_a_reader_must_know_of_the_images_is_said_wherever_they_are_shown(compose):
    run = article.Run("laptop", None, None, "2026-01-01", note="Copies from a lossy format.")
    text = visible_text(compose(run=run))
    assert text.count("Copies from a lossy format.") == 4


def test_what_repeats_where_is_shown_as_it_was_measured(compose):
    measured = read_json(ROOT / "report" / "sameness.json")
    text = visible_text(compose(sameness=measured))
    for way in measured["ways"]:
        for what in ("files", "arrays", "numbers", "verdicts"):
            assert f"{way[f'{what}_differ']} of {way[what]}" in text
    assert measured["cpu"] in text
    assert "What repeats, and where" not in visible_text(compose())


def a_record(of, **changes):
    """What make bench would write of a case."""
    record = {
        "case": of,
        "size": f"{of} of some size",
        "unit": "losses/s",
        "ours": 31_400.0,
        "peer": 8260.0,
        "peer_name": f"a peer of {of}",
        "ratio": 3.8,
        "limit": 66_000.0,
        "share_of_limit": 0.476,
        "peak_memory_mb": 12.5,
        "repeats": 5,
        "spread": 0.043,
        "threads": 2,
        "machine": "a machine",
    }
    return record | changes


def table_of_speed(page):
    """The rows of the table as lists of the words in their cells."""
    start = page.index('aria-label="How fast it is"')
    body = page[start : page.index("</table>", start)].partition("<tbody")[2]
    return [
        [visible_text(cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)]
        for row in body.split("<tr")[1:]
    ]


def test_every_record_of_speed_is_shown_and_a_case_without_one_is_named(compose):
    bare = {"peer": None, "peer_name": None, "ratio": None, "limit": None, "share_of_limit": None}
    slower = {"ratio": 0.5, "peer_name": "a faster one"}
    records = [a_record(case) for case in speed.CASES if case != "plan"]
    records += [a_record("plan", **slower), a_record("growth", **bare, spread=None)]
    rows = table_of_speed(compose(bench={"records": records}))
    assert len(rows) == len(records)
    title = speed.CASES["import"]
    assert [f"{title}: import of some size", "2", "31,400 losses/s"] in [row[:3] for row in rows]
    beside = next(row for row in rows if row[0].startswith(title))[3:]
    assert beside == ["a peer of import: 8,260 losses/s", "3.8", "4.3%", "47.6%", "12.5"]
    assert next(row for row in rows if "a faster one" in row[3])[4] == "0.5"
    alone = [row for row in rows if row[3] == "nobody"]
    assert [row[4:] for row in alone] == [["–", "–", "–", "12.5"]]

    missed = [record for record in records if record["case"] != "hessian-top"]
    page = compose(bench={"records": missed})
    rows = table_of_speed(page)
    assert len(rows) == len(records)
    assert [speed.CASES["hessian-top"], "–", "not measured"] in [row[:3] for row in rows]
    assert "a machine" in visible_text(page)
    assert "How fast it is" not in visible_text(compose())


def test_what_a_record_of_speed_says_is_text(compose):
    words = dict.fromkeys(("size", "unit", "peer_name", "machine"), HOSTILE)
    page = compose(bench={"records": [a_record("import", **words)]})
    assert "<script>document" not in page
    assert page.count(str(markupsafe.escape(HOSTILE))) >= 5


def test_records_of_speed_are_read_if_they_have_their_form(tmp_path):
    path = tmp_path / speed.FILE
    whole = {"os": "Linux", "packages": {"torch": "2"}, "records": [a_record("import")]}
    write_json(path, whole)
    assert speed.read(path) == whole
    for wrong in (
        {"ours": "fast"},
        {"case": "another"},
        {"ratio": -1.0},
        {"threads": 0},
        {"more": 1},
        {"machine": ""},
    ):
        write_json(path, whole | {"records": [a_record("import", **wrong)]})
        with pytest.raises(UserError, match=r"bench\.json: .*make bench"):
            speed.read(path)
    record = a_record("import")
    del record["spread"]
    write_json(path, whole | {"records": [record]})
    with pytest.raises(UserError, match="spread"):
        speed.read(path)


def test_the_schema_of_speed_knows_the_cases_of_the_page():
    schema = json.loads((ROOT / "src/flatminima/provenance/schemas/bench.schema.json").read_text())
    of_record = schema["properties"]["records"]["items"]["properties"]
    assert of_record["case"]["enum"] == [*speed.CASES]
