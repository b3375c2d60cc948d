from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from pipelines.errors import (
    FootfallError,
    SourceDisconnected,
    SourceError,
    SourceNotFound,
    SourceStalled,
    SourceUnauthorized,
    SourceUnreachable,
    SourceUnsupported,
)
from pipelines.rates import RateMeter
from pipelines.sources import supervisor as supervisor_module
from pipelines.sources.backoff import Backoff
from pipelines.sources.base import Reached, SourceFrame
from pipelines.sources.clock import Timeline
from pipelines.sources.held import HeldFrames, Mark
from pipelines.sources.supervisor import Part, SourceSupervisor, StreamState
from pipelines.types import FrameStamp
from tests.fakes import SMALL_INPUT, ScriptedSource, Sink, picture
from tests.waiting import wait_until

QUICK = Backoff(
    first_s=0.01, longest_s=0.04, unauthorized_s=0.02, failed_first_s=0.01, failed_longest_s=0.04, healthy_s=10.0
)
NEVER = Backoff(60, 60, 60, 60, 60)


def forever(stop: threading.Event) -> None:
    stop.wait(20.0)


class Running:
    """A supervisor at work on one scripted source after the other; the last one is used again and again."""

    def __init__(
        self,
        sources: Sequence[ScriptedSource],
        *,
        backoff: Backoff = QUICK,
        fps: float | None = None,
        resume: dict[str, int] | None = None,
        gap_first: bool = False,
        full: bool = False,
    ) -> None:
        self.sources = list(sources)
        self.made: list[ScriptedSource] = []
        self.sink = Sink(full=full)
        self.stop = threading.Event()
        self.supervisor = SourceSupervisor(
            "cam", self._make, self.sink, Timeline.of(fps), resume=resume, gap_first=gap_first, backoff=backoff
        )
        self.thread = threading.Thread(target=self.supervisor.run, args=(self.stop,))
        self.thread.start()

    def _make(self) -> ScriptedSource:
        source = self.sources.pop(0) if len(self.sources) > 1 else self.sources[0]
        self.made.append(source)
        return source

    def until(self, condition: Callable[[], object], what: str) -> None:
        wait_until(condition, 5, what, every_s=0.002)

    def finished(self) -> None:
        self.thread.join(5)
        assert not self.thread.is_alive()


Run = Callable[..., Running]


@pytest.fixture
def run() -> Iterator[Run]:
    started: list[Running] = []

    def begin(*sources: ScriptedSource, **options: object) -> Running:
        started.append(Running(sources, **options))  # type: ignore[arg-type]
        return started[-1]

    yield begin
    for one in started:
        one.stop.set()
        one.finished()


def test_frames_are_numbered_stamped_and_passed_on(run: Run) -> None:
    running = run(ScriptedSource([10.0, 10.1, 10.2, forever]))
    running.until(lambda: len(running.sink.stamps) == 3, "three frames")
    assert [(s.index, s.time_s, s.gap) for s in running.sink.stamps] == [
        (0, 10.0, False),
        (1, 10.1, False),
        (2, 10.2, False),
    ]
    status = running.supervisor.status
    assert (status.state, status.frames, status.error) == (StreamState.RUNNING, 3, None)
    assert status.info is not None
    assert status.info.codec == "scripted"


def test_the_end_of_a_recording_is_a_stop_and_no_error(run: Run) -> None:
    source = ScriptedSource([1.0, 2.0], live=False)
    running = run(source)
    running.finished()
    status = running.supervisor.status
    assert (status.state, status.error, status.error_code, status.reconnects) == (StreamState.STOPPED, None, None, 0)
    assert source.closed == 1


@pytest.mark.parametrize(
    "error",
    [
        SourceUnreachable("nobody answers"),
        SourceUnauthorized("refused"),
        SourceNotFound("no such path"),
        SourceStalled("silent"),
        SourceDisconnected("gone"),
    ],
)
def test_what_a_retry_may_mend_is_told_with_its_reason_and_tried_again(run: Run, error: SourceError) -> None:
    broken = ScriptedSource(refusal=error)
    running = run(broken, backoff=Backoff(30, 30, 30))
    running.until(lambda: running.supervisor.status.state is StreamState.RECONNECTING, "the state")
    status = running.supervisor.status
    assert (status.error, status.error_code, status.reconnects) == (str(error), error.code, 1)
    assert status.reconnects_by == {error.code: 1}
    assert broken.closed == 1


