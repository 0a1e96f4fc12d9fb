import numpy as np
import pytest

import kgen
from kgen import pictures
from kgen.models.latent_model import LatentModel
from tests.models.test_vae import networks
from tests.pictures.conftest import pixels

THIRD = 0.9674216  # the normal quantile of 5/6


class Stub:
    """A decoder whose one-row images are the codes themselves, and its record of what it saw."""

    interpolate, _on_the_way = LatentModel.interpolate, LatentModel._on_the_way

    def __init__(self, latent_dim=3, num_classes=None):
        self.code_size = latent_dim
        self.num_classes = num_classes
        self.condition = None if num_classes is None else kgen.fields.Label(num_classes)
        self.image_shape = (1, latent_dim, 1)
        self.image = self

    def sample(self, num, labels=None, *, seed=None):
        self.num, self.labels, self.seed = num, labels, seed
        return np.zeros((num, 8, 8, 1))

    def conditions(self, labels, num):
        return labels

    def decode(self, z, labels=None, *, batch_size=None):
        self.z, self.labels = z, labels
        return np.clip(z, 0.0, 1.0)[:, None, :, None]

    def check(self, images):
        return np.asarray(images) / np.float32(255.0)

    def reconstruct(self, images, labels=None):
        self.labels = labels
        return 1.0 - self.check(images)


def test_reconstructions_lie_below_their_originals():
    model = Stub()
    images = np.array([0, 50, 100], "uint8").reshape(3, 1, 1, 1)
    labels = np.array([4, 5, 6])
    picture = pictures.reconstructions(model, images, labels, columns=2)
    scale = picture.width // 5  # two pixels and three gaps
    assert pixels(picture)[scale + 1 :: 2 * scale, scale + 1 :: 2 * scale].tolist() == [
        [0, 50],
        [255, 205],
        [100, 255],
        [155, 255],
    ]
    assert model.labels is labels


@pytest.mark.parametrize(
    ("name", "given", "verb"),
    [
        ("samples", [4], "sample"),
        ("reconstructions", [None], "reconstruct"),
        ("completions", [None, None], "complete"),
        ("manifold", [], "decode"),
        ("traversal", [None], "decode"),
        ("interpolation", [None, None], "interpolate"),
        ("arithmetic", [None, None, None], "decode"),
        ("codes", [], "set_code"),
    ],
)
def test_a_picture_is_of_a_model_that_can_make_it(name, given, verb, tmp_path):
    class Other:
        pass

    message = f"Expected a model with {verb}, for kgen.pictures.{name}. Received: Other"
    with pytest.raises(ValueError, match=message):
        getattr(pictures, name)(Other(), *given, path=str(tmp_path / "a.png"))
    assert not list(tmp_path.iterdir())


def test_manifold_goes_by_quantiles():
    model = Stub()
    picture = pictures.manifold(model, size=3, dims=(2, 0), label=7)
    z = model.z.reshape(3, 3, 3)
    steps = [-THIRD, 0.0, THIRD]
    for i in range(3):
        np.testing.assert_allclose(z[i, :, 2], steps[i], atol=1e-6)  # rows: the first dimension
        np.testing.assert_allclose(z[:, i, 0], steps[i], atol=1e-6)
    assert not z[..., 1].any()
    assert model.labels == 7
    assert picture.size == (9 * 16, 3 * 16)  # no gaps


def test_traversal_varies_one_dimension_a_row():
    model = Stub()
    start = np.array([0.25, 0.5, 0.75])
    picture = pictures.traversal(model, start, limit=2.0, steps=5, label=1)
    z = model.z.reshape(3, 5, 3)
    for dim in range(3):
        np.testing.assert_allclose(z[dim, :, dim], [-2.0, -1.0, 0.0, 1.0, 2.0])
        rest = np.delete(np.arange(3), dim)
        np.testing.assert_allclose(z[dim][:, rest], np.tile(start[rest], (5, 1)))
    assert start.tolist() == [0.25, 0.5, 0.75]
    assert model.labels == 1
    assert picture.size == ((5 * 4 + 1) * 16, (3 * 2 + 1) * 16)


def test_traversal_of_some_dimensions():
    model = Stub(latent_dim=12)
    pictures.traversal(model, np.zeros(12), steps=3)
    assert len(model.z) == 10 * 3
    pictures.traversal(model, np.zeros(12), dims=[11, 4], steps=3)
    np.testing.assert_array_equal(np.argwhere(model.z)[:, 1], [11, 11, 4, 4])


@pytest.mark.parametrize("spherical", [False, True])
def test_interpolation_goes_from_code_to_code(spherical):
    model = Stub(latent_dim=2)
    codes = np.array([[[0.0, 1.0], [0.5, 0.0]], [[1.0, 0.0], [0.0, 0.5]]], "float32")
    labels = np.array([3, 8])
    picture = pictures.interpolation(model, *codes, steps=3, spherical=spherical, labels=labels)
    half = np.sqrt(0.5) if spherical else 0.5
    expected = [
        [[0.0, 1.0], [half, half], [1.0, 0.0]],
        [[0.5, 0.0], [half / 2, half / 2], [0.0, 0.5]],
    ]
    np.testing.assert_allclose(model.z.reshape(2, 3, 2), expected, atol=1e-6)
    assert model.labels.tolist() == [3, 3, 3, 8, 8, 8]
    assert picture.size == (10 * 24, 5 * 24)


def test_interpolation_of_latents():
    model = Stub(latent_dim=2)
    pictures.interpolation(model, np.array([[0.0, 1.0]]), np.array([[1.0, 1.0]]), steps=3)
    np.testing.assert_allclose(model.z, [[0.0, 1.0], [0.5, 1.0], [1.0, 1.0]])
    assert model.labels is None


