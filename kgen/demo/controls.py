"""What a page lets its reader set: how it is shown, and what of it is taken."""

import numpy as np

from kgen.checks import flag, number, whole_number


class Control:
    """One input of a panel.

    Args:
        name: str.
        default: what JSON can hold, as the page sends it.
        label: str. Defaults to the name.
        hint: str. What it does, in a sentence.
    """

    kind = ""  # of the page's elements

    def __init__(self, name, default=None, label=None, hint=""):
        self.name = name
        self.default = default
        self.label = label or name
        self.hint = hint

    def describe(self):
        """What the page makes its element of: a dict that JSON can hold."""
        return {
            "kind": self.kind,
            "name": self.name,
            "label": self.label,
            "hint": self.hint,
            "value": self.default,
        }

    def read(self, value):
        """What the page sent, as a verb takes it.

        Raises:
            ValueError: it says what was expected.
        """
        raise NotImplementedError


class Range(Control):
    """A slider: whole numbers where `step` is 1."""

    kind = "range"

    def __init__(self, name, default, low, high, step=1, **kwargs):
        super().__init__(name, default, **kwargs)
        self.low, self.high, self.step = low, high, step

    def describe(self):
        return super().describe() | {"low": self.low, "high": self.high, "step": self.step}

    def read(self, value):
        if self.step == 1:
            return whole_number(self.label, value, self.low, self.high)
        if not self.low <= number(self.label, value) <= self.high:
            raise ValueError(
                f"Expected {self.label} in {self.low}..{self.high}. Received: {self.label}={value}"
            )
        return value


class Number(Control):
    """A number of any size, whole where `is_whole`."""

    kind = "number"

    def __init__(self, name, default, is_whole=False, **kwargs):
        super().__init__(name, default, **kwargs)
        self.is_whole = is_whole

    def describe(self):
        return super().describe() | {"step": 1 if self.is_whole else 0.05}

    def read(self, value):
        check = whole_number if self.is_whole else number
        return check(self.label, value, at_least=None)


class Flag(Control):
    """Yes or no."""

    kind = "flag"

    def read(self, value):
        return flag(self.label, value)


class Seed(Control):
    """A seed, as text: a browser's numbers do not hold 64 bits.

    Args:
        picks: bool. It can be that of an image on the page.
    """

    kind = "seed"

    def __init__(self, name="seed", default=0, picks=True, **kwargs):
        super().__init__(name, str(default), **kwargs)
        self.picks = picks

    def describe(self):
        return super().describe() | {"picks": self.picks}

    def read(self, value):
        try:
            return int(value if isinstance(value, str) else "")
        except ValueError:
            raise ValueError(
                f"Expected {self.label} as a whole number. Received: {self.label}={value!r:.80}"
            ) from None


class Choice(Control):
    """One of some options: read as its number, as a class is."""

    kind = "choice"

    def __init__(self, name, options, default=0, **kwargs):
        super().__init__(name, default, **kwargs)
        self.options = list(map(str, options))

    def describe(self):
        return super().describe() | {"options": self.options}

    def read(self, value):
        return whole_number(self.label, value, 0, len(self.options) - 1)


class Ticks(Control):
    """Which of some options there are: read as 0 or 1 each."""

    kind = "ticks"

    def __init__(self, name, options, **kwargs):
        super().__init__(name, [], **kwargs)
        self.options = list(map(str, options))

    def describe(self):
        return super().describe() | {"options": self.options}

    def read(self, value):
        is_list = isinstance(value, list)
        unknown = [each for each in value if each not in range(len(self.options))] if is_list else 1
        if unknown:
            raise ValueError(
                f"Expected {self.label} as numbers below {len(self.options)}. Received: "
                f"{self.label}={value!r:.80}"
            )
        return np.isin(np.arange(len(self.options)), value).astype("float32")


class Numbers(Control):
    """A row of numbers with commas between them, as a field takes it."""

    kind = "text"

    def __init__(self, name, field, **kwargs):
        example = ", ".join(f"{each:g}" for each in field.example()[0].ravel())
        super().__init__(name, example, hint=f"{field.describe()}.", **kwargs)
        self.field = field

    def read(self, value):
        try:
            row = np.array([float(each) for each in str(value).split(",")])
            row = row.reshape(self.field.shape)
        except ValueError:
            raise ValueError(
                f"Expected {self.label} as {int(np.prod(self.field.shape))} numbers with commas "
                f"between them. Received: {self.label}={value!r:.80}"
            ) from None
        whole = np.issubdtype(np.dtype(self.field.dtype), np.integer) and np.all(row == row.round())
        return self.field.check(row[None].astype("int64" if whole else "float32"), self.label)[0]


class Sliders(Control):
    """A slider for each of some latents, or None, which leaves them where the seed put them."""

    kind = "sliders"

    def __init__(self, name, labels, **kwargs):
        super().__init__(name, None, **kwargs)
        self.labels = list(labels)

    def describe(self):
        return super().describe() | {"labels": self.labels}

    def read(self, value):
        if value is None:
            return None
        if not isinstance(value, list) or len(value) != len(self.labels):
            raise ValueError(
                f"Expected {len(self.labels)} {self.label}. Received: {self.name}={value!r:.80}"
            )
        return np.array(
            [number(name, each) for name, each in zip(self.labels, value, strict=True)], "float32"
        )