def test_a_source_that_comes_back_is_running_without_an_error(run: Run) -> None:
    running = run(ScriptedSource(refusal=SourceUnreachable("away")), ScriptedSource([1.0, forever]))
    running.until(lambda: running.sink.stamps, "a frame")
    status = running.supervisor.status
    assert (status.state, status.error, status.error_code) == (StreamState.RUNNING, None, None)
    assert status.reconnects == 1


def test_what_looks_final_is_shown_as_failed_with_its_reason(run: Run) -> None:
    running = run(ScriptedSource(refusal=SourceUnsupported("no video in it")), backoff=NEVER)
    running.until(lambda: running.supervisor.status.state is StreamState.FAILED, "the state")
    status = running.supervisor.status
    assert (status.state, status.error, status.error_code) == (
        StreamState.FAILED,
        "no video in it",
        "source-unsupported",
    )
    assert len(running.made) == 1


@pytest.mark.parametrize("error", [SourceUnsupported("no video in it"), MemoryError(), RuntimeError("a bug")])
@pytest.mark.parametrize("when", ["connecting", "running"])
def test_nothing_is_final_and_a_failed_stream_recovers_by_itself(run: Run, error: Exception, when: str) -> None:
    broken = ScriptedSource(refusal=error) if when == "connecting" else ScriptedSource([1.0, error])
    running = run(broken, broken, ScriptedSource([2.0, forever]))
    running.until(lambda: running.sink.stamps and running.sink.stamps[-1].time_s == 2.0, "the repaired source")
    status = running.supervisor.status
    assert (status.state, status.error, status.error_code) == (StreamState.RUNNING, None, None)
    assert broken.closed == 2


def test_a_failed_stream_stays_failed_while_it_is_tried_again(run: Run) -> None:
    states: set[StreamState] = set()
    broken = ScriptedSource(
        refusal=SourceUnsupported("no video in it"), on_connect=lambda: states.add(running.supervisor.status.state)
    )
    running = run(ScriptedSource(refusal=SourceUnsupported("no video in it")), broken)
    running.until(lambda: broken.closed >= 3, "three more attempts")
    assert states == {StreamState.FAILED}
    assert running.supervisor.status.error == "no video in it"


def test_the_stack_of_a_bug_is_logged_once_and_not_with_every_attempt(
    run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("pipelines"), "propagate", True)
    broken = ScriptedSource(refusal=RuntimeError("a bug"))
    with caplog.at_level(logging.ERROR):
        running = run(broken)
        running.until(lambda: broken.closed >= 4, "some attempts")
    assert caplog.text.count("Traceback") == 1


def test_a_bug_in_a_source_is_a_failure_that_shows_no_password(
    run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("pipelines"), "propagate", True)
    bug = KeyError("rtsp://admin:hunter2@camera/stream")
    with caplog.at_level(logging.ERROR):
        running = run(ScriptedSource([1.0, bug]), backoff=NEVER)
        running.until(lambda: running.supervisor.status.state is StreamState.FAILED, "the failure")
    status = running.supervisor.status
    assert status.state is StreamState.FAILED
    assert status.error is not None
    assert status.error.startswith("internal error: ")
    assert "hunter2" not in status.error
    assert running.made[0].closed == 1
    assert "stream failed" in caplog.text


def test_an_interruption_is_marked_on_the_next_frame_only(run: Run) -> None:
    running = run(
        ScriptedSource([10.0, 10.1, SourceDisconnected("gone")]),
        ScriptedSource(refusal=SourceUnreachable("away")),
        ScriptedSource([11.0, 11.1, forever]),
    )
    running.until(lambda: len(running.sink.stamps) == 4, "four frames")
    assert [s.gap for s in running.sink.stamps] == [False, False, True, False]
    assert [s.index for s in running.sink.stamps] == [0, 1, 2, 3]


