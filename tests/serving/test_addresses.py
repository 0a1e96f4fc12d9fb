"""Where a model is served and how it is asked, checked before anything is sent."""

import pytest

from kgen import cli
from kgen.serving import Client

pytestmark = pytest.mark.anywhere


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "a b:1",
            "a\n:1",
            "a\x1bc:1",
            "a\u202e:1",
            "a:b",
            "a:99999",
            "a:1?x",
            "user:word@a:1",
            ":8501",
        ),
        *("file:///etc/passwd", "ftp://a", "http://", "[::1", 8501, None, b"a:1"),
    ],
)
def test_addresses_that_are_none_are_refused(address):
    with pytest.raises(ValueError, match="Expected address as host:port, ") as caught:
        Client(address, "m")
    assert str(caught.value).isprintable()


def test_arguments_are_checked_before_anything_is_asked(serve):
    server = serve()
    for address in (server.address, f"grpc://{server.address}"):
        for model in ("a b", "a/b", "a:predict", "", "a\n", None):
            with pytest.raises(ValueError, match="Expected model as its name on the server"):
                Client(address, model)
        for name in ("timeout", "retries", "version"):
            with pytest.raises(ValueError, match=f"Expected {name} as .*Received: {name}=-1"):
                Client(address, "m", **{name: -1})
    assert server.asked == 0
    for address in ("a", "a.b:1", "[::1]:8501", "https://a.b/c/d/", "http://127.0.0.1:1"):
        Client(address, "größe-1.2", timeout=1e300)


@pytest.mark.parametrize("flags", [["--model", "a b"], ["--server", "a b:1"], ["--timeout", "-1"]])
def test_the_command_refuses_before_it_asks(serve, flags, capfd):
    server = serve()
    command = ["kgen", "generate", "--server", server.address, "--model", "m"]
    assert cli.main([*command, *flags]) == 1
    err = capfd.readouterr().err
    assert err.startswith("kgen: Expected ") and err[:-1].isprintable()
    assert server.asked == 0
