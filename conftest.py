"""Settings for every test, the notebooks' kernels included (they inherit this process's environment)."""

import os

import pytest

# Two workers share two cores: a thread each. Set before helpers, and with it PyTorch, is there.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("MKL_NUM_THREADS", "1")

from helpers import threads

# Claims fail, and with the seeds that the pages name, whatever was set to try others.
os.environ.pop("HELPERS_CLAIMS", None)
os.environ.pop("HELPERS_SEED", None)

# The tests use what ships with the repository, whatever the reader has set for the complete CIFAR-10.
os.environ.pop("CIFAR10_DIR", None)
os.environ.pop("CIFAR10_URL", None)


@pytest.hookimpl(optionalhook=True)  # so that `-p no:xdist` is no error
def pytest_xdist_auto_num_workers(config) -> int:
    """Two workers, each with whole files; one process for a single file, where there is nothing to share."""
    single = len(config.args) == 1 and not os.path.isdir(config.args[0].split("::")[0])
    if single or threads.granted_cores() < 2:
        config.option.dist = "no"
        return 0
    return 2
