"""Registries: the names a user can write, and the functions behind them.

Built-in names stand in a table (name -> ``module:attribute``), so that help, completion and
validation know them without importing torch; a module is imported when its name is first used.
User entries are added by decorators (`sdnb.sampler`, `sdnb.schedule`, `sdnb.hook`).
"""

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from inspect import Parameter, signature
from typing import Any, TypeVar

from sdnb.errors import InvalidField, UnknownName

Function = TypeVar("Function", bound=Callable[..., Any])

KEYWORD = Parameter.KEYWORD_ONLY

# An option is of its default's kind; other defaults (None, a list) leave the check to the entry.
_KINDS: Mapping[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a word"),
}


class Registry:
    """Names of one kind and what they stand for.

    Parameters
    ----------
    kind : str
        What an entry is, as an error says it: ``"sampler"``.
    built_in : Mapping of str to str
        Name -> ``"module:attribute"`` of what ships with sdnb.
    aliases : Mapping of str to str, optional
        Other names of built-in entries: understood everywhere, listed nowhere.
    makers : Mapping of str to str, optional
        Prefix -> ``"module:attribute"`` of what makes the entry ``prefix:Name`` from ``Name``.
    """

    def __init__(
        self,
        kind: str,
        built_in: Mapping[str, str],
        *,
        aliases: Mapping[str, str] | None = None,
        makers: Mapping[str, str] | None = None,
    ) -> None:
        self.kind = kind
        self._built_in = dict(built_in)
        self._aliases = dict(aliases or {})
        self._makers = dict(makers or {})
        self._made: dict[str, Any] = {}
        self._added: dict[str, Any] = {}

    def names(self) -> tuple[str, ...]:
        """All known names: the built-in ones in their order, then the user's."""
        return (*self._built_in, *(name for name in self._added if name not in self._built_in))

    def knows(self, name: str) -> bool:
        """Whether ``name`` stands for an entry; of ``prefix:Name`` only the prefix is looked at."""
        prefix, _, rest = name.partition(":")
        tables = (self._built_in, self._added, self._aliases)
        return any(name in table for table in tables) or (prefix in self._makers and rest != "")

    def check(self, name: str) -> None:
        """Raise `UnknownName`, with the nearest names, unless ``name`` is known."""
        if not self.knows(name):
            raise UnknownName.among(
                self.kind, name, self.names(), fix=f"register it with @sdnb.{self.kind}"
            )

    # Entries have the type of their registry's kind (a Sampler, a schedule, a hook): the caller
    # knows which, this file cannot without importing the layers above it.
    def __getitem__(self, name: str) -> Any:
        """Return the entry called ``name``, importing its module if need be."""
        self.check(name)
        name = self._aliases.get(name, name)
        if ":" in name:
            if name not in self._made:
                prefix, _, rest = name.partition(":")
                self._made[name] = _fetch(self._makers[prefix])(rest)
            return self._made[name]
        if name not in self._added:
            self._added[name] = _fetch(self._built_in[name])
        return self._added[name]

    def options(self, name: str) -> dict[str, Any]:
        """Return the keyword options of an entry, with their defaults.

        A keyword without a default is no option: the caller of the entry fills it in.
        """
        parameters = signature(self[name]).parameters.values()
        return {
            entry.name: entry.default
            for entry in parameters
            if entry.kind is KEYWORD and entry.default is not Parameter.empty
        }

    def bind(self, name: str, options: Mapping[str, Any]) -> Any:
        """Return the entry with ``options`` filled in; raises where they are not its own."""
        if not options:
            return self[name]
        known, filled = self.options(name), {}
        for key, value in options.items():
            if key not in known:
                raise UnknownName.among(f"option of {name}", key, known, fix="leave it out")
            kind = type(known[key])
            if kind is int and type(value) is float and value.is_integer():
                value = int(value)
            if kind in _KINDS and type(value) not in _KINDS[kind][0]:
                raise InvalidField(
                    f"option {key} of {name} is {_KINDS[kind][1]}.",
                    given=value,
                    allowed=f"for example {known[key]}",
                    fix=f"{name} {key}={known[key]}",
                )
            filled[key] = float(value) if kind is float else value
        return partial(self[name], **filled)

    def register(self, name: str) -> Callable[[Function], Function]:
        """Return a decorator that adds a function under ``name``."""

        def added(function: Function) -> Function:
            self.add(name, function, source=f"{function.__module__}:{function.__qualname__}")
            return function

        return added

    def remove(self, name: str) -> None:
        """Forget a user's entry; what ships with sdnb stays."""
        self._added.pop(name, None)

    def add(self, name: str, entry: Any, *, source: str) -> None:
        """Register ``entry``; defining a user's entry again replaces it.

        Parameters
        ----------
        source : str
            ``"module:attribute"`` of the definition: a built-in name belongs to one source only.
        """
        if not name.isidentifier():
            raise InvalidField(
                f"the name of a {self.kind} is written without quotes in flags.",
                given=name,
                allowed="letters, digits and _, not starting with a digit",
                fix=f"for example {''.join(c if c.isalnum() else '_' for c in name)!r}",
            )
        if name in self._aliases or self._built_in.get(name, source) != source:
            raise InvalidField(
                f"this {self.kind} ships with sdnb and cannot be replaced.",
                given=name,
                allowed="any name that is not in use",
                fix=f"call it {'my_' + name!r}",
            )
        self._added[name] = entry


