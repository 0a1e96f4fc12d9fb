"""The `kgen` command: a thin shell over functions whose arguments are its flags.

Keras is imported once it is known what is asked for, and which backend is.
"""

import contextlib
import functools
import importlib
import inspect
import os
import signal
import sys
import tempfile
import warnings
from typing import NamedTuple

from absl import flags

from kgen.installed import BACKENDS, default_backend, is_installed, missing
from kgen.interrupt import interruptible
from kgen.runs.arguments import description, plain_arguments
from kgen.runs.catalog import MODELS, require_known
from kgen.runs.config import require_config
from kgen.version import __version__

_USAGE = f"""kgen: deep generative image models

  kgen train MODEL [--dataset ...] [--epochs ...]    train a model, or go on with a training
  kgen sample RUN [--num ...] [--out ...]            samples of a run: a grid, files or an .npz
  kgen nearest RUN [--num ...] [--out ...]           samples with their nearest training images
  kgen reconstruct RUN [--num ...] [--out ...]       test images with reconstructions below them
  kgen complete RUN [--image FILE] [--out ...]       images of which a part is hidden, completed
  kgen evaluate RUN [--metrics kid,...]              the figures on the test images, and of samples
  kgen compare RUN RUN ... [--out ...]               runs side by side: figures and pictures
  kgen demo RUN_OR_MODEL [--port ...]                a page to play with a model, in a browser
  kgen publish RUN [--path ...]                      the model without what was for its training
  kgen export RUN [--path ...] [--version ...]       a SavedModel for TensorFlow Serving
  kgen generate --server HOST:PORT --model NAME      a grid of images from TensorFlow Serving

MODEL is one of {", ".join(MODELS)}.
RUN is a run folder, or the name of a trained model in saved_models/, such as mnist_dcgan.
`kgen train MODEL --help` and `kgen COMMAND RUN --help` list the flags, the model's own among them,
and `kgen --version` says which kgen this is.
"""


INTERRUPTED = 128 + signal.SIGINT  # as of a process that the signal ended


class _Command(NamedTuple):
    """Where a command's function is, and what it takes besides flags.

    Attributes:
        module: str.
        subject: str or None. What the first argument is.
        keras: bool. Whether it computes with Keras.
        several: bool. Whether there may be several subjects.
    """

    module: str
    subject: str | None = "RUN"
    keras: bool = True
    several: bool = False


_COMMANDS = {
    "train": _Command("kgen.runs", "MODEL"),
    "sample": _Command("kgen.runs"),
    "nearest": _Command("kgen.runs"),
    "reconstruct": _Command("kgen.runs"),
    "complete": _Command("kgen.runs"),
    "evaluate": _Command("kgen.runs"),
    "compare": _Command("kgen.runs", several=True),
    "demo": _Command("kgen.demo", "RUN_OR_MODEL"),
    "publish": _Command("kgen.runs"),
    "export": _Command("kgen.runs", keras=False),
    "generate": _Command("kgen.serving.grids", subject=None, keras=False),
}


_VERBS = {"nearest": "sample"}  # of a command whose name is not that of what the model does


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


class _OrNone(flags.ArgumentParser):
    """What another parser reads, or the word none."""

    def __init__(self, parser):
        self._parser = parser
        self.syntactic_help = f"{parser.syntactic_help}, or none"

    def parse(self, argument):
        try:
            return None if argument == "none" else self._parser.parse(argument)
        except ValueError:
            raise ValueError(f"Expected {self.syntactic_help}. Received: {argument!r}") from None


def _or_none(parser):
    return functools.partial(flags.DEFINE, _OrNone(parser))


def _define_integers(name, default, description, flag_values):
    serializer = flags.CsvListSerializer(",")
    flags.DEFINE(_Integers(), name, default, description, flag_values, serializer)


def _define_list(name, default, description, flag_values):
    flags.DEFINE_list(name, default and [*default], description, flag_values)


_DEFINE = {
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    int | None: _or_none(flags.IntegerParser()),
    float | None: _or_none(flags.FloatParser()),
    bool: flags.DEFINE_boolean,
    str: flags.DEFINE_string,
    tuple: _define_list,
    tuple[int, ...]: _define_integers,
}


