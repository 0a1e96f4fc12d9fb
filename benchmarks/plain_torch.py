"""The 28x28 DCGAN and WGAN-GP in PyTorch alone, without Keras: what a script would do.

    python benchmarks/plain_torch.py dcgan

Networks, optimizers and batches are those of `kgen.DCGAN` and `kgen.WGANGP`. For each line on the
input, a number of steps, it trains so many and prints the seconds: so `train_step.py` alternates it
with kgen's step.
"""

import sys
import time

import torch
from torch import nn


class Crop(nn.Module):
    """The upper left `size` x `size` pixels."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def forward(self, x):
        """Crops."""
        return x[..., : self.size, : self.size]


def networks(sizes, batch_normalization, latent_dim):
    """A discriminator and a generator whose images have `sizes`, from the largest down."""
    widths = [64 * 2**stage for stage in range(len(sizes) - 1)]
    bias = not batch_normalization
    judge, last = [], 1
    for stage, width in enumerate(widths):
        normalized = batch_normalization and stage > 0
        judge += [nn.Conv2d(last, width, 5, 2, 2, bias=not normalized)]
        judge += [nn.BatchNorm2d(width)] * normalized + [nn.LeakyReLU(0.2)]
        last = width
    judge += [nn.Flatten(), nn.Linear(last * sizes[-1] ** 2, 1)]
    maker = [
        nn.Linear(latent_dim, last * sizes[-1] ** 2, bias=bias),
        nn.Unflatten(1, (last, sizes[-1], sizes[-1])),
        *[nn.BatchNorm2d(last)] * batch_normalization,
        nn.ReLU(),
    ]
    for size, width in zip(sizes[-2:0:-1], widths[-2::-1], strict=True):
        maker += [nn.ConvTranspose2d(last, width, 5, 2, 2, 1, bias=bias), Crop(size)]
        maker += [nn.BatchNorm2d(width)] * batch_normalization + [nn.ReLU()]
        last = width
    maker += [nn.ConvTranspose2d(last, 1, 5, 2, 2, 1), nn.Tanh()]
    return nn.Sequential(*judge), nn.Sequential(*maker)


def penalty(d, x, x_fake):
    """Gulrajani et al. 2017, eq. 3."""
    eps = torch.rand(len(x), 1, 1, 1)
    x_hat = (eps * x + (1.0 - eps) * x_fake).requires_grad_()
    (slope,) = torch.autograd.grad(d(x_hat).sum(), x_hat, create_graph=True)
    return ((slope.square().sum((1, 2, 3)) + 1e-12).sqrt() - 1.0).square().mean()


def stepper(model):
    """A function that trains the model on one batch of uint8 images (batch, 1, 28, 28)."""
    wasserstein = model == "wgan_gp"
    latent_dim, n_critic = (128, 5) if wasserstein else (100, 1)
    d, g = networks((28, 14, 7, 4) if wasserstein else (28, 14, 7), not wasserstein, latent_dim)
    rate, betas = (1e-4, (0.5, 0.9)) if wasserstein else (2e-4, (0.5, 0.999))
    d_optimizer, g_optimizer = (torch.optim.Adam(n.parameters(), rate, betas) for n in (d, g))
    softplus = nn.functional.softplus

    def noise(num):
        return torch.randn(num, latent_dim) if wasserstein else torch.rand(num, latent_dim) * 2 - 1

    def step(x):
        x = x.float() / 127.5 - 1.0
        for part in x.chunk(n_critic):
            with torch.no_grad():
                x_fake = g(noise(len(part)))
            if wasserstein:
                loss = d(x_fake).mean() - d(part).mean() + 10.0 * penalty(d, part, x_fake)
            else:
                loss = softplus(-d(part)).mean() + softplus(d(x_fake)).mean()
            d_optimizer.zero_grad()
            loss.backward()
            d_optimizer.step()
        fake = d(g(noise(len(part))))
        g_optimizer.zero_grad()
        (-fake if wasserstein else softplus(-fake)).mean().backward()
        g_optimizer.step()

    return step


def main(model, batch_size):
    """Answers each number of steps with their seconds."""
    step = stepper(model)
    images = torch.randint(0, 256, (int(batch_size), 1, 28, 28), dtype=torch.uint8)
    for line in sys.stdin:
        started = time.perf_counter()
        for _ in range(int(line)):
            step(images)
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
