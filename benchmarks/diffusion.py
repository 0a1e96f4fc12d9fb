"""Diffusion: sampling against bare forward passes, its memory, and a step against diffusers'.

    KERAS_BACKEND=jax python benchmarks/diffusion.py [--diffusers]

The U-Net of examples/ddpm_mnist.py, 1,003,460 parameters, on 28x28 in squares of 2x2. A sample of
S steps, of DDIM, is alternated with S calls of the compiled network on such a batch. Memory is the
most that a process of its own took, of 10 steps and of 500. With `--diffusers`, its `UNet2DModel`
of the same sizes is trained in PyTorch as its training script does (AdamW, `add_noise`, the norm
clipped, an average of the weights), in turns with kgen's step on this backend.
"""

import resource
import subprocess
import sys

import keras
import numpy as np
from absl import app, flags
from alternating import alternated
from keras import ops
from stepper import stepper

import kgen
from kgen import backend
from kgen.samplers import DDIM

BATCH_SIZE = flags.DEFINE_integer("batch_size", 64, "Images at a time.")
SAMPLING_STEPS = flags.DEFINE_integer("sampling_steps", 10, "Of DDIM.")
ROUNDS = flags.DEFINE_integer("rounds", 7, "Alternations.")
DIFFUSERS = flags.DEFINE_boolean("diffusers", False, "Against diffusers, which has to be there.")
MEMORY_OF = flags.DEFINE_integer("memory_of", None, "Only samples with so many steps.")
SHAPE = (28, 28, 1)


def make():
    """The model of the MNIST example, without a condition."""
    sizes = {"width": 32, "patch": 2, "dropout": 0.0}
    return kgen.DDPM(SHAPE, schedule="cosine", ema_decay=0.999, seed=0, **sizes)


def measure_sampling(model):
    """A sample against as many forward passes."""
    num, steps = BATCH_SIZE.value, SAMPLING_STEPS.value
    x = np.random.default_rng(0).standard_normal((num, *SHAPE)).astype("float32")
    t = np.full(num, 500.0, "float32")
    forward = backend.compile_function(model, lambda x, t: model.averaged([x, t]))

    def passes():
        for _ in range(steps):
            outputs = forward(x, t)
        ops.convert_to_numpy(outputs)

    def sample():
        model.sample(num, seed=0, sampler=DDIM(steps), batch_size=num)

    alternated(f"sampling in {steps} steps / as many passes", sample, passes, ROUNDS.value)


def measure_memory():
    """MiB at most of processes that sample in few and in many steps."""
    for steps in (10, 500):
        command = [sys.executable, __file__, f"--memory_of={steps}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(f"{steps} steps: {done.stdout.splitlines()[-1]} MiB at most")


def diffusers_step():
    """A function that trains diffusers' network on one batch some number of times."""
    import torch
    from diffusers import DDPMScheduler, UNet2DModel
    from diffusers.training_utils import EMAModel

    network = UNet2DModel(
        sample_size=14,
        in_channels=4,
        out_channels=4,
        block_out_channels=(32, 64),
        layers_per_block=2,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
        attention_head_dim=None,
    )
    print(f"diffusers: {sum(p.numel() for p in network.parameters()):,} parameters")
    average = EMAModel(network.parameters(), decay=0.999)
    scheduler = DDPMScheduler(1000, beta_schedule="squaredcos_cap_v2")
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    images = torch.rand(BATCH_SIZE.value, 1, 28, 28)

    def run(steps):
        for _ in range(steps):
            x = torch.nn.functional.pixel_unshuffle(2.0 * images - 1.0, 2)
            noise = torch.randn(x.shape)
            t = torch.randint(0, 1000, (len(x),))
            loss = torch.nn.functional.mse_loss(
                network(scheduler.add_noise(x, noise, t), t).sample, noise
            )
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            average.step(network.parameters())
        loss.item()

    return run


def main(_):
    """Measures and prints."""
    model = make()
    if MEMORY_OF.value:
        model.sample(BATCH_SIZE.value, seed=0, sampler=DDIM(MEMORY_OF.value))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        return
    print(f"{keras.backend.backend()}, {model.network.count_params():,} parameters")
    measure_sampling(model)
    measure_memory()
    if DIFFUSERS.value:
        model.compile()
        batch = ops.convert_to_tensor(np.zeros((BATCH_SIZE.value, *SHAPE), "uint8"))
        ours, theirs = stepper(model, batch), diffusers_step()
        alternated("kgen's step / diffusers'", lambda: ours(3), lambda: theirs(3), ROUNDS.value)


if __name__ == "__main__":
    app.run(main)
