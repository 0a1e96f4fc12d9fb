# %% [markdown]
# # From a notebook to TensorFlow Serving
#
# A trained model in a notebook is of no use to an application. TensorFlow Serving answers requests
# for a *SavedModel*: a graph with its weights and named *signatures*, in which there is neither
# Keras nor kgen, and which any language can ask by HTTP.
#
# This notebook trains a conditional VAE, exports it, reads the signatures, checks without a server
# that the SavedModel is the model, and then asks a server, if there is one.

# %% first_cell.py

# %% [markdown]
# ## A model
#
# Digits of 8x8 pixels that come with scikit-learn, and a VAE that is told which digit: $p(x|y) =
# \int p(x|z, y) p(z) dz$. The backend does not matter; the export is made by TensorFlow, in a
# process of its own, from the saved model.

# %%
import contextlib
import io
import os

import numpy as np
import tensorflow as tf
from IPython.display import Image, display

data = open_data("digits", batch_size=100)
images, labels = data.test.take()
vae = kgen.VAE(data.image_shape, latent_dim=16, condition=data.condition, seed=0)
vae.compile()
vae.fit(data.train, epochs=1 if QUICK else 60, verbose=0)  # 200
kgen.pictures.samples(vae, 60, seed=0)

# %% [markdown]
# ## The export
#
# `export` writes version 1 under the model's name, beside it a model card, and two configurations
# of the server. A version appears whole or not at all, so a running server may watch the folder.
# What it prints names the signatures and the commands for the server.

# %%
printed = io.StringIO()
with contextlib.redirect_stdout(printed):
    version = vae.export(f"{OUT}/saved_models/digits")
print(printed.getvalue().replace(f"{os.getcwd()}/", ""))

# %%
for folder, _, names in sorted(os.walk(f"{OUT}/saved_models")):
    for name in sorted(names):
        path = os.path.join(folder, name)
        print(f"{os.path.getsize(path) / 1024:8.1f} KiB  {os.path.relpath(path, OUT)}")

# %% [markdown]
# ## The signatures, read by TensorFlow alone
#
# A signature takes and gives named tensors with a row an image, and any number of rows:

# %%
served = tf.saved_model.load(str(version))


def described(tensors):
    return ", ".join(
        f"{name} {spec.dtype.name}{list(spec.shape[1:])}" for name, spec in tensors.items()
    )


for name, signature in sorted(served.signatures.items()):
    inputs = signature.structured_input_signature[1]
    print(f"{name:<18} {described(inputs)} -> {described(signature.structured_outputs)}")

# %% [markdown]
# ## Is it the model?
#
# The check that needs no server: call the signatures in this process and compare. Randomness comes
# in as a *seed an image*, and row $i$ depends on seed $i$ alone. A server may then put requests
# together in batches, restart, or be one of ten, and still give the same image for the same seed:
# that of `sample`.

# %%
generate = served.signatures["generate"]
sevens = vae.sample(8, labels=7, seed=0)

from kgen.seeds import seeds_of

seeds = seeds_of(0, 8)
answer = generate(seed=tf.constant(seeds), label=tf.fill(8, tf.constant(7, tf.int64)))["image"]
print(f"of sample(8, seed=0): {np.abs(answer.numpy() - sevens).max():.1e} at most")
alone = generate(seed=tf.constant(seeds[5:6]), label=tf.constant([7], tf.int64))["image"]
print(f"the sixth, alone:     {np.abs(alone.numpy()[0] - sevens[5]).max():.1e} at most")
kgen.pictures.grid(np.concatenate([sevens, answer.numpy()]), columns=8)

# %% [markdown]
# The first row is the model's, the second the SavedModel's. And so with codes, copies, and the
# likelihood's bound:

