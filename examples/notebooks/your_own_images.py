# %% [markdown]
# # Your own images
#
# A folder is a data set. This notebook shows what kgen makes of one as people have them: a folder a
# class, files of odd sizes, some of them transparent, one of them broken. Then it trains a model of
# colour images of 64x64 pixels, with augmentation, on one or two GPUs, a TPU, or in some minutes on
# a processor.
#
# The pictures below are emoji of Google's Noto Emoji, under the Apache License 2.0.

# %% first_cell.py

# %% [markdown]
# ## A folder as people have them
#
# So that the notebook runs anywhere, it draws a small folder of faces: two classes, odd sizes,
# transparency, grey files and JPEG among the PNG.

# %%
import contextlib
import inspect
import json
import pathlib
import warnings

import numpy as np
from IPython.display import Image
from PIL import Image as Picture
from PIL import ImageDraw


def draw_face(random, happy):
    """A face of a random size, colour and mood, on nothing."""
    width, height = random.integers(70, 140, size=2)
    face = Picture.new("RGBA", (int(width), int(height)))
    pen = ImageDraw.Draw(face)
    box = np.array([4, 4, width - 4, height - 4])
    colour = tuple(random.integers([200, 140, 0], [256, 220, 90]).tolist())
    pen.ellipse(box.tolist(), fill=(*colour, 255), outline=(90, 60, 0, 255), width=3)
    for x in (0.33, 0.67):
        pen.ellipse([x * width - 6, 0.3 * height, x * width + 6, 0.3 * height + 18], fill="black")
    mouth = [0.28 * width, 0.45 * height, 0.72 * width, 0.78 * height]
    if not happy:
        mouth = [0.28 * width, 0.62 * height, 0.72 * width, 0.95 * height]
    start, end = (15, 165) if happy else (195, 345)
    pen.arc(mouth, start, end, fill="black", width=5)
    return face


faces = pathlib.Path(OUT, "faces")
random = np.random.default_rng(0)
for mood in ("happy", "sad"):
    (faces / mood).mkdir(parents=True, exist_ok=True)
    for number in range(20 if QUICK else 300):
        face = draw_face(random, mood == "happy")
        if number % 10 == 0:
            face.convert("LA").save(faces / mood / f"{number}.png")  # grey
        elif number % 10 == 1:
            flat = Picture.new("RGB", face.size, "white")
            flat.paste(face, mask=face)
            flat.save(faces / mood / f"{number}.jpg")
        else:
            face.save(faces / mood / f"{number}.png")
