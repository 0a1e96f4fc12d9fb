import keras
import numpy as np
import pytest
from PIL import Image, ImageSequence

from kgen import pictures
from kgen.pictures.course import _TRAINING, _VALIDATION
from tests.pictures.conftest import pixels

LOGGED = {"loss": [4.0, 2.0, 1.0, 0.0], "val_loss": [4.0, 4.0, 4.0, 4.0], "accuracy": [0.1] * 4}


def curve(picture, colour, panel=0):
    """For each column of pixels in a panel's frame the middle of what has a colour, from below."""
    inside = pixels(picture)[27:177, 320 * panel + 71 : 320 * panel + 307]
    found = (inside == colour).all(-1)
    rows = np.arange(len(inside), 0, -1)[:, None]
    return (found * rows).sum(0) / np.maximum(1, found.sum(0)), found.any(0)


def test_a_curve_goes_through_its_numbers():
    heights, _ = curve(pictures.losses(LOGGED), _TRAINING)
    ends = heights[[2, 78, 157, -3]]  # at thirds of the width
    np.testing.assert_allclose(
        (ends - ends[-1]) / (ends[0] - ends[-1]), [1, 0.5, 0.25, 0], atol=0.03
    )
    # The scale is that of both curves, of which that of the validation is at the top.
    heights, there = curve(pictures.losses(LOGGED), _VALIDATION)
    assert there.all() and np.ptp(heights) == 0 and heights[0] > 140


def test_a_panel_each():
    assert pictures.losses(LOGGED).size == (640, 200)
    assert pictures.losses({str(i): [1.0] for i in range(4)}).size == (960, 400)
    assert pictures.losses({"val_loss": [2.0, 1.0]}).size == (320, 200)
    assert curve(pictures.losses({"val_loss": [2.0, 1.0]}), _VALIDATION)[1].all()


def test_numbers_that_are_not_there_leave_a_gap():
    whole = curve(pictures.losses({"loss": [1.0, 2.0, 3.0, 2.0, 1.0]}), _TRAINING)[1]
    for gap in (np.nan, np.inf):
        part = curve(pictures.losses({"loss": [1.0, 2.0, gap, 2.0, 1.0]}), _TRAINING)[1]
        assert whole.all() and 0.4 < part.mean() < 0.6 and not part[100:140].any()
    alone = curve(pictures.losses({"loss": [gap, 2.0, gap]}), _TRAINING)[1]
    assert alone.sum() == 5  # a dot
    assert not curve(pictures.losses({"loss": [gap, gap]}), _TRAINING)[1].any()


def test_three_forms_of_a_history_are_one(tmp_path):
    history = keras.callbacks.History()
    history.history = LOGGED
    (tmp_path / "history.csv").write_text(
        "epoch,accuracy,loss,val_loss\n"
        + "".join(f"{i},0.1,{LOGGED['loss'][i]},4.0\n" for i in range(4))
    )
    in_order = {name: LOGGED[name] for name in ("accuracy", "loss", "val_loss")}
    expected = pixels(pictures.losses(in_order, path=tmp_path / "losses.png"))
    np.testing.assert_array_equal(pixels(pictures.losses(tmp_path / "history.csv")), expected)
    np.testing.assert_array_equal(pixels(Image.open(tmp_path / "losses.png")), expected)
    np.testing.assert_array_equal(pixels(pictures.losses(history)), pixels(pictures.losses(LOGGED)))


def test_what_a_logger_could_not_say_is_a_gap(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,val_loss\n0,NA\n1,2.0\n2,NA\n")
    assert 0 < curve(pictures.losses(tmp_path / "history.csv"), _VALIDATION)[1].sum() < 10


def test_a_model_after_fit_has_its_history():
    history = keras.callbacks.History()
    history.history = LOGGED
    model = keras.Sequential()
    for given in (history, model):
        model.history = history
        assert pictures.losses(given).tobytes() == pictures.losses(LOGGED).tobytes()


@pytest.mark.parametrize("history", [{}, {"loss": []}, {"epoch": [0]}, [1, 2], keras.Model()])
def test_a_history_of_nothing(history):
    with pytest.raises(ValueError, match="at least one epoch. Received: history="):
        pictures.losses(history)


@pytest.fixture
def grids(tmp_path):
    """Write pictures of growing brightness."""

    def write(num, step=2):
        paths = [tmp_path / f"epoch-{i:04}.png" for i in range(num)]
        for i, path in enumerate(paths):
            Image.new("L", (8, 6), step * i).save(path)
        return paths

    return write


def frames(path):
    with Image.open(path) as file:
        return [
            (pixels(frame.convert("L"))[0, 0], frame.info["duration"])
            for frame in ImageSequence.Iterator(file)
        ]


def test_an_animation_shows_the_pictures_in_turn(tmp_path, grids):
    path = tmp_path / "new" / "samples.gif"
    pictures.animation(grids(3), path, seconds=0.1)
    assert frames(path) == [(0, 100), (2, 100), (4, 1000)]
    with Image.open(path) as file:
        assert file.info["loop"] == 0
    pictures.animation(grids(3, step=100), tmp_path / "samples.webp")
    assert len(frames(tmp_path / "samples.webp")) == 3


def test_an_animation_of_many_shows_some_evenly(tmp_path, grids):
    pictures.animation(grids(100), tmp_path / "samples.gif", most=12)
    shown = [level // 2 for level, _ in frames(tmp_path / "samples.gif")]
    assert len(shown) == 12 and (shown[0], shown[-1]) == (0, 99) and set(np.diff(shown)) == {9}


def test_animations_that_are_none(tmp_path, grids):
    paths = grids(2)
    with pytest.raises(ValueError, match="ending in .gif or .webp"):
        pictures.animation(paths, tmp_path / "samples.jpg")
    with pytest.raises(ValueError, match="Expected at least one picture. Received: pictures="):
        pictures.animation([], tmp_path / "samples.gif")
    Image.new("L", (9, 6)).save(paths[1])
    with pytest.raises(ValueError, match=r"of one size. .*0000.png of \(8, 6\), .*of \(9, 6\)"):
        pictures.animation(paths, tmp_path / "samples.gif")
    assert sorted(p.name for p in tmp_path.iterdir()) == [p.name for p in paths]


def test_a_row_that_was_cut_short_leaves_a_gap(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss,val_loss\n0,3.0,3.1\n1,2.0\n")
    assert pictures.losses(str(path)).size == (320, 200)
