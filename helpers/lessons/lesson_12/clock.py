"""What a step costs: a function for `launch`, which runs it in every process."""

import time

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from helpers.models import mobilenet_v2


def clock(settings, rounds):
    """Milliseconds of forward and backward, by turns: {"0.25 8 False": […], …, "vector": […]}, one a round.

    `settings` are (width, images in each process); False: gradients stay here, True: they are averaged. Images are
    random, of 16 pixels. "vector" is the all-reduce of a million float32 alone. A first round warms up and is left out.
    """
    found, nets = {}, []
    for width, count in settings:
        model = mobilenet_v2(width, num_classes=10, stem_stride=1, dropout=0.0)
        nets.append((DistributedDataParallel(model).train(), torch.rand(count, 3, 16, 16)))
    vector = torch.ones(1_000_000)
    for number in range(rounds + 1):
        for (width, count), (net, images) in zip(settings, nets, strict=True):
            for send in (False, True):
                dist.barrier()
                start, net.require_backward_grad_sync = time.perf_counter(), send
                net(images).sum().backward()
                took = 1000 * (time.perf_counter() - start)
                if number:
                    found.setdefault(f"{width} {count} {send}", []).append(took)
        dist.barrier()
        start = time.perf_counter()
        dist.all_reduce(vector)
        if number:
            found.setdefault("vector", []).append(1000 * (time.perf_counter() - start))
    return found
