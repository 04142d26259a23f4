import json
import shutil
from pathlib import Path

import jsonschema
import pytest
import yaml

from flatminima.configuration import (
    RENAMED,
    block,
    checked,
    experiments,
    image_files,
    load,
    overlay,
    poisoned,
    read_schema,
)
from flatminima.errors import ConfigError
from flatminima.experiments import EXPERIMENTS
from flatminima.experiments.experiment import factor_name
from flatminima.experiments.mode_connectivity import connected
from flatminima.figures.skip_connections import SKIPS

ROOT = Path(__file__).parents[1]
DEFAULT = ROOT / "config.yaml"
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"


def config():
    return load([DEFAULT], SCHEMA)


@pytest.mark.parametrize("scale", sorted((ROOT / "workflow" / "scales").glob("*.yaml")), ids=str)
def test_every_shipped_scale_is_valid_and_has_its_own_folder(scale):
    loaded = load([DEFAULT, scale], SCHEMA)
    assert loaded["scale"] == scale.stem != config()["scale"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("experiments: {swiss_roll: {training: {poison_factors: [0, 1.2]}}}",
         "over.yaml: experiments.swiss_roll.training.poison_factors[1] is 1.2; "
         "a poison factor is a fraction in [0, 1)"),
        ("experiments: {swiss_roll: {training: {poison_factors: [0, 1]}}}",
         "over.yaml: experiments.swiss_roll.training.poison_factors[1] is 1; "
         "a poison factor is a fraction in [0, 1)"),
        ("experiments: {images: {training: {poison_factors: [0, -0.1]}}}",
         "poison_factors[1] is -0.1; a poison factor is a fraction in [0, 1)"),
        ("experiments: {images: {training: {poison_factors: [0.1, 0.5]}}}",
         "poison_factors is [0.1, 0.5]; list the factors in rising order from 0"),
        ("experiments: {images: {training: {poison_factors: [0, 0.8]}}}",
         "poison_factors[1] is 0.8; with 400 training points this takes 1600 poison points, "
         "but there are 1000"),
        ("experiments: {images: {training: {seeds: 0}}}",
         "over.yaml: experiments.images.training.seeds is 0; it must be a whole number"),
        ("experiments: {images: {training: {seed: 3}}}",
         "over.yaml: experiments.images.training.seed is not a known key; did you mean seeds?"),
        ("colour: red", "over.yaml: colour is not a known key; the keys here are device, "),
        ("seed: yes", "over.yaml: seed is True; the root seed is a whole number"),
        ("seed: 1\nseed: 2", "the key 'seed' stands twice"),
        ("geometry: {cutoffs: [1.0, 0.5]}", "list the cutoffs in rising order"),
        ("parts: {seeds: 5}", "parts.seeds is 5; images has 4 seeds; ask for that many parts"),
        ("parts: {directions: 25}", "images has 24 directions; ask for that many parts at most"),
        ("parts: {directions: 0}", "parts.directions is 0; it must be a whole number from 1 to "),
        ("geometry: 3", "over.yaml: geometry is 3; how basins are measured"),
        ("scale: ../x", "over.yaml: scale is '../x'; the name of a run's folder"),
        ("experiments: {images: {training: {seeds: 6.0}}}",
         "training.seeds is 6.0; it must be a whole number"),
        ("experiments: {images: {training: {precision: float16}}}",
         "training.precision is 'float16'; the precision of training is auto, float32 or bfloat16"),
        ("experiments: {images: {training: {learning_rate: .nan}}}",
         "training.learning_rate is nan; the learning rate is a number above 0"),
        ("experiments: {images: {training: {learning_rate: '1e-3'}}}",
         "learning_rate is '1e-3'; the learning rate is a number above 0 "
         "(it is text here: write 0.001)"),
        ("experiments: {images: {training: {seeds: 010}}}",
         "training.seeds is '010'; it must be a whole number from 1 to 10,000 "
         "(it is text here: write 10)"),
        (f"experiments: {{images: {{training: {{learning_rate: {10**400}}}}}}}",
         "; the learning rate is a number above 0"),
        ("experiments: {images: {data: {folder: 'raw/{x}'}}}",
         "data.folder is 'raw/{x}'; the folder is a path without braces and backslashes"),
        ('scale: "smoke\\n"', "over.yaml: scale is 'smoke\\n'; the name of a run's folder"),
        ("experiments: {images: {training: {poison_factors: [0, 0.001]}}}",
         "poison_factors[1] is 0.001; with 400 training points this takes no poison point at all"),
        ("experiments: {minefield: {descent: {epochs: 20, every: 10}, embedding: {components: 3}}}",
         "config.yaml: experiments.minefield.embedding.perplexity is 30; there are 6 points to "
         "embed, two for each iterate that the descent keeps, and a perplexity is below their "
         "number; lower it or keep more iterates"),
        ("experiments: {minefield: {embedding: {others: [5, 402]}}}",
         "over.yaml: experiments.minefield.embedding.others[1] is 402; there are 402 points"),
        ("experiments: {minefield: {embedding: {others: [5, 30]}}}",
         "embedding.others[1] is 30; it is the perplexity already"),
        ("experiments: {minefield: {embedding: {components: 403}}}",
         "embedding.components is 403; there are 402 points to embed, two for each iterate that "
         "the descent keeps, which have no more principal components"),
        ("experiments: {minefield: {settle: {poison_factor: 1}}}",
         "minefield.settle.poison_factor is 1; a poison factor is a fraction in [0, 1)"),
        ("experiments: {rings: {training: {gaps: [0.1, 0.01]}}}",
         "experiments.rings.training.gaps is [0.1, 0.01]; list the gaps in rising order"),
        ("experiments: {rings: {training: {gaps: [0.1, 0.55]}}}",
         "training.gaps[1] is 0.55; a gap ends before the outer ring, 0.55 from the inner one"),
        ("experiments: {rings: {training: {gaps: [0.0001, 0.1]}}}",
         "training.gaps[0] is 0.0001; the circle built of 100 units is a polygon that takes a gap "
         "above 0.0002; widen the gap or the first hidden layer"),
        ("experiments: {rings: {network: {hidden: [20, 100]}}}",
         "training.gaps[0] is 0.001; the circle built of 20 units is a polygon that takes a gap "
         "above 0.005"),
        ("experiments: {rings: {network: {hidden: [2, 100]}}}",
         "network.hidden[0] is 2; the circle takes three or more units"),
        ("experiments: {rings: {survey: {angles: 4}}}",
         "survey.angles is 4; the number of angles is a whole number from 8 to"),
        ("experiments: {rings: {circle: {noise: 0}}}",
         "circle.noise is 0; the noise of the rough copy is a number above 0"),
        ("experiments: {images: {survey: {points: 500}}}",
         "survey.points is 500; there are 400 training points; null takes all"),
        ("experiments: {images: null}",
         "over.yaml: experiments.images is None; architectures rests on it; "
         "leave architectures out too"),
        ("experiments: {random_labels: {copies: [1, 2]}}",
         "random_labels.copies is [1, 2]; list the copies in rising order from 0"),
        ("experiments: {random_labels: {second: {step: 3}}}",
         "random_labels.second.step is not a known key; did you mean steps?"),
        ("experiments: {swiss_roll: null}",
         "over.yaml: experiments.swiss_roll is None; random_labels rests on it; "
         "leave random_labels out too"),
        ("experiments: {rings: null, minefield: null, swiss_roll: null, images: null, "
         "architectures: null, optimizers: null, random_labels: null, skip_connections: null, "
         "flatness: null, volumes: null, decisive: null, mode_connectivity: null}",
         "experiments is {"),
        ("experiments: {decisive: {prior: {points: [20, 10]}}}",
         "decisive.prior.points is [20, 10]; list different numbers of points in rising order"),
        ("experiments: {decisive: {flipped: {flips: [1, 2]}}}",
         "decisive.flipped.flips is [1, 2]; list different numbers of flipped labels in rising"),
        ("experiments: {decisive: {flipped: {flips: [0, 5]}}}",
         "decisive.flipped.flips is [0, 5]; there are 4 points whose labels can be flipped"),
        ("experiments: {decisive: {flipped: {loss: 0.05}}}",
         "decisive.flipped.loss is 0.05; every point is right only where the mean loss is below"),
        ("experiments: {decisive: {minima: {cutoff: 0.01}}}",
         "decisive.minima.cutoff is 0.01; networks are brought to a common loss of 0.02"),
        ("experiments: {random_labels: {poisoned: 7}}",
         "over.yaml: experiments.random_labels.poisoned is 7; there are 6 networks at each"),
        ("experiments: {flatness: {batch: 101}}",
         "over.yaml: experiments.flatness.batch is 101; two disjoint minibatches of"),
        ("experiments: {flatness: {layer: 6}}",
         "over.yaml: experiments.flatness.layer is 6; there are 6 hidden layers"),
        ("experiments: {volumes: {networks: 7}}",
         "over.yaml: experiments.volumes.networks is 7; "
         "there are 6 networks at each poison factor"),
        ("experiments: {swiss_roll: {training: {seeds: 1}}, random_labels: null, volumes: null}",
         "over.yaml: experiments.swiss_roll.training.seeds is 1; a curve connects two networks"),
        ("experiments: {images: null, architectures: null, optimizers: null, "
         "skip_connections: null}",
         "over.yaml: experiments.images is None; mode_connectivity.images connects its minima; "
         "leave that out too (null)"),
        ("experiments: {mode_connectivity: {images: null, swiss_roll: null}}",
         "connect the minima of one data set at least, or leave mode_connectivity"),
        ("experiments: {mode_connectivity: {images: {batch: 500}}}",
         "over.yaml: experiments.mode_connectivity.images.batch is 500; "
         "there are 400 training points"),
        ("experiments: {mode_connectivity: {images: {kind: line}}}",
         "experiments.mode_connectivity.images.kind is 'line'; "
         "the kind of the paths is bezier or polychain"),
        ("experiments: {paths: {images: {steps: 3}}}",
         "over.yaml: experiments.paths is not a known key; "
         "it is called experiments.mode_connectivity now"),
        ("experiments: {random_labels: {matched_loss: 0.1}}",
         "it is called experiments.random_labels.common_loss now"),
        ("geometry: {volumes: {networks: 7}}", "it is called experiments.volumes now"),
        ("only: [sharp]", "over.yaml: only[0] is 'sharp'; the experiments are architectures, "),
        ("only: [flatness]",
         "over.yaml: only is ['flatness']; flatness rests on swiss_roll; list swiss_roll too"),
        ("experiments: {rings: 3}",
         "over.yaml: experiments.rings is 3; the keys here are data, network, training"),
        ("seed: 3", "over.yaml: scale is still 'laptop'; an overlay names a scale of its own"),
        ("a: [", "over.yaml: not valid YAML"),
        ("- a", "over.yaml: holds ['a']; expected a mapping"),
        ("", "over.yaml: holds None; expected a mapping"),
    ],
)  # fmt: skip
def test_a_wrong_overlay_is_told_by_file_key_value_and_cure(tmp_path, text, message):
    (tmp_path / "over.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load([DEFAULT, tmp_path / "over.yaml"], SCHEMA)
    assert message in str(caught.value)


def leaves(value, path=()):
    """Every setting that is neither a list nor a mapping, with its keys."""
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, (*path, key))
    else:
        yield path, value


