"""The instant and the day of a photo: offsets, time zones, wrong clocks, hostile blocks."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.photos import exif
from lib.photos.exif import capture_day
from lib.photos.identify import inspect
from lib.problems import Problem
from tests.lib.photos import samples

NOW = datetime(2025, 8, 25, 12, 0, tzinfo=UTC)
TOKYO = "Asia/Tokyo"


@pytest.mark.parametrize("hour", range(0, 24))
def test_every_hour_in_japan_belongs_to_its_own_day(hour: int) -> None:
    """From midnight to 8:59 the day in UTC is the day before."""
    for offset, source in (("+09:00", "exif_offset"), (None, "exif_local")):
        capture = capture_day(samples.exif(f"2025:08:24 {hour:02}:59:59", offset), TOKYO, None, NOW)
        assert capture.date == date(2025, 8, 24)
        assert capture.source == source
        assert capture.captured_at == datetime(2025, 8, 24, hour, 59, 59, tzinfo=UTC) - timedelta(hours=9)
        assert not capture.flagged


def test_the_day_is_the_sites_not_the_cameras() -> None:
    block = samples.exif("2025:08:23 20:00:00", "-07:00")
    capture = capture_day(block, TOKYO, None, NOW)
    assert capture.captured_at == datetime(2025, 8, 24, 3, 0, tzinfo=UTC)
    assert capture.date == date(2025, 8, 24)
    assert capture_day(block, "America/Los_Angeles", None, NOW).date == date(2025, 8, 23)


@pytest.mark.parametrize(
    ("offset", "hours"),
    [("+09:00", -9), ("-03:30", 3.5), ("+0900", -9), ("Z", 0), ("+14:00", -14), ("+05:45", -5.75)],
)
def test_it_reads_offsets(offset: str, hours: float) -> None:
    capture = capture_day(samples.exif("2025:08:24 12:00:00", offset), TOKYO, None, NOW)
    assert capture.source == "exif_offset"
    assert capture.captured_at == datetime(2025, 8, 24, 12, tzinfo=UTC) + timedelta(hours=hours)


@pytest.mark.parametrize("offset", ["", "   :  ", "9", "+99:00", "+09:75", "+15:00", "Tokyo", "+9:00"])
def test_a_broken_offset_is_as_none(offset: str) -> None:
    capture = capture_day(samples.exif("2025:08:24 01:00:00", offset), TOKYO, None, NOW)
    assert (capture.date, capture.source) == (date(2025, 8, 24), "exif_local")


def test_digitized_comes_second_with_its_own_offset() -> None:
    block = samples.exif(digitized="2025:08:24 23:00:00", offset="+00:00", offset_digitized="-05:00")
    assert capture_day(block, "UTC", None, NOW).captured_at == datetime(2025, 8, 25, 4, tzinfo=UTC)
    both = samples.exif("2025:08:20 10:00:00", digitized="2025:08:24 23:00:00")
    assert capture_day(both, TOKYO, None, NOW).date == date(2025, 8, 20)
    reset = samples.exif("1970:01:01 00:00:00", digitized="2025:08:20 10:00:00")
    capture = capture_day(reset, TOKYO, None, NOW)
    assert (capture.date, capture.ignored) == (date(2025, 8, 20), "1970:01:01 00:00:00")


def test_the_time_of_editing_never_counts() -> None:
    capture = capture_day(samples.exif(modified="2025:08:01 10:00:00"), TOKYO, None, NOW)
    assert capture.source == "today"


@pytest.mark.parametrize(
    "text",
    [
        "2025:13:45 10:00:00",
        "2025:02:30 10:00:00",
        "2025:08:24 25:00:00",
        "1970:01:01 00:00:00",
        "1980:01:01 00:00:00",
        "0001:01:01 00:00:00",
        "9999:12:31 23:59:59",
        "2025:08:27 21:00:01",
        "yesterday at noon!!",
        "2025:08:24",
    ],
)
def test_impossible_dates_are_ignored_and_named(text: str) -> None:
    capture = capture_day(samples.exif(text), TOKYO, None, NOW)
    assert (capture.captured_at, capture.date, capture.source) == (None, date(2025, 8, 25), "today")
    assert capture.ignored == text
    assert capture.flagged
    assert capture_day(samples.exif(text, "+09:00"), TOKYO, date(2025, 8, 1), NOW).date == date(2025, 8, 1)


@pytest.mark.parametrize("text", ["0000:00:00 00:00:00", "    :  :     :  :  ", ""])
def test_blank_dates_are_absent(text: str) -> None:
    capture = capture_day(samples.exif(text), TOKYO, None, NOW)
    assert (capture.source, capture.ignored) == ("today", None)


def test_a_clock_may_be_up_to_a_day_fast() -> None:
    assert (
        capture_day(samples.exif("2025:08:26 12:00:00", "+00:00"), TOKYO, None, NOW).source == "exif_offset"
    )
    assert capture_day(samples.exif("2025:08:26 12:00:01", "+00:00"), TOKYO, None, NOW).source == "today"


def test_without_exif_the_form_then_today_at_the_site() -> None:
    assert capture_day(None, TOKYO, date(2024, 5, 1), NOW) == exif.Capture(None, date(2024, 5, 1), "form")
    evening = datetime(2025, 8, 24, 20, 0, tzinfo=UTC)
    assert capture_day(None, TOKYO, None, evening).date == date(2025, 8, 25)
    assert capture_day(None, "America/New_York", None, evening).date == date(2025, 8, 24)


def test_times_the_clocks_skip_or_repeat_are_settled() -> None:
    gap = capture_day(samples.exif("2025:03:30 02:30:00"), "Europe/Berlin", None, NOW)
    assert (gap.captured_at, gap.date) == (datetime(2025, 3, 30, 1, 30, tzinfo=UTC), date(2025, 3, 30))
    fold = capture_day(samples.exif("2024:10:27 02:30:00"), "Europe/Berlin", None, NOW)
    assert fold.captured_at == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)
    # Samoa had no 30 December 2011.
    skipped = capture_day(samples.exif("2011:12:30 12:00:00"), "Pacific/Apia", None, NOW)
    assert skipped.date == date(2011, 12, 31)


@pytest.mark.parametrize(
    "name", ["Asia/Nowhere", "", "../../etc/passwd", "/etc/localtime", "Asia", "x" * 300, "a\0b"]
)
def test_an_unknown_zone_is_a_problem(name: str) -> None:
    with pytest.raises(Problem) as caught:
        capture_day(None, name, None, NOW)
    assert caught.value.status == 422
    assert caught.value.errors[0]["field"] == "timezone"


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "heic"])
def test_it_finds_exif_in_every_format(kind: str) -> None:
    header = inspect(samples.good_photos()[kind])
    capture = capture_day(header.exif, "UTC", None, NOW)
    assert capture.captured_at == datetime(2025, 8, 23, 21, 30, tzinfo=UTC)
    assert capture.source == "exif_offset"


def test_both_byte_orders() -> None:
    text = b"2025:08:24 06:30:00\0"
    for mark, order in ((b"II*\0", "<"), (b"MM\0*", ">")):
        first = struct.pack(order + "HHHII", 2, 0x0112, 3, 1, 0)[:-4] + struct.pack(order + "HH", 6, 0)
        first += struct.pack(order + "HHII", 0x8769, 4, 1, 38) + struct.pack(order + "I", 0)
        second = struct.pack(order + "HHHIII", 1, 0x9003, 2, len(text), 56, 0)
        block = mark + struct.pack(order + "I", 8) + first + second + text
        tags = exif.read(block)
        assert (tags.orientation, tags.original) == (6, "2025:08:24 06:30:00")


def test_a_looping_block_ends() -> None:
    """The EXIF directory is the first directory again, and so is the next one."""
    block = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x8769, 4, 1, 8, 8)
    assert exif.read(block) == exif.Tags()
    assert capture_day(block, TOKYO, None, NOW).source == "today"


def test_odd_values_are_as_absent() -> None:
    assert exif.read(samples.exif(orientation=0)).orientation == 1
    assert exif.read(samples.exif(orientation=9)).orientation == 1
    assert exif.read(b"II*\0" + struct.pack("<IHHHII", 8, 1, 0x0112, 2, 1, 6)).orientation == 1
    assert exif.read(b"II*\0" + struct.pack("<I", 1 << 31)) == exif.Tags()
    assert exif.read(b"GIF89a") == exif.Tags()
    assert exif.read(b"II*\0") == exif.Tags()


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"Exif\0\0II*\0\x08\0\0\0"]),
)
def test_any_block_gives_a_day(data: bytes, start: bytes) -> None:
    capture = capture_day(start + data, TOKYO, None, NOW)
    assert date(1989, 12, 31) <= capture.date <= date(2025, 8, 27)


@given(
    st.text(max_size=30),
    st.one_of(st.none(), st.text(max_size=8), st.from_regex(r"[+-]\d\d:\d\d", fullmatch=True)),
    st.sampled_from([TOKYO, "UTC", "Pacific/Apia", "America/St_Johns", "Pacific/Kiritimati"]),
)
def test_any_text_gives_a_day(text: str, offset: str | None, tz: str) -> None:
    clean = text.encode("ascii", "ignore").decode()
    shift = offset.encode("ascii", "ignore").decode() if offset else None
    capture = capture_day(samples.exif(clean, shift), tz, None, NOW)
    assert date(1989, 12, 31) <= capture.date <= date(2025, 8, 27)


@given(st.integers(0, 12_000 * 86_400), st.integers(-12 * 60, 14 * 60))
def test_the_instant_survives_any_offset(seconds: int, minutes: int) -> None:
    moment = datetime(1991, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    sign = "-" if minutes < 0 else "+"
    offset = f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    local = moment + timedelta(minutes=minutes)
    capture = capture_day(samples.exif(f"{local:%Y:%m:%d %H:%M:%S}", offset), TOKYO, None, NOW)
    assert capture.captured_at == moment
    assert capture.date == (moment + timedelta(hours=9)).date()