def test_the_mark_of_a_gap_waits_for_a_frame_that_is_analysed(run: Run) -> None:
    times = [0.0, 0.04, SourceDisconnected("gone")]
    running = run(ScriptedSource(times), ScriptedSource([0.08, 0.12, 0.16, 0.2, forever]), fps=6.0)
    running.until(lambda: len(running.sink.stamps) == 2, "two frames")
    assert [(s.index, s.gap) for s in running.sink.stamps] == [(0, False), (4, True)]


def test_a_clock_step_is_marked_as_a_gap(run: Run) -> None:
    running = run(ScriptedSource([10.0, 10.1, 500.0, 500.1, 500.2, 40.0, 40.1, 40.2, forever]))
    running.until(lambda: len(running.sink.stamps) == 4, "four frames")
    assert [(s.time_s, s.gap) for s in running.sink.stamps] == [
        (10.0, False),
        (10.1, False),
        (500.2, True),
        (40.2, True),
    ]


def test_a_frame_whose_time_is_not_believed_is_left_out_and_counted(run: Run) -> None:
    running = run(ScriptedSource([10.0, 10.1, 3600.0, 10.2, forever]))
    running.until(lambda: len(running.sink.stamps) == 3, "three frames")
    assert [(s.index, s.time_s, s.gap) for s in running.sink.stamps] == [
        (0, 10.0, False),
        (1, 10.1, False),
        (3, 10.2, False),
    ]
    assert running.supervisor.status.frames == 4


def test_times_never_run_back_over_reconnects(run: Run) -> None:
    running = run(
        ScriptedSource([100.0, 100.2, SourceDisconnected("gone")]),
        ScriptedSource([99.5, 99.7, 100.4, SourceStalled("silent")]),
        ScriptedSource([90.0, 90.2, forever]),
    )
    running.until(lambda: len(running.sink.stamps) == 7, "seven frames")
    times = [s.time_s for s in running.sink.stamps]
    assert times == sorted(times)


def test_a_session_that_takes_over_marks_its_first_frame(run: Run) -> None:
    running = run(ScriptedSource([1.0, 1.1, forever]), gap_first=True)
    running.until(lambda: len(running.sink.stamps) == 2, "two frames")
    assert [s.gap for s in running.sink.stamps] == [True, False]


def test_only_wanted_frames_are_passed_on_but_all_are_counted(run: Run) -> None:
    running = run(ScriptedSource([n / 25 for n in range(100)], live=False), fps=5.0)
    running.finished()
    assert running.supervisor.status.frames == 100
    indices = [s.index for s in running.sink.stamps]
    assert len(indices) in (20, 21)
    assert {later - earlier for earlier, later in itertools.pairwise(indices)} <= {4, 5}


def test_a_replayable_source_goes_on_behind_its_last_frame_and_every_frame_says_where(run: Run) -> None:
    first = ScriptedSource([(1.0, {"frame": 1}), (2.0, {"frame": 2}), SourceDisconnected("gone")], live=False)
    second = ScriptedSource([(3.0, {"frame": 3})], live=False)
    running = run(first, second, resume={"frame": 0})
    running.finished()
    assert first.resumed_at == {"frame": 0}
    assert second.resumed_at == {"frame": 2}
    assert [s.resume["position"] for s in running.sink.stamps if s.resume] == [{"frame": n} for n in (1, 2, 3)]
    restored = Timeline.of(None)
    assert running.sink.stamps[-1].resume is not None
    restored.restore(running.sink.stamps[-1].resume["timeline"])
    assert restored.index == 3


def test_what_can_be_replayed_has_no_gap_where_its_connection_broke(run: Run) -> None:
    first = ScriptedSource([(1.0, {"frame": 1}), SourceDisconnected("gone")], live=False)
    running = run(first, ScriptedSource([(1.1, {"frame": 2})], live=False))
    running.finished()
    assert [s.gap for s in running.sink.stamps] == [False, False]


def test_a_place_is_known_from_the_first_connection_on_before_any_frame(run: Run) -> None:
    opened = Reached(0, {"next": 7})
    first = ScriptedSource([SourceDisconnected("gone")], has_reached=opened)
    second = ScriptedSource([forever], has_reached=opened)
    running = run(first, second)
    running.until(lambda: second.connected, "the second connection")
    assert second.resumed_at == {"next": 7}
    place = running.supervisor.place()
    assert place is not None
    assert (place.index, place.resume["position"]) == (None, {"next": 7})


