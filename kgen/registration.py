"""Keras finds kgen's classes by their names in a file, without being imported by kgen.

`keras.saving.load_model` knows the classes alone that are registered when it reads a file. `import
kgen` imports none of them, and not Keras either: it takes a second, and a client of a server needs
neither. So once Keras is there, all classes are imported as soon as nothing of the two is half
imported: at the end of the user's own `import keras`, or of `from kgen.models... import`.
"""

import contextlib
import importlib
import sys
import threading


class _Thread(threading.local):
    """What a thread is in the middle of: `depth` imports, and a search for a module."""

    depth = 0
    is_searching = False


class _Finder:
    """Finds `keras` and kgen's modules as the others in `sys.meta_path` do."""

    def __init__(self, modules):
        self.modules = modules
        self.thread = _Thread()
        self.lock = threading.Lock()
        self.num_threads = 0  # that are in the middle of an import
        self.is_done = False

    def find_spec(self, name, path=None, target=None):
        is_ours = name == "keras" or name.startswith("kgen.")
        if self.is_done or self.thread.is_searching or not is_ours:
            return None
        self.thread.is_searching = True
        try:
            specs = (finder.find_spec(name, path, target) for finder in sys.meta_path)
            spec = next((spec for spec in specs if spec is not None), None)
        finally:
            self.thread.is_searching = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self)
        return spec

    @contextlib.contextmanager
    def importing(self):
        """An import, at whose end classes are registered if it is no part of another."""
        is_outermost = self.thread.depth == 0
        self.thread.depth += 1
        with self.lock:
            self.num_threads += is_outermost
        try:
            yield
            if is_outermost:
                self.register()
        finally:
            self.thread.depth -= 1
            with self.lock:
                self.num_threads -= is_outermost

    def register(self):
        """Imports the modules that register classes, if Keras is there."""
        if self.is_done or sys.modules.get("keras") is None:
            return
        try:
            for module in self.modules:
                importlib.import_module(module)
        except (ImportError, RuntimeError):
            # Another thread imports kgen's modules as well, and waits for this one: then Python
            # gives one of the two an error, and the other one registers.
            if self.num_threads == 1 and not self.is_done:
                raise
        else:
            self.is_done = True


class _Loader:
    """A module's own loader, which gives word when the module is executed."""

    def __init__(self, loader, finder):
        self._loader = loader
        self._finder = finder

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader
        with self._finder.importing():
            self._loader.exec_module(module)


def register_with_keras(modules):
    """Imports modules now if Keras is imported, otherwise as soon as it is.

    Args:
        modules: list of str. Where kgen's classes are registered.
    """
    finder = _Finder(modules)
    sys.meta_path.insert(0, finder)
    with finder.importing():
        pass
