from pathlib import Path

from flatminima.data.download import fetch_svhn
from flatminima.progress import Progress
from flatminima.provenance.job import run_unrecorded


def main() -> None:
    target = Path(snakemake.output[0])
    fetch_svhn(target, Progress(f"{target.name}, MB"))


run_unrecorded(snakemake, main)
