"""TensorFlow's process: run as a file, with the kgen that the file is of and nothing beside it.

python -P child.py ARCHIVE FOLDER NAME MODULE...: writes the SavedModel, and what it says of it to
the standard output. It ends when its standard input does, as it does when the parent dies.
"""

import importlib.util
import json
import os
import sys
import threading


def end_with_the_parent():
    """Leaves this process once nobody holds the other end of its standard input."""

    def watch():
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def import_own_kgen():
    """Imports kgen from where this file is, wherever else there is one."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    spec = importlib.util.spec_from_file_location("kgen", os.path.join(package, "__init__.py"))
    sys.modules["kgen"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["kgen"])


def main(archive, folder, name, *modules):
    """Writes the model of a `.keras` file as a SavedModel; says what, or why it cannot be read."""
    end_with_the_parent()
    import_own_kgen()
    import keras

    from kgen.export.saved_model import write

    for module in modules:
        importlib.import_module(module)
    try:
        model = keras.saving.load_model(archive, compile=False)
    except Exception as error:  # Keras raises anything from KeyError to BadZipFile.
        print(json.dumps({"unreadable": str(error)}))
    else:
        print(json.dumps(write(model, folder, name)))


if __name__ == "__main__":
    main(*sys.argv[1:])
