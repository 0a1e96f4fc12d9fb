"""Ways from noise to an image, by what a network thinks of the image at each time.

A sampler's object or its name is what the models of `kgen.models.diffusion` and their `sample` take
as `sampler`.
"""

import dataclasses

from kgen.samplers.ancestral import Ancestral
from kgen.samplers.ddim import DDIM
from kgen.samplers.dpm_solver import DPMSolver
from kgen.samplers.heun import Heun
from kgen.samplers.ode import ODE
from kgen.samplers.path import Path
from kgen.samplers.sampler import Sampler

__all__ = ["DDIM", "ODE", "Ancestral", "DPMSolver", "Heun", "Path", "Sampler", "get"]

OF_X0 = {"ancestral": Ancestral(), "ddim": DDIM(), "dpm_solver": DPMSolver(), "heun": Heun()}
OF_VELOCITY = {method: ODE(method=method) for method in ("euler", "midpoint", "heun")} | {
    name: OF_X0[name] for name in ("ancestral", "ddim", "dpm_solver")
}


def get(sampler, steps=None, known=OF_X0):
    """A `Sampler` by its name, or as it is; with other steps, if they are given.

    Args:
        sampler: `Sampler`, or its name.
        steps: int or None.
        known: dict of samplers by name: those, and objects of their classes, are taken.
    """
    found = known.get(sampler) if isinstance(sampler, str) else sampler
    if not isinstance(found, tuple({type(each) for each in known.values()})):
        classes = sorted({type(each).__name__ for each in known.values()})
        raise ValueError(
            f"Expected a sampler of {', '.join(known)}, or an object of kgen.samplers: "
            f"{', '.join(classes)}. Received: sampler={sampler!r:.80}"
        )
    return found if steps is None else dataclasses.replace(found, steps=steps)