def rewritten(change):
    """The default configuration with every number written as ``change`` says of keys and value."""
    whole = yaml.safe_load(DEFAULT.read_text())
    numbers = [it for it in leaves(whole) if isinstance(it[1], int | float)]
    for path, value in numbers:
        inner = whole
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = change(path, value)
    return whole


@pytest.mark.parametrize("absurd", [10**30, -(10**30)])
def test_no_count_or_size_may_be_absurd(absurd):
    """A run of 10³⁰ seeds is refused where it is written, not by memory or an overflow."""
    counts = [path for path, value in leaves(config()) if type(value) is int]
    whole = rewritten(lambda path, value: absurd if path in counts else value)
    errors = jsonschema.Draft202012Validator(read_schema(SCHEMA)).iter_errors(whole)
    refused = {tuple(error.absolute_path) for error in errors}
    assert len(counts) > 100
    assert [path for path in counts if path not in refused] == []
    with pytest.raises(ConfigError, match=f"is {absurd}; "):
        checked(whole, SCHEMA, [DEFAULT])


def test_a_number_is_one_setting_however_it_is_written(tmp_path):
    """Recipes are the same then, so that nothing is made again."""
    default = config()
    measures = {path for path, value in leaves(default) if isinstance(value, float)}

    def change(path, value):
        if path[-1] == "depth":
            return float(value)
        return int(value) if path in measures and value == int(value) else value

    assert len(measures) > 50
    assert json.dumps(checked(rewritten(change), SCHEMA, [DEFAULT])) == json.dumps(default)
    overlays = set()
    for nothing, small, one in (
        ("0", "1e-3", "1"),
        ("0.0", "0.001", "1.0"),
        ("-0.0", "1.0E-03", "1."),
    ):
        (tmp_path / "over.yaml").write_text(
            f"scale: over\ngeometry: {{cutoffs: [{small}, {one}]}}\n"
            f"experiments: {{swiss_roll: {{data: {{noise: {nothing}}}}}}}"
        )
        overlays.add(json.dumps(load([DEFAULT, tmp_path / "over.yaml"], SCHEMA)))
    assert len(overlays) == 1


