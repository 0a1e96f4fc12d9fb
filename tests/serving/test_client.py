"""The client, against a server of this process that speaks the published formats."""

import inspect
import time

import keras
import numpy as np
import pytest
from PIL import Image

import kgen
from kgen import cli
from kgen.serving import Client, rest_api
from tests.serving.models import png

if keras.backend.backend() != "tensorflow":
    pytest.skip("TensorFlow answers in the server's place", allow_module_level=True)

from tests.serving import loopback

SERVERS = {"rest": loopback.rest_server, "grpc": loopback.grpc_server}
USED = (
    "vae",
    "autoencoder",
    "conditional_gan",
    "gan_of_attributes",
    "vae_of_images",
    "gan_of_tokens",
    "info_gan",
    "pixel_cnn",
)


@pytest.fixture(scope="module")
def servables(served):
    found = {name: loopback.Servable(name, served[name].version) for name in USED}
    yield found
    for each in found.values():
        each.session.close()


@pytest.fixture(params=SERVERS)
def client_of(request, servables):
    """Starts a server of a model, and gives a client."""
    running = []

    def client_of(name, before=lambda: None, **kwargs):
        server = SERVERS[request.param](servables[name], before)
        running.append(server)
        servables[name].rows.clear()
        return Client(server.__enter__(), **{"model": name} | kwargs)

    yield client_of
    for server in running:
        server.__exit__(None, None, None)


def test_the_verbs_answer_as_the_models(client_of, served):
    vae, given = served["vae"].model, served["vae"].given
    client = client_of("vae")
    z, images = given["z"][:5], given["image"][:5]
    np.testing.assert_allclose(client.decode(z), vae.decode(z), atol=1e-5)
    as_integers = np.rint(255 * images).astype("uint8")
    for same in (images, as_integers, [png(image) for image in images]):
        np.testing.assert_allclose(client.encode(same), vae.encode(images), atol=1e-5)
        np.testing.assert_allclose(client.reconstruct(same), vae.reconstruct(images), atol=1e-5)
        for found, expected in zip(client.posterior(same), vae.posterior(images), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-5)
    copies = client.predict("reconstruct", image=images)["image"]
    np.testing.assert_allclose(copies, vae.reconstruct(images), atol=1e-5)
    (file,) = client.predict("generate_png", seed=[3])["png_bytes"]
    assert file.startswith(b"\x89PNG")
    codes = client_of("autoencoder").encode(images)
    np.testing.assert_allclose(codes, served["autoencoder"].model.encode(images), atol=1e-5)


def test_an_image_is_of_its_seed(client_of, served, servables):
    """The same from the client, the SavedModel and in process."""
    vae, client = served["vae"].model, client_of("vae")
    given = served["vae"].given["seed"]
    answers = served["vae"].v1["generate.image"]
    np.testing.assert_allclose(client.generate(64, seed=given), answers, atol=1e-6)
    assert servables["vae"].rows == [64]
    many = client.generate(150, seed=7)
    assert servables["vae"].rows[1:] == [64, 64, 22]
    np.testing.assert_allclose(many, vae.sample(150, seed=7), atol=1e-5)
    np.testing.assert_allclose(client.generate(3, seed=7), many[:3], atol=1e-6)
    others = client.generate(150, seed=8)
    assert np.abs(many[:, None] - others).max(axis=(2, 3, 4)).min() > 1e-4  # none is shared
    a, b = client.generate(2), client.generate(2)
    assert np.abs(a - b).max() > 1e-3


def test_labels_and_codes(client_of, served):
    each = served["conditional_gan"]
    client, labels = client_of("conditional_gan"), each.given["label"]
    images = client.generate(64, labels, seed=5)
    np.testing.assert_allclose(images, each.model.sample(64, labels, seed=5), atol=1e-5)
    np.testing.assert_allclose(client.generate(3, labels[2], seed=5)[2], images[2], atol=1e-5)
    z = each.given["z"][:4]
    np.testing.assert_allclose(client.decode(z, 1), each.model.decode(z, 1), atol=1e-5)
    each, codes = served["info_gan"], served["info_gan"].given["codes"]
    images = client_of("info_gan").generate(64, codes=codes, seed=5)
    np.testing.assert_allclose(images, each.model.sample(64, codes=codes, seed=5), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("gan_of_attributes", [1, 0]),
        ("gan_of_tokens", [4, 0]),
        ("vae_of_images", np.arange(48).reshape(4, 4, 3).astype("uint8")),
    ],
)
def test_conditions_of_every_kind(client_of, served, name, row):
    model, client = served[name].model, client_of(name)
    given = served[name].given[model.condition.input_name][:5]
    for condition in (given, row):
        images = client.generate(5, condition, seed=1)
        np.testing.assert_allclose(images, model.sample(5, condition, seed=1), atol=1e-5)
    np.testing.assert_allclose(client.generate(5, row, seed=1), images, atol=1e-5)
    with pytest.raises(ValueError, match=f"Expected {model.condition.input_name}.*Received: no"):
        client.generate(2)


