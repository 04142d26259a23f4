import os
import re
import sys
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

from snakemake.io import Mtime
from snakemake_interface_executor_plugins.settings import ExecMode

from flatminima import configuration, devices
from flatminima.data.official import DOWNLOADS
from flatminima.data.sources import IMAGE_SOURCES
from flatminima.errors import UserError
from flatminima.experiments import mode_connectivity, optimizers
from flatminima.experiments.experiment import factor_name, source_of
from flatminima.figure_record import SUFFIXES
from flatminima.data.names import name_of
from flatminima.place import ensure_plain
from flatminima.provenance.plan import Begun, Plan, ensure_writable
from flatminima.provenance.job import PARTS
from flatminima.provenance.published import RECORD
from flatminima.provenance.recipe import FIGURE
from flatminima.report.pages import pages_of
from flatminima.report.published_runs import shown_runs

# As the manifests record them: relative to the project. Snakemake's own reader would say of a file
# that is no YAML neither which nor where.
CONFIG_FILES = [
    os.path.relpath(file)
    for file in ["config.yaml", *(workflow.overwrite_configfiles or [])]
]
workflow.configfiles.append(CONFIG_FILES[0])

try:
    ensure_plain(sys.executable)
    given = workflow.config_settings.config
    config = configuration.load(CONFIG_FILES, configuration.SCHEMA, given)
    # For the manifests: what a job is handed of the configuration besides its recipe.
    config["config_files"] = CONFIG_FILES
    RESULTS = f"results/{config['scale']}"
    # A job that an engine runs elsewhere evaluates this anew; planning is done by then.
    if ELSEWHERE := workflow.exec_mode == ExecMode.REMOTE:
        PLAN = Begun(RESULTS, workflow.basedir)
    else:
        PLAN = Plan(
            RESULTS, workflow.basedir, listing=os.environ.get("FLATMINIMA_PLAN")
        )
    # Published runs, which the report shows beside this one.
    PUBLISHED = shown_runs(Path(), configuration.reported(config), config["scale"])
except UserError as error:
    raise SystemExit(str(error)) from None

# What the run is made of; an overlay may leave experiments out.
EXPERIMENTS = configuration.experiments(config)

# What its report has a part for.
REPORTED = configuration.reported(config)

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

# What every job asks an engine for. At laptop scale the largest takes a quarter of that memory.
# Profiles set others for a rule by ``set-resources``.
MEMORY_MB = 4000
MINUTES = 24 * 60


