"""What a module gave in one run, put into another: which part of the network decides what."""

from dataclasses import dataclass, field

from sdnb.errors import InvalidField
from sdnb.events import Hooks, ModuleEvent, StartEvent, on_module
from sdnb.shapes import Activation


@dataclass(frozen=True, eq=False)
class Activations:
    """The activations of one module, recorded in a run and patched into others.

        kept = Activations("mid_block")
        pipe.run("a large red house on a meadow", seed=9, hooks=kept.record())
        pipe.run("a large blue house on a meadow", seed=9, hooks=kept.patch())

    Source: Meng et al. 2022 (arXiv:2202.05262), section 2, there for language models.
    """

    path: str
    seen: dict[tuple[int, str], Activation] = field(default_factory=dict, repr=False)

    def record(self) -> Hooks:
        """Keep what the module gives, by evaluation and branch, until another run begins."""

        def forget(_event: StartEvent) -> None:
            self.seen.clear()

        def keep(event: ModuleEvent) -> None:
            for branch, rows in event.rows.items():
                self.seen[event.evaluation, branch] = event.activation[rows].detach().clone()

        return Hooks(on_start=(forget,)) + on_module(self.path, keep)

    def patch(self, branch: str = "cond") -> Hooks:
        """Put back what was recorded of a branch, wherever its evaluation comes again."""
        if not self.seen:
            raise InvalidField(
                "there is nothing to patch yet.",
                given=self.path,
                fix="run once with hooks=activations.record()",
            )

        def put(event: ModuleEvent) -> Activation | None:
            kept = self.seen.get((event.evaluation, branch))
            if kept is None or branch not in event.rows:
                return None
            activation = event.activation.clone()
            activation[event.rows[branch]] = kept
            return activation

        return on_module(self.path, put)
