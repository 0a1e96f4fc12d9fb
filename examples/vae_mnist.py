"""The VAE of Burda et al. 2015 (one stochastic layer, 784-200-200-50, tanh) on binarized MNIST.

    python examples/vae_mnist.py --data_dir ~/tensorflow_datasets --epochs 80
    python examples/vae_mnist.py --data_dir ~/tensorflow_datasets --objective iwae --num_samples 5
    python examples/vae_mnist.py --data_dir ~/tensorflow_datasets --posterior_family iaf
    python examples/vae_mnist.py --data_dir ~/tensorflow_datasets --prior vamp

Kingma & Welling 2013, in the setting of Burda et al. 2015 (https://arxiv.org/abs/1509.00519), with
batches of 100, and 80 epochs of Adam whose rate falls in place of 3,280 epochs. MNIST's grey values
are binarized anew in each step ("dynamic"): not comparable with the fixed binarization.
"""

import os
import time

import keras
from absl import app, flags

import kgen

EPOCHS = flags.DEFINE_integer("epochs", 80, "Epochs over the 60,000 images.")
OBJECTIVE = flags.DEFINE_enum("objective", "elbo", ["elbo", "iwae", "dreg"], "What is minimised.")
NUM_SAMPLES = flags.DEFINE_integer("num_samples", 1, "Samples of z an image in a step.")
FAMILY = flags.DEFINE_enum(
    "posterior_family", "normal", ["normal", "full", "iaf"], "What q(z|x) is."
)
PRIOR = flags.DEFINE_enum("prior", "normal", ["normal", "vamp", "flow"], "What p(z) is.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS finds or puts MNIST.")
OUT = flags.DEFINE_string("out", "runs/vae_mnist", "Gets the pictures and the model.")


def learning_rate(epoch, _):
    """Constant for the first 40% of the epochs, then a straight line to 0."""
    return 2e-3 * min(1.0, (1.0 - epoch / EPOCHS.value) / 0.6)


def main(_):
    """Trains, evaluates and draws."""
    keras.utils.set_random_seed(0)
    data = kgen.data.load("mnist", batch_size=100, data_dir=DATA_DIR.value)
    test_images, _ = data.test.take()

    vae = kgen.VAE(
        data.image_shape,
        latent_dim=50,
        posterior_family=FAMILY.value,
        objective=OBJECTIVE.value,
        num_samples=NUM_SAMPLES.value,
        prior=PRIOR.value,
        seed=0,
    )
    vae.adapt(data.train)
    vae.compile(keras.optimizers.Adam(2e-3))
    os.makedirs(OUT.value, exist_ok=True)
    started = time.time()
    vae.fit(
        data.train,
        epochs=EPOCHS.value,
        shuffle=False,
        validation_data=data.test,
        callbacks=[
            keras.callbacks.LearningRateScheduler(learning_rate),
            kgen.callbacks.SampleGrid(f"{OUT.value}/samples", every=10),
            keras.callbacks.CSVLogger(f"{OUT.value}/history.csv"),
        ],
    )
    print(f"{EPOCHS.value} epochs: {time.time() - started:.0f} s")
    print(f"test ELBO: {vae.elbo(test_images, seed=0).mean():.2f} nats")
    bound = vae.log_likelihood(test_images[:1000], num_samples=5000, seed=0)
    print(f"IS-5000, first 1,000 test images: {bound.mean():.2f} nats")

    vae.save(f"{OUT.value}/model.keras")
    kgen.pictures.grid(vae.sample(100, seed=0), path=f"{OUT.value}/samples.png")
    kgen.pictures.reconstructions(vae, test_images[:32], path=f"{OUT.value}/reconstructions.png")
    kgen.pictures.interpolation(
        vae, test_images[:8], test_images[8:16], path=f"{OUT.value}/interpolation.png"
    )


if __name__ == "__main__":
    app.run(main)
