import gc
from importlib import import_module
from pathlib import Path

from flatminima.figures.render import contents
from flatminima.provenance.job import Job, run
from flatminima.storage import read_arrays, read_json, write_bytes


def held(path):
    return read_json(path) if path.endswith(".json") else read_arrays(path)


def main(job: Job) -> None:
    # What is drawn lives until the process ends: to look what could be freed takes a third as long
    # as the drawing itself.
    gc.disable()
    module = import_module(f"flatminima.figures.{job.config['module']}")
    inputs = {
        name: held(files)
        if isinstance(files, str)
        else {Path(file).stem: held(file) for file in files}
        for name, files in job.inputs.items()
    }
    data = module.collect(**inputs, **job.config["settings"])
    for suffix, content in contents(module, data, job.config["title"]).items():
        write_bytes(job.outputs[suffix.replace(".", "_")], content)


run(snakemake, main)