def test_completions(client_of, served):
    each = served["pixel_cnn"]
    images, mask = each.given["image"][:3].round(), each.given["mask"][:3]
    client = client_of("pixel_cnn")
    made = client.complete(images, mask, copies=2, seed=5)
    assert made.shape == (3, 2, 5, 4, 1) and set(np.unique(made)) == {0.0, 1.0}
    np.testing.assert_array_equal(made, each.model.complete(images, mask, copies=2, seed=5))
    for copy in made.swapaxes(0, 1):
        np.testing.assert_array_equal(copy[~mask], images[~mask])
    files = client.complete([png(image) for image in images], mask, copies=2, seed=5)
    np.testing.assert_array_equal(files, made)
    of_one_mask = client.complete(images, mask[0], seed=[5, 6, 7])
    expected = each.model.complete(images, mask[0], seed=[5, 6, 7])
    np.testing.assert_array_equal(of_one_mask, expected)


@pytest.mark.parametrize(
    "verb", ["generate", "decode", "encode", "posterior", "reconstruct", "complete"]
)
def test_the_arguments_are_those_of_the_models_verbs(verb):
    """But for batches and the like, which the server has of its own."""
    models = {"generate": kgen.InfoGAN.sample, "complete": kgen.PixelCNN.complete}
    models |= {name: getattr(kgen.PixelVAE, name) for name in ("decode", "reconstruct")}
    own = inspect.signature(models.get(verb, getattr(kgen.VAE, verb, None))).parameters
    own = [(p.name, p.kind) for p in own.values()]
    found = [(p.name, p.kind) for p in inspect.signature(getattr(Client, verb)).parameters.values()]
    assert found == [each for each in own if each[0] not in ("batch_size", "temperature")]


