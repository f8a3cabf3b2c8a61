"""A text on its way to the U-Net, looked at while it is typed.

    lab = TextLab(sdnb.load("tiny"))
    lab.text, lab.lens = "a large blue house", "similarity"
    lab.wait()
    lab.seen.split, lab.seen.found.cosines

Tokens are always shown; beside them what one of the `LENSES` shows. They are in
`sdnb.labs.lenses`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from traitlets import Any as AnyTrait
from traitlets import Bunch, Enum, Unicode, observe, validate

from sdnb.comparison.text import stage_names
from sdnb.comparison.tokens import Split, check_encoder, split_text
from sdnb.errors import SdnbError
from sdnb.labs.lenses import Found, Lenses
from sdnb.labs.typed_text import Typed, read_sum, read_weight, read_words
from sdnb.labs.working import Working
from sdnb.pipeline import Pipeline
from sdnb.prompt import SYNTAXES
from sdnb.request import GenerationRequest

LENSES: Mapping[str, str] = {
    "vectors": "text",
    "similarity": "words",
    "nearest": "word",
    "sum": "sum",
    "map": "words",
    "weight": "weight",
    "empty": "other",
}
"""What can be looked at -> the field beside which stands why it cannot be."""

EXAMPLE = "a large blue house on a meadow"
"""The text that a lab begins with, if nobody has written one."""

INPUTS = (
    *("text", "encoder", "syntax", "lens", "words", "stage", "method", "word"),
    *("sum", "expected", "weighed", "weight", "other"),
)


@dataclass(frozen=True)
class Seen:
    """What there is to see of a text.

    Parameters
    ----------
    split : Split
        Its tokens.
    lens : str
        What was looked at.
    found : Found or None
        What came out; None where nothing did yet.
    """

    split: Split
    lens: str
    found: Found | None


class TextLab(Working):
    """Reads what is typed; the newest text wins.

    Parameters
    ----------
    request : GenerationRequest, optional
        Its prompt and negative prompt are what is typed at first.

    Attributes
    ----------
    text : str
        A prompt, brackets and all.
    encoder : int
        Which of the checkpoint's text encoders, from 0.
    syntax : str
        What brackets mean: one of `sdnb.prompt.SYNTAXES`.
    lens : str
        What is looked at: one of `LENSES`.
    words : str
        Words to be compared or mapped, between commas; empty for those of the text.
    stage : str
        At which of `stages` they are compared.
    method : str
        How they are mapped: one of `methods`.
    word : str
        Whose nearest tokens are asked for.
    sum, expected : str
        ``red circle - red + blue``, and what should come out, if anything.
    weighed : tuple of str
        Words of the text that are weighed; where none is among them, its longest is.
    weight : str
        What they count, -10 … 10.
    other : str
        A negative prompt, to be compared as the empty text is.
    seen : Seen or None
        The newest that could be read.
    errors : dict of str to SdnbError
        What is wrong with what is typed, by field.
    """

    text = Unicode(EXAMPLE)
    encoder = AnyTrait(0)
    syntax = Enum(tuple(SYNTAXES), "comfyui")
    lens = Enum(tuple(LENSES), "vectors")
    words = Unicode()
    stage = Unicode("embedding")
    method = Unicode("pca")
    word = Unicode()
    sum = Unicode()
    expected = Unicode()
    weighed = AnyTrait(())
    weight = Unicode("1.5")
    other = Unicode()
    seen = AnyTrait(None)
    errors = AnyTrait({})

    def __init__(self, pipe: Pipeline, request: GenerationRequest | None = None) -> None:
        super().__init__(pipe)
        self._lenses = Lenses(pipe)
        self._good: dict[str, Found] = {}
        self._examples()
        self.take(request or GenerationRequest())

    @property
    def stages(self) -> tuple[str, ...]:
        """Where words can be compared, from the table to what the U-Net reads."""
        return stage_names(self.pipe, encoder=self.encoder)

    @property
    def methods(self) -> tuple[str, ...]:
        """How words can be mapped; UMAP where umap-learn is installed."""
        return ("pca", "umap") if find_spec("umap") else ("pca",)

    @property
    def encoders(self) -> tuple[str, ...]:
        """Names of the checkpoint's text encoders."""
        return tuple(each.spec.folder for each in self.pipe.components.texts)

    @property
    def weighable(self) -> tuple[tuple[str, bool], ...]:
        """The words of the text that was read, and whether each is weighed."""
        words = () if self.seen is None else _words(self.seen.split)
        weighed = self._weighed(words)
        return tuple((word, word in weighed) for word in dict.fromkeys(words))

    def take(self, request: GenerationRequest) -> None:
        """Type a request's prompt and negative prompt."""
        self.syntax, self.other = request.syntax, request.negative_prompt
        self.text = request.prompt or EXAMPLE

    @observe(*INPUTS)
    def look(self, _change: object = None) -> None:
        """Look at what is typed; returns at once."""
        self._ask(self._look)

    def stop(self) -> None:
        """Give up what is read; what was shown stays."""
        self._ask(self._rest)

    @validate("encoder")
    def _known(self, proposal: Bunch) -> int:
        check_encoder(self.pipe, proposal["value"])
        return int(proposal["value"])

    @observe("encoder")
    def _stay(self, _change: object) -> None:
        """Compare at a stage that the encoder has."""
        if self.stage not in self.stages:
            self.stage = "output"

    def _examples(self) -> None:
        """Type sums and a word that the checkpoint knows."""
        self.word = "red"
        if self.pipe.components.words is None:
            self.sum, self.expected = "king - man + woman", "queen"
        else:
            self.sum, self.expected = "red circle - red + blue", "blue circle"

    def _look(self) -> None:
        """Read what is typed, unless something newer is there already."""
        if self._worker.is_wanted:
            return
        errors, seen = dict[str, SdnbError](), self.seen
        try:
            split = split_text(self.pipe, self.text, syntax=self.syntax, encoder=self.encoder)
        except SdnbError as error:
            errors["text"] = error
        else:
            seen = Seen(split, self.lens, self._found(self.lens, split, errors))
        if not self._worker.is_wanted:
            with self.hold_trait_notifications():
                self.errors, self.seen = errors, seen

    def _found(self, lens: str, split: Split, errors: dict[str, SdnbError]) -> Found | None:
        """Return what a lens shows, or showed before, where it cannot be asked now."""
        try:
            self._good[lens] = self._lenses.look(lens, self._typed(lens, split))
        except SdnbError as error:
            errors[LENSES[lens]] = error
        return self._good.get(lens)

    def _typed(self, lens: str, split: Split) -> Typed:
        words = _words(split)
        return Typed(
            words=words,
            encoder=self.encoder,
            syntax=self.syntax,
            compared=read_words(self.words),
            stage=self.stage,
            method=self.method,
            word=self.word,
            terms=read_sum(self.sum) if lens == "sum" else ((), ()),
            expected=" ".join(self.expected.split()),
            weighed=self._weighed(words),
            weight=read_weight(self.weight) if lens == "weight" else 1.0,
            other=self.other,
        )

    def _weighed(self, words: tuple[str, ...]) -> tuple[str, ...]:
        chosen = [word for word in dict.fromkeys(words) if word in self.weighed]
        return tuple(chosen or sorted(words, key=len)[-1:])

    def _rest(self) -> None:
        """What was shown stays."""


def _words(split: Split) -> tuple[str, ...]:
    return tuple(split.spelling(word) for word in split.words)
