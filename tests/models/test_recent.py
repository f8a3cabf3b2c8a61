from sdnb.models.recent import Recent


def test_what_was_asked_for_last_is_not_made_again():
    # given
    made = []
    recent = Recent[str, str](2)

    def ask(name):
        return recent.of(name, lambda: made.append(name) or name.upper())

    # when
    answers = [ask(name) for name in "abacab"]

    # then
    assert answers == [*"ABACAB"]
    assert made == ["a", "b", "c", "b"]


def test_there_is_room_before_something_is_made():
    # given
    recent = Recent[str, int](1)
    recent.of("large", lambda: 1)

    # when
    beside = recent.of("larger", lambda: len(recent._kept))

    # then
    assert beside == 0


def test_as_many_are_kept_as_are_wanted_at_a_time():
    # given
    made = []
    recent = Recent[str, str](2)

    # when
    recent.hold(3)
    recent.hold(1)
    for name in "abcabc":
        recent.of(name, lambda name=name: made.append(name) or name)

    # then
    assert made == ["a", "b", "c"]
