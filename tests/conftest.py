"""One thread for each process of the tests, and an order that keeps all workers busy to the end."""

import os

import pytest

from tests.browsing import CHROMIUM, FLAGS

# Set before torch and NumPy are imported. Workers share the cores already, and with tensors as
# small as these a second thread costs more than it gives.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

# Workers take one file after the other. The first one makes the run of smoke scale, which takes as
# long as all tests of the library together: they come next, and then what needs that run.
ORDER = {
    "test_run.py": -4,
    "test_checkpoints.py": -3,
    "test_images.py": -2,
    "test_left_out.py": -1,
    "test_contributing.py": 1,
    "test_repair.py": 1,
    "test_stranger.py": 1,
    "test_soak.py": 2,
    "test_staleness.py": 2,
    "test_bad_input.py": 3,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of the workflow at either end; all others stay as they were."""
    items.sort(
        key=lambda item: ORDER.get(item.path.name, 0) if item.path.parent.name == "workflow" else 0
    )


@pytest.fixture(scope="session")
def browser():
    """Chromium, open for all tests of a process."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium found; apt-get install chromium to run browser tests")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()