def test_a_missing_key_is_named(tmp_path):
    whole = yaml.safe_load(DEFAULT.read_text())
    del whole["experiments"]["images"]["training"]["epochs"]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(whole))
    with pytest.raises(ConfigError, match=r"experiments\.images\.training\.epochs is missing"):
        load([tmp_path / "config.yaml"], SCHEMA)


def test_the_error_names_the_file_whose_value_counts(tmp_path):
    (tmp_path / "one.yaml").write_text("seed: -1")
    (tmp_path / "two.yaml").write_text("device: cpu")
    with pytest.raises(ConfigError, match=r"one\.yaml: seed is -1"):
        load([DEFAULT, tmp_path / "one.yaml", tmp_path / "two.yaml"], SCHEMA)


def left_out(tmp_path, *names):
    experiments = ", ".join(f"{name}: null" for name in names)
    (tmp_path / "over.yaml").write_text(f"scale: less\nexperiments: {{{experiments}}}")
    return load([DEFAULT, tmp_path / "over.yaml"], SCHEMA)


def test_only_what_is_listed_is_kept(tmp_path):
    (tmp_path / "over.yaml").write_text("scale: less\nonly: [images, skip_connections]")
    few = load([DEFAULT, tmp_path / "over.yaml"], SCHEMA)
    assert few == left_out(tmp_path, *EXPERIMENTS.keys() - {"images", "skip_connections"})
    assert experiments(few) == ["images", "skip_connections"]