_ = (faces / "sad" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")

# %% [markdown]
# `image_size=64` scales each image until it covers 64x64, and cuts the rest off evenly.
# Transparency is put on white; grey files become RGB among others; classes are the folders' names;
# a tenth is held out for tests, as there is no folder `test`. The broken file is named, and the
# others still load:

# %%
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    drawn = kgen.data.load(faces, image_size=64, batch_size=32)
print(*(str(each.message).replace(f"{faces}", "faces") for each in told), sep="\n")
print(drawn.image_shape, drawn.condition, drawn.num_train, "for training,", drawn.num_test)


def small(picture):
    """A picture in 128 colours, so that the notebook stays small."""
    return picture.quantize(128)


small(kgen.pictures.grid(drawn.train.take(24)[0], columns=12))

# %% [markdown]
# ## The emoji
#
# There are 1,906 emoji of 64x64 in Google's style in the npm package `emoji-datasource-google`. In
# a folder of its own,
#
#     npm pack emoji-datasource-google@16.0.0 && tar xzf emoji-datasource-google-16.0.0.tgz
#
# unpacks `package/` with the pictures and `emoji.json`, which says the category of each. This
# function puts them into a folder a class. Run it once, and on Kaggle add the folder as a data set
# called `emoji`, so that it is found in `/kaggle/input`.


# %%
def sort_emoji(package, folder):
    """Copies the emoji of an unpacked package into a folder a category."""
    package, folder = pathlib.Path(package), pathlib.Path(folder)
    for emoji in json.loads((package / "emoji.json").read_text()):
        category = emoji["category"].lower().replace(" & ", "_").replace(" ", "_")
        if emoji["has_img_google"] and category != "component":
            (folder / category).mkdir(parents=True, exist_ok=True)
            file = package / "img" / "google" / "64" / emoji["image"]
            (folder / category / f"{emoji['short_name']}.png").write_bytes(file.read_bytes())


if os.path.isdir("package/img/google/64"):
    sort_emoji("package", f"{OUT}/emoji")

# %% [markdown]
# Where they are not found, all that follows is done with the drawn faces.

# %%
places = [
    os.environ.get("KGEN_EMOJI"),
    f"{OUT}/emoji",
    *map(os.path.dirname, added("smileys_emotion")),
]
emoji = next((place for place in places if place and os.path.isdir(place)), None)
folder = faces if emoji is None else emoji
print("No emoji here: the drawn faces stand in." if emoji is None else "Emoji found.")
data = kgen.data.load(folder, image_size=64, batch_size=32)
print(data.num_classes, "classes:", ", ".join(data.class_names))
images, labels = data.train.take()
shown = [images[labels == label][:8] for label in range(data.num_classes)]
small(kgen.pictures.grid(np.concatenate(shown), columns=8))

# %% [markdown]
# A row a class. Two thousand images are few for a GAN, and flags, food and faces have little in
# common. What a GAN learns in minutes is a class; so the model below is of the first class that has
# faces, and `FOLDER = folder` is all of them.
#
# `augment` makes more of few images: `"flip"` mirrors half of them, `"crop"` moves each by up to an
# eighth. It is for training alone, and off unless asked for: a GAN draws what it is shown, so
# mirror only what may be mirrored (it would write flags and letters backwards).

# %%
FOLDER = folder / "happy" if emoji is None else os.path.join(emoji, "smileys_emotion")
AUGMENT = ("flip",)
try:
    data = kgen.data.load(FOLDER, image_size=64, batch_size=32, augment=AUGMENT)
except ImportError as error:  # augmentation is keras-cv's, which needs TensorFlow
    print(f"{error} Going on without augmentation.")
    data = kgen.data.load(FOLDER, image_size=64, batch_size=32)
batch, *_ = data.train[0]
print(data.num_train, "images,", len(data.train), "batches")
small(kgen.pictures.grid(batch[:24], columns=12))

# %% [markdown]
# ## One device or several
#
# Two T4 on Kaggle: on TensorFlow a model that is made and compiled inside the scope of a
# `MirroredStrategy` trains on both; on JAX a `DataParallel` distribution is set before the model is
# made, for GPUs and for the cores of a TPU. The batch is that of all devices together and has to
# divide by them. With one device this cell does nothing. On PyTorch it is `torchrun`: see
# `docs/distributed.md`, which also says what was tried.

# %%
scope = contextlib.nullcontext()
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    if len(tf.config.list_physical_devices("GPU")) > 1:
        scope = tf.distribute.MirroredStrategy().scope()
if keras.backend.backend() == "jax":
    import jax

    if jax.device_count() > 1:
        keras.distribution.set_distribution(keras.distribution.DataParallel())

# %% [markdown]
# ## The model
#
# A DCGAN of 64x64 colour images: $G$ doubles the size four times from 4x4 on, $D$ halves it, and
# they minimise
#
# $$-\mathbb{E}[\log D(x)] - \mathbb{E}[\log(1 - D(G(z)))] \quad\text{and}\quad
# -\mathbb{E}[\log D(G(z))],$$
#
# two lines of kgen, of logits. Nothing else of the notebook `gans` changes for colour and size:
# `image_shape` says both. Samples are of averaged weights.

# %%
from kgen.losses import minimax_discriminator_loss, non_saturating_generator_loss

for function in (minimax_discriminator_loss, non_saturating_generator_loss):
    print(inspect.getsource(function))
WIDTH = 4 if QUICK else 16  # 128, the paper's for 64x64
ROUNDS, STEPS = (2, 2) if QUICK else (14, 100)  # 200 rounds on a GPU

with scope:
    gan = kgen.DCGAN(data.image_shape, width=WIDTH, ema_decay=0.99, seed=0)
    gan.compile({p: keras.optimizers.Adam(4e-4, beta_1=0.5) for p in gan.players()})  # 2e-4
for player in gan.players():
    network = getattr(gan, player)
    print(f"{player}: {network.count_params():,} parameters")
grids = kgen.callbacks.SampleGrid(f"{OUT}/samples", num=4, every=2)
callbacks = [kgen.callbacks.StopOnNaN(), kgen.callbacks.StuckDiscriminator(), grids]
gan.fit(data.train, epochs=ROUNDS, steps_per_epoch=STEPS, callbacks=callbacks, verbose=0)
small(kgen.pictures.samples(gan, 25, seed=0))

# %% [markdown]
# Round yellow faces with eyes and mouths first, hearts next; what is rare in the folder is still
# blots. Four of them after each second round:

# %%
frames = [f"{OUT}/samples/epoch-{n + 1:04d}.png" for n in gan.history.epoch[1::2]]
kgen.pictures.animation(frames, f"{OUT}/training.gif", seconds=0.5)
Image(f"{OUT}/training.gif")

# %% [markdown]
# ## Learned, or learned by heart?
#
# Right of each sample are the training images that are nearest to it. So few images can be learned
# by heart in a long training; then the first two columns are the same.

# %%
small(kgen.pictures.nearest(gan.sample(4, seed=2), data.train.in_order(), neighbours=6))

# %% [markdown]
# Between two latents one goes over into the other in small steps:

# %%
start, end = gan.draw_latents(4, seed=3).reshape(2, 2, -1)
small(kgen.pictures.interpolation(gan, start, end, steps=9))

# %% [markdown]
# ## On your own folder
#
#     data = kgen.data.load("/kaggle/input/NAME", image_size=64, augment=("flip",))
#
# or without Python, resumable after the session ends, from the same folder:
#
#     kgen train dcgan --dataset /kaggle/input/NAME --image_size 64 --augment flip \
#         --width 64 --ema_decay 0.999 --epochs 200
#
# ## What to try next
#
# - `condition=data.condition` with all classes, and `gan.sample(16, "food_drink")`.
# - Longer and wider, on a GPU: `WIDTH = 64`, 200 rounds, `ema_decay=0.999`, the paper's rate.
# - Where the discriminator is always right (`StuckDiscriminator` says so): `loss="hinge"` with
#   `spectral_normalization=True`, more `augment`, or `label_smoothing=0.1`.
# - `kgen.VAE(data.image_shape, architecture="convolutional")` of the same data: soft, but it never
#   collapses, and tells how likely an image is in bits/dim.
# - Pairs of folders, and two unpaired ones: `kgen.data.load(..., paired=True)`, `data.domains`.
