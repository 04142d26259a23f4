from pathlib import Path

from flatminima.data.download import fetch_cifar10
from flatminima.progress import Progress
from flatminima.provenance.job import run_unrecorded


def main() -> None:
    # The files go to the folder that the archive has them in.
    fetch_cifar10(Path(snakemake.output[0]).parents[1], Progress("CIFAR-10, MB"))


run_unrecorded(snakemake, main)
