"""What a recorder keeps: states and answers as they were, whatever becomes of the tensors."""

import torch

from sdnb.trace import Evaluation, Recorder

SHAPE = (1, 4, 2, 2)


def test_a_step_is_recorded_as_it_was_made_though_its_answer_was_altered():
    # given
    recorder = Recorder()
    answer = torch.ones(SHAPE)
    recorder.start(2.0, torch.zeros(SHAPE))
    recorder.evaluation(Evaluation(2.0, answer, {"cond": torch.zeros(SHAPE)}))

    # when: as a sampler might
    answer.mul_(3)
    recorder.step(answer, 0.0, answer)

    # then
    trace = recorder.trace()
    assert trace.evaluations[0].denoised.eq(1).all()
    assert trace.denoised.eq(3).all()


def test_what_is_recorded_stays_when_the_tensors_are_altered_later():
    # given
    recorder = Recorder()
    answer, x = torch.ones(SHAPE), torch.zeros(SHAPE)
    recorder.start(2.0, x)
    recorder.evaluation(Evaluation(2.0, answer, {"cond": torch.zeros(SHAPE)}))
    recorder.step(answer, 0.0, x)

    # when
    answer.fill_(torch.nan)
    x.fill_(torch.nan)

    # then
    trace = recorder.trace()
    assert trace.evaluations[0].denoised.eq(1).all()
    assert trace.denoised.eq(1).all()
    assert trace.x.eq(0).all()


def test_an_answer_of_which_only_the_estimate_is_known_is_copied_too():
    # given
    recorder, answer = Recorder(), torch.ones(SHAPE)
    recorder.start(2.0, torch.zeros(SHAPE))

    # when
    recorder.evaluation(Evaluation(2.0, answer))
    answer.mul_(3)

    # then
    assert recorder.trace().evaluations[0].denoised.eq(1).all()


def test_a_step_made_from_its_answer_shares_the_copy():
    # given
    recorder = Recorder()
    answer = torch.ones(SHAPE)
    recorder.start(2.0, torch.zeros(SHAPE))
    recorder.evaluation(Evaluation(2.0, answer, {"cond": torch.zeros(SHAPE)}))

    # when
    recorder.step(answer, 0.0, torch.zeros(SHAPE))

    # then
    assert recorder.denoised[0] is recorder.evaluations[0].denoised
