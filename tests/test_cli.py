import importlib.util
import inspect
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
from importlib import metadata

import keras
import numpy as np
import pytest
from PIL import Image

from kgen import callbacks, cli, runs
from kgen.runs import settings
from kgen.runs.catalog import MODELS

BACKEND = keras.backend.backend()
OTHER = "jax" if BACKEND == "tensorflow" else "tensorflow"
VERBS = ("sample", "nearest", "reconstruct", "complete", "evaluate", "export", "demo")
THIRD = "torch" if BACKEND == "jax" else "jax"
SETTINGS = ["--batch_size", "300", "--latent_dim=2"]


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    """The backend that a command puts into the environment leaves it with the test."""
    monkeypatch.setenv("KERAS_BACKEND", BACKEND)


def kgen(*arguments):
    return cli.main(["kgen", *map(str, arguments)])


def start(code, *arguments, **environment):
    """Python in a process of its own, where `arguments` are the command line of `kgen`."""
    env = os.environ | {"OMP_NUM_THREADS": "1"} | environment  # as two run at once
    if BACKEND == "jax":  # compiled as here, and kept as here
        import jax

        env["JAX_COMPILATION_CACHE_DIR"] = jax.config.jax_compilation_cache_dir
        env["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
        env["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    before = "import sys\nsys.argv[0] = 'kgen'\n"
    if BACKEND != "tensorflow":
        before += "sys.modules['tensorflow'] = None\n"  # takes longer to import than to train
    code = before + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={name: value for name, value in env.items() if value is not None},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """Its exit status, output and errors."""
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


COMMAND = """
from kgen import cli
status = cli.main(sys.argv)
import keras
print("on", keras.backend.backend())
sys.exit(status)
"""

KILLED = """
import os, signal
from kgen import callbacks, cli

class Kill(callbacks.StopOnNaN):
    def on_train_batch_end(self, batch, logs=None):
        if (self._epoch, batch) == (1, 2):
            os.kill(os.getpid(), signal.SIGKILL)

callbacks.StopOnNaN = Kill
cli.main(sys.argv)
"""


def training(folder):
    return ["train", "vae", *SETTINGS, "--run", folder, "--epochs", "2"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two run folders of the same command: a whole one, and one killed in its second epoch."""
    folder = tmp_path_factory.mktemp("cli")
    commands = {"run": COMMAND, "killed": KILLED}
    processes = [
        start(code, *training(folder / name), "--backup_steps", 2, KERAS_BACKEND=BACKEND)
        for name, code in commands.items()
    ]
    (status, out, err), killed = map(finish, processes)
    assert status == 0 and f"on {BACKEND}" in out, err
    assert killed[0] == -signal.SIGKILL, killed[2]
    return folder


@pytest.fixture(scope="module")
def run(trained):
    """The folder of a run of two epochs, trained in a process of its own; no test changes it."""
    return trained / "run"


@pytest.fixture
def copy(run, tmp_path):
    return shutil.copytree(run, tmp_path / "run")


def documented_flags(out):
    """The flags of a help text: (default, description) by name."""
    found = {}
    for part in re.split(r"^  (?:-h,)?--(?:\[no\])?(?=\w+:)", out, flags=re.M)[1:]:
        name, text = part.split(":", 1)
        default = re.search(r"\(default: '?(.*?)'?\)", text)
        found[name] = (default and default[1], text.split("(default")[0].strip())
    return found


@pytest.mark.parametrize("flag", [(), ("--help",), ("-h",), ("help",)])
def test_help(flag, capsys):
    assert kgen(*flag) == 0
    out, err = capsys.readouterr()
    assert not err
    for command in ("train MODEL", *(f"{verb} RUN" for verb in VERBS)):
        assert f"kgen {command}" in out


def test_version(capsys):
    assert kgen("--version") == 0
    assert capsys.readouterr().out == f"kgen {metadata.version('kgen-keras')}\n"


def test_help_lists_the_models(capsys):
    kgen("--help")
    assert f"MODEL is one of {', '.join(MODELS)}." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "model"),
    [
        (["train"], None),
        (["train", "vae"], "vae"),
        (["train", "autoencoder"], "autoencoder"),
        (["train", "wgan_gp"], "wgan_gp"),
        (["train", "infogan"], "infogan"),
        (["train", "gan"], "gan"),
        (["train", "dcgan"], "dcgan"),
        (["train", "lsgan"], "lsgan"),
        (["train", "wgan"], "wgan"),
        (["train", "cgan"], "cgan"),
        (["sample"], None),
        (["train", "gated_pixelcnn"], "gated_pixelcnn"),
        (["nearest"], None),
        (["reconstruct"], None),
        (["complete"], None),
        (["evaluate"], None),
        (["export"], None),
    ],
)
def test_help_lists_every_flag_with_its_default(command, model, capsys):
    assert kgen(*command, "--help") == 0
    out, err = capsys.readouterr()
    assert kgen(*command, "-h") == 0 and capsys.readouterr().out == out
    function = getattr(runs, command[0])
    assert not err
    assert out.startswith(inspect.getdoc(function).splitlines()[0])
    parameters = inspect.signature(function).parameters.values()
    expected = {
        p.name: p.default for p in parameters if p.default is not p.empty and p.name != "run"
    }
    if command[0] == "train":
        expected["run"] = None
    if model is not None:
        expected |= settings.all_arguments(settings.model_class(model), {})
    found = documented_flags(out)
    assert set(found) == set(expected) | {"help"} | (
        {"backend"} if command != ["export"] else set()
    )
    for name, default in expected.items():
        shown = {"None": None, "()": "", "(10,)": "10", "False": "false"}.get(
            str(default), str(default)
        )
        assert found[name][0] == shown, name
        assert len(found[name][1]) > 10 and "no help" not in found[name][1], name


AT_ONCE = """
import contextlib, io, json, sys
from kgen import cli

found = []
for arguments in {lines!r}:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main(["kgen", *arguments])
    names = ("keras", "tensorflow", "jax", "torch", "sklearn")
    heavy = [name for name in names if sys.modules.get(name)]
    found.append([status, heavy, bool(out.getvalue()), bool(err.getvalue())])
print(json.dumps(found))
"""


def test_help_and_wrong_commands_answer_at_once():
    """Without an import of Keras."""
    answered = [["--help"], [], ["--version"], ["generate", "--help"], ["export", "--help"]]
    wrong = [["trian"], ["train"], ["sample"], ["train", "--epochs", "2"], ["generate", "RUN"]]
    wrong += [["train", "vae", "--backend", "theano"], ["generate", "--nun", "2"], ["demo"]]
    missing = [["sample", "missing"], ["export", "missing"], ["generate", "--num", "2"]]
    missing += [["train", "VAE"], ["train", "vaee", "--epochs", "2"], ["demo", "missing"]]
    lines = [*answered, *wrong, *missing]
    status, out, err = finish(start(AT_ONCE.format(lines=lines)))
    assert status == 0, err
    expected = [[0, [], True, False]] * len(answered)
    expected += [[2, [], False, True]] * len(wrong) + [[1, [], False, True]] * len(missing)
    for line, found, wanted in zip(lines, json.loads(out), expected, strict=True):
        assert found == wanted, line


def test_flags_of_a_run_are_those_of_its_models_verb(copy, monkeypatch, capsys):
    assert kgen("sample", copy, "--help") == 0
    assert set(documented_flags(capsys.readouterr().out)) == {
        *("help", "backend", "num", "labels", "seed", "out", "batch_size")
    }
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"model": "pixelcnn"}))
    own_flags = {
        "sample": set(),
        "nearest": {"neighbours"},
        "complete": {"image", "mask", "copies"},
    }
    for command, own in own_flags.items():
        assert kgen(command, copy, "--help") == 0
        found = documented_flags(capsys.readouterr().out)
        assert set(found) == own | {
            *("help", "backend", "num", "labels", "seed", "out", "batch_size", "temperature")
        }
        assert found["temperature"][0] == "1.0" and "below 1" in found["temperature"][1]
    seen = []

    def sample(run: str, num: int = 64, **arguments):
        seen.append((num, arguments))

    monkeypatch.setattr(runs, "sample", sample)
    assert kgen("sample", copy, "--temperature", "0.5", "--batch_size=3") == 0
    assert seen == [(64, {"temperature": 0.5, "batch_size": 3})]


def test_none_where_it_is_not_the_default(monkeypatch, capsys):
    assert kgen("train", "wgan", "--help") == 0
    assert "(default: '0.01')\n    (a number, or none)" in capsys.readouterr().out
    seen = []

    def train(model: str, **arguments):
        seen.append(arguments)

    monkeypatch.setattr(runs, "train", train)
    for model, name in (("wgan", "clip"), ("glow", "alpha"), ("ddpm", "ema_decay")):
        assert kgen("train", model, f"--{name}", "none") == 0
        assert kgen("train", model, f"--{name}=0.25") == 0
        assert seen[-2:] == [{name: None}, {name: 0.25}]


def test_flags_of_a_model_are_not_those_of_another(capsys):
    kgen("train", "autoencoder", "--help")
    assert "--beta" not in capsys.readouterr().out
    assert kgen("train", "autoencoder", "--beta", "2") == 2
    kgen("train", "wgan_gp", "--help")
    out = capsys.readouterr().out
    assert "--n_critic" in out and "--discriminator_steps" not in out and "--clip" not in out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["trian", "vae"], 2, "Did you mean train. Received: trian.*kgen train MODEL"),
        (["train", "VAE"], 1, "Did you mean vae. Received: VAE"),
        (["train", "wgan-gp"], 1, "Did you mean wgan_gp. Received: wgan-gp"),
        (["train"], 2, "Expected `kgen train MODEL`"),
        (["sample"], 2, "Expected `kgen sample RUN`"),
        (["train", "vae", "more"], 2, "Received: vae more"),
        (["train", "vae", "--latent_dimm", "2"], 2, "'latent_dimm'. Did you mean: latent_dim"),
        (["sample", "RUN", "--nun", "2"], 2, "'nun'. Did you mean: num"),
        (["train", "vae", "--epochs", "two"], 2, "--epochs=two"),
        (["train", "vae", "--epochs"], 2, "epochs"),
        (["evaluate", "RUN", "--backend", "theano"], 2, "theano.*tensorflow.*jax.*torch"),
        (["train", "vaee"], 1, "one of aae, .*Did you mean vae"),
        (["train", "vaee", "--latent_dim", "2"], 1, "one of aae, .*Did you mean vae"),
        (["train", "infogan", "--categorical", "ten"], 2, "integers.*'ten'"),
        (["train", "infogan", "--categorical", "1"], 1, "categorical as .* at least 2 each"),
        (["train", "wgan", "--clip", "0"], 1, "clip.*above 0.*clip=0.0"),
        (["train", "vae", "--learning_rate", "nan"], 1, "finite learning rate.*learning_rate=nan"),
        (
            ["train", "wgan", "--clip", "nothing"],
            2,
            "Expected a number, or none. Received: 'nothing'",
        ),
        (["train", "vae", "--latent_dim", "0"], 1, "latent.*at least 1"),
        (["train", "vae", "--dataset", "./missing"], 1, "missing does not exist"),
        (["sample", "missing"], 1, "Expected a run folder.*Received: missing"),
        (["generate", "RUN"], 2, "Expected `kgen generate` and flags. Received: "),
        (["export", "missing"], 1, "Expected a run folder.*Received: missing"),
        (["export", "RUN", "--backend", "jax"], 2, "Unknown command line flag 'backend'"),
        (["sample", "RUN", "--temperature", "0.5"], 2, "Unknown command line flag 'temperature'"),
        (["complete", "RUN"], 1, "Expected a model that can complete. Received: VAE"),
        (["sample", "RUN", "--labels", "1"], 1, "Expected no labels"),
        (["sample", "RUN", "--num", "0"], 1, "num=0"),
        (["sample", "RUN", "--num", "x"], 2, "--num=x"),
        (["sample", "RUN", "--batch_size", "0"], 1, "batch_size=0"),
        (["sample", "RUN", "--out", "a.txt"], 1, "ending that Pillow writes.*a.txt"),
        (["sample", "RUN", "--out", "RUN/config.json/a.png"], 1, "config.json is none. Received"),
        (["sample", "RUN/config.json"], 1, "config.json, which is a file"),
        (["nearest", "RUN", "--neighbours", "0", "--out", "a.png"], 1, "neighbours=0"),
        (["nearest", "RUN", "--num", "0", "--out", "a.png"], 1, "num=0"),
        (["nearest", "RUN", "--out", "."], 1, "ending that Pillow writes"),
        (["reconstruct", "RUN", "--out", "a"], 1, "ending that Pillow writes.*path='a'"),
        (
            ["complete", "RUN", "--image", "none.png"],
            1,
            "existing image file. Received: image=none.png",
        ),
        (
            ["train", "vae", "--dataset", "mnist", "--data_dir", "none"],
            1,
            "data_dir as an existing",
        ),
        (["train", "vae", "--run", "RUN/history.csv"], 1, "history.csv is none. Received: run="),
        (["train", "vae", "--run", "RUN/samples"], 1, "new or empty folder.*epoch-0001.png"),
        (["train", "vae", "--seed", "-1"], 1, "seed=-1"),
        (["train", "vae", "--batch_size", "0"], 1, "batch_size=0"),
        (["train", "vae", "--epochs", "0"], 1, "epochs=0"),
        (["generate", "--model", "m", "--num", "0"], 1, "num=0"),
        (["generate", "--model", "m", "--timeout", "0"], 1, "timeout=0.0"),
        (
            ["export", "RUN", "--path", "RUN/config.json/a"],
            1,
            "config.json is none. Received: path=",
        ),
        (["sample", "RUN", "--labels", ""], 1, r"labels=\[\]"),
        (["generate", "--model", "m", "--out", "a.txt"], 1, "ending that Pillow writes"),
        (["generate", "--model", "m", "--labels", "one"], 2, "integers.*'one'"),
        (["reconstruct", "RUN", "--num", "0"], 1, "num=0"),
        (
            ["sample", "RUN", "--num", "1000000000000000"],
            1,
            "fit into memory. Received: Unable to alloc",
        ),
        (
            ["train", "vae", "--latent_dim", "1000000000000"],
            1,
            "fit into memory. Received: .*alloc",
        ),
        (["evaluate", "RUN", "--num_samples", "0"], 1, "num_samples=0"),
        (["train", "vae", "--run", "RUN", "--latent_dim=3"], 1, "2 in the folder, 3 now"),
    ],
)
def test_an_error_is_one_message(run, tmp_path, monkeypatch, capfd, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    keras.ops.zeros(1)  # what TensorFlow says when it starts to compute comes now
    capfd.readouterr()
    assert kgen(*(each.replace("RUN", str(run)) for each in arguments)) == status
    out, err = capfd.readouterr()
    assert not out
    assert err.startswith("kgen: ") and re.search(message, err, re.S), err
    assert "Traceback" not in err and err.count("kgen: ") == 1 + err.count("kgen: deep")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("error", [OSError("disk"), FloatingPointError("nan"), ImportError("no")])
def test_errors_of_a_training_are_messages(monkeypatch, capsys, error):
    def failing(model, epochs: int = 1):
        raise error

    monkeypatch.setattr(runs, "train", failing)
    assert kgen("train", "vae") == 1
    assert capsys.readouterr().err == f"kgen: {error}\n"


CLOSED = """
import os, sys
from kgen import cli
status = cli.main(sys.argv)
with open(os.devnull) as file:
    assert file.fileno() > 2
print("printed")
sys.exit(status)
"""


@pytest.mark.parametrize(
    ("closed", "printed"), [("2>&-", "printed\n"), (">&-", ""), ("<&- >&- 2>&-", "")]
)
def test_closed_streams_change_no_status(closed, printed):
    command = shlex.join([sys.executable, "-c", CLOSED, "sample", "missing"])
    done = subprocess.run(
        ["sh", "-c", f"{command} {closed}"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, printed)
    assert done.stderr.startswith("kgen: Expected a run folder") == ("2>" not in closed)


def test_flags_arrive_with_their_types(monkeypatch):
    seen = []

    def train(
        model: str,
        run: str | None = None,
        epochs: int = 100,
        learning_rate: float | None = None,
        conditional: bool = False,
        augment: tuple = (),
        **arguments,
    ):
        seen.append((model, {"run": run, "epochs": epochs, "augment": augment}, arguments))
        seen.append((learning_rate, conditional))

    monkeypatch.setattr(runs, "train", train)
    flags = "--epochs=3 --beta 4 --conditional --learning_rate 1e-3 --augment flip,crop --run a"
    assert kgen("train", "vae", *flags.split()) == 0
    given = {"run": "a", "epochs": 3, "augment": ["flip", "crop"]}
    assert seen == [("vae", given, {"beta": 4.0}), (1e-3, True)]
    assert kgen("train", "infogan", "--categorical", "10,2") == 0
    assert seen[2][2] == {"categorical": (10, 2)}


def test_train_prints_what_it_wrote(copy, capsys):
    assert kgen("train", "vae", *SETTINGS, "--run", copy, "--epochs", "2") == 0
    out = capsys.readouterr().out
    assert "2 of 2 epochs are done" in out
    # 64-200-200-2 * 2, and back.
    num = 65 * 200 + 201 * 200 + 201 * 4 + 3 * 200 + 201 * 200 + 201 * 64
    numbers = "1,500 training and 297 test images of 8x8x1 in 10 classes"
    first = f"VAE, {num:,} parameters, on digits: {numbers}"
    assert re.match(f"{first}; {BACKEND} on .*; {re.escape(str(copy))}\n", out), out
    for name in ("model.keras", "history.csv", "samples.png", "reconstructions.png"):
        assert str(copy / name) in out and (copy / name).exists()


def test_the_command_line_trains_what_python_does(run, tmp_path):
    this = runs.train("vae", run=str(tmp_path), epochs=2, batch_size=300, latent_dim=2)
    trained = runs.load(str(run))
    assert trained.config == json.loads((tmp_path / "config.json").read_text())
    assert_same(trained.model, this.model, atol=1e-4)  # JAX compiles by what it did before


def assert_same(a, b, atol=0.0):
    for x, y in (
        *zip(a.variables, b.variables, strict=True),
        *zip(a.optimizer.variables, b.optimizer.variables, strict=True),
    ):
        x, y = map(keras.ops.convert_to_numpy, (x, y))
        np.testing.assert_allclose(x, y, rtol=0.0, atol=atol)


def test_sample(run, tmp_path, capsys):
    for out, seed in (("a", 3), ("b", 3), ("c", 4)):
        path = tmp_path / f"{out}.png"
        assert kgen("sample", run, "--num", "9", "--seed", seed, "--out", path) == 0
        assert f"Wrote {path}" in capsys.readouterr().out
    a, b, c = ((tmp_path / f"{out}.png").read_bytes() for out in "abc")
    assert a == b != c
    assert Image.open(tmp_path / "a.png").size == (28 * 6, 28 * 6)


def test_reconstruct(run, tmp_path, capsys):
    path = tmp_path / "new" / "pairs.png"
    assert kgen("reconstruct", run, "--num=8", f"--out={path}") == 0
    assert f"Wrote {path}" in capsys.readouterr().out
    assert Image.open(path).size == (73 * 6, 19 * 6)


def test_evaluate(run, capsys, tmp_path):
    out = tmp_path / "results.json"
    assert kgen("evaluate", run, "--num_samples", "2", "--out", out) == 0
    shown = dict(line.split() for line in capsys.readouterr().out.splitlines())
    results = json.loads(out.read_text())
    assert len(results.pop("weights")) == 64
    assert shown.pop("Wrote") == str(out) and set(shown) == set(results)
    trained = json.loads((run / "results.json").read_text())
    assert results.keys() - trained.keys() == {
        "log_likelihood_2",
        "log_likelihood_2_standard_error",
    }
    assert float(shown["elbo"]) == pytest.approx(results["elbo"], rel=1e-5)


@pytest.mark.parametrize(
    ("given", "environment", "installed", "expected"),
    [
        ([], None, {BACKEND, OTHER}, OTHER),  # the run's own
        ([], BACKEND, {BACKEND, OTHER}, BACKEND),
        ([], None, {BACKEND}, BACKEND),
        (["--num", "3", "--backend", BACKEND, "--seed=1"], None, {BACKEND, OTHER}, BACKEND),
        (["--num", "3", f"--backend={BACKEND}", "--seed=1"], OTHER, {BACKEND, OTHER}, BACKEND),
    ],
)
def test_which_backend(copy, monkeypatch, given, environment, installed, expected):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"backend": OTHER}))
    monkeypatch.delenv("KERAS_BACKEND")
    if environment is not None:
        monkeypatch.setenv("KERAS_BACKEND", environment)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name in installed or None)
    seen = []

    def sample(run: str, num: int = 64, seed: int | None = None):
        seen.append((num, seed))

    monkeypatch.setattr(runs, "sample", sample)
    assert kgen("sample", copy, *given) == 0
    assert seen == [(3, 1) if given else (64, None)]
    assert os.environ.get("KERAS_BACKEND") == expected


def test_a_backend_that_is_not_installed(copy, monkeypatch, capsys):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *args: name != THIRD and find_spec(name, *args)
    )
    before = os.environ["KERAS_BACKEND"]
    for arguments in (["sample", copy], ["train", "vae"]):
        assert kgen(*arguments, "--backend", THIRD) == 1
        assert f"`pip install {THIRD}`" in capsys.readouterr().err
    assert os.environ["KERAS_BACKEND"] == before
    monkeypatch.setenv("KERAS_BACKEND", THIRD)
    assert kgen("train", "vae", "--help") == 1
    assert f"`pip install {THIRD}`" in capsys.readouterr().err


def test_no_backend_at_all(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delenv("KERAS_BACKEND")
    assert kgen("train", "vae", "--help") == 1
    assert "Expected one of tensorflow, jax, torch installed" in capsys.readouterr().err


def test_a_run_of_another_backend(copy, tmp_path, capsys):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"backend": OTHER}))
    assert kgen("train", "vae", *SETTINGS, "--run", copy, "--epochs", "3") == 1
    assert f"backend: '{OTHER}' in the folder, '{BACKEND}' now" in capsys.readouterr().err
    assert kgen("sample", copy, "--num", "4", "--out", tmp_path / "samples.png") == 0


@pytest.mark.parametrize(
    ("flags", "expected"), [([], BACKEND), (["--num", "3", "--backend", THIRD], THIRD)]
)
def test_the_backend_is_chosen_before_keras_is_imported(run, flags, expected):
    code = """
    import os

    class Watch:
        def find_spec(self, name, path=None, target=None):
            if name == "keras":
                raise ImportError(f"Keras on {os.environ['KERAS_BACKEND']}")

    sys.meta_path.insert(0, Watch())
    from kgen import cli
    sys.exit(cli.main(sys.argv))
    """
    status, _, err = finish(start(code, "sample", run, *flags, KERAS_BACKEND=None))
    assert (status, err) == (1, f"kgen: Keras on {expected}\n")


def test_a_killed_training_goes_on_as_if_nothing_had_happened(trained):
    run, killed = trained / "run", trained / "killed"
    assert sorted(os.listdir(killed / "checkpoint"))[-1] == "epoch-0001-batch-000001.keras"
    again = start(COMMAND, *training(killed), "--backend", BACKEND, KERAS_BACKEND=OTHER)
    status, out, err = finish(again)
    assert status == 0 and f"on {BACKEND}" in out, err
    assert_same(*(keras.saving.load_model(folder / "model.keras") for folder in (killed, run)))
    for name in ("history.csv", "results.json", "samples.png", "samples/epoch-0002.png"):
        assert (killed / name).read_bytes() == (run / name).read_bytes(), name


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_with_a_status_of_its_own(number, copy, monkeypatch, capsys, handlers):
    class Stop(callbacks.StopOnNaN):
        def on_train_batch_end(self, batch, logs=None):
            os.kill(os.getpid(), number)

    monkeypatch.setattr(callbacks, "StopOnNaN", Stop)
    arguments = ["train", "vae", *SETTINGS, "--run", copy, "--epochs", "3"]
    if number == signal.SIGTERM:
        with pytest.raises(SystemExit) as left:
            kgen(*arguments)
        assert left.value.code == callbacks.PREEMPTED
    else:
        assert kgen(*arguments) == 130
    err = capsys.readouterr().err
    assert "epoch-0002-batch-000001.keras" in err and "Traceback" not in err
    assert sorted(os.listdir(copy / "checkpoint"))[-1] == "epoch-0002-batch-000001.keras"