BAD = {
    "a z too short": (lambda c: c.decode(np.zeros((2, 2))), r"z of shape \(num, 3\).*\(2, 2\)"),
    "one z": (lambda c: c.decode(np.zeros(3)), r"z of shape \(num, 3\)"),
    "words": (lambda c: c.decode([["a", "b", "c"]]), "Expected numbers as z"),
    "NaN": (lambda c: c.decode(np.full((2, 3), np.nan)), "finite z"),
    "no images": (lambda c: c.generate(0), "num as a whole number of at least 1"),
    "no rows": (lambda c: c.decode(np.zeros((0, 3))), "at least one of z"),
    "no image": (lambda c: c.encode([png(np.zeros((8, 8, 1))), b"junk"]), r"\[1\]=b'junk'"),
    "a label too many": (lambda c: c.generate(2, labels=[1, 1]), "no labels, as vae is uncond"),
    "an input too many": (lambda c: c.predict("decode", z=[[0, 0, 0]], y=[1]), "Received: y, z"),
    "a seed of a float": (lambda c: c.generate(2, seed=0.5), "seed as a whole number"),
    "a seed too few": (lambda c: c.generate(2, seed=[1]), "2 seed.*Received: 1"),
    "codes of none": (lambda c: c.generate(2, codes=[1]), "Received: generate_codes"),
    "another verb": (lambda c: c.complete(np.zeros((1, 8, 8, 1)), np.ones((8, 8), bool)), "compl"),
    "another size": (lambda c: c.encode(np.zeros((2, 9, 8, 1))), r"\(num, 8, 8, 1\)"),
    "rows that do not match": (
        lambda c: c.predict("elbo", image=np.zeros((2, 8, 8, 1)), seed=[1]),
        "2 of image, 1 of seed",
    ),
    "half a file": (lambda c: c.encode([png(np.ones((8, 8, 1)))[:30]]), "refused: .*Invalid PNG"),
    "an image beyond 1": (lambda c: c.encode(np.full((2, 8, 8, 1), 1.5)), r"\[1.5, 1.5\]"),
    "an integer beyond 255": (lambda c: c.encode(np.full((2, 8, 8, 1), 256)), "integers in 0..255"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused(case, client_of):
    call, message = BAD[case]
    with pytest.raises(ValueError, match=f"(?s){message}"):
        call(client_of("vae"))


def test_labels_beyond_the_classes_are_refused(client_of):
    client = client_of("conditional_gan")
    with pytest.raises(ValueError, match="Expected label: .*Received: no label"):
        client.generate(2)
    for labels, message in (("dog", "numbers in 0.*dog"), (-1, "-1"), (0.5, "float64"), ([1], "2")):
        with pytest.raises(ValueError, match=message):
            client.generate(2, labels)
    words = r"(?s)refused: .*Expected label in.*2.*the model's signatures: decode, generate"
    with pytest.raises(ValueError, match=words):
        client.generate(2, labels=3)


def test_a_model_that_is_not_there(client_of):
    for wrong in ({"model": "vee"}, {"version": 7}):
        with pytest.raises(ValueError, match="Servable not found"):
            client_of("vae", **wrong).generate(1)
    assert client_of("vae", version=1).generate(1).shape == (1, 8, 8, 1)


@pytest.mark.parametrize("failure", [ConnectionRefusedError("busy"), ConnectionAbortedError()])
def test_connection_errors_are_tried_again(failure, client_of, servables):
    failures = [failure, failure]

    def fail_twice():
        if failures:
            raise failures.pop()

    client = client_of("vae", fail_twice)
    assert client.generate(2, seed=0).shape == (2, 8, 8, 1)
    failures += [failure] * 2
    with pytest.raises(ConnectionError, match="after 2 tries"):
        Client(client.address, "vae", retries=1).generate(2, seed=0)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (rb'{ "error": "no\n\"such\"" }', r'no\n"such"'),
        (rb'{ "error": "it\'s\303" }', r'{ "error": "it\'s\303" }'),  # C's escapes, not JSON's
        (b"<html>\n", "<html>"),
        (b"[]", "[]"),
    ],
)
def test_the_servers_own_words(answer, message):
    assert rest_api.error_message(answer) == message


def test_there_is_no_server():
    for address in ("127.0.0.1:9", "grpc://127.0.0.1:9"):
        with pytest.raises(ConnectionError, match=f"No answer of {address} after 1 tries"):
            Client(address, "vae", retries=0).generate(1)


def test_a_slow_server(client_of):
    with pytest.raises(TimeoutError, match="in time, with timeout=0.2 seconds"):
        client_of("vae", lambda: time.sleep(0.6), timeout=0.2).generate(1)


def test_the_command_line(client_of, served, tmp_path, capsys):
    client = client_of("vae")
    arguments = ["kgen", "generate", "--server", client.address, "--num", "16", "--seed", "1"]
    path = tmp_path / "grid.png"
    assert cli.main([*arguments, "--model", "vae", "--out", str(path)]) == 0
    with Image.open(path) as grid:
        assert grid.size == ((4 * 9 + 1) * 6, (4 * 9 + 1) * 6)
        of_sample = kgen.pictures.samples(served["vae"].model, 16, seed=1)  # `kgen sample`
        np.testing.assert_allclose(np.asarray(grid, int), np.asarray(of_sample, int), atol=1)
    client = client_of("conditional_gan")
    arguments[3] = client.address
    rows = [*arguments, "--model", "conditional_gan", "--labels", "2,0", "--out", str(path)]
    assert cli.main(rows) == 0
    with Image.open(path) as grid:
        assert grid.size == ((8 * 9 + 1) * 6, (2 * 9 + 1) * 6)
    rows[rows.index("--num") + 1] = "27"  # twelve of each, in rows of six
    assert cli.main(rows) == 0
    with Image.open(path) as grid:
        of_sample = kgen.pictures.samples(served["conditional_gan"].model, 27, [2, 0], seed=1)
        np.testing.assert_allclose(np.asarray(grid, int), np.asarray(of_sample, int), atol=1)
    capsys.readouterr()
    path.unlink()
    for wrong, message in ((["--model", "vee"], "Servable not found"), ([], "Expected the model")):
        assert cli.main([*arguments, *wrong, "--out", str(path)]) == 1
        assert message in capsys.readouterr().err
    assert not path.exists()
