"""Settings for every test, the notebooks' kernels included (they inherit this process's environment)."""

import os

import helpers  # noqa: F401  before PyTorch, so that the tests too bear a machine that others use

# Claims fail, and with the seeds that the pages name, whatever was set to try others.
os.environ.pop("HELPERS_CLAIMS", None)
os.environ.pop("HELPERS_SEED", None)

# The tests use what ships with the repository, whatever the reader has set for the complete CIFAR-10.
os.environ.pop("CIFAR10_DIR", None)
os.environ.pop("CIFAR10_URL", None)
