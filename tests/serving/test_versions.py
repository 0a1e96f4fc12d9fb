"""From a model or a run of any backend to a folder that a server watches."""

import json
import os
import pathlib
import re
import sys
import zipfile

import keras
import numpy as np
import pytest

import kgen
from kgen import cli, fields
from kgen.export import versions
from kgen.runs import export
from tests import own_models
from tests.serving import c_api

SIGNATURES = {
    "decode": {"inputs": {"z": ["float32", 3]}, "outputs": {"image": ["float32", 8, 8, 1]}},
    "generate": {"inputs": {"seed": ["int64"]}, "outputs": {"image": ["float32", 8, 8, 1]}},
}
SIGNATURES["generate_png"] = {
    "inputs": {"seed": ["int64"]},
    "outputs": {"png_bytes": ["string"]},
}


def small_vae():
    """A VAE whose weights are the same on every backend, and these weights."""
    vae = kgen.VAE((8, 8, 1), latent_dim=3, width=6, depth=1, seed=0)
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=v.shape).astype("float32") for v in vae.trainable_variables]
    for variable, value in zip(vae.trainable_variables, weights, strict=True):
        variable.assign(value)
    return vae, weights


@pytest.mark.full
@pytest.mark.each_backend
def test_every_backend_exports_what_numpy_computes(tmp_path, c_program, capsys, monkeypatch):
    """The same weights, exported on each backend and asked without Python, by hand."""
    vae, (a, b, c, d, e, f, g, h) = small_vae()
    # TensorFlow's process imports nothing from where this one stands.
    standing = tmp_path / "standing"
    standing.mkdir()
    for name in ("h5py", "json", "kgen", "keras", "tensorflow"):
        (standing / f"{name}.py").write_text(f"raise RuntimeError('{name} of the folder')")
    monkeypatch.chdir(standing)
    monkeypatch.setattr(sys, "path", ["", str(standing), *sys.path])  # as of `python -m`
    version = vae.export(str(tmp_path / "digits"), about="- Data: none.")
    assert version == str(tmp_path / "digits" / "1")
    assert sorted(os.listdir(tmp_path / "digits")) == ["1", "README.md"]
    rng = np.random.default_rng(1)
    z, image = rng.normal(size=(5, 3)).astype("float32"), rng.random((5, 8, 8, 1), "float32")
    signatures = c_api.signature_defs(version)
    calls = [("decode", signatures["decode"], {"z": z})]
    calls += [(name, signatures[name], {"image": image}) for name in ("encode", "posterior")]
    found = c_api.answers(c_program, str(tmp_path), {version: calls})[version]
    decoded = 1 / (1 + np.exp(-(np.tanh(z @ e + f) @ g + h)))
    encoded = np.tanh(image.reshape(5, 64) @ a + b) @ c + d
    np.testing.assert_allclose(found["decode.image"].reshape(5, 64), decoded, atol=1e-5)
    np.testing.assert_allclose(found["encode.code"], encoded[:, :3], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["posterior.log_var"], encoded[:, 3:], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(vae.decode(z).reshape(5, 64), decoded, atol=1e-5)
    printed = capsys.readouterr().out
    assert f"Wrote {version}, " in printed and "docker run" in printed and "curl" in printed
    assert "image float32[8, 8, 1], seed int64 -> elbo float32" in printed
    card = (tmp_path / "digits" / "README.md").read_text()
    assert "`VAE`. Variational autoencoder" in card and "arxiv.org/abs/1312.6114" in card
    assert (
        "- Data: none." in card and "| `decode` | z float32[3] | image float32[8, 8, 1] |" in card
    )


@pytest.fixture
def made_here(monkeypatch):
    """In place of TensorFlow's process: a folder that says what it was made of."""
    made = []

    def write(archive, folder, name, modules):
        os.makedirs(folder)
        with open(os.path.join(folder, "saved_model.pb"), "w") as file:
            file.write(name)
        made.append((archive, modules))
        return {"signatures": SIGNATURES, "warmed": False, "model": "- Model: a model."}

    monkeypatch.setattr("kgen.export.versions._write_elsewhere", write)
    return made


def tree(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_versions_follow_each_other(tmp_path, made_here, capsys):
    vae, _ = small_vae()
    path = tmp_path / "digits"
    for version in ("1", "2"):
        assert vae.export(str(path)) == str(path / version)
    assert vae.export(path, version=7) == str(path / "7")
    assert vae.export(path) == str(path / "8")
    before = tree(tmp_path)
    with pytest.raises(FileExistsError, match="the next one is 9. Received: version=2"):
        vae.export(path, version=2)
    assert tree(tmp_path) == before and len(made_here) == 4
    card = (path / "README.md").read_text()
    assert [line for line in card.splitlines() if line.startswith("#")] == [
        "# digits",
        *(f"## Version {version}" for version in (8, 7, 2, 1)),
    ]
    assert "no warm-up requests" in capsys.readouterr().out


def test_the_disk_has_a_version_before_its_number(tmp_path, made_here, monkeypatch):
    rename, done = os.rename, []
    monkeypatch.setattr(versions, "flush", lambda path: done.append(os.path.basename(path)))
    monkeypatch.setattr(os, "rename", lambda *args: done.append("renamed") or rename(*args))
    small_vae()[0].export(tmp_path / "digits")
    assert done == ["saved_model.pb", ".", "renamed", "digits"]


def test_the_number_is_taken_meanwhile(tmp_path, made_here, monkeypatch):
    path = tmp_path / "digits"
    write = versions._write_elsewhere

    def slowly(*args):
        written = write(*args)
        (path / "1").mkdir(exist_ok=True)
        (path / "1" / "saved_model.pb").write_text("another's")
        return written

    monkeypatch.setattr("kgen.export.versions._write_elsewhere", slowly)
    vae, _ = small_vae()
    assert vae.export(path) == str(path / "2")
    (path / "3").mkdir()
    with pytest.raises(FileExistsError):
        vae.export(path, version=3)
    assert (path / "1" / "saved_model.pb").read_text() == "another's"


def test_what_stands_in_the_card_stays(tmp_path, made_here):
    vae, _ = small_vae()
    path, card = tmp_path / "digits", tmp_path / "digits" / "README.md"
    vae.export(path, about="- First.")
    card.write_text(card.read_text().replace("# digits\n", "# Digits\n\nOurs.\n") + "\n## Notes\n")
    vae.export(path, about="- Second.")
    os.rename(path / "2", tmp_path / "elsewhere")
    vae.export(path, about="- Second again.")
    text = card.read_text()
    assert text.startswith(
        "# Digits\n\nOurs.\n\n## Version 2\n\n- Model: a model.\n- Second again."
    )
    assert "- First." in text and "- Second." not in text and text.endswith("## Notes\n")


def test_configs_list_the_folders_models(tmp_path, made_here):
    vae, _ = small_vae()
    vae.export(tmp_path / "b")
    vae.export(tmp_path / "a")
    (tmp_path / "not_a_model").mkdir()
    models = (tmp_path / "models.config").read_text()
    assert models.index('"/models/a"') < models.index('"/models/b"')
    assert models.count("config {") == 2 and "not_a_model" not in models
    (tmp_path / "models.config").write_text("# mine\n")
    vae.export(tmp_path / "c")
    assert (tmp_path / "models.config").read_text() == "# mine\n"


def test_configs_parse_as_the_servers(tmp_path, made_here):
    text_format = pytest.importorskip("google.protobuf.text_format")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the server's messages import TensorFlow")
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    small_vae()[0].export(tmp_path / "digits")
    config = text_format.Parse((tmp_path / "models.config").read_text(), ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == ("digits", "/models/digits")
    assert model.model_platform == "tensorflow"
    lines = (tmp_path / "batching.config").read_text().splitlines()
    sizes = [int(line.split()[1]) for line in lines if line.startswith("allowed_batch_sizes")]
    assert sizes == sorted(sizes) and f"max_batch_size {{ value: {sizes[-1]} }}" in lines


def test_a_failed_export_leaves_nothing(tmp_path, monkeypatch):
    vae, _ = small_vae()

    def crash(archive, folder, *_):
        os.makedirs(folder)
        raise RuntimeError("no more disk")

    monkeypatch.setattr("kgen.export.versions._write_elsewhere", crash)
    with pytest.raises(RuntimeError, match="no more disk"):
        vae.export(tmp_path / "digits")
    assert os.listdir(tmp_path) == []


class OwnModel(kgen.ImageModel):
    """A model of one's own, with a decoder's weights alone."""

    def __init__(self, image_shape, served=True, **kwargs):
        super().__init__(image_shape, **kwargs)
        self.served = served
        self.layer = keras.layers.Dense(64)
        self.layer.build((None, 2))

    def players(self):
        return {"layer": [self.layer]}

    def signatures(self):
        def paint(y, strokes):
            x = keras.ops.sigmoid(self.layer(strokes))
            return {"image": keras.ops.reshape(x, (-1, *self.image_shape))}

        return {"paint": (paint, {"strokes": fields.Vector(2)})} if self.served else {}


def test_the_documented_model_answers_in_process():
    text = (pathlib.Path(__file__).parents[2] / "docs" / "serving.md").read_text()
    code = text.split("## A model of your own")[1].split("```python\n")[1].split("```")[0]
    names = {"kgen": kgen, "keras": keras}
    exec(code, names)
    painter = names["Painter"]((8, 8, 1), latent_dim=3, width=6, seed=0)
    z = np.zeros((3, 3))
    images = painter.answer("paint", z=z, seed=[1, 2, 1])["image"]
    np.testing.assert_allclose(images[2], images[0], atol=1e-6)
    assert np.abs(images[1] - images[0]).max() > 1e-4
    with pytest.raises(ValueError, match="z in -3.0..3.0"):
        painter.answer("paint", z=z + 4, seed=[1, 2, 3])
    assert "painter.answer(" in text


@pytest.mark.parametrize("path", ["a b", "digits/1", "vae:1", "/"])
def test_names_that_no_server_takes(path, tmp_path, made_here):
    vae, _ = small_vae()
    with pytest.raises(ValueError, match="last part is the model's name"):
        vae.export(path if path == "/" else tmp_path / path)
    with pytest.raises(ValueError, match="version=0"):
        vae.export(tmp_path / "digits", version=0)
    assert tree(tmp_path) == []


def test_a_model_of_ones_own_says_what_it_answers(tmp_path, made_here, monkeypatch):
    with pytest.raises(ValueError, match="a method `signatures`.*OwnModel"):
        OwnModel((8, 8, 1), served=False).export(tmp_path / "own")
    assert OwnModel((8, 8, 1)).export(tmp_path / "own") == str(tmp_path / "own" / "1")
    ((_, modules),) = made_here
    assert "tests.serving.test_versions" in modules
    monkeypatch.setattr(OwnModel, "__module__", "__main__")
    with pytest.raises(ValueError, match="Move those of OwnModel"):
        OwnModel((8, 8, 1)).export(tmp_path / "own")


@pytest.mark.full_on_one
def test_images_that_no_file_holds_have_signatures_without_files(tmp_path, capsys):
    points = kgen.FlowMatching((1, 1, 2), width=4, sampler=kgen.samplers.ODE(1), seed=0)
    points.export(tmp_path / "points")
    out = capsys.readouterr().out
    assert re.search("  generate +seed int64 -> image float32.1, 1, 2", out)
    assert "_bytes" not in out and "png" not in out


@pytest.mark.parametrize("more", [{}, {"label": ["int64"]}, {"attributes": ["float32", 3]}])
def test_the_request_that_is_shown_has_all_inputs(more):
    signatures = {"generate": {"inputs": {"seed": ["int64"]} | more}, "generate_png": {}}
    shown = versions._request("toy", signatures)
    if "attributes" in more:
        assert shown.endswith("/metadata")
    else:
        body = json.loads(re.search("-d '(.*?)'", shown)[1])
        assert body["inputs"].keys() == {"seed", *more}


@pytest.mark.parametrize(
    "loss", [own_models.Hinge(), (own_models.judge_by_hinge, own_models.please_the_judge)]
)
def test_where_a_loss_of_ones_own_is(tmp_path, made_here, loss):
    kgen.GAN((8, 8, 1), 2, width=5, loss=loss).export(tmp_path / "own")
    ((_, modules),) = made_here
    assert "tests.own_models" in modules


def test_a_folder_that_cannot_be_written(tmp_path, made_here):
    (tmp_path / "digits").write_text("a file")
    with pytest.raises(OSError, match="digits"):
        small_vae()[0].export(tmp_path / "digits")
    assert (tmp_path / "digits").read_text() == "a file"


CONFIG = {
    "model": "vae",
    "arguments": {},
    "data": {"source": "digits", "batch_size": 50},
    "seed": 0,
    "precision": "float32",
    "backend": "jax",
    "versions": {"kgen": "0.2.0"},
    "data_set": {},
}

NOTES = {"batch": 0, "begun": False, "ahead": 0, "logged": [], "replicas": 1}
NOTES |= {
    "learning_rate_scale": 1.0,
    "settings": {},
    "epoch": 2,
    "figures": {"test_images": 297, "elbo": -20.0},
    "versions": {"kgen": "0.1.0"},
    "data_set": {"name": "digits", "train_images": 1500, "license": "CC BY 4.0"},
}


def test_a_run_is_exported_on_the_command_line(tmp_path, made_here, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def refused(run, message):
        assert cli.main(["kgen", "export", str(run)]) == 1
        assert message in capsys.readouterr().err
        assert not (tmp_path / "saved_models").exists()

    run = tmp_path / "runs" / "vae-digits"
    refused(run, "Expected a run folder with a config.json")
    run.mkdir(parents=True)
    (run / "config.json").write_text(json.dumps(CONFIG))
    refused(run, "Expected a finished training")
    refused(run, "the same `kgen train` command goes on")
    (run / "model.keras").write_text("")
    (run / "config.json").write_text(json.dumps({"architecture": "bert"}))
    refused(run, "Expected the config.json of a run. Received: ")
    (run / "config.json").write_text(json.dumps(CONFIG))
    refused(run, "model.keras, which is empty")
    with zipfile.ZipFile(run / "model.keras", "w") as archive:
        archive.writestr("backup.json", json.dumps(NOTES))
    assert cli.main(["kgen", "export", str(run)]) == 0
    ((archive, modules),) = made_here
    assert os.path.basename(archive) == "model.keras" and not modules
    printed = capsys.readouterr().out
    assert "curl -s localhost:8501/v1/models/vae-digits:predict" in printed
    assert f'-v "{tmp_path}/saved_models:/models" tensorflow/serving' in printed
    card = (tmp_path / "saved_models" / "vae-digits" / "README.md").read_text()
    assert "digits, 1500 images for training. Licence of the data: CC BY 4.0." in card
    assert "- Training: 2 epochs, batches of 50, seed 0, float32, on jax (kgen 0.1.0)." in card
    assert "test_images 297, elbo -20" in card
    assert cli.main(["kgen", "export", str(run), "--path", "other/name", "--version", "4"]) == 0
    assert (tmp_path / "other" / "name" / "4" / "saved_model.pb").exists()
    assert export(str(run)).endswith("vae-digits/2")