def test_arithmetic_by_hand():
    model = Stub(latent_dim=2)
    a, b, c = np.array(
        [[[3.0, 0.0], [5.0, 0.0]], [[1.0, 1.0], [2.0, 1.0]], [[0.0, 8.0], [0.0, 9.0]]]
    )
    picture = pictures.arithmetic(model, a, b, c, labels=[7, 8, 9])
    expected = [[2.0, 7.0], [3.0, 8.0], [2.5, 7.5]]  # the last of the means
    np.testing.assert_allclose(model.z[-3:], expected)
    np.testing.assert_allclose(model.z[:3], [[3.0, 0.0], [5.0, 0.0], [4.0, 0.0]])
    assert model.labels.tolist() == [7] * 3 + [8] * 3 + [9] * 6
    assert picture.size == (10 * 24, 9 * 24)


def test_codes_of_an_info_gan():
    gan = kgen.InfoGAN((8, 8, 1), 4, categorical=(3, 2), continuous=1)
    seen = []
    decode = gan.decode
    gan.decode = lambda z, label: seen.append(z) or decode(z, label)
    picture = pictures.codes(gan, rows=2, steps=5, seed=0)
    assert picture.size == ((9 * 5 + 1) * 6, (9 * 6 + 1) * 6)
    first, second, number = (z.reshape(2, -1, 10) for z in seen)
    np.testing.assert_array_equal(first[0, :, 4:7], np.eye(3))
    np.testing.assert_array_equal(second[1, :, 7:9], np.eye(2))
    np.testing.assert_allclose(number[1, :, 9], [-1.0, -0.5, 0.0, 0.5, 1.0])
    for z in (first, second, number):  # a row's noise is its own, and the rest stays
        np.testing.assert_array_equal(z[0, :, :4], np.tile(z[0, :1, :4], (z.shape[1], 1)))
        assert np.abs(z[0, 0, :4] - z[1, 0, :4]).max() > 0


@pytest.mark.parametrize("dims", [(0,), (0, 1, 2), (0, 3), (-1, 0)])
def test_manifold_refuses_dims(dims):
    with pytest.raises(ValueError, match=r"dims as a pair .* in 0..2 each. Received: dims=\("):
        pictures.manifold(Stub(), dims=dims)


@pytest.mark.parametrize("dims", [[3], [0, -1]])
def test_traversal_refuses_dims(dims):
    with pytest.raises(ValueError, match=r"dims as .* in 0..2 each. Received: dims=\["):
        pictures.traversal(Stub(), np.zeros(3), dims=dims)


@pytest.mark.parametrize(
    ("num", "classes", "rows", "columns"),
    [
        (6, None, [0, 1, 2], 2),
        (8, None, [0, 1, 2], 2),  # whole rows
        (2, None, [0, 1, 2], 1),
        (24, [2, 1], [2, 1], 12),
        (50, [2, 1], [2, 2, 2, 1, 1, 1], 8),  # no strip
        (5, [1], [1], 5),
    ],
)
def test_a_conditional_grid_has_a_row_a_class(num, classes, rows, columns):
    model = Stub(num_classes=3)
    picture = pictures.samples(model, num, classes, seed=9)
    assert model.labels.tolist() == np.repeat(rows, columns).tolist()
    assert model.num == len(model.labels) and model.seed == 9
    assert picture.size == ((9 * columns + 1) * 6, (9 * len(rows) + 1) * 6)


@pytest.mark.parametrize("num_classes", [None, 3])
def test_a_grid_of_no_samples(num_classes):
    with pytest.raises(ValueError, match="num as a whole number of at least 1. Received: num=0"):
        pictures.samples(Stub(num_classes=num_classes), 0)


@pytest.mark.parametrize("num_classes", [None, 10])
def test_pictures_of_a_vae(num_classes, digits):
    images, labels = digits
    vae = kgen.VAE((8, 8, 1), num_classes=num_classes, **networks(num_classes=num_classes))
    label, labels = (None, None) if num_classes is None else (4, labels)
    few = None if labels is None else labels[:2]
    assert pictures.reconstructions(vae, images, labels).size == (73 * 6, 145 * 6)
    assert pictures.manifold(vae, size=4, label=label).size == (32 * 6, 32 * 6)
    assert pictures.traversal(vae, np.zeros(3), label=label).size == (100 * 6, 28 * 6)
    way = pictures.interpolation(vae, images[:2], images[2:4], labels=few)
    assert way.size == (100 * 6, 19 * 6)
    # The ends of the way are the reconstructions.
    ends = pixels(pictures.grid(vae.decode(vae.encode(images[:2], few), few), 1))
    np.testing.assert_allclose(pixels(way)[:, : 10 * 6], ends, atol=1)


@pytest.mark.parametrize("draw", [pictures.manifold, lambda model: pictures.traversal(model, [0])])
def test_a_model_without_vectors_has_no_manifold(draw):
    with pytest.raises(ValueError, match="a model with code_size, for .*Received: VQVAE"):
        draw(kgen.VQVAE((8, 8, 1), 4, 2, width=4, depth=1, prior_width=4, prior_depth=1))


def test_rows_of_conditions_that_are_no_classes_are_asked_for():
    vae = kgen.VAE((4, 4, 1), 2, width=4, depth=1, condition=kgen.fields.Attributes(3))
    with pytest.raises(ValueError, match="Expected attributes.*no attributes"):
        pictures.samples(vae, 4)
