"""The bucket of requests of a subscription, on a clock of its own."""

from __future__ import annotations

from pfdoctor.cloud.pacing import Bucket


def test_the_first_requests_go_at_once_and_then_24_a_second() -> None:
    bucket = Bucket(0.0)
    waits = [bucket.take(0.0) for _ in range(288)]
    assert waits[:240] == [0.0] * 240
    assert round(waits[-1], 3) == 2.0
    assert waits == sorted(waits)


def test_an_idle_bucket_fills_up_again_and_no_further() -> None:
    bucket = Bucket(0.0)
    for _ in range(240):
        bucket.take(0.0)
    assert bucket.take(1000.0) == 0.0
    assert sum(bucket.take(1000.0) == 0.0 for _ in range(300)) == 239


def test_the_service_knows_better_how_many_are_left() -> None:
    bucket = Bucket(0.0)
    bucket.learn(0.0, remaining=2, retry_after=None)
    assert [bucket.take(0.0) for _ in range(2)] == [0.0, 0.0]
    assert bucket.take(0.0) > 0
    bucket.learn(0.0, remaining=200, retry_after=None)
    assert bucket.take(0.0) > 0


def test_a_service_with_other_limits_is_not_paced_until_it_runs_low() -> None:
    bucket = Bucket(0.0)
    bucket.learn(0.0, remaining=11999, retry_after=None)
    assert [bucket.take(0.0) for _ in range(500)] == [0.0] * 500
    bucket.learn(0.0, remaining=100, retry_after=None)
    assert bucket.take(0.0) > 0


def test_nothing_is_sent_before_the_service_answers_again() -> None:
    bucket = Bucket(0.0)
    bucket.learn(0.0, remaining=None, retry_after=7.0)
    assert bucket.take(1.0) == 6.0
    assert bucket.take(8.0) == 0.0