def one_of(names):
    """A wildcard's constraint: one of some names, and nothing at all without names."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    dataset=one_of(DATASETS),
    poison="[0-9.e-]+",
    gap="[0-9.e-]+",


# How many jobs do what one would, where a rule can be split and the configuration asks for it.
scattergather:
    **config["parts"],


# Only for --software-deployment-method apptainer: an image in which requirements.lock is installed.
container: "docker://python:3.11"


def planned(name, wildcards, settings, inputs, files=(), modules=(), script=None):
    """The path of the recipe of one job, and to Snakemake the news whether it is stale."""
    try:
        if not ELSEWHERE and not PLAN.recipes:
            tell_times()
        path = PLAN.recipe(
            name,
            wildcards,
            settings,
            f"workflow/scripts/{script or name}.py",
            files,
            modules=modules,
            inputs={key: paths_of(value, wildcards) for key, value in inputs.items()},
        )
    except UserError as error:
        raise SystemExit(str(error)) from None
    return path if ELSEWHERE else timed(path, stale=path in PLAN.stale)


def paths_of(files, wildcards):
    """The paths that an input of a rule stands for in one job."""
    if callable(files):
        files = files(SimpleNamespace(**wildcards))
    listed = [files] if isinstance(files, str) else files
    return [str(file).format(**wildcards) for file in listed]


def timed(path, stale=False):
    """Have Snakemake take a file for there, and for newer than all results if it makes them stale.

    What is stale is told by content; all that Snakemake knows are times. In its cache of them, results
    have one time, whatever a copy, a clone or a touch did to that of the file, and recipes that
    make their job stale have a later one. It forgets them once the run has begun.
    """
    workflow.iocache.exists_local[path] = True
    workflow.iocache.mtime[path] = Mtime(local=float(1 + stale))
    # Of no file a checksum is asked for, for which it would have to be there.
    workflow.iocache.size[path] = 1
    return path


def tell_times():
    """Tell Snakemake of all results that are there, before it looks at any."""
    if workflow.exec_mode == ExecMode.DEFAULT:
        lock_apart()
        if workflow.local_exec:
            # To keep to a number of jobs a second, Snakemake looks for ready ones a second after
            # each look, with a thread for every job that began: a tenth of a core after a hundred.
            workflow.scheduling_settings.max_jobs_per_timespan = None
        if not workflow.dryrun:
            ensure_writable(Path(RESULTS))
    known = set(PLAN.outputs)
    for path in known.union(map(str, Path(RESULTS).rglob("*"))):
        timed(path)
        # What has no manifest is no result, such as the page of a run that failed.
        if path not in known:
            workflow.iocache.mtime[path] = Mtime(local=0.5)


def lock_apart():
    """Give the locks of this scale a folder of their own, so that two scales can run at once.

    In the folder that is common to all, the run that ends first deletes the locks of the other, or
    the folder itself while the other writes there. ``--unlock`` clears all of them.
    """
    locks = os.path.join(workflow.persistence.path, "locks", config["scale"])
    persistence = workflow.persistence
    persistence._lockdir = locks
    if workflow.dryrun:
        return
    os.makedirs(locks, exist_ok=True)
    read = persistence._read_locks

    def read_again():
        """The locks that there are, read anew where a run that ends just now takes off its own."""
        for _ in range(100):
            try:
                return list(read())
            except FileNotFoundError:
                os.makedirs(locks, exist_ok=True)
        return []

    persistence._read_locks = read_again


def recorded(**outputs):
    """Outputs of a rule together with the manifest that its job writes beside each."""
    manifests = {
        f"{name}_manifest": f"{path}.manifest.json" for name, path in outputs.items()
    }
    return {**outputs, **manifests}


def asked(gpu):
    """What a job asks an engine for; another attempt asks for more memory and time."""
    return {
        **({"gpu": gpu} if gpu else {}),
        "mem_mb": lambda wildcards, attempt: attempt * MEMORY_MB,
        "runtime": lambda wildcards, attempt: attempt * MINUTES,
    }


def declare(name, done_by, message, place, inputs, outputs, gpu=0, constraints=None):
    """Declare a rule; ``place`` is that of its logs, ``done_by`` names the script."""

    rule:
        name:
            name
        input:
            **inputs,
        output:
            **recorded(**outputs),
        log:
            f"{RESULTS}/logs/{place}.log",
        wildcard_constraints:
            **(constraints or {}),
        resources:
            **asked(gpu),
        message:
            message
        script:
            f"../scripts/{done_by}.py"


def job(
    name,
    message,
    outputs,
    logs=None,
    gpu=True,
    constraints=None,
    source_files=(),
    split=None,
    part_of=None,
    **inputs,
):
    """Declare a rule whose jobs ``workflow/scripts/<name>.py`` does.

    Outputs are named paths below the results. ``logs`` is what the folder of its logs is called
    where that is not the rule's name, ``gpu`` says whether jobs use one where there is one,
    ``constraints`` what wildcards may be, and source files count by their content. ``split`` is the
    key of the parts in which jobs may be done; the rule ``<name>_part`` then does them, by the same
    script (``part_of``), and this one joins them.
    """
    if split and config["parts"][split] > 1:
        ((key, path),) = outputs.items()
        part = f"parts/{path.removesuffix('.safetensors')}/{{scatteritem}}.safetensors"
        job(
            name + configuration.PART,
            f"{message}, part {{wildcards.scatteritem}}",
            {key: part},
            f"{logs or name}{configuration.PART}",
            gpu,
            constraints,
            source_files,
            part_of=name,
            **inputs,
        )
        gather_parts = getattr(gather, split)
        inputs = {PARTS: gather_parts(f"{RESULTS}/{part}", allow_missing=True)}
        gpu = False
    outputs = {key: f"{RESULTS}/{path}" for key, path in outputs.items()}
    named = re.findall(r"{\w+}", next(iter(outputs.values())))

    def recipe(wildcards):
        wildcards = dict(wildcards)
        settings = configuration.block(config, name, wildcards)
        return planned(
            name, wildcards, settings, inputs, source_files, script=part_of or name
        )

    declare(
        name,
        part_of or name,
        message,
        Path(logs or name, *named),
        {"recipe": recipe, **inputs},
        outputs,
        GPU if gpu else 0,
        constraints,
    )


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

Figure = namedtuple("Figure", "stem files")


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
    FIGURES.append(Figure(stem, files))
    drawn_by = drawn_by or stem.replace("-", "_")
    told = {"module": drawn_by, "title": title, "settings": settings or {}}

    def recipe(_wildcards):
        # The module is code of the job too.
        modules = [f"flatminima.figures.{drawn_by}"]
        return planned(FIGURE, {"figure": name}, told, inputs, modules=modules)

    declare(
        f"{FIGURE}_{name}",
        FIGURE,
        f"Drawing the figure {name}",
        Path(FIGURE, name),
        {"recipe": recipe, **inputs},
        files,
    )


def of_dataset(pattern, dataset):
    """The one file of a pattern that belongs to a data set."""
    return expand(pattern, dataset=dataset)[0]


def extreme_factors(pattern):
    """An input function: the files of the smallest and the largest poison factor."""
    return lambda wildcards: [all_factors(pattern)(wildcards)[i] for i in (0, -1)]


def image_files(wildcards):
    """The files that hold the images, as inputs whose times say nothing.

    The time of the recipe does: the ledger compares their content.
    """
    if wildcards.dataset != IMAGES:
        return []
    try:
        return [*map(ancient, configuration.image_files(config, CONFIG_FILES))]
    except UserError as error:
        raise SystemExit(str(error)) from None


# By experiment, the files that it is measured by, under the names that its record reads.
MEASURED = {}


def measured(experiment, **files):
    """Declare the files that an experiment is measured by."""
    MEASURED[experiment] = files
