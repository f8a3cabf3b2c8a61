"""The magic ``%sd`` and ``%%sd``: it only joins reading, drawing and the notebook's names."""

from collections.abc import Mapping

from IPython.core.completer import CompletionContext, SimpleMatcherResult, context_matcher
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import (
    Magics,
    line_cell_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)

from sdnb.magics.command import Call
from sdnb.magics.commands import find_command, usages
from sdnb.magics.complete import complete
from sdnb.magics.help import overview
from sdnb.magics.parse import Order, cut_semicolon, fill_words, parse_cell, parse_line
from sdnb.magics.session import Session
from sdnb.magics.words import split_words


@magics_class
class SdMagics(Magics):
    """The magic of one notebook, with its session."""

    def __init__(self, shell: InteractiveShell, session: Session | None = None) -> None:
        super().__init__(shell)
        self._shell = shell
        self.session = session or Session()

    # IPython's output_can_be_silenced reads the text as Python and fails on many a prompt:
    # an unclosed bracket, an apostrophe. So the semicolon is cut here.
    @needs_local_scope
    @no_var_expand
    @line_cell_magic
    def sd(
        self, line: str, cell: str | None = None, local_ns: Mapping[str, object] | None = None
    ) -> object:
        """Draw a picture from a prompt."""
        names = self._names(local_ns)
        if cell is None:
            line, is_silent = cut_semicolon(line)
            shown = self._run_line(line, names)
        else:
            body, is_silent = cut_semicolon(cell)
            order = parse_cell(line, body, self.session.starting_point, names)
            shown = self._draw(order, names)
        return None if is_silent else shown

    def _run_line(self, line: str, names: Mapping[str, object]) -> object:
        found = find_command(split_words(line))
        if found is None:
            return self._draw(parse_line(line, self.session.starting_point, names), names)
        command, words = found
        shown = command.run(Call(self.session, fill_words(words, names), names))
        if shown is not None and shown is self.session.latest:  # %sd compare, sweep, resume
            self._shell.user_ns["_sd"] = shown
        return shown

    def _draw(self, order: Order, names: Mapping[str, object]) -> object:
        result = _result(order, self.session, names)
        self._shell.user_ns["_sd"] = result
        if order.name:
            self._shell.user_ns[order.name] = result
        return result

    def _names(self, local_ns: Mapping[str, object] | None) -> Mapping[str, object]:
        """Return the variables a cell can name: the user's, none that IPython put there."""
        own = self._shell.user_ns_hidden
        names = {**self._shell.user_ns, **(local_ns or {})}
        return {
            name: value
            for name, value in names.items()
            if name not in own or value is not own[name]
        }

    @context_matcher()  # type: ignore[untyped-decorator]  # IPython's
    def match(self, context: CompletionContext) -> SimpleMatcherResult:
        """Propose subcommands, flags and values on the magic's own lines."""
        return complete(context, self._names(None))


def _result(order: Order, session: Session, names: Mapping[str, object]) -> object:
    """Return a picture's result, or a comparison where the order has axes."""
    from sdnb.magics.drawing import compare, draw  # load torch

    return (compare if order.axes else draw)(order, session, names)


SdMagics.sd.__doc__ = overview(usages())  # what %sd? shows: made from the request's fields
