"""Features of real images are computed once, by what the images and the features are."""

import os

import numpy as np
import pytest

from kgen import metrics
from kgen.metrics.features import Extracted, Features, cache
from kgen.metrics.features.cache import extract_once

pytestmark = pytest.mark.anywhere

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 1), dtype="uint8")


class Counted(Features):
    name, resizing = "counted", "none"

    def __init__(self, sha256="0", has_classes=True):
        self.notes, self.has_classes, self.calls = {"sha256": sha256}, has_classes, 0

    def extract_batch(self, x, batch_size):
        self.calls += 1
        logits = x.reshape(len(x), -1)[:, :3] if self.has_classes else None
        return Extracted(x.mean(axis=(1, 2)), logits)


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("KGEN_CACHE", str(tmp_path))
    return tmp_path / "features"


@pytest.mark.parametrize("has_classes", [True, False])
def test_the_second_time_nothing_is_computed(kept, has_classes):
    first, second = (Counted(has_classes=has_classes) for _ in range(2))
    expected = first.extract(IMAGES)
    found = [extract_once(each, lambda: [IMAGES]) for each in (first, second)]
    assert (first.calls, second.calls) == (2, 0)
    for each in found:
        for array, of_all in zip(each, expected, strict=True):
            np.testing.assert_array_equal(array, of_all)
    # However they are divided into batches.
    again = extract_once(second, lambda: iter([IMAGES[:3], IMAGES[3:]]))
    assert second.calls == 0 and len(again.features) == 7
    assert len(list(kept.iterdir())) == 1


def test_what_makes_another(kept):
    features = Counted()
    extract_once(features, lambda: [IMAGES])
    for images in (IMAGES[::-1], IMAGES[:6], IMAGES.reshape(7, 2, 8, 1), IMAGES / 255.0):
        before = features.calls
        extract_once(features, lambda images=images: [images])
        assert features.calls == before + 1
    for other in (Counted(sha256="1"), Counted()):
        other.resizing = "none" if other.notes["sha256"] == "1" else "bicubic"
        extract_once(other, lambda: [IMAGES])
        assert other.calls == 1
    assert len(list(kept.iterdir())) == 7


def test_features_without_a_hash_are_not_kept(kept):
    features = Counted()
    features.notes = {}
    for _ in range(2):
        extract_once(features, lambda: [IMAGES])
    assert features.calls == 2 and not kept.exists()


@pytest.mark.parametrize("damage", [b"", b"no archive", None])
def test_a_damaged_file_is_written_anew(kept, damage):
    features = Counted()
    extract_once(features, lambda: [IMAGES])
    (file,) = kept.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    extract_once(features, lambda: [IMAGES])
    assert features.calls == 2 and file.read_bytes() == whole


def test_every_flipped_bit_is_found_or_changes_nothing(kept):
    features = Counted()
    expected = extract_once(features, lambda: [IMAGES[:1]])
    (file,) = kept.iterdir()
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        for found, known in zip(
            extract_once(features, lambda: [IMAGES[:1]]), expected, strict=True
        ):
            np.testing.assert_array_equal(found, known)


def test_a_file_of_something_else_is_written_anew(kept):
    extract_once(Counted(), lambda: [IMAGES])
    (file,) = kept.iterdir()
    with open(file, "wb") as opened:
        np.save(opened, np.zeros(3))
    features = Counted()
    assert extract_once(features, lambda: [IMAGES]).logits.shape == (7, 3) and features.calls == 1


def test_a_cache_that_cannot_be_written(kept):
    kept.write_text("a file")
    assert len(extract_once(Counted(), lambda: [IMAGES]).features) == 7


def test_the_least_recently_used_go(kept, monkeypatch):
    size = None
    for i in range(4):
        extract_once(Counted(sha256=str(i)), lambda: [IMAGES])
        files = sorted(kept.iterdir(), key=os.path.getmtime)
        size = size or files[0].stat().st_size
        for age, file in enumerate(reversed(files)):
            os.utime(file, (1e9 - age, 1e9 - age))
    first = Counted(sha256="0")
    extract_once(first, lambda: [IMAGES])  # used again
    assert first.calls == 0
    monkeypatch.setattr(cache, "MOST_BYTES", 2 * size)
    extract_once(Counted(sha256="new"), lambda: [IMAGES])
    assert len(list(kept.iterdir())) == 2
    extract_once(first, lambda: [IMAGES])
    assert first.calls == 0


def test_what_is_too_large_leaves_the_others(kept, monkeypatch):
    extract_once(Counted(sha256="small"), lambda: [IMAGES[:1]])
    (small,) = kept.iterdir()
    monkeypatch.setattr(cache, "MOST_BYTES", small.stat().st_size)
    extract_once(Counted(sha256="large"), lambda: [np.tile(IMAGES, (60, 1, 1, 1))])
    assert list(kept.iterdir()) == [small]


def test_a_cache_that_others_may_read_alone(kept, monkeypatch):
    features = Counted()
    extract_once(features, lambda: [IMAGES])

    def refuse(*args):
        raise PermissionError

    monkeypatch.setattr("os.utime", refuse)
    extract_once(features, lambda: [IMAGES])
    assert features.calls == 1


def test_an_evaluation_extracts_real_images_once(digits, kept):
    features, names = Counted(), ["kid", "memorization_distance"]
    metrics.Evaluation(digits, names, features, num=40)
    first = features.calls
    metrics.Evaluation(digits, names, features, num=40)
    assert features.calls == first > 0 and len(list(kept.iterdir())) == 3