def test_a_place_is_known_also_where_the_first_connection_failed_behind_a_gap(run: Run) -> None:
    first = ScriptedSource(refusal=SourceDisconnected("not there yet"))
    second = ScriptedSource([forever], has_reached=Reached(0, {"next": 7}))
    running = run(first, second, gap_first=True)
    running.until(lambda: second.connected, "the second connection")
    place = running.supervisor.place()
    assert place is not None
    assert place.resume["position"] == {"next": 7}


def test_a_place_moves_on_without_frames_and_belongs_to_the_last_frame_that_was_passed_on(run: Run) -> None:
    source = ScriptedSource(has_reached=Reached(0, {"next": 0}))

    def reach(frames: int, offset: int) -> Callable[[threading.Event], None]:
        def move(stop: threading.Event) -> None:
            source.has_reached = Reached(frames, {"next": offset})

        return move

    # The second frame is not sampled: the place is behind it all the same, and so is the time line.
    source.steps = [(1.0, {"next": 1}), (1.04, {"next": 2}), reach(2, 900), forever]
    running = run(source, fps=5.0)
    running.until(lambda: source.has_reached == Reached(2, {"next": 900}), "the move")
    place = running.supervisor.place()
    assert place is not None
    assert (place.index, place.resume["position"]) == (0, {"next": 900})
    assert place.resume["timeline"]["index"] == 2
    assert [s.index for s in running.sink.stamps] == [0]


def test_there_is_no_place_while_a_frame_is_still_to_be_passed_on(run: Run) -> None:
    # The source says that it has come past its second frame, and hands it over only then.
    source = ScriptedSource(has_reached=Reached(0, {"next": 0}))
    at_hand, may_go_on = threading.Event(), threading.Event()

    def ahead(stop: threading.Event) -> None:
        source.has_reached = Reached(2, {"next": 2})
        at_hand.set()
        may_go_on.wait(5)

    source.steps = [(1.0, {"next": 1}), ahead, (1.1, {"next": 2}), forever]
    running = run(source)
    assert at_hand.wait(5)
    assert running.supervisor.place() is None
    may_go_on.set()
    running.until(lambda: len(running.sink.stamps) == 2, "the second frame")
    place = running.supervisor.place()
    assert place is not None
    assert (place.index, place.resume["position"]) == (1, {"next": 2})


def test_a_live_source_has_no_place(run: Run) -> None:
    running = run(ScriptedSource([1.0, forever]))
    running.until(lambda: running.sink.stamps, "a frame")
    assert running.supervisor.place() is None


def test_acknowledgements_reach_the_source_that_is_open(run: Run) -> None:
    source = ScriptedSource([(1.0, {"frame": 1}), forever])
    running = run(source)
    running.until(lambda: running.sink.stamps, "a frame")
    running.supervisor.acknowledge({"frame": 1})
    assert source.acknowledged == [{"frame": 1}]
    running.stop.set()
    running.finished()
    running.supervisor.acknowledge({"frame": 2})
    assert source.acknowledged == [{"frame": 1}]


def test_a_stop_while_connecting_ends_without_an_attempt_more(run: Run) -> None:
    connecting, may_go_on = threading.Event(), threading.Event()

    def slow() -> None:
        connecting.set()
        may_go_on.wait(5)

    running = run(ScriptedSource(refusal=SourceUnreachable("too slow"), on_connect=slow))
    assert connecting.wait(5)
    running.stop.set()
    may_go_on.set()
    running.finished()
    assert running.supervisor.status.state is StreamState.STOPPED
    assert len(running.made) == 1
    assert running.made[0].closed == 1


def test_a_stop_during_a_pause_ends_at_once(run: Run) -> None:
    running = run(ScriptedSource(refusal=SourceUnreachable("away")), backoff=Backoff(60, 60, 60))
    running.until(lambda: running.supervisor.status.state is StreamState.RECONNECTING, "the pause")
    begun = time.monotonic()
    running.stop.set()
    running.finished()
    assert time.monotonic() - begun < 1
    assert running.supervisor.status.state is StreamState.STOPPED