# %%
x = tf.constant(images[:16] / 255.0, tf.float32)
y = tf.constant(labels[:16], tf.int64)
codes = served.signatures["encode"](image=x, label=y)["code"]
copies = served.signatures["reconstruct"](image=x, label=y)["image"]
elbo = served.signatures["elbo"](image=x, label=y, seed=tf.range(16, dtype=tf.int64))["elbo"]
by_model = {
    "codes": (codes, vae.encode(images[:16], labels[:16])),
    "copies": (copies, vae.reconstruct(images[:16], labels[:16])),
    "elbo": (elbo, vae.elbo(images[:16], labels[:16], seed=np.arange(16))),
}
for name, (of_server, of_model) in by_model.items():
    print(f"{name:<7} {np.abs(of_server.numpy() - of_model).max():.1e} at most")
    assert np.allclose(of_server.numpy(), of_model, atol=1e-3)

# %% [markdown]
# An application wants files. `generate_png` gives bytes of a PNG, and each signature that takes an
# image has one that takes the bytes of a file, `encode_bytes` of PNG or JPEG:

# %%
five = tf.constant([5], tf.int64)
drawn = served.signatures["generate_png"](seed=tf.constant([3], tf.int64), label=five)
png = drawn["png_bytes"].numpy()[0]
display(Image(png, width=96))
code = served.signatures["encode_bytes"](image_bytes=tf.constant([png]), label=five)["code"]
print(f"{len(png)} bytes, whose code has {code.shape[1]} numbers")

# %% [markdown]
# ## A server
#
# On a machine with Docker, in the folder of `saved_models`:
#
#     docker run --rm -p 8500:8500 -p 8501:8501 -v "$PWD/saved_models:/models" tensorflow/serving \
#         --model_config_file=/models/models.config \
#         --enable_batching --batching_parameters_file=/models/batching.config
#
# Any language asks it by HTTP:
#
#     curl -s localhost:8501/v1/models/digits:predict \
#         -d '{"signature_name": "generate_png", "inputs": {"seed": [1], "label": [7]}}' \
#         | jq -r '.outputs[0].b64' | base64 -d > seven.png
#
# Python does so with `kgen.serving.Client`, which needs neither Keras nor a backend, checks inputs
# against the server's signatures before it sends them, and tries again where that is safe. Kaggle
# and Colab have no Docker, so this cell says what it would have done if nobody answers:

# %%
SERVER = os.environ.get("KGEN_SERVER", "localhost:8501")
client = kgen.serving.Client(SERVER, model="digits", timeout=5, retries=0)
try:
    from_server = client.generate(8, labels=7, seed=0)
    print(f"{SERVER}: {np.abs(from_server - sevens).max():.1e} at most from sample(8, seed=0)")
except (ConnectionError, TimeoutError):
    print(f"Nobody answers at {SERVER}. Download {OUT}/saved_models, start the server as above,")
    print("and run this cell there, or with KGEN_SERVER=HOST:8501 set before the first cell.")

# %% [markdown]
# ## The next version
#
# More training, another export, and the number is 2. The server loads it when it appears, and
# answers with 1 until then.

# %%
vae.fit(
    data.train, initial_epoch=len(vae.history.epoch), epochs=2 * len(vae.history.epoch), verbose=0
)
with contextlib.redirect_stdout(printed):
    version = vae.export(f"{OUT}/saved_models/digits")
print(os.path.relpath(version, OUT))
label = tf.constant([7], tf.int64)
second = tf.saved_model.load(str(version)).signatures["generate"]
pair = [
    each(seed=tf.constant(seeds[:1]), label=label)["image"].numpy() for each in (generate, second)
]
kgen.pictures.grid(np.concatenate(pair), columns=2)

# %% [markdown]
# The same seed and label, of version 1 and of version 2.
#
# ## What to try next
#
# - `docs/serving.md` has all signatures, limits on work, errors, and what an operator needs.
# - A PixelCNN's `generate` has its loop over the pixels inside, and `complete` takes a mask; an
#   InfoGAN's `generate_codes` takes codes.
# - A signature of your own is a method of the model: see "A model of your own" in docs/serving.md.
# - `kgen export runs/NAME` does the same for a run of `kgen train`, of whatever backend; two T4 or
#   a TPU make no difference to what is exported.
