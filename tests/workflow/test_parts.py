"""Jobs in parts, as the configuration asks."""

from collections import Counter
from pathlib import Path

import yaml

from .conftest import JOB, checkout, said

OVERLAY = {
    "scale": "split",
    "only": ["images"],
    "parts": {"directions": 3, "seeds": 2},
}


def test_jobs_are_split_and_joined(tmp_path: Path) -> None:
    project = checkout(tmp_path / "project")
    (project.root / "split.yaml").write_text(yaml.safe_dump(OVERLAY))
    words = ["--dry-run", "--configfile", "workflow/scales/smoke.yaml", "split.yaml", "--"]
    done = project.make(*words, "results/split/summaries/images.safetensors", scale=None)
    assert done.returncode == 0, said(done)
    jobs = Counter(JOB.findall(said(done)))
    for factor in ("0", "0.5"):
        training = f"Training all networks of images at poison factor {factor}"
        basins = f"Measuring basins of images at poison factor {factor}"
        split = [f"{training}, part {part}-of-2" for part in (1, 2)]
        split += [f"{basins}, part {part}-of-3" for part in (1, 2, 3)]
        assert all(jobs[job] == 1 for job in [training, basins, *split])