def test_a_stop_while_the_sink_is_full_ends_at_once(run: Run) -> None:
    running = run(ScriptedSource([1.0, 2.0, 3.0], live=False), full=True)
    running.until(lambda: running.supervisor.status.frames == 1, "a frame that finds no room")
    begun = time.monotonic()
    running.stop.set()
    running.finished()
    assert time.monotonic() - begun < 1
    assert running.supervisor.status.state is StreamState.STOPPED
    assert running.made[0].closed == 1


def test_a_state_keeps_the_moment_it_began(run: Run) -> None:
    running = run(ScriptedSource(refusal=SourceUnreachable("away")))
    running.until(lambda: running.supervisor.status.reconnects >= 1, "the first failure")
    since_s = running.supervisor.status.since_s
    running.until(lambda: running.supervisor.status.reconnects >= 4, "more failures")
    assert running.supervisor.status.since_s == since_s


def test_corrupt_frames_are_counted(run: Run) -> None:
    class Damaged(ScriptedSource):
        def frames(self, stop: threading.Event):  # type: ignore[no-untyped-def]
            for number, frame in enumerate(super().frames(stop)):
                yield replace(frame, corrupt=number % 3 == 0)

    running = run(Damaged([float(n) for n in range(9)], live=False))
    running.finished()
    assert (running.supervisor.status.frames, running.supervisor.status.corrupt) == (9, 3)


# -- pauses


def test_pauses_double_up_to_a_limit_and_spread() -> None:
    backoff, error = Backoff(first_s=0.5, longest_s=30.0), SourceUnreachable("away")
    middle = [backoff.delay_s(failures, error, 0.5) for failures in range(1, 10)]
    assert middle == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert backoff.delay_s(1, error, 0.0) == 0.375
    assert backoff.delay_s(1, error, 0.999) == pytest.approx(0.625, abs=0.001)
    assert backoff.delay_s(10**6, error, 0.5) == 30.0


def test_what_looks_final_is_tried_again_every_few_minutes() -> None:
    backoff = Backoff()
    error = SourceUnsupported("no video in it")
    assert [backoff.delay_s(failures, error, 0.5) for failures in range(1, 8)] == [15, 30, 60, 120, 240, 300, 300]
    assert backoff.delay_s(1, FootfallError("internal error"), 0.5) == 15


def test_a_refused_password_is_not_tried_often() -> None:
    backoff = Backoff(unauthorized_s=10.0)
    assert backoff.delay_s(1, SourceUnauthorized("refused"), 0.0) == 7.5
    assert backoff.delay_s(20, SourceUnauthorized("refused"), 0.5) == 30.0


@dataclass(frozen=True)
class Noting(Backoff):
    """No pauses; remembers the number of failures that each was for."""

    noted: list[int] = field(default_factory=list)

    def delay_s(self, failures: int, error: FootfallError, chance: float) -> float:
        self.noted.append(failures)
        return 0.0


def for_a_while(stop: threading.Event) -> None:
    stop.wait(0.15)


def test_the_count_of_failures_grows_and_begins_anew_after_a_healthy_connection(run: Run) -> None:
    backoff = Noting(healthy_s=0.1)
    away = ScriptedSource(refusal=SourceUnreachable("away"))
    healthy = ScriptedSource([1.0, for_a_while, SourceDisconnected("gone")])
    running = run(away, away, away, healthy, away, away, ScriptedSource([2.0, forever]), backoff=backoff)
    running.until(lambda: len(running.sink.stamps) == 2, "the last source")
    assert backoff.noted == [1, 2, 3, 1, 2, 3]


def test_a_connection_that_breaks_at_once_does_not_begin_anew(run: Run) -> None:
    backoff = Noting()
    flapping = [ScriptedSource([float(n), SourceDisconnected("gone")]) for n in range(4)]
    running = run(*flapping, ScriptedSource([9.0, forever]), backoff=backoff)
    running.until(lambda: len(running.sink.stamps) == 5, "the last source")
    assert backoff.noted == [1, 2, 3, 4]


