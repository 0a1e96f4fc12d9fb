"""Keras finds kgen's classes by their names in a file, without being imported by kgen.

`keras.saving.load_model` knows the classes alone that are registered when it reads a file. `import
kgen` imports none of them, and not Keras either: it takes a second, and a client of a server needs
neither. So once Keras is there, all classes are imported as soon as nothing of the two is half
imported: at the end of the user's own `import keras`, or of `from kgen.models... import`.
"""

import importlib
import sys
import threading


class _Finder:
    """Finds `keras` and kgen's modules as the others in `sys.meta_path` do."""

    def __init__(self, modules):
        self.modules = modules
        self.thread = _Thread()
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

    def execute(self, loader, module):
        self.thread.depth += 1
        try:
            loader.exec_module(module)
        finally:
            self.thread.depth -= 1
        if self.thread.depth == 0:
            self.register()

    def register(self):
        """Imports the modules that register classes, if Keras is there."""
        if self.is_done or sys.modules.get("keras") is None:
            return
        self.thread.depth += 1
        try:
            for module in self.modules:
                importlib.import_module(module)
        finally:
            self.thread.depth -= 1
        self.is_done = True


class _Thread(threading.local):
    """What a thread is in the middle of: `depth` imports, and a search for a module."""

    depth = 0
    is_searching = False


class _Loader:
    """A module's own loader, which gives word when the module is executed."""

    def __init__(self, loader, finder):
        self._loader = loader
        self._finder = finder

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader
        self._finder.execute(self._loader, module)


def register_with_keras(modules):
    """Imports modules now if Keras is imported, otherwise as soon as it is.

    Args:
        modules: list of str. Where kgen's classes are registered.
    """
    finder = _Finder(modules)
    sys.meta_path.insert(0, finder)
    finder.register()
