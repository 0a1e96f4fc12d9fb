"""VAE, DCGAN, WGAN-GP and PixelCNN in PyTorch alone, without Keras: what a script would do.

    python benchmarks/plain_torch.py dcgan 128 [SIZE [DEVICE [compile]]]

Networks, optimizers and batches are those of kgen's models, at 28x28 grey or 64x64 in colour;
`dcgan_reusing` trains both players on the same fakes. For each line on the input, a number of
steps, it trains so many and prints the seconds: so `train_step.py` and `peers.py` alternate it with
kgen's step.
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


def networks(sizes, channels, width, batch_normalization, latent_dim):
    """A discriminator and a generator whose images have `sizes`, from the largest down."""
    widths = [width * 2**stage for stage in range(len(sizes) - 1)]
    bias = not batch_normalization
    judge, last = [], channels
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
    maker += [nn.ConvTranspose2d(last, channels, 5, 2, 2, 1), nn.Tanh()]
    return nn.Sequential(*judge), nn.Sequential(*maker)


class MaskedConv2d(nn.Conv2d):
    """A convolution whose kernel is multiplied by a mask, (A) without or (B) with the pixel."""

    def __init__(self, inputs, outputs, size, mask):
        super().__init__(inputs, outputs, size, padding=size // 2)
        seen = torch.zeros(size, size)
        seen[: size // 2] = 1.0
        seen[size // 2, : size // 2 + (mask == "B")] = 1.0
        self.register_buffer("seen", seen)

    def forward(self, x):
        """Convolves."""
        return self._conv_forward(x, self.weight * self.seen, self.bias)


class Residual(nn.Sequential):
    """The block of van den Oord et al. 2016, figure 5."""

    def __init__(self, h):
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(2 * h, h, 1),
            nn.ReLU(),
            MaskedConv2d(h, h, 3, "B"),
            nn.ReLU(),
            nn.Conv2d(h, 2 * h, 1),
        )

    def forward(self, x):
        """Adds to its input."""
        return x + super().forward(x)


def pixel_cnn(h, depth):
    """From binary images in [-1, 1] to logits."""
    end = [nn.ReLU(), nn.Conv2d(2 * h, 2 * h, 1), nn.ReLU(), nn.Conv2d(2 * h, 1, 1)]
    blocks = [Residual(h) for _ in range(depth)]
    return nn.Sequential(MaskedConv2d(1, 2 * h, 7, "A"), *blocks, *end)


def penalty(d, x, x_fake):
    """Gulrajani et al. 2017, eq. 3."""
    eps = torch.rand(len(x), 1, 1, 1, device=x.device)
    x_hat = (eps * x + (1.0 - eps) * x_fake).requires_grad_()
    (slope,) = torch.autograd.grad(d(x_hat).sum(), x_hat, create_graph=True)
    return ((slope.square().sum((1, 2, 3)) + 1e-12).sqrt() - 1.0).square().mean()


def gan_stepper(model, size, device, compiled):
    """A function that trains the model on one batch of bytes (batch, channels, size, size)."""
    wasserstein = model == "wgan_gp"
    latent_dim, n_critic = (128, 5) if wasserstein else (100, 1)
    sizes = {28: (28, 14, 7), 64: (64, 32, 16, 8, 4)}[size]
    sizes += (4,) * (wasserstein and size == 28)
    channels, width = (3, 128) if size == 64 else (1, 64)
    d, g = networks(sizes, channels, width, not wasserstein, latent_dim)
    d, g = (compiled(network.to(device)) for network in (d, g))
    rate, betas = (1e-4, (0.5, 0.9)) if wasserstein else (2e-4, (0.5, 0.999))
    d_optimizer, g_optimizer = (torch.optim.Adam(n.parameters(), rate, betas) for n in (d, g))
    softplus = nn.functional.softplus

    def noise(num):
        draw = torch.randn if wasserstein else torch.rand
        z = draw(num, latent_dim, device=device)
        return z if wasserstein else z * 2 - 1

    def reusing_step(x):
        x = x.float() / 127.5 - 1.0
        x_fake = g(noise(len(x)))
        g_optimizer.zero_grad()
        softplus(-d(x_fake)).mean().backward()
        g_optimizer.step()
        loss = softplus(-d(x)).mean() + softplus(d(x_fake.detach())).mean()
        d_optimizer.zero_grad()
        loss.backward()
        d_optimizer.step()

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

    return reusing_step if model == "dcgan_reusing" else step


class VAE(nn.Module):
    """784-512-20, as Pythae's."""

    def __init__(self, pixels, units=512, latent_dim=20):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(pixels, units), nn.Tanh(), nn.Linear(units, 2 * latent_dim)
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, units), nn.Tanh(), nn.Linear(units, pixels)
        )

    def forward(self, x):
        """-ELBO of a batch, on average."""
        mean, log_var = self.encoder(x).chunk(2, 1)
        z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        bce = nn.functional.binary_cross_entropy_with_logits
        nll = bce(self.decoder(z), x.flatten(1), reduction="none").sum(1)
        kl = 0.5 * (mean.square() + log_var.exp() - log_var - 1.0).sum(1)
        return (nll + kl).mean()


def vae_stepper(size, device, compiled):
    """The same of a VAE of images that are binarized anew."""
    vae = compiled(VAE(size * size).to(device))
    optimizer = torch.optim.Adam(vae.parameters(), 1e-3)

    def step(x):
        x = x.float() / 255.0
        loss = vae((torch.rand_like(x) < x).float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def pixel_cnn_stepper(size, device, compiled, h=64, depth=5):
    """The same of a PixelCNN of binary images."""
    network = compiled(pixel_cnn(h, depth).to(device))
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)

    def step(x):
        x = x.float() / 255.0
        x = (torch.rand_like(x) < x).float()
        nll = nn.functional.binary_cross_entropy_with_logits(network(2.0 * x - 1.0), x)
        optimizer.zero_grad()
        (size * size * nll).backward()
        optimizer.step()

    return step


def main(model, batch_size, size="28", device="cpu", compiled=""):
    """Answers each number of steps with their seconds."""
    compiled = torch.compile if compiled else lambda network: network
    size, device = int(size), torch.device(device)
    if model in ("pixelcnn", "vae"):
        stepper = vae_stepper if model == "vae" else pixel_cnn_stepper
        step = stepper(size, device, compiled)
    else:
        step = gan_stepper(model, size, device, compiled)
    shape = (int(batch_size), 3 if size == 64 else 1, size, size)
    images = torch.randint(0, 256, shape, dtype=torch.uint8).to(device)
    for line in sys.stdin:
        started = time.perf_counter()
        for _ in range(int(line)):
            step(images)
        if device.type == "cuda":
            torch.cuda.synchronize()
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