@pytest.mark.parametrize("key", RENAMED)
def test_every_renamed_key_is_gone_and_its_new_name_is_there(key):
    def there(dotted):
        value = config()
        for part in dotted.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value is not None

    assert not there(key)
    assert there(RENAMED[key])


def test_an_experiment_that_is_null_is_left_out(tmp_path):
    others = set(experiments(config())) - {"images"}
    alone = left_out(tmp_path, *others)
    assert experiments(alone) == poisoned(alone) == ["images"]
    told = {"scale": "less", "experiments": ["images"], "note": ""}
    assert block(alone, "report", {}) == told
    judged = block(alone, "claims", {})
    assert judged["reported"] == list(judged["experiments"]) == ["images"]
    wildcards = {"dataset": "images", "poison": "0.5"}
    assert block(alone, "images_train", wildcards) == block(config(), "images_train", wildcards)


REST_ON_IT = {"swiss_roll": ("random_labels", "flatness", "volumes", "mode_connectivity")}


@pytest.mark.parametrize(
    ("name", "rule", "wildcards"),
    [
        ("swiss_roll", "train", {"dataset": "swiss_roll", "poison": "0"}),
        ("minefield", "minefield_search", {}),
        ("minefield", "dataset", {"dataset": "minefield"}),
        ("rings", "rings_train", {"gap": "0.001"}),
        ("random_labels", "random_labels_train", {}),
    ],
)
def test_the_jobs_of_an_experiment_that_is_left_out_get_no_settings(
    tmp_path, name, rule, wildcards
):
    assert block(config(), rule, wildcards)
    with pytest.raises(KeyError):
        # What rests on the swiss roll goes with it.
        block(left_out(tmp_path, name, *REST_ON_IT.get(name, ())), rule, wildcards)


