import os
from collections import namedtuple
from pathlib import Path

from snakemake.exceptions import WorkflowError

from flatminima import configuration, devices
from flatminima.data.official import DOWNLOADS
from flatminima.data.sources import IMAGE_SOURCES
from flatminima.errors import UserError
from flatminima.experiments import mode_connectivity, optimizers
from flatminima.experiments.experiment import factor_name, source_of
from flatminima.formats.perturbations import DIRECTIONS
from flatminima.figure_record import SUFFIXES
from flatminima.data.names import name_of
from flatminima.provenance.freshness import settle
from flatminima.provenance.published import RECORD
from flatminima.provenance.recipe import FIGURE
from flatminima.report.published_runs import shown_runs

# As the manifests record them: relative to the project.
CONFIG_FILES = [
    os.path.relpath(file)
    for file in ["config.yaml", *(workflow.overwrite_configfiles or [])]
]

try:
    config = configuration.checked(config, configuration.SCHEMA, CONFIG_FILES)
    # For the manifests: what a job is handed of the configuration besides its recipe.
    config["config_files"] = CONFIG_FILES
    RESULTS = f"results/{config['scale']}"
    # Gives results the times their manifests record, so that Snakemake's look at times tells the
    # truth after a copy, a fresh clone or a touch.
    LEDGER = settle(RESULTS, root=workflow.basedir)
except UserError as error:
    raise WorkflowError(str(error)) from None

# What the run is made of; an overlay may leave experiments out.
EXPERIMENTS = configuration.experiments(config)

# What its report has a part for.
REPORTED = configuration.reported(config)

# Published runs, which the report shows beside this one.
PUBLISHED = shown_runs(Path(), REPORTED)

# The data sets on which networks are trained at a row of poison factors.
DATASETS = configuration.poisoned(config)

# The one of them whose points are images and whose networks are convolutional.
IMAGES = "images"

# The data set whose points lie in the plane, so that a decision boundary can be drawn.
PLANAR = "swiss_roll"

# What titles of figures call the data sets.
CALLED = {PLANAR: "the swiss roll", IMAGES: "images"}

# Jobs that train or scan queue for the GPU where there is one; without one they share the cores.
GPU = int(devices.wants_gpu(config["device"]))


def one_of(names):
    """A wildcard's constraint: one of some names, and nothing at all without names."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    dataset=one_of(DATASETS),
    poison="[0-9.e-]+",
    gap="[0-9.e-]+",


# Only for --software-deployment-method apptainer: an image in which requirements.lock is installed.
container: "docker://python:3.11"


def recipe(name, *files):
    """The input function of a rule's recipe: what its job is made from besides its other inputs.

    The recipe file is rewritten only when its content changes, so its time says what is stale.
    """

    def recipe_of(wildcards):
        wildcards = dict(wildcards)
        settings = configuration.block(config, name, wildcards)
        return written_recipe(name, wildcards, settings, files)

    return recipe_of


def written_recipe(name, wildcards, settings, files=(), modules=()):
    """The path of the recipe of one job, which is brought up to date."""
    script = f"workflow/scripts/{name}.py"
    try:
        return LEDGER.recipe(name, wildcards, settings, script, files, modules=modules)
    except UserError as error:
        raise WorkflowError(str(error)) from None


def recorded(**outputs):
    """Outputs of a rule together with the manifest that its job writes beside each."""
    manifests = {
        f"{name}_manifest": f"{path}.manifest.json" for name, path in outputs.items()
    }
    return {**outputs, **manifests}


def all_factors(pattern):
    """An input function: one file per poison factor of the job's data set, in rising order."""

    return lambda wildcards: every_factor(pattern, wildcards.dataset)


def every_factor(pattern, dataset):
    """One file per poison factor of one data set, in rising order."""
    training = config["experiments"][dataset]["training"]
    names = map(factor_name, training["poison_factors"])
    return expand(pattern, dataset=dataset, poison=names)


# Every figure of this run, in the order in which they are declared.
FIGURES = []

Figure = namedtuple("Figure", "name stem files drawn_by title settings inputs")


def figure(stem, drawn_by=None, suffixes=SUFFIXES, title=None, settings=None, **inputs):
    """Declare a figure, beside the rule that makes what it is drawn from.

    The files ``<stem>.<suffix>`` are made by a module of ``flatminima.figures``, which has the
    name of the figure unless ``drawn_by`` says otherwise, and is handed the inputs and the settings
    by their names. A module that draws one figure has its title; one that draws several is told it.
    """
    name = stem if suffixes is SUFFIXES else f"{stem}.{suffixes[0]}"
    files = {
        suffix.replace(".", "_"): f"{RESULTS}/report/figures/{stem}.{suffix}"
        for suffix in suffixes
    }
    drawn_by = drawn_by or stem.replace("-", "_")
    FIGURES.append(Figure(name, stem, files, drawn_by, title, settings or {}, inputs))


def figure_recipe(declared):
    """The input function of a figure's recipe; its module is code of the job too."""
    modules = [f"flatminima.figures.{declared.drawn_by}"]
    settings = {
        "module": declared.drawn_by,
        "title": declared.title,
        "settings": declared.settings,
    }
    return lambda _: written_recipe(
        FIGURE, {"figure": declared.name}, settings, modules=modules
    )


def of_dataset(pattern, dataset):
    """The one file of a pattern that belongs to a data set."""
    return expand(pattern, dataset=dataset)[0]


def extreme_factors(pattern):
    """An input function: the files of the smallest and the largest poison factor."""
    return lambda wildcards: [all_factors(pattern)(wildcards)[i] for i in (0, -1)]


def all_gaps(pattern):
    """One file per gap between the rings, in rising order."""
    gaps = config["experiments"]["rings"]["training"]["gaps"]
    return expand(pattern, gap=map(factor_name, gaps))


def pinched(pattern):
    """The one file of a pattern that belongs to the smallest gap between the rings."""
    return all_gaps(pattern)[0]


def image_files(wildcards):
    """The files that hold the images, as inputs whose times say nothing.

    The time of the recipe does: the ledger compares their content.
    """
    if wildcards.dataset != IMAGES:
        return []
    try:
        return [*map(ancient, configuration.image_files(config, CONFIG_FILES))]
    except UserError as error:
        raise WorkflowError(str(error)) from None


# By experiment, the files that it is measured by, under the names that its record reads.
MEASURED = {}


def measured(experiment, **files):
    """Declare the files that an experiment is measured by."""
    MEASURED[experiment] = files