def main(argv=None):
    """Runs one command.

    Args:
        argv: list of str. The command line, `sys.argv` by default.

    Returns:
        The exit status: 0, 1 after an error, 2 if the arguments make no command, 130 after Ctrl-C.
    """
    _open_closed_streams()
    _, *arguments = sys.argv if argv is None else argv
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        print(_USAGE)
        return 0
    if arguments[0] == "--version":
        print(f"kgen {__version__}")
        return 0
    try:
        with _warnings_in_a_line(), interruptible():
            return _run(*arguments)
    except flags.Error as error:
        print(f"kgen: {error}", file=sys.stderr)
        return 2
    except (ValueError, OSError, FloatingPointError, ImportError) as error:
        print(f"kgen: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("kgen: Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        from kgen import backend

        if not backend.lacks_memory(error):
            raise
        first, *_ = str(error).split("\n")
        print(f"kgen: Expected sizes that fit into memory. Received: {first}", file=sys.stderr)
        return 1


@contextlib.contextmanager
def _warnings_in_a_line():
    """Shows kgen's warnings without the place in the code that they came from."""
    by_python = warnings.formatwarning

    def formatted(message, category, *where, **kwargs):
        if category is UserWarning:
            return f"kgen: {message}\n"
        return by_python(message, category, *where, **kwargs)

    warnings.formatwarning = formatted
    try:
        yield
    finally:
        warnings.formatwarning = by_python


def _open_closed_streams():
    """Lets streams that were closed lead nowhere: else files would have their numbers."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, number)
            if nowhere != number:
                os.close(nowhere)
            setattr(sys, name, open(number, mode, closefd=False))


def _run(name, *arguments):
    try:
        require_known(_COMMANDS, name, "command")
    except ValueError as error:
        raise flags.Error(f"{error}\n\n{_USAGE}") from None
    command = _COMMANDS[name]
    subjects, given = [], list(arguments)
    while given and not given[0].startswith("-") and (command.several or not subjects):
        subjects.append(given.pop(0))
    subject = subjects[0] if subjects else None
    asked = flags.FlagValues()
    _define_first(asked, command)
    given = asked(["kgen", *given], known_only=True)[1:]
    if (subject is None) != (command.subject is None) and not asked.help:
        raise _wrong_arguments(name, arguments)
    config = None
    if command.subject == "MODEL" and subject is not None:
        require_known(MODELS, subject, "model")
    is_model = command.subject == "RUN_OR_MODEL" and os.path.isfile(subject or "")
    if command.subject in ("RUN", "RUN_OR_MODEL") and subject is not None and not is_model:
        config = require_config(subject)
    if command.keras:
        _choose_backend(asked.backend, config)
    parsed = flags.FlagValues()
    _define_first(parsed, command)  # for the help
    with _quiet():
        function = getattr(importlib.import_module(command.module), name)
        names = _define_flags(parsed, plain_arguments(function), function.__doc__)
        for more, doc in _of_the_model(function, name, subject, config):
            new = {key: setting for key, setting in more.items() if key not in names}
            names += _define_flags(parsed, new, doc)
    left = parsed(["kgen", *given])[1:]
    if asked.help:
        print(f"{inspect.getdoc(function).splitlines()[0]}\n\n{parsed.module_help(__name__)}")
        return 0
    if left:
        raise _wrong_arguments(name, arguments)
    values = {key: getattr(parsed, key) for key in names if parsed[key].present}
    # To ask by gRPC imports TensorFlow.
    with _quiet() if name == "generate" else contextlib.nullcontext():
        function(*subjects, **values)
    return 0


def _wrong_arguments(name, arguments):
    command = _COMMANDS[name]
    several = "..." if command.several else None
    expected = " ".join(filter(None, ["kgen", name, command.subject, several]))
    return flags.Error(f"Expected `{expected}` and flags. Received: {' '.join(arguments)}")


def _define_first(parsed, command):
    """Defines what is looked at before the command's function is imported."""
    flags.DEFINE_boolean("help", False, "Show the flags.", flag_values=parsed, short_name="h")
    if command.keras:
        flags.DEFINE_enum("backend", None, BACKENDS, "Keras' backend.", flag_values=parsed)


def _choose_backend(backend, config):
    """Sets the backend before Keras is imported.

    Without a choice it is the run's own, Keras' or the first that is installed.
    """
    chosen = backend or os.environ.get("KERAS_BACKEND")
    if chosen is None:
        of_run = None if config is None else config["backend"]
        wanted = of_run, default_backend(), *BACKENDS
        chosen = next((each for each in wanted if each in BACKENDS and is_installed(each)), None)
    if chosen is None or not is_installed(chosen):
        raise ImportError(missing(chosen))
    os.environ["KERAS_BACKEND"] = chosen


def _of_the_model(function, name, subject, config):
    """What a model takes besides, where the function passes it on.

    Returns:
        list of (plain arguments, docstring): of the classes that `train` makes a model of, or of
        the run's model's own verb.
    """
    kinds = {each.kind for each in inspect.signature(function).parameters.values()}
    if subject is None or inspect.Parameter.VAR_KEYWORD not in kinds:
        return []
    from kgen.runs import settings

    if name == "train":
        parts = settings.own_arguments(settings.model_class(subject))
        return [(own, part.__doc__) for part, own in parts.items()]
    verb = getattr(settings.model_class(config["model"]), _VERBS.get(name, name), None)
    return [] if verb is None else [(plain_arguments(verb), inspect.getdoc(verb))]


@contextlib.contextmanager
def _quiet():
    """Keeps TensorFlow's reports on its start-up off the screen, unless it fails without a word."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    screen = os.dup(2)
    with tempfile.TemporaryFile() as reports:
        os.dup2(reports.fileno(), 2)
        try:
            yield
        except (ValueError, OSError):
            raise
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
        _DEFINE[kind](name, default, description(name, doc), flag_values=parsed)
    return list(arguments)


if __name__ == "__main__":
    sys.exit(main())
