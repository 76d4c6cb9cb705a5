"""How do several processes train one network? `fit`, with each batch shared out among them.

Every process holds the whole network and works on its share of each batch. The scores of all are put together (a few
kilobytes), so that each computes the same loss; its gradient is that of its own images, and the sum over the processes
is the gradient of the batch, whether the shares are equal or not. Sums make the same step everywhere.

What differs from one process: each BatchNorm normalises by its own share, and the running statistics are rank 0's.
"""

import copy
import inspect

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from helpers import ranks, training
from helpers.batches import Batches
from helpers.checkpoints import History
from helpers.training import find_device

# Running statistics are not sent at each step. The option's name until PyTorch 2.13 or so, and since then.
_OPTIONS = inspect.signature(DistributedDataParallel).parameters
BUFFERS = "forward_sync_buffers" if "forward_sync_buffers" in _OPTIONS else "broadcast_buffers"


class Share(Batches):
    """This rank's share of each batch: yields (its images [b,3,S,S], the labels [B] of the whole batch).

    All ranks draw the same order from the same seed, and rank r of w takes images r·B/w to (r+1)·B/w of each batch. In
    a last batch of fewer images than ranks somebody has none: it is given the first image, which then does not count.
    """

    def __init__(self, batches: Batches, rank: int, processes: int):
        vars(self).update(vars(batches))
        self.rank, self.processes = rank, processes
        self.place = {}  # of the batch that was yielded last; shared with copies on other devices

    def part(self, count: int) -> tuple[int, int]:
        """From where to where this rank's share of a batch of `count` images goes."""
        return self.rank * count // self.processes, (self.rank + 1) * count // self.processes

    def __iter__(self):
        # Dropout: other masks on each rank, the same ones again when a run goes on from a checkpoint.
        torch.manual_seed((self.seed * 1_000_003 + self.epoch) * 1_009 + self.rank)
        yield from super().__iter__()

    def _make(self, images: torch.Tensor, chance: torch.Tensor) -> torch.Tensor:
        start, stop = self.part(len(images))
        self.place.update(start=start, stop=stop, count=len(images))
        start, stop = (start, stop) if stop > start else (0, 1)
        return super()._make(images[start:stop], chance[start:stop])


class Together(DistributedDataParallel):
    """`model` on every rank, its gradients summed over the ranks; in training it answers for the whole batch.

    Its state_dict is the model's own, and so is its copy. `sent` counts the bytes of gradients that went through.
    """

    def __init__(self, model: nn.Module, shares: Share):
        super().__init__(model, **{BUFFERS: False})
        self.shares, self.sent = shares, 0
        self.register_comm_hook(None, self._sum)

    def _sum(self, _state, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
        """Instead of the mean, DDP's own habit: the loss is the whole batch's already."""
        self.sent += bucket.buffer().nbytes
        return dist.all_reduce(bucket.buffer(), async_op=True).get_future().then(lambda done: done.value()[0])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        mine = super().forward(images)
        if not self.training:
            return mine
        start, stop, count = (self.shares.place[name] for name in ("start", "stop", "count"))
        mine = mine[: stop - start]
        scores = mine.new_zeros(count, *mine.shape[1:])
        scores[start:stop] = mine.detach()
        dist.all_reduce(scores)
        return torch.cat([scores[:start], mine, scores[stop:]])

    def state_dict(self, *args, **named) -> dict:
        """The model's own, without DDP's "module." before each name."""
        return self.module.state_dict(*args, **named)

    def load_state_dict(self, *args, **named):
        """Into the model itself."""
        return self.module.load_state_dict(*args, **named)

    def __deepcopy__(self, memo: dict) -> nn.Module:
        return copy.deepcopy(self.module, memo)


def fit(model: nn.Module, batches: Batches, *, device: str | torch.device | None = None, **how) -> History:
    """`training.fit`; under torchrun one network is trained by all processes, with the same arguments in each.

    `batches` are shared out; their batch size is that of all processes together. Every process judges `validation` by
    itself, and what rank 0 found counts: its network ends up on all ranks. Raises TypeError for batches of another
    kind than `Batches`, ValueError for more processes than images in a batch.
    """
    if ranks.world() == 1:
        return training.fit(model, batches, device=device, **how)
    if not isinstance(batches, Batches):
        raise TypeError(f"several processes share out Batches alone, not a {type(batches).__name__}: use one process")
    if batches.batch_size < ranks.world():
        raise ValueError(f"{ranks.world()} processes cannot share batches of {batches.batch_size}: take larger ones")
    if device is not None:
        model.to(find_device(device))
    shares = Share(batches, ranks.rank(), ranks.world())
    history = training.fit(Together(model, shares), shares, device=device, **how)
    for tensor in model.state_dict().values():
        dist.broadcast(tensor, 0)
    return history
