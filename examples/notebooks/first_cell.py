# %% [markdown]
# ## Before anything else
#
# The same cell opens every notebook. It chooses the backend, finds or installs kgen, and says what
# to do where something is missing.

# %%
import glob
import importlib.util
import os
import subprocess
import sys

NAME = "first_cell"
ON_KAGGLE, ON_COLAB = os.path.isdir("/kaggle/input"), "google.colab" in sys.modules
OUT = "/kaggle/working" if ON_KAGGLE else "/content" if ON_COLAB else f"runs/notebooks/{NAME}"
GPUS = glob.glob("/dev/nvidia[0-9]*")
TPUS = glob.glob("/dev/accel[0-9]*") + glob.glob("/dev/vfio/[0-9]*")
QUICK = bool(os.environ.get("KGEN_NOTEBOOK_QUICK"))  # only to see that every cell runs

# Keras reads its backend when it is imported: "tensorflow", "torch", or "jax", as a TPU needs.
os.environ.setdefault("KERAS_BACKEND", "jax" if TPUS else "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def added(name):
    """Files or folders of this name in the data sets that were added to a Kaggle notebook."""
    return sorted(glob.glob(f"/kaggle/input/**/{name}", recursive=True))


if importlib.util.find_spec("kgen") is None:
    wheel = added("kgen_keras*.whl")
    line = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", *wheel[-1:]]
    if not wheel or subprocess.call(line):
        raise ImportError(
            "kgen is missing. On Kaggle add a data set that holds kgen's wheel by Add Input, "
            "elsewhere clone its repository and `pip install ./kgen`; then run this cell again."
        )

import keras

import kgen


def open_data(name, **kwargs):
    """`kgen.data.load`, on Kaggle of NAME.npz in a data set that was added, if there is one."""
    try:
        source = (added(f"{name}.npz") or [name])[0]
        return kgen.data.load(source, data_dir=os.environ.get("KGEN_DATA_DIR"), **kwargs)
    except (ConnectionError, ImportError) as error:
        raise RuntimeError(
            f"{name} is missing: turn on Settings > Internet, or add a data set with {name}.npz by "
            f'Add Input, or write "digits" for "{name}", which comes with scikit-learn. {error}'
        ) from error


os.makedirs(OUT, exist_ok=True)
keras.utils.set_random_seed(0)
print(f"Keras {keras.__version__} on {keras.backend.backend()}, kgen {kgen.__version__}")
if not GPUS + TPUS:
    print(
        "No GPU or TPU: the settings below are for two CPU cores and some minutes. Longer ones are "
        "beside them; for those take a GPU, on Kaggle by Settings > Accelerator, on Colab by "
        "Runtime > Change runtime type."
    )
