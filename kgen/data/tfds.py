"""Any image set of TensorFlow Datasets, by name."""

import contextlib
import contextvars
import difflib
import math
import os
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from kgen.data import splits
from kgen.data.images import resize
from kgen.data.imports import require, require_tensorflow
from kgen.data.splits import (
    IndexedSplit,
    Order,
    Source,
    StreamedSplit,
    in_memory,
    num_held_out,
    split_names,
    warn_of_unused,
)
from kgen.fields import Attributes, Label
from kgen.printable import printable

# What a streamed set holds in memory to shuffle from; the files are shuffled as well.
SHUFFLE_BYTES = 2**28
TIMEOUT = 10
"""Seconds that what is to be downloaded has to answer."""
_downloads = contextvars.ContextVar("downloads", default=True)


@contextlib.contextmanager
def no_downloads():
    """Where a set that is not prepared is refused, and asked of no other machine."""
    token = _downloads.set(False)
    try:
        yield
    finally:
        _downloads.reset(token)


def from_tfds(
    name: str, image_size: tuple[int, int] | None, data_dir: str | os.PathLike | None
) -> Source:
    """A set of TensorFlow Datasets, prepared in `data_dir` or downloaded to there."""
    builder = _builder(name, data_dir)
    image_shape, condition = _features(name, builder.info.features, image_size)
    if not builder.is_prepared():
        _prepare(name, builder)
    parts = _parts(name, builder.info)
    num_images = sum(builder.info.splits[split].num_examples for split in parts)
    is_large = num_images * math.prod(image_shape) > splits.MEMORY_LIMIT

    def part(split):
        def start(batch_size: int, order: Order):
            return _batches(builder, split, image_shape, condition, batch_size, order)

        size = builder.info.splits[split].num_examples
        if is_large:
            return StreamedSplit(start, size)
        images = np.empty((size, *image_shape), "uint8")
        values = None if condition is None else np.empty((size, *condition.shape), condition.dtype)
        row = 0
        for batch in start(min(size, 256), None):
            rows = slice(row, row + len(batch[0]))
            images[rows] = batch[0]
            if values is not None:
                values[rows] = batch[1]
            row = rows.stop
        if values is not None:
            condition.check(values, f"{condition.what} of {name} {split}")
        return IndexedSplit(in_memory(images, values), np.arange(size))

    train, test = (part(split) for split in parts)
    terms = builder.info.redistribution_info.license or f"see {builder.info.homepage}"
    return Source(name, image_shape, train, test, condition, license=terms)


def _builder(name, data_dir):
    if data_dir is not None and not os.path.isdir(os.path.expanduser(data_dir)):
        raise FileNotFoundError(
            "Expected data_dir as an existing folder, which has the prepared set or gets it from "
            f"the internet: `mkdir -p {data_dir}` for a new one. Received: data_dir={data_dir!r}"
        )
    needed_for = (
        f"{name!r} is neither 'digits' nor an existing folder or .npz, and reading it from "
        "TensorFlow Datasets"
    )
    packages = "tensorflow tensorflow-datasets"
    require_tensorflow(needed_for, packages)
    tfds = require("tensorflow_datasets", packages, needed_for)
    try:
        return tfds.builder(name, data_dir=data_dir)
    except ValueError:
        known = tfds.list_builders(with_community_datasets=False)
        base = name.split("/")[0].split(":")[0]
        if base in known:
            raise  # A wrong config: TFDS names the right ones.
        near = difflib.get_close_matches(base, ["digits", *known])
        meant = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
        raise ValueError(
            "Expected 'digits', the name of a data set of TensorFlow Datasets, or the path of an "
            f"existing folder or .npz.{meant} Received: source={name!r}"
        ) from None
    except AssertionError as error:  # a wrong version
        raise ValueError(f"{error} Received: source={name!r}") from error


def _prepare(name, builder):
    """Downloads a set and prepares it, or says soon that it cannot be reached."""
    urls, folder = builder.url_infos or {}, builder.data_dir_root
    if not _downloads.get():
        raise FileNotFoundError(
            f"Expected {name} prepared in {folder}. It is not on this machine, and is not "
            f"downloaded here: `tfds build {name} --data_dir {folder}` prepares it. "
            f"Received: source={name!r}"
        )
    requests = require("requests", "requests", "Downloading from TensorFlow Datasets")
    size = sum(info.size for info in urls.values()) / 2**20
    print(f"{name} is not prepared in {folder}: downloading it to there, {size:,.1f} MiB")
    try:
        if urls and not _has_downloads(folder, urls):
            _check_reachable(urls)
        builder.download_and_prepare()
    except requests.RequestException as error:
        raise ConnectionError(
            f"Expected {name} prepared in {folder}, or a connection to download it: "
            f"{printable(error)}. Where there is one, `tfds build {name} --data_dir FOLDER` "
            f"prepares it, and FOLDER can be copied. Received: source={name!r}"
        ) from error


