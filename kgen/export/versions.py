"""From a model of any backend to a version that TensorFlow Serving loads."""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from kgen.checks import whole_number
from kgen.export import card, child
from kgen.export.server_config import write_configs
from kgen.keras_file import unreadable
from kgen.lock import locked, was_left
from kgen.whole_file import flush

_MAKING = ".export-"


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


def export_archive(archive, path, version=None, about=None, modules=(), source=None):
    """Writes the model of a `.keras` file, which TensorFlow's process alone reads, as a SavedModel.

    Args:
        archive: str. The file.
        path: str. The model's folder.
        version: int of at least 1, or None for the next.
        about: str or None. What the model card says of data, training and figures.
        modules: sequence of str. What to import before it is read, where it holds classes or
            functions that are not kgen's.
        source: str. What an error calls the file, if it is a copy.

    Returns:
        The path of the version.
    """
    path = os.path.abspath(path)
    _check(path, version)
    os.makedirs(path, exist_ok=True)
    _remove_dead(path)
    try:
        # Beside the versions, so that renaming is all; the server looks at names that are numbers.
        with (
            tempfile.TemporaryDirectory(prefix=_MAKING, dir=path) as folder,
            locked(folder, "exports"),
        ):
            made = os.path.join(folder, "saved_model")
            written = _write_elsewhere(archive, made, os.path.basename(path), modules)
            if "unreadable" in written:
                raise ValueError(unreadable(source or archive, written["unreadable"]))
            version = _move(made, path, version)
    except BaseException:
        with contextlib.suppress(OSError):  # where there are other versions
            os.rmdir(path)
        raise
    card.write(path, version, written["model"], about, written["signatures"])
    write_configs(os.path.dirname(path))
    target = os.path.join(path, str(version))
    _report(target, written["signatures"], written["warmed"])
    return target


def _remove_dead(path):
    """Removes what exports that were killed left in a model's folder."""
    for name in os.listdir(path):
        folder = os.path.join(path, name)
        if name.startswith(_MAKING) and was_left(folder):
            shutil.rmtree(folder)


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
    for folder, _, names in os.walk(made):
        for name in [*names, "."]:
            flush(os.path.join(folder, name))
    while True:
        number = _next_version(path) if version is None else version
        target = os.path.join(path, str(number))
        try:
            os.rename(made, target)
            flush(path)
            return number
        except OSError:  # a folder with something in it is not written over
            _refuse_existing(path, version)
            if not os.path.exists(target):
                raise


def _write_elsewhere(archive, folder, name, modules):
    command = [sys.executable, "-P", child.__file__, archive, folder, name, *modules]
    environment = os.environ | {
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "-1",  # whose memory this process may hold already
        "PYTHONPATH": os.pathsep.join(_import_path(modules)),
    }
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        # Which watches its input: it ends when this process does, and when it leaves here.
        subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=out, stderr=err
        ) as process,
    ):
        status = process.wait()
        if status:
            raise RuntimeError(f"TensorFlow could not export the model:\n{_end(err)[-3000:]}")
        return json.loads(_end(out).splitlines()[-1])


def _import_path(modules):
    """Where this process imports from, but not where it stands; last, where some modules are."""
    standing = os.path.realpath(os.getcwd())
    folders = [folder for folder in sys.path if os.path.isabs(folder)]
    folders = [folder for folder in folders if os.path.realpath(folder) != standing]
    tops = {name.partition(".")[0] for name in modules} - {"kgen"}  # which finds its own
    return folders + [folder for top in sorted(tops) for folder in _around(sys.modules[top])]


def _around(module):
    """The folders that a module or a package is in."""
    file = getattr(module, "__file__", None)
    places = getattr(module, "__path__", [file] if file else [])
    return [os.path.dirname(os.path.abspath(place)) for place in places]


def _end(file):
    file.seek(0)
    return file.read().decode(errors="replace")


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
    known = {"seed": [1], "label": [0]}
    takes = signatures.get("generate", {"inputs": {}})["inputs"]
    if "generate_png" not in signatures or not takes.keys() <= known.keys():
        return f"{url}/metadata"
    inputs = {name: known[name] for name in takes}
    body = json.dumps({"signature_name": "generate_png", "inputs": inputs})
    return f"{url}:predict -d '{body}' | jq -r '.outputs[0].b64' | base64 -d > image.png"
