import io

import numpy as np
import pytest
from PIL import Image

from kgen.demo import picture
from kgen.demo.page import Page
from tests.demo.urls import url
from tests.zoo import ZOO


def file_of(image, kind="PNG", **how):
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


@pytest.mark.parametrize(
    ("panel", "values", "message"),
    [
        ("none", {}, r"Expected a panel of \['samples'.*'none'"),
        ("samples", [], r"values by name. Received: \[\]"),
        ("samples", {"seed": "one"}, "Expected seed as a whole number. Received: seed='one'"),
        ("samples", {"seed": 3.5}, "Expected seed.*seed=3.5"),
        ("samples", {"seed": "9" * 5000}, "Expected seed as a whole number"),
        ("samples", {"num": 0}, r"images as a whole number in 1\.\.64. Received: images=0"),
        ("samples", {"num": 2.5}, "images=2.5"),
        ("samples", {"num": 65}, "images=65"),
        ("latents", {"moves": [0.0]}, r"Expected 3 latents. Received: moves=\[0.0\]"),
        ("latents", {"moves": [0.0, float("nan"), 0.0]}, "z2 as a finite number.*z2=nan"),
        ("latents", {"moves": "0, 0, 0"}, "Expected 3 latents"),
        ("interpolation", {"steps": 1}, "images=1"),
        ("interpolation", {"spherical": 1}, "great circle as True or False.*=1"),
        ("reconstruction", {}, "image as a data URL. Received: None"),
        ("reconstruction", {"image": "a.png"}, "image as a data URL. Received: None"),
        ("reconstruction", {"image": {"image": "data:image/png,ab"}}, "as a data URL"),
        ("reconstruction", {"image": {"image": "data:;base64,@"}}, "as a data URL"),
        ("reconstruction", {"image": {"image": "data:;base64,"}}, "cannot be read: it is none of"),
        ("reconstruction", {"image": {"image": "data:;base64,YWJj"}}, "none of PNG.*or damaged"),
    ],
)
def test_bad_values_are_refused_in_words(vae_page, panel, values, message):
    with pytest.raises(ValueError, match=message):
        vae_page.make(panel, values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"temperature": 0}, "temperature as a finite number above 0. Received: temperature=0"),
        ({"temperature": ""}, "temperature as a finite number. Received: temperature=''"),
        ({"copies": 17}, r"completions as a whole number in 1\.\.16"),
        ({"mask": url(np.zeros((5, 4), bool))}, "Expected a hole: paint"),
        ({"mask": None}, "Expected the hole as a data URL"),
    ],
)
def test_bad_values_of_a_completion(pixel_page, values, message):
    hole = {"image": url(ZOO["pixel_cnn"].images[0]), "mask": url(np.ones((5, 4), bool))}
    hole |= {name: value for name, value in values.items() if name == "mask"}
    with pytest.raises(ValueError, match=message):
        pixel_page.make("completion", values | {"image": hole})


def test_codes_and_classes_that_are_none():
    page = Page(ZOO["info_gan"].make(), "codes")
    with pytest.raises(ValueError, match=r"category 1 as a whole number in 0\.\.2.*=3"):
        page.make("codes", {"code_0": 3})
    with pytest.raises(ValueError, match=r"number 1 in -1\.\.1. Received: number 1=1.5"):
        page.make("codes", {"code_1": 1.5})
    page = Page(ZOO["conditional_vae"].make(), "classes")
    with pytest.raises(ValueError, match=r"label as a whole number in 0\.\.3.*label=4"):
        page.make("samples", {"condition": 4})


def test_an_own_image_comes_in_the_models_size(vae_page):
    image = Image.new("RGBA", (40, 20), (255, 0, 0, 0))  # transparent: white
    src = vae_page.image("reconstruction", "image", file_of(image))["src"]
    assert src == url(np.full((8, 8, 1), 255, "uint8"))
    turned = Image.fromarray(np.uint8([[0], [255]]).repeat(4, axis=0).repeat(8, axis=1))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    contents = file_of(turned, "PNG", exif=exif)
    shown = vae_page.image("reconstruction", "image", contents)["src"]
    assert shown == url(np.repeat(np.uint8([255, 0]), 4)[:, None, None].repeat(8, axis=1))
    with pytest.raises(ValueError, match="Expected a picture of samples. Received: 'image'"):
        vae_page.image("samples", "image", contents)


def test_an_image_of_too_many_pixels_is_not_decoded(vae_page, monkeypatch):
    monkeypatch.setattr(picture, "decode", None)
    contents = file_of(Image.new("1", (10_000, 10_000)))
    with pytest.raises(ValueError, match="10000x10000 pixels, and at most 33,554,432 are read"):
        vae_page.image("reconstruction", "image", contents)
