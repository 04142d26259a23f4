from pathlib import Path

from flatminima.data.download import fetch
from flatminima.data.official import DOWNLOADS
from flatminima.data.sources import IMAGE_SOURCES
from flatminima.progress import Progress
from flatminima.provenance.job import run_unrecorded


def main() -> None:
    source, parcel = snakemake.params["source"], snakemake.params["parcel"]
    folder = Path(DOWNLOADS, source)
    report = Progress(f"{parcel}, MB")
    fetch(IMAGE_SOURCES[source].files, parcel, folder, report, mirror=snakemake.params["mirror"])


run_unrecorded(snakemake, main)