def _fetch(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


_SAMPLERS = {
    "ddim": "ddim",
    "ddpm": "ddpm",
    "plms": "plms",
    "euler": "euler",
    "euler_ancestral": "euler_ancestral",
    "euler_cfg_pp": "euler_cfg_pp",
    "euler_ancestral_cfg_pp": "euler_ancestral_cfg_pp",
    "heun": "heun",
    "heunpp2": "heunpp2",
    "dpm_2": "dpm_2",
    "dpm_2_ancestral": "dpm_2_ancestral",
    "dpm_fast": "dpm_fast",
    "dpm_adaptive": "dpm_adaptive",
    "dpmpp_2s_ancestral": "dpmpp_2s_ancestral",
    "dpmpp_2s_ancestral_cfg_pp": "dpmpp_2s_ancestral_cfg_pp",
    "dpmpp_sde": "dpmpp_sde",
    "dpmpp_2m": "dpmpp_2m",
    "dpmpp_2m_cfg_pp": "dpmpp_2m_cfg_pp",
    "dpmpp_2m_sde": "dpmpp_2m_sde",
    "dpmpp_2m_sde_heun": "dpmpp_2m_sde",
    "dpmpp_3m": "dpmpp_3m",
    "dpmpp_3m_sde": "dpmpp_3m_sde",
    "lms": "lms",
    "ipndm": "ipndm",
    "ipndm_v": "ipndm_v",
    "deis": "deis",
    "res_multistep": "res_multistep",
    "res_multistep_cfg_pp": "res_multistep_cfg_pp",
    "res_multistep_ancestral": "res_multistep",
    "res_multistep_ancestral_cfg_pp": "res_multistep_cfg_pp",
    "gradient_estimation": "gradient_estimation",
    "gradient_estimation_cfg_pp": "gradient_estimation_cfg_pp",
    "er_sde": "er_sde",
    "seeds_2": "seeds",
    "seeds_3": "seeds",
    "sa_solver": "sa_solver",
    "sa_solver_pece": "sa_solver",
    "uni_pc": "uni_pc",
    "uni_pc_bh2": "uni_pc",
    "lcm": "lcm",
    "tcd": "tcd",
}
"""Name -> file of its function."""

_ON_A_GPU = "dpmpp_sde dpmpp_2m_sde dpmpp_2m_sde_heun dpmpp_3m_sde"
"""ComfyUI has these under a second name that draws noise on the GPU; here noise is the CPU's."""

_NOISE_SCHEDULES = "linear scaled_linear squaredcos_cap_v2 zero_terminal_snr"
_SCHEDULES = {
    "levels_by_timestep": "simple normal sgm_uniform trailing ddim_uniform beta",
    "levels_by_sigma": "karras exponential polyexponential kl_optimal linear_quadratic beta_sigma",
    "align_your_steps": "align_your_steps",
    "custom_sigmas": "custom",
}

_HOOKS = "guidance_interval rescaled_cfg dynamic_thresholding noise_injection nudge_channels"

SAMPLERS = Registry(
    "sampler",
    {name: f"sdnb.diffusion.samplers.{file}:{name}" for name, file in _SAMPLERS.items()},
    aliases={f"{name}_gpu": name for name in _ON_A_GPU.split()},
    makers={"diffusers": "sdnb.models.diffusers_sampler:diffusers_sampler"},
)
SCHEDULES = Registry(
    "schedule",
    {
        name: f"sdnb.diffusion.{module}:{name}"
        for module, names in _SCHEDULES.items()
        for name in names.split()
    },
)
NOISE_SCHEDULES = Registry(
    "noise_schedule",
    {name: f"sdnb.diffusion.noise_schedules:{name}" for name in _NOISE_SCHEDULES.split()},
)
HOOKS = Registry("hook", {name: f"sdnb.hooks.{name}:{name}" for name in _HOOKS.split()})
