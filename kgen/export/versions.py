"""From a model of any backend to a version that TensorFlow Serving loads."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile

from kgen.checks import whole_number
from kgen.export import card
from kgen.export.server_config import write_configs


def export_model(model, path, version=None, about=None):
    """Writes a model as a SavedModel: `model.export`.

    Args:
        model: a kgen model. Its class, and those of its layers and losses, can be imported.
        path: str. The model's folder.
        version: int of at least 1, or None for the next.
        about: str or None. What the model card says of data, training and figures.

    Returns:
        The path of the version.
    """
    if not model.signatures():
        raise ValueError(
            "Expected a model that says what it answers when it is served, by a method "
            "`signatures` as docs/serving.md describes it. Received: a "
            f"{type(model).__name__}, which has none"
        )
    modules = _modules(model)
    if "__main__" in modules:
        raise ValueError(
            "Expected classes and functions that another process can import. Move those of "
            f"{type(model).__name__} from the script into a module of their own."
        )
    with tempfile.TemporaryDirectory() as folder:
        archive = os.path.join(folder, "model.keras")
        model.save(archive)
        return export_archive(archive, path, version, about, modules)


def _modules(model):
    """Where the classes are of a model's layers, and all else that its file names."""
    import keras  # which `kgen export` of a run does without

    found = [*map(type, model._flatten_layers())]
    left = [keras.saving.serialize_keras_object(model)]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            left.extend(each.values())
        elif isinstance(each, (list, tuple)):
            left.extend(each)
        elif isinstance(each, str):
            found.append(keras.saving.get_registered_object(each))
    return sorted({each.__module__ for each in found if each is not None})


def export_archive(archive, path, version=None, about=None, modules=()):
    """Writes the model of a `.keras` file, which TensorFlow's process alone reads, as a SavedModel.

    Args:
        archive: str. The file.
        path: str. The model's folder.
        version: int of at least 1, or None for the next.
        about: str or None. What the model card says of data, training and figures.
        modules: sequence of str. What to import before it is read, where it holds classes or
            functions that are not kgen's.

    Returns:
        The path of the version.
    """
    path = os.path.abspath(path)
    _check(path, version)
    os.makedirs(path, exist_ok=True)
    # Beside the versions, so that renaming is all; the server looks at names that are numbers.
    with tempfile.TemporaryDirectory(prefix=".export-", dir=path) as folder:
        made = os.path.join(folder, "saved_model")
        written = _write_elsewhere(archive, made, os.path.basename(path), modules)
        version = _move(made, path, version)
    card.write(path, version, written["model"], about, written["signatures"])
    write_configs(os.path.dirname(path))
    target = os.path.join(path, str(version))
    _report(target, written["signatures"], written["warmed"])
    return target


def _check(path, version):
    name = os.path.basename(path)
    if not re.fullmatch(r"[\w.-]+", name) or name.isdecimal():
        raise ValueError(
            "Expected a path whose last part is the model's name on the server, of letters, "
            f"digits, '_', '.' and '-', as saved_models/digits. Received: path={path}"
        )
    whole_number("version", version, optional=True)
    if importlib.util.find_spec("tensorflow") is None:
        raise ImportError("Exporting a model needs TensorFlow: pip install tensorflow")
    _refuse_existing(path, version)


def _refuse_existing(path, version):
    if version is not None and os.path.exists(os.path.join(path, str(version))):
        raise FileExistsError(
            f"Expected a version that is not there yet: the next one is {_next_version(path)}. "
            f"Received: {version=}, which is in {path}"
        )


def _next_version(path):
    names = os.listdir(path) if os.path.isdir(path) else []
    return 1 + max((int(name) for name in names if name.isdecimal()), default=0)


def _move(made, path, version):
    """Gives what was made its number, another if the next one was taken meanwhile."""
    while True:
        number = _next_version(path) if version is None else version
        target = os.path.join(path, str(number))
        try:
            os.rename(made, target)
            return number
        except OSError:  # a folder with something in it is not written over
            _refuse_existing(path, version)
            if not os.path.exists(target):
                raise


def _write_elsewhere(archive, folder, name, modules):
    # -P: from the folders that this process imports from, and not from where it stands besides.
    command = [sys.executable, "-P", "-m", "kgen.export.saved_model", archive, folder, name]
    environment = os.environ | {
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "-1",  # whose memory this process may hold already
        "PYTHONPATH": os.pathsep.join(os.path.abspath(folder) for folder in sys.path),
    }
    done = subprocess.run(
        [*command, *modules], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"TensorFlow could not export the model:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _report(target, signatures, warmed):
    path = os.path.dirname(target)
    folder, name = os.path.split(path)
    files = [os.path.join(at, file) for at, _, names in os.walk(target) for file in names]
    size = sum(map(os.path.getsize, files)) / 1e6
    print(f"Wrote {target}, {size:.2f} MB. Its signatures, a row each image:")
    for signature, of in signatures.items():
        print(f"  {signature:<20} {card.tensors(of['inputs'])} -> {card.tensors(of['outputs'])}")
    if not warmed:
        print("It has no warm-up requests, which need tensorflow-serving-api: the extra `serving`.")
    print(
        "Serve it:\n"
        f'  docker run --rm -p 8500:8500 -p 8501:8501 -v "{folder}:/models" tensorflow/serving '
        "--model_config_file=/models/models.config --enable_batching "
        "--batching_parameters_file=/models/batching.config\n"
        "Ask it:\n"
        f"  {_request(name, signatures)}"
    )


def _request(name, signatures):
    """A command that asks the server for an image, or for what the model answers."""
    url = f"curl -s localhost:8501/v1/models/{name}"
    if "generate_png" not in signatures:
        return f"{url}/metadata"
    inputs = {"seed": [1]} | ({"label": [0]} if "label" in signatures["generate"]["inputs"] else {})
    body = json.dumps({"signature_name": "generate_png", "inputs": inputs})
    return f"{url}:predict -d '{body}' | jq -r '.outputs[0].b64' | base64 -d > image.png"
