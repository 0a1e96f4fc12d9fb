"""The price of the seam: kgen's compiled step against a step written by hand for one backend.

    KERAS_BACKEND=jax python benchmarks/train_step.py [--model dcgan] [--jit_compile]

Both train the same networks on the same batch with the same noise and optimizers, PixelCNN and MADE
by hand with kernels times masks; they are alternated in one run, and what counts is the ratio. The
DDPM has no average of its weights but in its second line. The
DCGAN of `dcgan_r1` has a discriminator without batch normalization and an R1 penalty, which by hand
is a pass of its own. The VAE's second line times `fit`, from its start to its end, over two epochs
of 600 batches in memory, as many images as MNIST has, against as many bare steps. The other GANs
are timed besides against the same in PyTorch alone; a DCGAN also against itself with Keras' own
transposed convolution, and its `sample(1024)` against the bare generator; a VQ-VAE's `sample(64)`
against its prior's, and against this and the bare decoder.
"""

import importlib.util
import os
import statistics
import subprocess
import sys
import time
from unittest import mock

import by_hand_autoencoders
import by_hand_gan
import by_hand_likelihood
import keras
import numpy as np
from absl import app, flags
from keras import ops
from stepper import stepper

import kgen

BINARY = {
    "pixelcnn": lambda: kgen.PixelCNN(IMAGE_SHAPE, levels=2, seed=0),
    "pixelcnn_plus_plus": lambda: kgen.PixelCNNPlusPlus(
        IMAGE_SHAPE, levels=2, width=8, depth=1, dropout=0.0, ema_decay=None, seed=0
    ),
    "row_lstm": lambda: kgen.PixelRNN(IMAGE_SHAPE, levels=2, cell="row", depth=2, seed=0),
    "diagonal_bilstm": lambda: kgen.PixelRNN(IMAGE_SHAPE, levels=2, depth=1, seed=0),
    "fvsbn": lambda: kgen.FVSBN(IMAGE_SHAPE, seed=0),
    "nade": lambda: kgen.NADE(IMAGE_SHAPE, width=100, seed=0),
    "made": lambda: kgen.MADE(IMAGE_SHAPE, seed=0),
}
OF_CODES = {
    "iwae": (by_hand_autoencoders.IWAE, kgen.VAE, {"objective": "iwae", "num_samples": 5}),
    "iaf": (by_hand_autoencoders.IAF, kgen.VAE, {"posterior_family": "iaf"}),
    "ladder_vae": (by_hand_autoencoders.LadderVAE, kgen.LadderVAE, {}),
}
OF_PLAYERS = {
    "aae": (by_hand_autoencoders.AAE, kgen.AdversarialAutoencoder),
    "vaegan": (by_hand_autoencoders.VAEGAN, kgen.VAEGAN),
    "bigan": (by_hand_autoencoders.BiGAN, kgen.BiGAN),
    "vq_vae": (by_hand_autoencoders.VQVAE, kgen.VQVAE),
}
GANS = ["dcgan", "dcgan_r1", "wgan_gp"]
MODELS = ["vae", *BINARY, "glow", "ddpm", *GANS, *OF_CODES, *OF_PLAYERS]
MODEL = flags.DEFINE_enum("model", "vae", MODELS, "Which model.")
ROUNDS = flags.DEFINE_integer("rounds", 15, "Alternations of the two steps.")
STEPS = flags.DEFINE_integer("steps", None, "Steps in a round: by default 100 of a VAE, else 10.")
FIT_ROUNDS = flags.DEFINE_integer("fit_rounds", 7, "Alternations of fit and the bare step.")
FIT_STEPS = flags.DEFINE_integer("fit_steps", 600, "Batches in an epoch of fit.")
BATCH_SIZE = flags.DEFINE_integer("batch_size", None, "Images in a step: by default the paper's.")
PROCESSORS = flags.DEFINE_boolean(
    "processor_time", False, "Seconds of processors, which other work on the machine adds none to."
)
JIT = flags.DEFINE_boolean("jit_compile", None, "Instead of the default.")
IMAGE_SHAPE = (28, 28, 1)
EPOCHS = 2


def adam():
    """The same optimizer for both."""
    return keras.optimizers.Adam(1e-3, epsilon=1e-4)


def seconds(function, *args):
    """How long one call takes."""
    clock = time.process_time if PROCESSORS.value else time.perf_counter
    started = clock()
    function(*args)
    return clock() - started


def report(name, ratios, milliseconds):
    """Prints one line: the median of the ratios, their quartiles, the median time of a step."""
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f"{name:<34} {middle:.3f} ({low:.3f} .. {high:.3f}), {milliseconds:.2f} ms a step")


