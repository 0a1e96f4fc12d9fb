"""Commands of the pages: what they call is there, with the flags that they have."""

import json
import os
import re

import pytest

from kgen import cli
from kgen.runs.catalog import MODELS
from kgen.runs.config import SETTINGS
from tests.docs import pages

pytestmark = pytest.mark.anywhere

WITH_COMMANDS = [name for name, page in pages.PAGES.items() if any(pages.commands(page))]
CARD = pages.ROOT / "saved_models" / "digits" / "README.md"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", ""))
    monkeypatch.setattr(cli, "is_installed", lambda backend: True)


def make_run(folder, model):
    os.makedirs(folder, exist_ok=True)
    config = {name: kind() for name, kind in SETTINGS.items()} | {"model": model}
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config | {"precision": "float32", "backend": "torch"}, file)


def run_of(words):
    """The folder that `kgen train` makes."""
    given = dict(zip(words, words[1:], strict=False))
    data = os.path.basename(given.get("--dataset", "digits"))
    return given.get("--run", f"runs/{words[1]}-{data}")


def model_of(run):
    """The model that a run's name begins with, a VAE otherwise."""
    name = os.path.basename(run)
    found = [model for model in MODELS if name.startswith((model, f"mnist_{model}"))]
    return max(found, key=len, default="vae")


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_commands_have_their_flags(name, capsys):
    for words in pages.commands(pages.PAGES[name]):
        words = [{"MODEL": "vae", "RUN": "runs/vae"}.get(word, word) for word in words]
        command, *rest = words
        if command not in cli._COMMANDS or not rest or rest[0].isupper():
            assert command in ("--help", "--version") or command in cli._COMMANDS, words
            continue
        if command == "train" and not rest[0].startswith("-"):
            make_run(run_of(words), rest[0])
        elif not rest[0].startswith("-") and not os.path.exists(rest[0]):
            make_run(rest[0], model_of(rest[0]))
        assert cli.main(["kgen", *words, "--help"]) == 0, (words, capsys.readouterr().err)


@pytest.mark.parametrize("words", (["train", "vae", "--width"], ["train", "vae", "--widht", "3"]))
def test_a_flag_that_is_none_fails(words):
    assert cli.main(["kgen", *words, "--help"]) != 0


def test_requests_are_of_signatures():
    card, asked = CARD.read_text(), 0
    takes = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", card, re.MULTILINE))
    for page in pages.PAGES.values():
        for body in map(json.loads, pages.requests(page)):
            expected = {each.split()[0] for each in takes[body["signature_name"]].split(", ")}
            assert body["inputs"].keys() == expected, body
            asked += 1
    assert asked >= 4


OPERATIONS = pages.PAGES["docs/operations.md"]


def test_the_servers_files_agree():
    """What Compose, Kubernetes and Prometheus are told: the same ports, paths and files."""
    yaml = pytest.importorskip("yaml", reason="The extra `docs` brings YAML: pip install '.[docs]'")
    compose, kubernetes, prometheus = (
        list(yaml.safe_load_all(source)) for _, source in pages.blocks(OPERATIONS, "yaml")
    )
    service = compose[0]["services"]["kgen"]
    deployment, endpoint = kubernetes
    pod = deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert service["ports"] == [f"{port}:{port}" for port in ports.values()]
    assert {port["targetPort"] for port in endpoint["spec"]["ports"]} == ports.keys()
    assert endpoint["spec"]["selector"] == pod["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
    (job,) = prometheus[0]["scrape_configs"]
    assert job["metrics_path"] == pod["metadata"]["annotations"]["prometheus.io/path"]
    assert f'path: "{job["metrics_path"]}"' in OPERATIONS.read_text()

    (dockerfile,) = (source for _, source in pages.blocks(OPERATIONS, "dockerfile"))
    in_image = re.findall(r'"(--.*?)"', dockerfile)
    assert set(in_image) < set(service["command"])
    known = [*os.listdir(pages.ROOT / "saved_models"), "monitoring.config"]
    files = re.findall(r"=/models/(\S+)", "\n".join(service["command"]))
    assert len(files) == 3 and set(files) <= set(known)


def test_the_servers_list_of_versions_is_one():
    config = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    text_format = pytest.importorskip("google.protobuf.text_format")
    (source,) = (each for _, each in pages.blocks(OPERATIONS, "protobuf") if "list" in each)
    (model,) = text_format.Parse(source, config.ModelServerConfig()).model_config_list.config
    assert model.base_path == "/models/digits"
    assert set(model.version_labels.values()) == set(model.model_version_policy.specific.versions)


def test_links_and_pictures_lead_somewhere():
    for page in pages.PAGES.values():
        prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose):
            assert (page.parent / target.strip()).exists(), (page, target)


def test_every_public_name_has_a_place_in_the_reference():
    import kgen

    text = "\n".join(page.read_text() for page in pages.PAGES.values())
    documented = re.findall(r"^\.\. auto\w+:: kgen\.([\w.]+)$", text, re.MULTILINE)
    rooms = {name.partition(".")[0] for name in documented}
    assert set(kgen.__all__) - rooms == set()
    assert {f"models.{name}" for name in kgen.models.__all__} <= set(documented)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_its_page(name):
    page = pages.PAGES[f"docs/models/{name}.md"].read_text()
    assert f".. autoclass:: kgen.{MODELS[name]}\n" in page
    assert re.search(r"!\[[^]]+\]\(\.\./images/", page)
