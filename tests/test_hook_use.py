"""Where a hook stands, written and read back."""

import pytest

from sdnb.errors import InvalidField
from sdnb.hook_use import HookUse


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("step:f", (0, None)),
        ("denoise:f@3-7", (3, 7)),
        ("step:f@3-", (3, None)),
        ("step:f@3", (3, 3)),
    ],
)
def test_a_hook_is_written_with_its_steps(text, steps):
    use = HookUse.parse(text)
    assert (use.first, use.last) == steps
    assert HookUse.parse(str(use)) == use


@pytest.mark.parametrize(
    "text", ["f", "nowhere:f", "step:f@7-3", "step:", "step:f@x", "start:f@1-2"]
)
def test_a_hook_written_wrongly_is_refused(text):
    with pytest.raises(InvalidField):
        HookUse.parse(text)
