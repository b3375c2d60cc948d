"""A reader without Ray: a real registry beside it, scripted sources, a store in memory."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.batching.batch_detector import BatchDetector, ThreadedDetector
from pipelines.sources.base import Source, SourceLimits
from pipelines.sources.supervisor import StreamState
from serve.control.messages import Heartbeat
from serve.control.registry import Registry
from serve.definitions.rtsp import RtspDefinition
from serve.definitions.stream import StreamDefinition
from serve.deployments import reader as reader_module
from serve.deployments.live import Live
from serve.deployments.reader import StreamReader
from serve.settings import load
from serve.streams.worker import StreamWorker
from tests.assigning import assign
from tests.fakes import FakeDetector, ScriptedSource, Step
from tests.pipelines.detection.tiny_models import passthrough_model
from tests.serve.deployments.bench import BEGIN_S, DOOR, Bench, Run, camera, detector, until


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> dict[str, ScriptedSource]:
    """What was opened, by stream; every camera gives a frame about every 10 ms, for as long as a test may take."""
    opened: dict[str, ScriptedSource] = {}

    def opener(self: RtspDefinition, stream: str, limits: SourceLimits) -> Callable[[], Source]:
        def make() -> Source:
            steps: list[Step] = [step for n in range(3000) for step in (_pause, BEGIN_S + n / 10)]
            opened[stream] = ScriptedSource(steps)
            return opened[stream]

        return make

    monkeypatch.setattr(RtspDefinition, "opener", opener)
    return opened


def _pause(stop: threading.Event) -> None:
    stop.wait(0.01)


def test_it_takes_up_what_it_is_given_and_tells_how_it_is(run: Run, sources: dict[str, ScriptedSource]) -> None:
    async def test(bench: Bench) -> None:
        bench.reader("reader-1")
        await bench.registry.put_stream("cam", camera("a"), DOOR)
        await until(lambda: _running(bench, "cam"), "the stream to run")
        view = await bench.registry.get_stream("cam")
        assert (view.reader, view.epoch, view.status.codec) == ("reader-1", 1, "scripted")
        await until(lambda: bench.store.minutes("cam", 0, 2**40), "its rows")
        (reader,) = (await bench.registry.overview()).readers.values()
        assert sum(reader.figures.latency) > 0  # from capture to count
        assert reader.stages["infer"][0] > 0

    run(test)
    assert sources["cam"].closed == 1


def test_another_model_is_taken_in_the_same_epoch(
    run: Run, sources: dict[str, ScriptedSource], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (str(passthrough_model(tmp_path / f"{name}.onnx")) for name in ("old", "new"))
    monkeypatch.setenv("FOOTFALL_DETECTOR__MODEL", old)

    async def test(bench: Bench) -> None:
        settings = load(None, data_dir=str(tmp_path), reader={"checkpoint_s": 0.2})
        reader = StreamReader(settings, "reader-1", bench.network, store=bench.store)
        bench.readers.append(reader)
        await bench.registry.put_stream("cam", camera("a"), None)
        await until(lambda: _running(bench, "cam"), "the stream to run")
        for user_config in ({"model": new, "score_threshold": 0.4}, {"model": "gone.onnx"}):
            await reader.reconfigure(user_config)
            assert (reader._detection.used.model, reader._detection.used.score_threshold) == (new, 0.4)
            frames = reader._workers["cam"].status().frames
            await until(lambda frames=frames: reader._workers["cam"].status().frames > frames + 20, "further frames")
        await reader.check_health()
        assert reader._workers["cam"].plan.epoch == 1

    run(test)
    assert sources["cam"].closed == 1


def test_a_reader_whose_detectors_take_other_images_by_now_is_replaced(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.deployments.input_size.INTERVAL_S", 0.02)
    sizes = [(32, 64)]

    async def connect() -> BatchDetector:
        if not sizes:
            raise ConnectionError("none is there")
        return ThreadedDetector(FakeDetector(input_size=sizes[0]))

    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1", connect)
        await until(lambda: reader._in_session, "its session")
        sizes.clear()
        await asyncio.sleep(0.1)
        await reader.check_health()  # that nobody answers is not its fault
        sizes.append((64, 64))
        await until(lambda: any(task.done() for task in reader._tasks), "the new size to be seen")
        with pytest.raises(RuntimeError, match="loop"):
            await reader.check_health()

    run(test)


def test_a_reader_with_detectors_elsewhere_has_no_model_to_change(run: Run) -> None:
    async def test(bench: Bench) -> None:
        await bench.reader("reader-1").reconfigure({"model": "gone.onnx"})

    run(test)


def test_what_is_taken_away_is_drained_and_handed_back(run: Run, sources: dict[str, ScriptedSource]) -> None:
    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1")
        await bench.registry.put_stream("cam", camera("a"), None)
        await until(lambda: _running(bench, "cam"), "the stream to run")
        await bench.registry.delete_stream("cam", purge=False)
        await until(lambda: not reader._workers and not reader._stopping, "the end of its session")

    store = run(test)
    assert sources["cam"].closed == 1
    assert store.minutes("cam", 0, 2**40)  # the last rows were written before it was handed back


def test_new_lines_are_counted_in_the_same_epoch_and_a_new_source_begins_another(
    run: Run, sources: dict[str, ScriptedSource]
) -> None:
    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1")
        await bench.registry.put_stream("cam", camera("a"), None)
        await until(lambda: _running(bench, "cam"), "the stream to run")
        first = sources["cam"]
        await bench.registry.put_geometry("cam", DOOR, None)
        await until(lambda: reader._running["cam"].assignment.geometry_version == 2, "the new lines")
        assert reader._workers["cam"].plan.epoch == 1
        assert first.closed == 0
        await bench.registry.patch_stream("cam", {"source": camera("b").source.model_dump()}, None)
        await until(lambda: "cam" in reader._workers and reader._workers["cam"].plan.epoch == 2, "the new epoch")
        await until(lambda: first.closed, "the end of the old source")

    run(test)


def test_it_works_on_while_the_registry_is_away_and_comes_back_with_what_it_holds(
    run: Run, sources: dict[str, ScriptedSource]
) -> None:
    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1")
        await bench.registry.put_stream("cam", camera("a"), None)
        await until(lambda: _running(bench, "cam"), "the stream to run")
        bench.network.cut = True
        old, bench.registry = bench.registry, Registry(bench.settings, bench.store)
        bench.network.registry = bench.registry
        await old.stop()
        await until(lambda: bench.registry._loaded, "the new registry")
        bench.network.cut = False
        await until(lambda: _running(bench, "cam"), "the stream at the new registry")
        assert bench.network.sessions >= 2
        assert (await bench.registry.get_stream("cam")).epoch == 1
        assert reader._workers["cam"].plan.epoch == 1

    run(test)
    assert sources["cam"].closed == 1  # it was never interrupted


def test_a_late_answer_to_a_heartbeat_of_an_old_session_ends_no_new_one(
    run: Run, sources: dict[str, ScriptedSource]
) -> None:
    """Calls wait while a registry is replaced; to end a session means to give up all streams."""

    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1")
        await bench.registry.put_stream("cam", camera("a"), None)
        await until(lambda: _running(bench, "cam"), "the stream to run")
        asked, answer, heard = asyncio.Event(), asyncio.Event(), 0
        hear = bench.network.heartbeat

        async def late(heartbeat: Heartbeat) -> list[str] | None:
            nonlocal heard
            assert reader._in_session
            if not asked.is_set():
                asked.set()
                await answer.wait()
                return None
            heard += 1
            return await hear(heartbeat)

        bench.network.heartbeat = late  # type: ignore[method-assign]
        await asked.wait()
        bench.registry._assignments.dismiss()
        await until(lambda: bench.network.sessions == 2 and reader._in_session, "the next session")
        answer.set()
        await until(lambda: heard >= 3, "heartbeats of the next session")
        assert bench.network.sessions == 2
        assert reader._workers["cam"].plan.epoch == 1

    run(test)
    assert sources["cam"].closed == 1  # it was never interrupted


def test_a_reader_that_was_given_up_lets_go(run: Run, sources: dict[str, ScriptedSource]) -> None:
    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1")
        await bench.registry.put_stream("cam", camera("a"), None)
        await until(lambda: _running(bench, "cam"), "the stream to run")
        held = reader._workers["cam"]
        assign(bench.store, "cam", "somebody else")  # as another registry would
        await until(lambda: held.fenced, "the store's refusal")
        await until(lambda: reader._workers.get("cam") is not held, "the end of its session")

    run(test)


def test_a_source_that_was_changed_while_the_session_was_broken_is_begun_anew(
    run: Run, sources: dict[str, ScriptedSource]
) -> None:
    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1")
        await bench.registry.put_stream("cam", camera("a"), None)
        await until(lambda: _running(bench, "cam"), "the stream to run")
        first = sources["cam"]
        bench.network.cut = True
        bench.registry._assignments.dismiss()
        await until(lambda: not reader._in_session, "the end of the session")
        await bench.registry.patch_stream("cam", {"source": camera("b").source.model_dump()}, None)
        bench.network.cut = False
        await until(lambda: "cam" in reader._workers and reader._workers["cam"].plan.epoch == 2, "the new epoch")
        await until(lambda: first.closed, "the end of the old source")
        assert reader._workers["cam"].plan.origin == "rtsp rtsp://10.0.0.1/b"

    run(test)


def test_a_reader_that_leaves_gets_none_of_its_streams_back(run: Run, sources: dict[str, ScriptedSource]) -> None:
    """It has least to do as soon as it has handed over the first."""

    async def test(bench: Bench) -> None:
        leaving, staying = bench.reader("reader-1"), bench.reader("reader-2")
        for number in range(6):
            await bench.registry.put_stream(f"cam{number}", camera(str(number)), None)
        await until(lambda: len(leaving._workers) == len(staying._workers) == 3, "three streams each")
        epochs = {record.id: record.epoch for record in bench.store.list_streams()}
        moving = set(leaving._workers)
        await leaving.stop()
        await until(lambda: len(staying._workers) == 6, "all streams at the other")
        for record in bench.store.list_streams():
            assert record.epoch == epochs[record.id] + (record.id in moving)

    run(test)


def test_a_reader_that_the_registry_does_not_know_opens_a_new_session(
    run: Run, sources: dict[str, ScriptedSource]
) -> None:
    """Its old session is with a registry that drains, and may go on for long."""

    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1")
        await bench.registry.put_stream("cam", camera("a"), None)
        await until(lambda: _running(bench, "cam"), "the stream to run")
        del bench.registry._assignments._readers["reader-1"]  # without ending the session
        await until(lambda: bench.network.sessions >= 2 and reader._in_session, "another session")
        await until(lambda: "reader-1" in bench.registry._assignments.readers, "the reader")
        assert reader._workers["cam"].plan.epoch == 1

    run(test)
    assert sources["cam"].closed == 1


def test_a_stream_that_cannot_be_made_fails_alone_and_says_so_once(
    run: Run,
    sources: dict[str, ScriptedSource],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(logging.getLogger("serve"), "propagate", True)
    opener = RtspDefinition.opener

    def broken(self: RtspDefinition, stream: str, limits: SourceLimits) -> Callable[[], Source]:
        if stream == "bad":
            raise KeyError("a definition of another version")
        return opener(self, stream, limits)

    monkeypatch.setattr(RtspDefinition, "opener", broken)

    async def test(bench: Bench) -> None:
        bench.reader("reader-1")
        await bench.registry.put_stream("bad", camera("bad"), None)
        await until(lambda: _in_state(bench, "bad", StreamState.FAILED), "the failure")
        for name in ("good", "better"):
            await bench.registry.put_stream(name, camera(name), None)
            await until(lambda name=name: _running(bench, name), "the stream to run")
        assert (await bench.registry.get_stream("bad")).status.error == "internal error: KeyError"
        assert bench.network.sessions == 1

    with caplog.at_level(logging.ERROR, "serve.deployments.reader"):
        run(test)
    assert len([record for record in caplog.records if "cannot be taken up" in record.message]) == 1


def test_cameras_that_hang_do_not_hold_up_the_drain_of_others(
    run: Run, sources: dict[str, ScriptedSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "PARTING_S", 0.05)
    monkeypatch.setattr("serve.streams.worker.PARTING_S", 0.05)
    hung, opener = threading.Event(), RtspDefinition.opener
    waiting = 0

    def some_hang(self: RtspDefinition, stream: str, limits: SourceLimits) -> Callable[[], Source]:
        make = opener(self, stream, limits)

        def hang() -> None:
            nonlocal waiting
            waiting += 1
            hung.wait(60)

        def made() -> Source:
            source = make()
            if stream.startswith("dead"):
                assert isinstance(source, ScriptedSource)
                source.on_connect = hang
            return source

        return made

    monkeypatch.setattr(RtspDefinition, "opener", some_hang)

    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1")
        for number in range(18):
            await bench.registry.put_stream(f"dead{number:02}", camera("x"), None)
        for number in range(4):
            await bench.registry.put_stream(f"live{number}", camera("y"), None)
        await until(lambda: _running(bench, "live3"), "the last stream to run")
        await until(lambda: waiting == 18, "cameras that hang")
        await reader.stop()
        assert len(bench.network.handed_back) == 22
        assert not hung.is_set()
        hung.set()

    store = run(test)
    assert store.minutes("live3", 0, 2**40)


def test_many_streams_are_drained_at_once_and_their_memory_is_given_back(
    run: Run, sources: dict[str, ScriptedSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    together, drain = threading.Barrier(18), StreamWorker.drain

    def drain_together(self: StreamWorker) -> None:
        together.wait(5)
        drain(self)

    monkeypatch.setattr(StreamWorker, "drain", drain_together)

    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1")
        for number in range(18):
            await bench.registry.put_stream(f"cam{number}", camera("x"), None)
        await until(lambda: _running(bench, "cam17"), "the last stream to run")
        assert reader._freed._due_s is None
        await reader.stop()
        assert len(bench.network.handed_back) == 18
        assert reader._freed._due_s is not None

    run(test)
    assert not together.broken


def test_it_waits_for_a_detector_that_is_not_there_yet(run: Run, sources: dict[str, ScriptedSource]) -> None:
    asked = 0

    async def late() -> BatchDetector:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise ConnectionError("no replica yet")
        return await detector()

    async def test(bench: Bench) -> None:
        bench.reader("reader-1", late)
        await bench.registry.put_stream("cam", camera("a"), None)
        await until(lambda: _running(bench, "cam"), "the stream to run")

    run(test)
    assert asked == 3


def test_live_frames_are_sent_only_while_somebody_looks(run: Run, sources: dict[str, ScriptedSource]) -> None:
    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1")
        reader._publisher.interval_s = 0.02
        await bench.registry.put_stream("cam", camera("a"), None)
        await until(lambda: _running(bench, "cam"), "the stream to run")
        assert not reader._publisher.watched
        bench.network.live = live = Live("live", bench.network)
        watching = live.watch("cam")
        frame = await anext(watching)
        assert frame.jpeg[:2] == b"\xff\xd8"
        assert frame.width == 48
        await watching.aclose()
        await until(lambda: not reader._publisher.watched, "the end of it")
        await live.stop()


def test_who_looks_at_a_stream_that_is_deleted_sees_its_end(run: Run, sources: dict[str, ScriptedSource]) -> None:
    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1")
        reader._publisher.interval_s = 0.02
        bench.network.live = live = Live("live", bench.network)
        for name in ("cam", "other"):
            await bench.registry.put_stream(name, camera(name), None)
            await until(lambda name=name: _running(bench, name), "the stream to run")
        watching = live.watch("cam")
        await anext(watching)
        await bench.registry.delete_stream("cam", purge=False)
        async for _ in watching:
            pass
        await live.stop()
        await until(lambda: not bench.registry._viewers.watched, "nobody who looks")

    run(test)


def test_pictures_are_sent_no_more_once_those_who_show_them_are_gone(
    run: Run, sources: dict[str, ScriptedSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.control.viewers.FORGOTTEN_S", 0.1)

    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1")
        await bench.registry.put_stream("cam", camera("a"), None)
        await until(lambda: _running(bench, "cam"), "the stream to run")
        await bench.registry.watching("a process that dies", ["cam"])
        await until(lambda: reader._publisher.watched, "somebody who looks")
        await until(lambda: not reader._publisher.watched, "the end of it")

    run(test)


def test_its_health_is_that_of_its_loops(run: Run, sources: dict[str, ScriptedSource]) -> None:
    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1")
        assert reader.record_autoscaling_stats() == {}  # a zero would stand for no stream at all
        await bench.registry.put_stream("cam", camera("a"), None)
        await until(lambda: _running(bench, "cam"), "the stream to run")
        await reader.check_health()
        await until(lambda: reader.record_autoscaling_stats()["registered_weight"] > 0, "the weight of all streams")
        assert reader.record_autoscaling_stats()["capacity"] > 0
        reader._tasks[0].cancel()
        await asyncio.gather(reader._tasks[0], return_exceptions=True)
        with pytest.raises(RuntimeError, match="loop"):
            await reader.check_health()

    run(test)


def test_a_camera_that_is_open_ahead_of_time_is_told_at_once(run: Run) -> None:
    """The reader that is to let go of it waits for that, and has 45 seconds for all of its streams."""

    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1")
        told: list[tuple[str, ...]] = []

        async def heartbeat(heartbeat: Heartbeat) -> list[str]:
            told.append(heartbeat.prepared)
            reader._heartbeat_s = 60.0
            return []

        bench.network.heartbeat = heartbeat  # type: ignore[method-assign]
        await until(lambda: told, "a heartbeat")
        reader._rehearsals = SimpleNamespace(ready=("cam",), end=lambda: None, join=lambda deadline_s: None)  # type: ignore[assignment]
        await until(lambda: told == [(), ("cam",)], "one more, a minute early")

    run(test)


def test_a_camera_that_is_open_while_there_is_no_session_keeps_nobody_else_from_running(run: Run) -> None:
    """The registry may be replaced in the middle of a move; its successor is reached by this very loop."""

    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1")
        await until(lambda: reader._in_session, "its session")
        bench.network.cut = True
        assert reader._following is not None
        reader._following.cancel()
        await until(lambda: not reader._in_session, "the end of its session")
        reader._rehearsals = SimpleNamespace(  # type: ignore[assignment]
            ready=("cam",), update=lambda *_: None, end=lambda: None, join=lambda deadline_s: None
        )
        await asyncio.sleep(2 * reader_module.LOOK_S)  # comes to its end only if the heartbeats' loop lets it
        bench.network.cut = False
        await until(lambda: reader._in_session, "another session")
        await reader.check_health()  # nobody had to break into the loop

    run(test)


def test_a_camera_that_was_opened_for_a_worker_that_cannot_be_made_is_let_go_of(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Opened:
        ended = False

        def end(self) -> None:
            self.ended = True

    def refuse(*_: object, **__: object) -> None:
        raise MemoryError("no room")

    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1")
        await until(lambda: reader._in_session, "its session")
        opened = Opened()
        monkeypatch.setattr(reader._rehearsals, "take", lambda name, definition: opened)
        monkeypatch.setattr(reader_module, "StreamWorker", refuse)
        await bench.registry.put_stream("cam", camera("a"), None)
        await until(lambda: opened.ended, "the camera to be let go of")

    run(test)


def test_stopping_hands_everything_back_and_leaves_no_thread(run: Run, sources: dict[str, ScriptedSource]) -> None:
    before = {thread.name for thread in threading.enumerate()}

    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1")
        for name in ("a", "b", "c"):
            await bench.registry.put_stream(name, camera(name), None)
        await until(lambda: len(reader._workers) == 3, "three streams")
        await reader.stop()
        await reader.stop()
        assert bench.network.handed_back.keys() == {"a", "b", "c"}
        assert not reader._workers

    run(test)
    left: Any = {thread.name for thread in threading.enumerate()} - before
    assert not [name for name in left if not name.startswith(("asyncio", "detector"))]


async def _running(bench: Bench, stream: str) -> bool:
    return await _in_state(bench, stream, StreamState.RUNNING)


async def _in_state(bench: Bench, stream: str, state: StreamState) -> bool:
    return await bench.status(stream) is state


def test_a_stream_whose_password_cannot_be_read_fails_and_is_not_opened(
    run: Run, sources: dict[str, ScriptedSource]
) -> None:
    async def test(bench: Bench) -> None:
        locked = {"type": "rtsp", "url": "rtsp://user:s3cret@10.0.0.1/locked"}
        await bench.registry.put_stream("locked", StreamDefinition.model_validate({"source": locked}), None)
        await bench.registry.stop()
        bench.settings.key_file.unlink()
        bench.registry = bench.network.registry = Registry(bench.settings, bench.store)
        bench.reader("reader-1")
        await bench.registry.put_stream("good", camera("good"), None)
        await until(lambda: _running(bench, "good"), "the other stream to run")
        await until(lambda: _in_state(bench, "locked", StreamState.FAILED), "the failure")
        assert (await bench.registry.get_stream("locked")).status.error_code == "credentials-lost"
        assert "locked" not in sources

    run(test)


def test_a_hand_over_that_was_not_heard_is_told_again_before_the_stream_is_taken_up_anew(
    run: Run, sources: dict[str, ScriptedSource]
) -> None:
    async def test(bench: Bench) -> None:
        bench.reader("reader-1")
        await bench.registry.put_stream("cam", camera("a"), None)
        await until(lambda: _running(bench, "cam"), "the stream to run")
        await until(lambda: bench.store.minutes("cam", 0, 2**40), "rows")
        handback, failures = bench.network.handback, iter(range(3))

        async def replaced(reader: str, streams: Mapping[str, int]) -> None:
            if next(failures, None) is not None:
                raise ConnectionError("the registry is being replaced")
            await handback(reader, streams)

        bench.network.handback = replaced  # type: ignore[method-assign]
        source = camera("b").source.model_dump(mode="json")
        await bench.registry.patch_stream("cam", {"source": source}, None)
        await until(lambda: bench.registry._entries["cam"].record.epoch > 1, "the next epoch")
        await until(lambda: _running(bench, "cam"), "the stream to run again")
        assert (await bench.registry.get_stream("cam")).epoch == 2

    run(test)


def test_a_worker_that_cannot_start_leaves_the_others_alone(
    run: Run, sources: dict[str, ScriptedSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(bench: Bench) -> None:
        reader = bench.reader("reader-1")
        await bench.registry.put_stream("good", camera("a"), None)
        await until(lambda: _running(bench, "good"), "the stream to run")
        start = StreamWorker.start

        def refused(worker: StreamWorker) -> None:
            if worker.plan.stream == "bad":
                raise RuntimeError("can't start new thread")
            start(worker)

        monkeypatch.setattr(StreamWorker, "start", refused)
        sessions = bench.network.sessions
        await bench.registry.put_stream("bad", camera("b"), None)
        await until(lambda: "bad" in reader._refused, "the refusal")
        await bench.registry.put_stream("third", camera("c"), None)
        await until(lambda: _running(bench, "third"), "a stream that comes later")
        assert bench.network.sessions == sessions
        monkeypatch.setattr(StreamWorker, "start", start)
        await bench.registry.put_stream("fourth", camera("d"), None)
        await until(lambda: _running(bench, "bad"), "the stream that could not be started")

    run(test)
