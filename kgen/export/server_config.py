"""The files that TensorFlow Serving reads beside the models' folders."""

import os

from kgen.serving.client import MAX_ROWS
from kgen.whole_file import replacing

_OWN = "# Written by kgen at each export. Without this line it is yours, and stays as it is.\n"


def write_configs(folder):
    """Writes `models.config`, which lists the folder's models, and `batching.config`.

    A file that does not begin as these do is somebody's own and stays.

    Args:
        folder: str. The folder of all served models, `/models` in the server's container.
    """
    _write(os.path.join(folder, "models.config"), _models(folder))
    _write(os.path.join(folder, "batching.config"), _batching())


def _write(path, text):
    if os.path.exists(path):
        with open(path) as file:
            if file.readline() != _OWN:
                return
    with replacing(path) as temporary, open(temporary, "w") as file:
        file.write(_OWN + text)


def _models(folder):
    names = [name for name in sorted(os.listdir(folder)) if _versions(os.path.join(folder, name))]
    configs = [
        f'  config {{\n    name: "{name}"\n    base_path: "/models/{name}"\n'
        '    model_platform: "tensorflow"\n  }\n'
        for name in names
    ]
    return "model_config_list {\n" + "".join(configs) + "}\n"


def _versions(path):
    return os.path.isdir(path) and [name for name in os.listdir(path) if name.isdecimal()]


def _batching():
    sizes = [2**i for i in range(MAX_ROWS.bit_length())]
    return (
        f"max_batch_size {{ value: {MAX_ROWS} }}\n"
        "batch_timeout_micros { value: 2000 }\n"
        "max_enqueued_batches { value: 100 }\n"
        "num_batch_threads { value: 4 }  # the server's cores\n"
        + "".join(f"allowed_batch_sizes: {size}\n" for size in sizes)
    )
