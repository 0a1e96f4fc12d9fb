"""What comes from outside forges no line of a terminal."""

import os
import pathlib

import pytest

from kgen.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain Größe 画像 🙂 a\\b 'c'", "plain Größe 画像 🙂 a\\b 'c'"),
        ("a\r\nkgen: done\tb\0", r"a\r\nkgen: done\tb\x00"),
        ("\x1b[31mred\x1b]0;title\x07\x9b2J\x7f\b", r"\x1b[31mred\x1b]0;title\x07\x9b2J\x7f\x08"),
        ("a\u2028b\u2029c\x85d\x0be\x0cf", r"a\u2028b\u2029c\x85d\x0be\x0cf"),
        ("\u202egnp.exe\u2066\u200f\u061c", r"\u202egnp.exe\u2066\u200f\u061c"),
        ("a\u200bb\ufeffc\u00add\U000e0041", r"a\u200bb\ufeffc\xadd\U000e0041"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text, shown):
    assert printable(text) == shown and printable(shown) == shown
    assert len(shown.splitlines()) == 1


def test_of_names_of_files():
    name = os.fsdecode(b"a\xff\nb.png")  # no UTF-8
    shown = printable(pathlib.Path("folder") / name)
    assert shown == r"folder/a\udcff\nb.png" and shown.encode()


def test_what_is_long_is_cut_in_the_middle():
    shown = printable("a" * 10**6 + "b")
    assert len(shown) <= 410 and shown.startswith("aaa") and shown.endswith("aab")
    assert printable("a\n" * 20, length=6) == r"a\na ... \na\n"
    assert printable("a" * 400) == "a" * 400
