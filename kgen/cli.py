"""The `kgen` command: a thin shell over functions whose arguments are its flags."""

import contextlib
import importlib
import importlib.util
import inspect
import json
import os
import re
import sys
import tempfile

from absl import flags

from kgen.runs.arguments import plain_arguments

_USAGE = """kgen: deep generative image models

  kgen train MODEL [--dataset ...] [--epochs ...]    train a model, or go on with a training
  kgen sample RUN [--num ...] [--out ...]            a grid of samples of a run
  kgen reconstruct RUN [--num ...] [--out ...]       test images with reconstructions below them
  kgen complete RUN [--image FILE] [--out ...]       images of which a part is hidden, completed
  kgen evaluate RUN [--num_samples ...]              the figures on the test images
  kgen export RUN [--path ...] [--version ...]       a SavedModel for TensorFlow Serving
  kgen generate --server HOST:PORT --model NAME      a grid of images from TensorFlow Serving

`kgen train MODEL --help` and `kgen COMMAND --help` list the flags.
"""


class _Integers(flags.ArgumentParser):
    """Integers with commas between them."""

    syntactic_help = "integers with commas between them"

    def parse(self, argument):
        if not isinstance(argument, str):
            return argument
        try:
            return tuple(int(number) for number in argument.split(","))
        except ValueError:
            raise ValueError(f"Expected {self.syntactic_help}. Received: {argument!r}") from None


def _define_integers(name, default, description, flag_values):
    serializer = flags.CsvListSerializer(",")
    flags.DEFINE(_Integers(), name, default, description, flag_values, serializer)


_MODULES = dict.fromkeys(["train", "sample", "reconstruct", "complete", "evaluate"], "kgen.runs")
_MODULES |= dict.fromkeys(["export", "generate"], "kgen.serving")

_DEFINE = {
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    bool: flags.DEFINE_boolean,
    str: flags.DEFINE_string,
    tuple: flags.DEFINE_list,
    tuple[int, ...]: _define_integers,
}


def main(argv=None):
    """Runs one command.

    Args:
        argv: list of str. The command line, `sys.argv` by default.

    Returns:
        The exit status: 0, 1 after an error, 2 if the arguments make no command.
    """
    _, *arguments = sys.argv if argv is None else argv
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        print(_USAGE)
        return 0
    try:
        return _run(*arguments)
    except flags.Error as error:
        print(f"kgen: {error}", file=sys.stderr)
        return 2
    except (ValueError, OSError, FloatingPointError, ImportError) as error:
        print(f"kgen: {error}", file=sys.stderr)
        return 1


def _run(command, *arguments):
    if command not in _MODULES:
        raise flags.Error(f"There is no command {command!r}.\n\n{_USAGE}")
    subject, given = None, list(arguments)
    if given and not given[0].startswith("-"):
        subject = given.pop(0)
    parsed = flags.FlagValues()
    flags.DEFINE_boolean("help", False, "Show the flags.", flag_values=parsed)
    if _MODULES[command] == "kgen.runs":
        given = _choose_backend(given, subject if command != "train" else None)
        _define_backend(parsed)  # which is taken out already: for the help
    with _quiet():
        function = getattr(importlib.import_module(_MODULES[command]), command)
    names = _define_flags(parsed, plain_arguments(function), function.__doc__)
    if command == "train" and subject is not None:
        from kgen.models import catalog

        for part, settings in catalog.settings(catalog.model_class(subject)).items():
            names += _define_flags(parsed, settings, part.__doc__)
    left = parsed(["kgen", *given])[1:]
    if parsed.help:
        print(f"{inspect.getdoc(function).splitlines()[0]}\n\n{parsed.module_help(__name__)}")
        return 0
    subjects = {"train": ["MODEL"], "generate": []}.get(command, ["RUN"])
    if len(subjects) != (subject is not None) or left:
        expected = " ".join(["kgen", command, *subjects])
        raise flags.Error(f"Expected `{expected}` and flags. Received: {' '.join(arguments)}")
    values = {name: getattr(parsed, name) for name in names if parsed[name].present}
    # To ask by gRPC imports TensorFlow.
    with _quiet() if command == "generate" else contextlib.nullcontext():
        function(*([subject] * len(subjects)), **values)
    return 0


def _choose_backend(given, run):
    """Takes `--backend` out, and sets it before Keras is imported; a run's own without the flag."""
    parsed = flags.FlagValues()
    _define_backend(parsed)
    given = parsed(["kgen", *given], known_only=True)[1:]
    backend = parsed.backend
    config = os.path.join(run or "", "config.json")
    if backend is None and "KERAS_BACKEND" not in os.environ and run and os.path.exists(config):
        with open(config) as file:
            backend = json.load(file)["backend"]
        if importlib.util.find_spec(backend) is None:
            backend = None
    if backend is not None:
        os.environ["KERAS_BACKEND"] = backend
    return given


def _define_backend(parsed):
    flags.DEFINE_enum(
        "backend", None, ["tensorflow", "jax", "torch"], "Keras' backend.", flag_values=parsed
    )


@contextlib.contextmanager
def _quiet():
    """Keeps TensorFlow's reports on its start-up off the screen, unless an exception follows."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    screen = os.dup(2)
    with tempfile.TemporaryFile() as reports:
        os.dup2(reports.fileno(), 2)
        try:
            yield
        except BaseException:
            reports.seek(0)
            os.write(screen, reports.read())
            raise
        finally:
            os.dup2(screen, 2)
            os.close(screen)


def _define_flags(parsed, arguments, doc):
    """Defines a flag for each of the arguments; its help is the docstring's."""
    for name, (kind, default) in arguments.items():
        text = re.search(rf"^ +{name}: (.*?)(?=^ +[*\w]+: |^ *$)", doc or "", re.M | re.S)
        description = " ".join(text[1].split()) if text else ""
        _DEFINE[kind](name, default, description, flag_values=parsed)
    return list(arguments)


if __name__ == "__main__":
    sys.exit(main())