def test_rates_are_those_of_the_last_seconds() -> None:
    meter = RateMeter(window_s=5.0)
    assert meter.rate(0.0) == 0.0
    for tick in itertools.takewhile(lambda t: t <= 20.0, itertools.count(0.0, 0.1)):
        meter.tick(tick)
    assert meter.rate(20.0) == pytest.approx(10.0, rel=0.03)
    assert meter.rate(22.5) == pytest.approx(5.0, rel=0.1)
    assert meter.rate(30.0) == 0.0


# -- connected ahead of time


class Rehearsed:
    """A supervisor whose sources nobody has a use for yet."""

    def __init__(self, *sources: ScriptedSource) -> None:
        self.sink, self.stop = Sink(), threading.Event()
        rest = list(sources)
        self.supervisor = SourceSupervisor("cam", lambda: rest.pop(0) if len(rest) > 1 else rest[0], backoff=QUICK)
        self.thread = threading.Thread(target=self.supervisor.run, args=(self.stop,))
        self.thread.start()

    def play(self, mark: Mark | None, *, gap: bool = True) -> None:
        self.supervisor.play(lambda: Part(self.sink, Timeline.of(None), mark, gap))

    def held(self, count: int) -> None:
        wait_until(lambda: len(self.supervisor._held) == count, 5, f"{count} frames to be held")

    def end(self) -> list[FrameStamp]:
        self.stop.set()
        self.thread.join(5)
        return self.sink.stamps


def mark_of(fingerprint: int, time_s: float) -> Mark:
    timeline = Timeline.of(None)
    timeline.admit(time_s)
    return Mark(fingerprint, time_s, timeline.snapshot())


def waiting(gate: threading.Event) -> Callable[[threading.Event], None]:
    def wait(stop: threading.Event) -> None:
        while not gate.wait(0.01) and not stop.is_set():
            pass

    return wait


def test_frames_are_held_until_somebody_wants_them_and_go_on_right_behind_the_mark() -> None:
    gate = threading.Event()
    source = ScriptedSource([100.0, 101.0, 102.0, waiting(gate), 103.0, forever], first_fingerprint=7)
    running = Rehearsed(source)
    running.held(3)
    assert (running.supervisor.ready, running.sink.stamps, running.supervisor.place()) == (True, [], None)
    running.play(mark_of(8, 101.0))
    gate.set()
    wait_until(lambda: len(running.sink.stamps) == 2, 5, "the frames behind the mark")
    stamps = running.end()
    assert [(stamp.time_s, stamp.gap, stamp.index) for stamp in stamps] == [(102.0, False, 1), (103.0, False, 2)]
    assert [Mark.of(stamp.mark).fingerprint for stamp in stamps if stamp.mark] == [9, 10]
    assert len(running.supervisor._held) == 0


def test_a_connection_that_is_behind_the_other_waits_for_the_frame_that_was_analysed_last() -> None:
    gates = [threading.Event() for _ in range(3)]
    first, second, third = (waiting(gate) for gate in gates)
    source = ScriptedSource([100.0, first, 101.0, second, 102.0, third, 103.0, forever], first_fingerprint=7)
    running = Rehearsed(source)
    running.held(1)
    running.play(mark_of(9, 102.0))
    gates[0].set()
    running.held(2)
    assert running.sink.stamps == []
    gates[1].set()
    gates[2].set()
    wait_until(lambda: running.sink.stamps, 5, "the frame behind the mark")
    (stamp,) = running.end()
    assert (stamp.time_s, stamp.gap) == (103.0, False)


def test_where_the_frame_that_was_analysed_last_never_comes_nothing_else_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate, last = threading.Event(), threading.Event()
    source = ScriptedSource([100.0, waiting(gate), 101.0, 102.0, waiting(last), 103.0, forever], first_fingerprint=7)
    running = Rehearsed(source)
    running.held(1)
    running.play(mark_of(55, 100.0))
    gate.set()
    running.held(3)
    monkeypatch.setattr(supervisor_module, "MARK_WAIT_S", 0.0)
    last.set()
    wait_until(lambda: len(running.sink.stamps) == 3, 5, "the frames")
    stamps = running.end()
    assert [(stamp.time_s, stamp.gap) for stamp in stamps] == [(101.0, True), (102.0, False), (103.0, False)]


