"""sdnb: look inside Stable Diffusion, in a notebook or in plain Python.

``%load_ext sdnb`` and ``%%sd`` in Jupyter; in Python:

    import sdnb

    pipe = sdnb.load("tiny")
    result = pipe.run("a red circle on a meadow", seed=7)
    result.save("pictures")

Names are imported at their first use, so that neither this import nor the extension loads torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sdnb.choice import Choice as Choice
    from sdnb.comparison.compare import compare as compare
    from sdnb.comparison.convergence import measure_convergence as measure_convergence
    from sdnb.comparison.microscope import inspect as inspect
    from sdnb.comparison.sweep import sweep as sweep
    from sdnb.comparison.tree import tree as tree
    from sdnb.diffusion.noise_schedules import noise_schedule as noise_schedule
    from sdnb.diffusion.samplers.contract import Evaluate as Evaluate
    from sdnb.diffusion.samplers.contract import Step as Step
    from sdnb.diffusion.samplers.contract import sampler as sampler
    from sdnb.diffusion.samplers.loop import sample as sample
    from sdnb.diffusion.sigma_schedules import schedule as schedule
    from sdnb.diffusion.sigma_schedules import sigmas as sigmas
    from sdnb.errors import SdnbError as SdnbError
    from sdnb.events import During as During
    from sdnb.events import Hooks as Hooks
    from sdnb.events import hook as hook
    from sdnb.events import on_module as on_module
    from sdnb.magics.extension import load_ipython_extension as load_ipython_extension
    from sdnb.magics.extension import unload_ipython_extension as unload_ipython_extension
    from sdnb.magics.panel import panel as panel
    from sdnb.models.library import checkpoints as checkpoints
    from sdnb.models.observe import observe as observe
    from sdnb.picture import FromImage as FromImage
    from sdnb.picture import Inpaint as Inpaint
    from sdnb.picture import Picture as Picture
    from sdnb.pipeline import Pipeline as Pipeline
    from sdnb.pipeline import load as load
    from sdnb.records.history import history as history
    from sdnb.records.reading import read as read
    from sdnb.request import GenerationRequest as GenerationRequest
    from sdnb.result import Result as Result

__version__ = "0.1.0"

_HOMES = {
    "Choice": "choice",
    "During": "events",
    "Evaluate": "diffusion.samplers.contract",
    "FromImage": "picture",
    "GenerationRequest": "request",
    "Hooks": "events",
    "Inpaint": "picture",
    "Picture": "picture",
    "Pipeline": "pipeline",
    "Result": "result",
    "SdnbError": "errors",
    "Step": "diffusion.samplers.contract",
    "checkpoints": "models.library",
    "compare": "comparison.compare",
    "history": "records.history",
    "hook": "events",
    "inspect": "comparison.microscope",
    "load": "pipeline",
    "load_ipython_extension": "magics.extension",
    "measure_convergence": "comparison.convergence",
    "on_module": "events",
    "noise_schedule": "diffusion.noise_schedules",
    "observe": "models.observe",
    "panel": "magics.panel",
    "read": "records.reading",
    "sample": "diffusion.samplers.loop",
    "sampler": "diffusion.samplers.contract",
    "schedule": "diffusion.sigma_schedules",
    "sigmas": "diffusion.sigma_schedules",
    "sweep": "comparison.sweep",
    "tree": "comparison.tree",
    "unload_ipython_extension": "magics.extension",
}

# IPython calls the extension's two functions, nobody else
__all__ = [name for name in _HOMES if not name.endswith("_extension")]


# What a module holds has no common type.
def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sdnb' has no attribute {name!r}")
    return getattr(import_module(f"sdnb.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
