"""Results that were drawn one by one, laid side by side as a comparison."""

from collections.abc import Sequence
from dataclasses import fields

from sdnb.comparison.compare import Comparison
from sdnb.comparison.engine import Lockstep
from sdnb.comparison.plan import pair
from sdnb.errors import InvalidField
from sdnb.pipeline import Pipeline
from sdnb.request import GenerationRequest
from sdnb.result import Result


def gather(pipe: Pipeline, results: Sequence[Result]) -> Comparison:
    """Compare finished results by the fields in which they differ: one axis, all cells ended.

    Raises `InvalidField` where there is none.
    """
    if not results:
        raise InvalidField("there is no result to compare.", fix="draw one first")
    requests = [result.request for result in results]
    names = [each.name for each in fields(GenerationRequest)]
    differing = [name for name in names if len({getattr(each, name) for each in requests}) > 1]
    values = {name: [getattr(each, name) for each in requests] for name in differing or ["prompt"]}
    comparison = Comparison(pair(requests[0], values), Lockstep(pipe))
    comparison.results = list(results)
    return comparison
