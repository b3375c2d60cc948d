"""What a camera weighs: CPU cores that it keeps busy, by what its frames cost where it runs."""

from __future__ import annotations

from dataclasses import dataclass

from serve.streams.status import StreamStatus

WINDOW_S = 10.0
"""Of measuring: a single second of a camera tells little."""
NEWEST = 0.3
"""What a window counts for beside those before it."""
WORTH_TELLING = 0.2
"""A weight stays as it was until it is off by this share of itself: plans must not follow every passer-by."""
OVERLOADED, RELIEVED = 0.1, 0.05
"""Share of a window's frames for which there was no time that is said, and from which on it is not said any more."""
LATER = 0.1
"""Share of a window by which frames that may not be skipped are analysed later than in the one before."""
WAITING = 0.5
"""Share of a window for which frames wait, if it is the analysis that they wait for."""
LATE_WINDOWS = 3
"""In a row, after which it is said that frames are analysed later and later."""
LEAST_OF_VIDEO = 0.2
"""Share of a window that its frames stand for, at least, however few of those that came were analysed."""
DECODE_S = {"h264": 0.0042, "hevc": 0.0028, "mjpeg": 0.0017}
"""CPU seconds to decode and scale a million pixels; a first guess, of simulated halls with some noise on an AMD EPYC.
Others as H.264."""
ANALYSE_S = 0.012
"""CPU seconds to find the people of a frame with the default model; a first guess, likewise."""
TYPICAL_FPS = 15.0
TYPICAL_SIZE = 1280, 720


@dataclass(frozen=True, slots=True)
class Weight:
    """CPU seconds a second that a stream takes.

    Attributes:
        wanted: with all the frames analysed that it is to have analysed.
        least: with so few that fewer would not be worth running it.
    """

    wanted: float
    least: float

    def differs(self, other: Weight) -> bool:
        """Whether the two are far enough apart to plan anew."""
        pairs = (self.wanted, other.wanted), (self.least, other.least)
        return any(abs(mine - others) > WORTH_TELLING * mine for mine, others in pairs)


def first_guess(status: StreamStatus | None, analysis_fps: float | None, min_fps: float) -> Weight:
    """By size, codec and rate, as far as these are known."""
    width, height = (status.width, status.height) if status is not None else (None, None)
    fps = status.fps_in if status is not None and status.fps_in > 0 else TYPICAL_FPS
    codec = status.codec if status is not None and status.codec is not None else "h264"
    size = (width or TYPICAL_SIZE[0]) * (height or TYPICAL_SIZE[1])
    decoding = fps * DECODE_S.get(codec, DECODE_S["h264"]) * size / 1e6
    analysed = min(fps, analysis_fps or fps)
    return Weight(decoding + ANALYSE_S * analysed, decoding + ANALYSE_S * min(min_fps, analysed))


@dataclass(frozen=True, slots=True)
class _Sample:
    epoch: int
    at_s: float
    status: StreamStatus


class WeightMeter:
    """Measures one stream by what its reader reports: what it weighs, and what there is no time for.

    Args:
        min_fps: frames a second below which running it would not be worth it.
        known: what it weighed when it was last measured.
    """

    def __init__(self, min_fps: float, known: Weight | None = None) -> None:
        self.min_fps = min_fps
        self._smooth = self._told = known
        self._begin: _Sample | None = None
        self._skipped_share = 0.0
        self._late = 0

    @property
    def overload(self) -> str | None:
        """What there is no time for, in plain words; None if it is not worth telling."""
        if self._skipped_share:
            return f"there is no time for {self._skipped_share:.0%} of its frames"
        if self._late >= LATE_WINDOWS:
            return "there is no time for its frames: they are analysed later and later"
        return None

    @property
    def weight(self) -> Weight | None:
        """What to plan with; None until it was measured."""
        return self._told

    def hear(self, epoch: int, status: StreamStatus, at_s: float) -> bool:
        """Take what is reported at a time, monotonic seconds; returns whether there is another weight to plan with."""
        now, begin = _Sample(epoch, at_s, status), self._begin
        if begin is None or begin.epoch != epoch or begin.status.analysed > status.analysed:
            self._begin, self._skipped_share, self._late = now, 0.0, 0
            return False
        if at_s - begin.at_s < WINDOW_S:
            return False
        self._begin = now
        share = _skipped_share(begin.status, status)
        self._skipped_share = share if share > (RELIEVED if self._skipped_share else OVERLOADED) else 0.0
        self._late = self._late + 1 if _falls_behind(begin, now) else 0
        measured = _measured(begin, now, self.min_fps)
        if measured is None:
            return False
        self._smooth = _blend(self._smooth, measured)
        if self._told is not None and not self._told.differs(self._smooth):
            return False
        self._told = self._smooth
        return True