def test_paths_read_their_own_settings_and_the_network_they_join():
    jobs = [("mode_connectivity", {"dataset": name}) for name in ("swiss_roll", "images")]

    def moved(change):
        changed = overlay(config(), {"experiments": change})
        return [job for job in jobs if block(config(), *job) != block(changed, *job)]

    assert moved({"mode_connectivity": {"images": {"steps": 3}}}) == jobs[1:]
    assert moved({"swiss_roll": {"network": {"hidden": [3]}}}) == jobs[:1]
    assert moved({"swiss_roll": {"training": {"seeds": 9}}}) == []
    assert moved({"images": {"survey": {"directions": 9}}}) == []


def test_paths_of_one_data_set_can_be_left_out(tmp_path):
    (tmp_path / "over.yaml").write_text(
        "scale: less\nexperiments: {mode_connectivity: {images: null}}"
    )
    less = load([DEFAULT, tmp_path / "over.yaml"], SCHEMA)
    assert connected(config()) == ("swiss_roll", "images")
    assert connected(less) == tuple(block(less, "claims", {})["experiments"]["mode_connectivity"])
    assert connected(less) == ("swiss_roll",)
    assert block(less, "report", {})["experiments"][-1] == "mode_connectivity.swiss_roll"
    with pytest.raises(KeyError):
        block(less, "mode_connectivity", {"dataset": "images"})


def test_overlays_merge_mappings_and_replace_lists():
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 3}
    assert overlay(base, {"a": {"c": [5]}}) == {"a": {"b": 1, "c": [5]}, "d": 3}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 3}


def test_a_train_block_holds_one_factor_and_nothing_of_geometry_or_of_the_others():
    wildcards = {"dataset": "swiss_roll", "poison": "0.15"}
    before = block(config(), "train", wildcards)
    assert before["poison_factor"] == 0.15
    changed = config()
    changed["geometry"]["directions"] = 9
    changed["device"] = "cpu"
    changed["experiments"]["images"]["training"]["seeds"] = 9
    changed["experiments"]["swiss_roll"]["training"]["poison_factors"] = [0, 0.15, 0.9]
    assert block(changed, "train", wildcards) == before
    changed["experiments"]["swiss_roll"]["training"]["hold"] = 0.9
    assert block(changed, "train", wildcards) != before


@pytest.mark.parametrize(
    ("rule", "keys"),
    [
        ("minefield_descent", ("descent",)),
        ("minefield_search", ("search", "settle")),
        ("minefield_embedding", ("embedding",)),
    ],
)
def test_each_job_of_the_minefield_reads_its_own_settings_alone(rule, keys):
    before = block(config(), rule, {})
    for stage in ("descent", "search", "settle", "embedding"):
        changed = config()
        # The weight decay of the descent is that of the search, too.
        for key in changed["experiments"]["minefield"][stage].keys() - {"weight_decay"}:
            changed["experiments"]["minefield"][stage][key] = 0.123
        assert (block(changed, rule, {}) != before) == (stage in keys)
    changed = config()
    changed["experiments"]["minefield"]["descent"]["weight_decay"] = 0.123
    assert (block(changed, rule, {}) != before) == (rule != "minefield_embedding")


