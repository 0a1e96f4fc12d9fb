import keras
import numpy as np
import pytest

import kgen
from kgen import fields
from kgen.data import load
from kgen.demo.directions import directions
from kgen.demo.page import Page
from kgen.demo.panels import PANELS, panels_of
from kgen.seeds import seeds_of
from tests.demo.urls import pixels, url
from tests.tiers import in_tiers
from tests.zoo import CASES, SHAPE, ZOO, dense_vae

QUICK = [ZOO["vae"]]
SHOWN = {
    "autoencoder": ["reconstruction", "morph"],
    "vae": ["samples", "latents", "interpolation", "reconstruction", "morph"],
    "info_gan": ["samples", "codes", "interpolation"],
    "gan": ["samples", "latents", "interpolation"],
    "pixel_cnn": ["samples", "completion"],
    "diffusion": ["samples"],
}


def values_of(panel, case):
    """What the page would send at first, with images of the case's where one is painted."""
    values = {}
    for control in panel.controls:
        values[control.name] = control.default
        if control.kind == "picture":
            image = case.images[0] if control.name == "image" else case.images[1]
            hidden = np.arange(image.shape[0])[:, None].repeat(image.shape[1], 1) > 2
            values[control.name] = {"image": url(image), "mask": url(hidden)}
    return values


def shown(answer):
    return np.stack([pixels(image["src"]) for image in answer["images"]])


def as_bytes(images):
    images = np.rint(255 * np.asarray(images)).astype("uint8")
    return images[..., 0] if images.shape[-1] == 1 else images


@pytest.mark.each_backend
@pytest.mark.parametrize(
    "case",
    in_tiers(
        [case for case in CASES if case.name != "toy"],
        quick=QUICK,
        on_each=[case for case in CASES if case.family],
    ),
    ids=repr,
)
def test_every_panel_of_every_model_answers(case):
    page = Page(case.make(seed=0), case.name)
    for name, panel in page.panels.items():
        answer = page.make(name, values_of(panel, case))
        images = shown(answer)
        height, width, channels = case.image_shape
        assert images.shape[1:] == (height, width) + ((channels,) if channels > 1 else ())
        assert {each["kind"] for each in panel.describe()["controls"]} <= KINDS
    assert page.about()["name"] == case.name


KINDS = {"range", "number", "text", "seed", "flag", "choice", "ticks", "sliders", "picture"}


def test_panels_are_of_what_a_model_can_do():
    for name, expected in SHOWN.items():
        assert [panel.name for panel in panels_of(ZOO[name].make())] == expected, name
    assert {each.name for each in PANELS} == {name for each in SHOWN.values() for name in each}


def test_a_model_that_a_page_cannot_show():
    two = kgen.VAE((4, 4, 2), latent_dim=1, likelihood="normal")
    with pytest.raises(ValueError, match=r"1 or 3 channels.*\(4, 4, 2\)"):
        panels_of(two)
    with pytest.raises(ValueError, match="Expected a model with verbs.*sample.*: ToyWGANGP"):
        panels_of(ZOO["toy"].make())


def test_samples_are_those_of_the_verb_with_their_seeds(vae_page):
    answer = vae_page.make("samples", {"seed": "7", "num": 3})
    expected = vae_page.model.sample(3, seed=7)
    np.testing.assert_array_equal(shown(answer), as_bytes(expected))
    seeds = [image["seed"] for image in answer["images"]]
    assert seeds == [str(seed) for seed in seeds_of(7, 3)]
    alone = vae_page.make("latents", {"seed": seeds[2]})
    np.testing.assert_array_equal(shown(alone)[0], shown(answer)[2])


def test_classes_are_side_by_side_or_one_of_them():
    model = dense_vae(num_classes=3, seed=0)
    page = Page(model, "classes")
    answer = page.make("samples", {"num": 6})
    assert answer["columns"] == 3
    assert [image["class"] for image in answer["images"]] == [0, 1, 2, 0, 1, 2]
    assert [image.get("caption") for image in answer["images"]] == ["0", "1", "2", None, None, None]
    one = page.make("samples", {"num": 6, "condition": 3})
    assert {image["class"] for image in one["images"]} == {2}
    expected = model.sample(6, 2, seed=0)
    np.testing.assert_array_equal(shown(one), as_bytes(expected))


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        (fields.Attributes(3, ["round", "red", "tall"]), [0, 2]),
        (fields.Vector(2), "0.5, -1"),
        (fields.Tokens(3, 5), "1, 4, 0"),
        (fields.Image(SHAPE), None),
    ],
    ids=["attributes", "vector", "tokens", "image"],
)
def test_any_condition_has_a_control(condition, value):
    model = kgen.VAE(SHAPE, latent_dim=2, width=4, condition=condition, seed=0)
    page = Page(model, "conditional")
    row = np.array({3: [1, 0, 1], 2: [0.5, -1]}.get(condition.shape[0]))
    if isinstance(condition, fields.Tokens):
        row = np.array([1, 4, 0])
    if value is None:
        row = np.full(SHAPE, 51, "uint8")
        value = {"image": url(row)}
    row = row if row.dtype.kind == "u" else row.astype(condition.dtype)
    answer = page.make("samples", {"num": 2, "condition": value})
    np.testing.assert_array_equal(shown(answer), as_bytes(model.sample(2, row, seed=0)))


