"""Several processes and one run."""

import pytest

from kgen import runs
from kgen.lock import locked
from tests.runs.tiny import steps, train


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_second_training_is_refused_and_loses_nothing(run):
    with locked(str(run), "trains"):
        before = files(run)
        with pytest.raises(OSError, match="no other process trains. Received: .*run, where"):
            train(run, epochs=3)
        assert files(run) == before
    assert steps(train(run, epochs=3)) == 3


def test_a_training_has_its_run_from_its_first_file_to_its_last(tmp_path, monkeypatch):
    held = []

    def look(name, function):
        def looking(*args, **kwargs):
            with pytest.raises(OSError, match="no other process"), locked(str(tmp_path), "trains"):
                pass
            held.append(name)
            return function(*args, **kwargs)

        return looking

    for name in ("write_json", "_fit", "write_results"):
        function = getattr(runs.training, name)
        monkeypatch.setattr(runs.training, name, look(name, function))
    train(tmp_path)
    assert held == ["write_json", "_fit", "write_results"]
    with locked(str(tmp_path), "trains"):
        pass


def test_what_another_training_began_meanwhile_is_compared(tmp_path, monkeypatch):
    build = runs.training._build

    def slowly(*args):
        monkeypatch.setattr(runs.training, "_build", build)
        train(tmp_path)
        return build(*args)

    monkeypatch.setattr(runs.training, "_build", slowly)
    with pytest.raises(ValueError, match="latent_dim: 1 in the folder, 2 now"):
        train(tmp_path, latent_dim=2)


def test_readers_wait_for_nobody(run, tmp_path):
    with locked(str(run), "trains"):
        assert steps(runs.load(str(run))) == 2
        runs.evaluate(str(run))
        runs.reconstruct(str(run), num=2, out=str(tmp_path / "a.png"))


def test_of_several_processes_the_first_alone_has_the_run(run, monkeypatch):
    model = runs.load(str(run)).model
    monkeypatch.setattr(type(model), "process_index", 1)
    this = runs.Run(str(run), {}, model)
    with locked(str(run), "trains"), runs.training._own_output(this):
        assert this.folder != str(run)