def test_a_block_of_the_rings_holds_its_own_gap_and_what_it_reads():
    before = {
        rule: block(config(), rule, {"gap": "0.01"})
        for rule in (
            *("rings_dataset", "rings_train", "rings_circle", "rings_survey", "rings_sharpness"),
            "claims",
        )
    }
    assert before["rings_dataset"]["gap"] == 0.01
    # What a network is trained on is in its input.
    assert not {"gap", "gaps"} & before["rings_train"].keys()
    with pytest.raises(StopIteration):
        block(config(), "rings_train", {"gap": "0.02"})

    def stale(change):
        changed = config()
        change(changed["experiments"]["rings"], changed["geometry"])
        return {r for r in before if block(changed, r, {"gap": "0.01"}) != before[r]}

    assert stale(lambda rings, _: rings["training"]["gaps"].insert(3, 0.02)) == {"rings_survey"}
    assert stale(lambda rings, _: rings["training"].update(seeds=9)) == {"rings_train"}
    assert stale(lambda rings, _: rings["training"].update(steps=9)) == {"rings_train", "claims"}
    assert stale(lambda rings, _: rings["circle"].update(noise=9)) == {"rings_circle", "claims"}
    assert stale(lambda _, geometry: geometry.update(slice_points=9)) == {"rings_sharpness"}
    assert stale(lambda _, geometry: geometry.update(directions=9)) == {"claims"}


def test_factor_names_tell_factors_apart_and_are_short():
    assert factor_name(0) == "0"
    assert factor_name(0.35) == "0.35"
    assert factor_name(0.1) != factor_name(0.1000001)


def of_images(**data):
    return overlay(config(), {"experiments": {"images": {"data": data}}})


def test_digits_come_from_no_files_and_other_images_from_the_folder_that_is_named(tmp_path):
    assert image_files(config(), [DEFAULT]) == []
    for name in ("train_32x32.mat", "test_32x32.mat"):
        (tmp_path / name).touch()
    named = of_images(source="svhn", folder=str(tmp_path))
    assert image_files(named, [DEFAULT]) == [
        f"{tmp_path}/train_32x32.mat",
        f"{tmp_path}/test_32x32.mat",
    ]


def test_a_folder_of_images_that_is_not_there_is_told_by_its_key_and_file(tmp_path):
    over = tmp_path / "over.yaml"
    over.write_text("scale: x\nexperiments: {images: {data: {source: svhn, folder: ../raw}}}")
    with pytest.raises(
        ConfigError,
        match=r"over\.yaml: experiments\.images\.data\.folder is '\.\./raw'; there is no such "
        "folder; correct it, or set it to null to download",
    ):
        image_files(load([DEFAULT, over], SCHEMA), [DEFAULT, over])


def test_fewer_training_files_of_cifar10_will_do_unless_they_are_to_be_official(tmp_path):
    for name in ("data_batch_1.bin", "test_batch.bin"):
        (tmp_path / name).touch()
    some = {"source": "cifar10", "folder": str(tmp_path)}
    assert len(image_files(of_images(**some, checksums="any"), [DEFAULT])) == 2
    with pytest.raises(ConfigError, match=r"does not hold data_batch_2\.bin, .*; put the files"):
        image_files(of_images(**some), [DEFAULT])


def test_an_architecture_lacks_no_setting_and_may_keep_those_of_another(tmp_path):
    over = tmp_path / "over.yaml"
    over.write_text("scale: other\nexperiments: {images: {network: {architecture: quadratic}}}\n")
    with pytest.raises(
        ConfigError, match=r"images\.network\.side is missing; the architecture quadratic takes"
    ):
        load([DEFAULT, over], SCHEMA)
    over.write_text("scale: other\nexperiments: {images: {network: {architecture: resnet18}}}\n")
    assert load([DEFAULT, over], SCHEMA)["experiments"]["images"]["network"] == {
        "architecture": "resnet18", "depth": 8, "width": 8,
    }  # fmt: skip