def test_sliders_begin_at_the_seed_and_move_along_z(vae_page):
    start = vae_page.make("latents", {"seed": "4"})["values"]["moves"]
    z = vae_page.model.draw_latents(1, seed=4)
    np.testing.assert_allclose(start["at"], z[0], rtol=1e-6)
    assert max(start["low"]) < -2.5 and min(start["high"]) > 2.5
    moves = [start["at"][0], 1.5, start["at"][2]]
    moved = vae_page.make("latents", {"seed": "4", "moves": moves})
    z[0, 1] = 1.5
    np.testing.assert_array_equal(shown(moved), as_bytes(vae_page.model.decode(z)))
    assert moved["values"]["moves"]["at"] == pytest.approx(moves)


def test_latents_of_a_class_whose_prior_knows_it():
    model = kgen.LadderVAE(SHAPE, (2, 1), (4, 4), num_classes=3, seed=0)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(variable + rng.standard_normal(variable.shape))
    page = Page(model, "conditional")
    for name, given in {
        "latents": {"seed": "4"},
        "interpolation": {"start": "4", "end": "5"},
    }.items():
        answer = page.make(name, given | {"condition": 2})
        np.testing.assert_array_equal(shown(answer)[:1], as_bytes(model.sample(1, 2, seed=4)))


def test_directions_of_a_long_z_are_those_in_which_images_change():
    """Of a decoder that looks at 2 of 12 latents, and at one of them more."""
    z = keras.Input((12,))
    decoder = keras.Model(z, keras.layers.Reshape(SHAPE)(keras.layers.Dense(64)(z)))
    kernel, bias = np.zeros((12, 64)), np.zeros(64)
    kernel[5, :32], kernel[8, 32:] = 0.5, 0.1
    decoder.set_weights([kernel, bias])
    model = kgen.VAE(SHAPE, latent_dim=12, decoder=decoder, seed=0)
    axes, low, high = directions(model, 2)
    np.testing.assert_allclose(axes, np.eye(12)[[5, 8]], atol=1e-5)
    np.testing.assert_allclose(high, 3.09, atol=0.7)
    np.testing.assert_allclose(low, -3.09, atol=0.7)
    rest = directions(model, 10)[0]
    np.testing.assert_allclose(rest @ rest.T, np.eye(10), atol=1e-5)


def test_codes_are_those_that_are_set():
    model = ZOO["info_gan"].make(seed=0)
    page = Page(model, "codes")
    answer = page.make("codes", {"num": 2, "code_0": 2, "code_1": -0.5})
    expected = model.sample(2, codes=[2, -0.5], seed=0)
    np.testing.assert_array_equal(shown(answer), as_bytes(expected))


def test_between_samples_and_between_images(vae_page):
    model, images = vae_page.model, ZOO["vae"].images
    z = model.draw_latents(2, seed=[3, 5])
    answer = vae_page.make("interpolation", {"start": "3", "end": "5", "steps": 4})
    expected = model.interpolate(z[:1], z[1:], steps=4)[0]
    np.testing.assert_array_equal(shown(answer), as_bytes(expected))
    ends = {"start": {"image": url(images[0])}, "end": {"image": url(images[1])}}
    answer = vae_page.make("morph", ends | {"steps": 5, "spherical": True})
    expected = model.interpolate(images[:1], images[1:2], steps=5, spherical=True)[0]
    np.testing.assert_array_equal(shown(answer), as_bytes(expected))


def test_reconstruction(vae_page):
    image = ZOO["vae"].images[:1]
    answer = vae_page.make("reconstruction", {"image": {"image": url(image[0])}})
    np.testing.assert_array_equal(shown(answer)[0], image[0, ..., 0])
    np.testing.assert_array_equal(shown(answer)[1:], as_bytes(vae_page.model.reconstruct(image)))
    assert [each["caption"] for each in answer["images"]] == ["image", "reconstruction"]


def test_completion_keeps_what_is_shown(pixel_page):
    image = ZOO["pixel_cnn"].images[0]
    hidden = np.zeros((5, 4), bool)
    hidden[2:4, 1:3] = True
    given = {"image": {"image": url(image), "mask": url(hidden)}, "copies": 3, "seed": "9"}
    answer = pixel_page.make("completion", given)
    blank, *completions = shown(answer)
    np.testing.assert_array_equal(blank, np.where(hidden, 128, image[..., 0]))
    expected = pixel_page.model.complete(image[None], hidden, copies=3, seed=9)[0]
    np.testing.assert_array_equal(completions, as_bytes(expected))
    assert all((each[~hidden] == image[..., 0][~hidden]).all() for each in completions)


def test_examples_are_samples_or_test_images(vae_page, digits):
    data = kgen.data.load(digits)
    page = Page(dense_vae(num_classes=10), "data", lambda: data)
    sources = page.panels["reconstruction"].describe()["controls"][1]["sources"]
    assert sources == ("sample", "test")
    answer = page.example("test")
    images, labels = data.test.take()
    same = (np.rint(255 * images[..., 0]) == pixels(answer["src"])).all(axis=(1, 2))
    assert answer["class"] in labels[same]
    assert page.example("sample")["class"] in range(10)
    assert pixels(vae_page.example("sample")["src"]).shape == SHAPE[:2]
    with pytest.raises(ValueError, match="Expected a run folder.*Received: a model"):
        vae_page.example("test")


def test_test_images_that_are_not_here_are_not_downloaded(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    tfds = pytest.importorskip("tensorflow_datasets")
    downloads = []
    monkeypatch.setattr(
        tfds.core.DatasetBuilder, "download_and_prepare", lambda *_, **__: downloads.append(1)
    )
    monkeypatch.setattr("kgen.data.tfds._check_reachable", downloads.append)
    page = Page(dense_vae(seed=0), "vae", lambda: load("mnist", data_dir=tmp_path))
    for _ in range(2):
        with pytest.raises(FileNotFoundError, match="mnist prepared in .* not on this.*tfds build"):
            page.example("test")
    assert not downloads
