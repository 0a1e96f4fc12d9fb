"""Cards side by side, each a picture with a few words that leads to a page."""

CARD = """:::{{grid-item-card}} {title}
:img-top: {picture}
:link: /{page}
:link-type: doc

{words}
:::"""


def grid(cards):
    """The Markdown of a grid.

    Args:
        cards: sequence of (title, picture, page, words), paths from the repository's root.
    """
    named = (dict(zip(("title", "picture", "page", "words"), card, strict=True)) for card in cards)
    lines = ["::::{grid} 1 2 3 3", ":gutter: 3", "", *(CARD.format(**each) for each in named)]
    return "\n".join([*lines, "::::"])