@pytest.mark.parametrize("rule", ["basins", "slices", "subsets"])
def test_only_surveys_of_images_read_the_statistics_and_their_batch_where_it_counts(rule):
    changed = overlay(config(), {"experiments": {"images": {"survey": {"batch_norm": "batch"}}}})
    wildcards = {"dataset": "images", "poison": "0"}
    before, after = (block(each, rule, wildcards)["evaluation"] for each in (config(), changed))
    batch = {"batch": config()["experiments"]["images"]["training"]["batch"]}
    assert before == {"batch_norm": "frozen"} | (batch if rule == "subsets" else {})
    assert after == {"batch_norm": "batch"} | batch
    if rule != "subsets":
        assert "evaluation" not in block(config(), rule, {"dataset": "swiss_roll", "poison": "0"})


def test_the_job_of_a_model_or_an_optimizer_reads_its_own_settings_alone():
    jobs = [
        *(("architectures_train", {"model": m}) for m in ("resnet18", "comparable", "linear")),
        *(("optimizers_train", {"optimizer": o}) for o in ("adam", "sgd")),
    ]

    def blocks(settings):
        return [block(settings, rule, wildcards) for rule, wildcards in jobs]

    def moved(change):
        changed = config()
        change(changed["experiments"])
        pairs = zip(jobs, blocks(config()), blocks(changed), strict=True)
        return [next(iter(job[1].values())) for job, before, after in pairs if before != after]

    adam = block(config(), *jobs[3])
    assert (adam["optimizer"], adam["learning_rate"]) == ("adam", 0.01)

    def set_model(experiments):
        experiments["architectures"]["models"]["linear"]["seeds"] = 9

    def set_rate(experiments):
        experiments["optimizers"]["learning_rates"]["sgd"] = 0.5

    def set_epochs(experiments):
        experiments["architectures"]["epochs"] = 2

    assert moved(set_model) == ["linear"]
    assert moved(set_rate) == ["sgd"]
    assert moved(set_epochs) == ["resnet18", "comparable", "linear"]
    with pytest.raises(KeyError):
        block(config(), "optimizers_train", {"optimizer": "unknown"})


def test_training_with_skips_and_surveys_read_what_is_theirs():
    jobs = [
        (f"skip_connections_{job}", {"skips": kind})
        for job in ("train", "survey")
        for kind in SKIPS
    ]
    before = [block(config(), *job) for job in jobs]
    assert [each["skips"] for each in before] == [True, False, True, False]

    def moved(**settings):
        changed = config()
        surfaces = changed["experiments"]["skip_connections"]
        surfaces |= {name: value for name, value in settings.items() if name in surfaces}
        surfaces["survey"] |= {n: v for n, v in settings.items() if n in surfaces["survey"]}
        pairs = zip(before, (block(changed, *job) for job in jobs), strict=True)
        return [one != other for one, other in pairs]

    assert moved(epochs=1) == [True, True, False, False]
    assert moved(grid_points=7) == [False, False, True, True]
    assert moved(depths=[8, 14]) == [True] * 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            "{depths: [44, 20]}",
            "skip_connections.depths is [44, 20]; list the depths in rising order",
        ),
        (
            "{survey: {grid_points: 24}}",
            "skip_connections.survey.grid_points is 24; a number of grid points is odd",
        ),
        (
            "{survey: {points: 500}}",
            "skip_connections.survey.points is 500; there are 400 training",
        ),
    ],
)
def test_surfaces_that_cannot_be_made_are_told(tmp_path, settings, message):
    (tmp_path / "over.yaml").write_text(
        f"scale: over\nexperiments: {{skip_connections: {settings}}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load([DEFAULT, tmp_path / "over.yaml"], SCHEMA)
    assert message in str(caught.value)


@pytest.mark.parametrize("part", ["config.schema.yaml", "experiments/rings.yaml"])
def test_a_schema_that_is_cut_off_is_named(tmp_path, part):

    folder = shutil.copytree(SCHEMA.parent, tmp_path / "schemas")
    content = (folder / part).read_bytes()
    for size in range(0, len(content) - 100, len(content) // 12):
        (folder / part).write_bytes(content[:size])
        with pytest.raises(ConfigError, match=r"\A[^\n]+\Z"):
            load([DEFAULT], folder / SCHEMA.name)
