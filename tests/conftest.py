"""What several test files share."""

import pytest
import torch


@pytest.fixture
def one_thread():
    """Threads that wait for each other cost more than they give on networks and batches this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