def _has_downloads(folder, urls):
    """Whether a folder has files that TFDS downloaded earlier, perhaps on another machine."""
    notes = [file.read_text() for file in Path(folder, "downloads").rglob("*.INFO")]
    return any(url in note for note in notes for url in urls)


def _check_reachable(urls):
    """Raises an error of requests if no server answers: TFDS would go on trying for minutes."""
    requests = require("requests", "requests", "Downloading from TensorFlow Datasets")
    hosts = {urlsplit(url).netloc: url for url in urls if url.startswith("http")}
    failed = None
    for url in hosts.values():
        try:
            requests.get(url, stream=True, timeout=TIMEOUT).close()
            return
        except requests.RequestException as error:
            failed = error
    if failed is not None:
        raise requests.ConnectionError(f"{' and '.join(hosts)} cannot be reached") from failed


def _features(name, features, image_size):
    """The shape of a set's images, and the field of what they are conditioned on or None."""
    tfds = require("tensorflow_datasets", "tensorflow-datasets", "TFDS")
    image = features["image"] if "image" in features else None
    if not isinstance(image, tfds.features.Image):
        raise ValueError(
            "Expected a data set with images in the feature 'image'. "
            f"Received: source={name!r} with the features {sorted(features)}"
        )
    height, width, channels = image.shape
    if np.dtype(image.np_dtype) != np.uint8 or channels not in (1, 3):
        raise ValueError(
            "Expected a data set with uint8 images of 1 or 3 channels. Received: "
            f"source={name!r} with images {image.shape} of {np.dtype(image.np_dtype)}"
        )
    if image_size is not None:
        height, width = image_size
    if height is None or width is None:
        raise ValueError(
            "Expected images of one size, or `image_size`, to which each is scaled and cropped. "
            f"Received: source={name!r}, whose images differ in size, image_size=None"
        )
    return (height, width, channels), _condition(features)


def _condition(features):
    tfds = require("tensorflow_datasets", "tensorflow-datasets", "TFDS")
    label = features["label"] if "label" in features else None
    if isinstance(label, tfds.features.ClassLabel):
        return Label(label.num_classes, label.names)
    attributes = features["attributes"] if "attributes" in features else None
    if isinstance(attributes, tfds.features.FeaturesDict) and len(attributes):
        kinds = {(np.dtype(each.np_dtype).kind, each.shape) for each in attributes.values()}
        if kinds == {("b", ())}:
            return Attributes(len(attributes), sorted(attributes))
    return None


def _parts(name, info):
    """The names of the training and the test split."""
    trains, tests = split_names(info.splits)
    if not trains:
        raise ValueError(
            "Expected a data set with the split 'train'. "
            f"Received: source={name!r} with the splits {sorted(info.splits)}"
        )
    used = trains[:1] + tests[:1]
    warn_of_unused(name, [split for split in info.splits if split not in used], used)
    if tests:
        return tuple(used)
    size = info.splits[trains[0]].num_examples
    num_train = size - num_held_out(size, name)
    return f"{trains[0]}[:{num_train}]", f"{trains[0]}[{num_train}:]"


def _batches(builder, split, image_shape, condition, batch_size, order):
    """A pass over a split: shuffled by `order`, or in the order of the files."""
    tf = require_tensorflow("TFDS")
    tfds = require("tensorflow_datasets", "tensorflow-datasets", "TFDS")

    def pick(example):
        image = example["image"]
        if image.shape.as_list() != list(image_shape):
            # Pillow and not tf.image, so that a size means the same for every source.
            image = tf.numpy_function(lambda x: resize(x, image_shape[:2]), [image], tf.uint8)
            image.set_shape(image_shape)
        if isinstance(condition, Label):
            return image, tf.cast(example["label"], condition.dtype)
        if isinstance(condition, Attributes):
            given = example["attributes"]
            return image, tf.cast(tf.stack([given[each] for each in condition.names]), "float32")
        return (image,)

    seed = None if order is None else int(np.random.SeedSequence(order).generate_state(1)[0])
    wanted = {"image": True}
    if isinstance(condition, Label):
        wanted["label"] = True
    elif isinstance(condition, Attributes):
        wanted["attributes"] = dict.fromkeys(condition.names, True)
    dataset = builder.as_dataset(
        split=split,
        shuffle_files=order is not None,
        decoders=tfds.decode.PartialDecoding(wanted),
        read_config=tfds.ReadConfig(shuffle_seed=seed, try_autocache=False),
    )
    dataset = dataset.map(pick, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    if order is not None:
        size = builder.info.splits[split].num_examples
        buffer = max(1, SHUFFLE_BYTES // math.prod(image_shape))
        dataset = dataset.shuffle(min(size, buffer), seed)
    options = tf.data.Options()
    # The tuner's thread can sleep for half a minute after a pass that was left before its end, and
    # whoever frees it waits.
    options.autotune.enabled = False
    return tfds.as_numpy(dataset.batch(batch_size).prefetch(1).with_options(options))
