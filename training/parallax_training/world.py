"""Processes that train together. Alone, everything here is the identity."""

import os

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as differentiable


class World:
    """The processes that `torchrun` started, or this one alone."""

    def __init__(self, rank=0, size=1):
        self.rank, self.size = rank, size

    @classmethod
    def of_environment(cls, device_type):
        """Joins the group that `torchrun` describes; alone where there is none."""
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls()
        if not dist.is_initialized():
            dist.init_process_group("nccl" if device_type == "cuda" else "gloo")
        return cls(dist.get_rank(), dist.get_world_size())

    @property
    def leads(self):
        """Whether this process writes files and reports."""
        return self.rank == 0

    def share(self, batch):
        """This process's rows of a batch that all drew alike."""
        if self.size == 1:
            return batch
        rows = batch.shape[0] // self.size
        return batch[self.rank * rows : (self.rank + 1) * rows]

    def mean(self, x):
        """The mean over all processes, through which gradients pass: a batch's statistics are those of the
        whole batch."""
        if self.size == 1:
            return x
        return differentiable.all_reduce(x) / self.size

    @torch.no_grad()
    def average(self, x):
        """Replaces `x` by its mean over all processes."""
        if self.size > 1:
            dist.all_reduce(x)
            x /= self.size

    def agree(self, flag):
        """What the leading process says: a clock must not part the processes."""
        if self.size == 1:
            return flag
        said = [flag]
        dist.broadcast_object_list(said, 0)
        return said[0]

    def close(self):
        if self.size > 1:
            dist.destroy_process_group()


ALONE = World()
