"""A method listened to: its object goes on as before, and so do its copies."""

from copy import copy, deepcopy
from inspect import signature

import pytest

from sdnb.models.method_hooks import heard


class Counter:
    def __init__(self):
        self.count = 0

    def add(self, amount, *, times=1):
        self.count += amount * times
        return self.count


@pytest.fixture
def calls():
    return []


@pytest.fixture
def around(calls):
    def note(_owner, method, *args, **named):
        calls.append(args)
        return method(*args, **named)

    return note


def test_calls_are_heard_and_answered_as_before(calls, around):
    # given
    counter, other = Counter(), Counter()

    # when
    with heard(counter, "add", around):
        answer = counter.add(2, times=3)
        other.add(5)

    # then
    assert (answer, counter.count, other.count) == (6, 6, 5)
    assert calls == [(2,)]


def test_a_signature_is_the_methods_own(around):
    counter = Counter()
    with heard(counter, "add", around):
        assert signature(counter.add) == signature(Counter().add)


def test_after_an_error_the_method_is_the_classs_own(around):
    # given
    counter = Counter()

    # when
    with pytest.raises(TypeError), heard(counter, "add", around):
        counter.add("no number")

    # then
    assert vars(counter) == {"count": 0}


def test_nested_blocks_both_hear_and_end_one_by_one(calls, around):
    # given
    counter = Counter()

    # when
    with heard(counter, "add", around):
        with heard(counter, "add", around):
            counter.add(1)
        counter.add(2)
    counter.add(3)

    # then
    assert calls == [(1,), (1,), (2,)]
    assert counter.count == 6


def test_a_method_that_somebody_replaced_before_is_put_back(around):
    # given
    counter = Counter()
    counter.add = lambda amount: amount

    # when
    with heard(counter, "add", around):
        answer = counter.add(4)

    # then
    assert (answer, counter.count) == (4, 0)
    assert counter.add(5) == 5


@pytest.mark.parametrize("depth", [1, 2])
def test_a_deep_copy_works_on_itself_and_is_not_heard(depth, calls, around):
    # given
    counter = Counter()

    # when
    with heard(counter, "add", around):
        if depth == 1:
            double = deepcopy(counter)
        else:
            with heard(counter, "add", around):
                double = deepcopy(counter)
        double.add(7)

    # then
    assert (counter.count, double.count) == (0, 7)
    assert calls == []


def test_attributes_copied_and_put_back_leave_it_heard(calls, around):
    # given
    counter = Counter()

    # when
    with heard(counter, "add", around):
        state = deepcopy(vars(counter))
        counter.add(1)
        vars(counter).update(state)
        counter.add(2)

    # then
    assert counter.count == 2
    assert calls == [(1,), (2,)]
    assert copy(vars(counter)) == {"count": 2}
