"""The network of models/neural-small.toml in PyTorch, trained on entities as halfmax trains it: seconds of a step and of a
member, on the processor or a graphics processor, to hold halfmax's `training.csv` against.

    pip install torch numpy
    python torch_entities.py --device cpu --threads 2

The screen has about the size of one training part of GDSC2, with random numbers in it: 729 cell lines with 6,163 genes and
681 events, 286 drugs, every pair measured. Times do not depend on what the numbers are.
"""

import argparse
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

CELLS, INPUTS, DRUGS, HIDDEN, RANK, BATCH = 729, 6844, 286, 256, 64, 64


class Towers(nn.Module):
    """`members` networks at once: every weight has a first dimension for them."""

    def __init__(self, members):
        super().__init__()

        def weight(rows, columns, most):
            return nn.Parameter(torch.empty(members, rows, columns).uniform_(-most, most))

        self.first = weight(INPUTS, HIDDEN, INPUTS**-0.5)
        self.bias = nn.Parameter(torch.zeros(members, 1, HIDDEN))
        self.gain = nn.Parameter(torch.ones(members, 1, HIDDEN))
        self.shift = nn.Parameter(torch.zeros(members, 1, HIDDEN))
        self.out = weight(HIDDEN, RANK + 1, HIDDEN**-0.5)
        self.out_bias = nn.Parameter(torch.zeros(members, 1, RANK + 1))
        self.drugs = weight(DRUGS, RANK + 1, 0.17)

    def forward(self, x):
        h = F.dropout(x, 0.5, self.training) @ self.first + self.bias
        h = F.layer_norm(h, (HIDDEN,)) * self.gain + self.shift
        cells = F.dropout(F.gelu(h), 0.5, self.training) @ self.out + self.out_bias
        left, right = cells[..., :RANK], self.drugs[..., :RANK]
        return left @ right.transpose(1, 2) + cells[..., RANK:] + self.drugs[..., RANK:].transpose(1, 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--members", type=int, default=1, help="networks trained at once")
    parser.add_argument("--epochs", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    device = torch.device(args.device)
    x = torch.randn(CELLS, INPUTS, device=device)
    y = torch.randn(CELLS, DRUGS, device=device)
    weights = torch.ones(CELLS, DRUGS, device=device)
    model = Towers(args.members).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    epochs, steps = [], 0
    for _ in range(args.epochs):
        start = time.perf_counter()
        orders = torch.stack([torch.randperm(CELLS, device=device) for _ in range(args.members)])
        steps = 0
        for rows in orders.split(BATCH, dim=1):
            each = (weights[rows] * (model(x[rows]) - y[rows]) ** 2).sum((1, 2)) / weights[rows].sum((1, 2))
            optimizer.zero_grad(set_to_none=True)
            each.sum().backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            steps += 1
        if device.type == "cuda":
            torch.cuda.synchronize()
        epochs.append(time.perf_counter() - start)
    epoch = statistics.median(epochs)
    print(f"torch {torch.__version__}, {device}, {args.members} at once")
    print(f"an epoch: {epoch:.3f} s; a step: {1000 * epoch / steps:.1f} ms; 40 epochs: {40 * epoch:.1f} s")


if __name__ == "__main__":
    main()