def test_what_was_held_before_a_connection_broke_is_no_part_of_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    broken = ScriptedSource([100.0, 101.0, SourceDisconnected("cut")], first_fingerprint=1)
    again = ScriptedSource([105.0, waiting(gate), 106.0, forever], first_fingerprint=6)
    running = Rehearsed(broken, again)
    wait_until(lambda: again.connected, 5, "the second connection")
    running.held(1)
    monkeypatch.setattr(supervisor_module, "MARK_WAIT_S", 0.0)
    running.play(mark_of(1, 100.0))
    gate.set()
    wait_until(lambda: running.sink.stamps, 5, "a frame")
    (stamp,) = running.end()
    assert (stamp.time_s, stamp.gap) == (106.0, True)


def test_who_is_told_to_stop_instead_passes_on_nothing() -> None:
    running = Rehearsed(ScriptedSource([100.0, 101.0, forever], first_fingerprint=1))
    running.held(2)
    running.supervisor.play(lambda: None)
    assert running.end() == []


def test_of_the_same_packet_twice_the_one_that_is_nearest_in_time_is_meant() -> None:
    """Where nothing moves, pictures may be the same packets again and again."""
    held = HeldFrames()
    for time_s in (100.0, 101.0, 102.0, 103.0):
        held.hold(SourceFrame(picture(0), time_s, fingerprint=5))
    found = held.behind(Mark(5, 102.1, {}))
    assert found is not None
    frames, shift_s = found
    assert [frame.raw_time_s for frame in frames] == [103.0]
    assert shift_s == pytest.approx(0.1)
    assert held.behind(Mark(6, 102.0, {})) is None


def test_only_so_many_pictures_are_held_as_memory_is_meant_for_them() -> None:
    size = SMALL_INPUT[0] * SMALL_INPUT[1] * 3 // 2
    held = HeldFrames(most_bytes=20 * size)
    assert held.held_s == 0.0
    for number in range(50):
        held.hold(SourceFrame(picture(0), float(number), fingerprint=number))
    assert len(held) == 20
    assert held.behind(Mark(29, 29.0, {})) is None
    assert held.behind(Mark(30, 30.0, {})) is not None
    assert held.full
    assert held.held_s > 0.0
    held.clear()
    assert (held.held_s, held.full) == (0.0, False)


def test_large_pictures_are_held_for_as_long_as_it_takes_because_not_all_of_them_are() -> None:
    """Where few frames are analysed, few pictures are needed; the packets of all of them tell where it goes on."""
    size = SMALL_INPUT[0] * SMALL_INPUT[1] * 3 // 2
    held = HeldFrames(analysis_fps=2.0, most_bytes=20 * size)
    for number in range(75):
        held.hold(SourceFrame(picture(0), 100 + number / 25, fingerprint=number))
    assert len(held) == 19  # every fourth one, a third of half a second apart: all three seconds
    assert not held.full
    found = held.behind(Mark(50, 102.0, {}))  # has no picture here
    assert found is not None
    assert [frame.fingerprint for frame in found[0]] == [52, 56, 60, 64, 68, 72]
    for number in range(75, 100):
        held.hold(SourceFrame(picture(0), 100 + number / 25, fingerprint=number))
    assert (len(held), held.full) == (20, True)
    assert held.behind(Mark(16, 100.64, {})) is None
    found = held.behind(Mark(17, 100.68, {}))
    assert found is not None
    assert [frame.fingerprint for frame in found[0]][:2] == [20, 24]


def test_a_clock_that_runs_back_does_not_end_the_holding() -> None:
    held = HeldFrames(analysis_fps=2.0)
    for time_s in (100.0, 100.2, 90.0, 90.2):
        held.hold(SourceFrame(picture(0), time_s, fingerprint=round(time_s * 10)))
    assert len(held) == 4


def test_a_mark_of_another_version_is_none() -> None:
    assert Mark.of({"something": 1}) is None
    assert Mark.of(None) is None
    mark = mark_of(8, 101.0)
    assert Mark.of(mark.state) == mark