def _measured(begin: _Sample, end: _Sample, min_fps: float) -> Weight | None:
    """None if the camera, or the detector, was away meanwhile: that tells nothing of the cost."""
    before, after = begin.status, end.status
    analysed = after.analysed - before.analysed
    if analysed <= 0 or after.reconnects != before.reconnects:
        return None
    seconds = _seconds_of_video(begin, end)
    decoding = (after.source_cpu_s - before.source_cpu_s) / seconds
    frame_s = (after.analysis_cpu_s - before.analysis_cpu_s) / analysed
    # What was skipped for want of time is wanted all the same: a reader that is too busy must not look idle.
    wanted_fps = (analysed + after.skipped - before.skipped) / seconds
    return Weight(decoding + frame_s * wanted_fps, decoding + frame_s * min(min_fps, wanted_fps))


def _skipped_share(before: StreamStatus, after: StreamStatus) -> float:
    analysed, skipped = after.analysed - before.analysed, after.skipped - before.skipped
    return skipped / (analysed + skipped) if analysed + skipped > 0 else 0.0


def _seconds_of_video(begin: _Sample, end: _Sample) -> float:
    """That were analysed meanwhile: what those cost is what counts in the long run.

    More than it took while a topic catches up; fewer while it falls behind, or it would weigh less, the less is done. A
    live camera that is not analysed for a while skips those frames, which count as wanted.
    """
    seconds, older_s = end.at_s - begin.at_s, _grown_older_s(begin, end)
    if older_s > 0 and not _waits(begin, end):
        return seconds
    return max(LEAST_OF_VIDEO * seconds, seconds - older_s)


def _grown_older_s(begin: _Sample, end: _Sample) -> float:
    """By how much the newest analysed frame is older than the one then was; negative if it is younger."""
    ages = begin.status.frame_age_s, end.status.frame_age_s
    if ages[0] is None or ages[1] is None:
        return 0.0
    # Nobody falls behind faster than time goes by: then a clock was set.
    older_s = ages[1] - ages[0]
    return older_s if older_s <= end.at_s - begin.at_s else 0.0


def _falls_behind(begin: _Sample, end: _Sample) -> bool:
    """Whether frames that may not be skipped wait for those before them, longer and longer.

    One that catches up has them wait, too, but comes nearer; where the sender itself is late, nothing waits.
    """
    later = _grown_older_s(begin, end) >= LATER * (end.at_s - begin.at_s)
    return later and _waits(begin, end) and end.status.analysed > begin.status.analysed


def _waits(begin: _Sample, end: _Sample) -> bool:
    """Whether most of the time frames waited for those before them."""
    return end.status.waited_s - begin.status.waited_s >= WAITING * (end.at_s - begin.at_s)


def _blend(before: Weight | None, newest: Weight) -> Weight:
    if before is None:
        return newest
    return Weight(
        before.wanted + NEWEST * (newest.wanted - before.wanted), before.least + NEWEST * (newest.least - before.least)
    )
