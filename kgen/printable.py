"""Text from outside as one line that a terminal shows and does not obey; of all of kgen."""

LENGTH = 400


def printable(text, length=LENGTH):
    r"""What a server said or a file is called, for a message.

    What `str.isprintable` takes stays. Control characters and escape codes, ends of lines and all
    spaces but the plain one, directions of writing, what has no width, and bytes of a file's name
    that are no text become escapes; of what is longer the middle is left out.

    Args:
        text: str, or what `str` makes one of, such as a path or an exception.
        length: int. Characters that are kept, before they are escaped.

    Returns:
        str, of one line.

    Example:
    >>> from kgen.printable import printable
    >>> print(printable("not found\n\x1b[2Kkgen: all is well"))
    not found\n\x1b[2Kkgen: all is well
    """
    text = str(text)
    if len(text) > length:
        half = length // 2
        text = f"{text[:half]} ... {text[-half:]}"
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