def compare(name, ours, theirs, steps):
    """Reports the ratio of two functions of a number of steps, alternated."""
    for run in (ours, theirs, ours):
        run(max(1, steps // 5))
    times = [(seconds(ours, steps), seconds(theirs, steps)) for _ in range(ROUNDS.value)]
    per_step = statistics.median(first for first, _ in times) / steps * 1e3
    report(name, [first / second for first, second in times], per_step)


def repeated(step, *args):
    """A function that calls `step` some number of times and waits for the last."""

    def run(steps):
        for _ in range(steps):
            outputs = step(*args)
        ops.convert_to_numpy(outputs)

    return run


def random_images(num):
    """Bytes (num, 28, 28, 1)."""
    return np.random.default_rng(0).integers(0, 256, (num, *IMAGE_SHAPE), dtype="uint8")


def measure_likelihood(model, by_hand, batch_size, steps, jit_compile):
    """The step against that by hand; returns the step."""
    batch = ops.convert_to_tensor(random_images(batch_size))
    for each in (model, by_hand):
        each.compile(adam(), jit_compile=jit_compile)
    by_hand.optimizer.build(by_hand.trainable_variables)
    ours, theirs = (stepper(each, batch) for each in (model, by_hand))
    name, jit_compile = MODEL.value, model.jit_compile
    print(f"{keras.backend.backend()}, {name}, {jit_compile=}, batch {batch_size}")
    compare("kgen's step / by hand", ours, theirs, STEPS.value or steps)
    return ours


def measure_vae(jit_compile):
    """As `measure_likelihood`, and `fit` against the step."""
    batch_size = BATCH_SIZE.value or 100
    vae = kgen.VAE(IMAGE_SHAPE, latent_dim=50, seed=0)
    by_hand = by_hand_likelihood.make(by_hand_likelihood.VAE)
    ours = measure_likelihood(vae, by_hand, batch_size, 100, jit_compile)
    images = random_images(batch_size * FIT_STEPS.value * 10 // 9 + 1)
    data = kgen.data.load(images, batch_size=batch_size).train  # without its tenth for tests

    def fit():
        vae.fit(data, epochs=EPOCHS, verbose=0)

    fit()
    num_steps = EPOCHS * len(data)
    times = [(seconds(ours, num_steps), seconds(fit)) for _ in range(FIT_ROUNDS.value)]
    per_step = statistics.median(fitted for _, fitted in times) / num_steps * 1e3
    report("throughput of fit / of the step", [bare / fitted for bare, fitted in times], per_step)


def measure_gan(gan, jit_compile):
    """The step against that by hand, and if there is one against PyTorch alone."""
    batch_size = BATCH_SIZE.value or gan.default_batch_size
    gan.compile(jit_compile=jit_compile)
    batch = ops.convert_to_tensor(random_images(batch_size))
    backend = keras.backend.backend()
    print(f"{backend}, {MODEL.value}, jit_compile={gan.jit_compile}, batch {batch_size}")
    ours = stepper(gan, batch)
    theirs = repeated(by_hand_gan.STEPS[backend](gan, gan.jit_compile), batch)
    steps = STEPS.value or 10
    compare("kgen's step / by hand", ours, theirs, steps)

    is_own_time = PROCESSORS.value  # without that of another process
    if MODEL.value != "dcgan_r1" and not is_own_time and importlib.util.find_spec("torch"):
        command = [sys.executable, os.path.join(os.path.dirname(__file__), "plain_torch.py")]
        with subprocess.Popen(
            [*command, MODEL.value, str(batch_size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as script:

            def plain(steps):
                script.stdin.write(f"{steps}\n")
                script.stdin.flush()
                script.stdout.readline()

            compare("kgen's step / PyTorch alone", ours, plain, steps)
            script.stdin.close()
    return gan, batch, ours, steps


def measure_dcgan(jit_compile):
    """As `measure_gan`, and Keras' layer, and sampling."""
    gan, batch, ours, steps = measure_gan(kgen.DCGAN(IMAGE_SHAPE, seed=0), jit_compile)

    with mock.patch("kgen.networks.dcgan.Conv2DTranspose", keras.layers.Conv2DTranspose):
        slow = kgen.DCGAN(IMAGE_SHAPE, seed=0)
    slow.compile(jit_compile=jit_compile)
    compare("Keras' transposed conv. / kgen's", stepper(slow, batch), ours, max(1, steps // 2))

    generator = kgen.backend.compile_function(gan, gan.generator)
    z = gan.draw_latents(128, seed=0)

    def bare(calls):
        for _ in range(8 * calls):
            ops.convert_to_numpy(generator(z))

    def sample(calls):
        for i in range(calls):
            gan.sample(1024, seed=i, batch_size=128)

    compare("sample(1024) / bare generator", sample, bare, 3)


def measure_players(jit_compile):
    """The step against that by hand, and a VQ-VAE's sampling against its prior's."""
    by_hand, kind = OF_PLAYERS[MODEL.value]
    model = kind(IMAGE_SHAPE, seed=0)
    model.compile(jit_compile=jit_compile)
    batch_size = BATCH_SIZE.value or model.default_batch_size
    batch = ops.convert_to_tensor(random_images(batch_size))
    backend = keras.backend.backend()
    print(f"{backend}, {MODEL.value}, jit_compile={model.jit_compile}, batch {batch_size}")
    theirs = by_hand_autoencoders.stepper(by_hand(model), batch, model.jit_compile)
    compare("kgen's step / by hand", stepper(model, batch), theirs, STEPS.value or 10)
    if isinstance(model, kgen.VQVAE):
        decode = kgen.backend.compile_function(model, model.decoder)
        vectors = np.zeros((64, *model.code.shape, model.code_dim), "float32")

        def sample(calls):
            for i in range(calls):
                model.sample(64, seed=i)

        def draw_codes(calls):
            for i in range(calls):
                model.prior.sample(64, seed=i)

        def draw_and_decode(calls):
            draw_codes(calls)
            for _ in range(calls):
                ops.convert_to_numpy(decode(vectors))

        compare("sample(64) / the prior's", sample, draw_codes, 2)
        compare("sample(64) / and the decoder's", sample, draw_and_decode, 2)


def main(_):
    """Measures and prints the ratios."""
    jit_compile = "auto" if JIT.value is None else JIT.value
    if MODEL.value == "vae":
        measure_vae(jit_compile)
    elif MODEL.value in BINARY:
        model, written = BINARY[MODEL.value](), by_hand_likelihood
        own = {"pixelcnn": [written.PixelCNN], "made": [written.MADE]}
        network = [written.OfNetwork, BINARY[MODEL.value]().network]
        by_hand = written.make(*own.get(MODEL.value, network))
        batch_size = BATCH_SIZE.value or model.default_batch_size
        measure_likelihood(model, by_hand, batch_size, 10, jit_compile)
    elif MODEL.value in OF_CODES:
        by_hand, kind, arguments = OF_CODES[MODEL.value]
        model = kind(IMAGE_SHAPE, seed=0, **arguments)
        batch_size = BATCH_SIZE.value or (100 if kind is kgen.VAE else model.default_batch_size)
        measure_likelihood(
            model, by_hand_likelihood.make(by_hand, model), batch_size, 10, jit_compile
        )
    elif MODEL.value in OF_PLAYERS:
        measure_players(jit_compile)
    elif MODEL.value == "glow":
        sizes = {"width": 32, "depth": 2, "alpha": None, "seed": 0}
        model, other = kgen.Glow(IMAGE_SHAPE, **sizes), kgen.Glow(IMAGE_SHAPE, **sizes)
        for each in (model, other):
            each.adapt(random_images(64))
        by_hand = by_hand_likelihood.make(by_hand_likelihood.Glow, other.network)
        measure_likelihood(model, by_hand, BATCH_SIZE.value or 32, 5, jit_compile)
    elif MODEL.value == "ddpm":
        by_hand = by_hand_likelihood.make(by_hand_likelihood.DDPM)
        sizes = {"width": 32, "patch": 2, "dropout": 0.0}
        model = kgen.DDPM(IMAGE_SHAPE, schedule="cosine", ema_decay=None, seed=0, **sizes)
        ours = measure_likelihood(model, by_hand, BATCH_SIZE.value or 64, 5, jit_compile)
        averaged = kgen.DDPM(IMAGE_SHAPE, schedule="cosine", seed=0, **sizes)
        averaged.compile(adam(), jit_compile=jit_compile)
        batch = ops.convert_to_tensor(random_images(BATCH_SIZE.value or 64))
        compare("with an average / without", stepper(averaged, batch), ours, STEPS.value or 5)
    elif MODEL.value == "dcgan":
        measure_dcgan(jit_compile)
    elif MODEL.value == "dcgan_r1":
        judge = kgen.networks.dcgan_discriminator(IMAGE_SHAPE, batch_normalization=False)
        gan = kgen.DCGAN(IMAGE_SHAPE, discriminator=judge, r1_weight=10.0, seed=0)
        measure_gan(gan, jit_compile)
    else:
        measure_gan(kgen.WGANGP(IMAGE_SHAPE, seed=0), jit_compile)


# Whether glibc gives freed memory back to the system, and takes it again a page at a time, is luck
# that differs between the two steps: none or several hundred page faults in each.
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "1000000000"}

if __name__ == "__main__":
    if not KEEP_MEMORY.keys() <= os.environ.keys():
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | KEEP_MEMORY)
    app.run(main)
