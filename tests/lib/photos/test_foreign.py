"""Files that are two things at once, and the trailers of phones that are not."""

from __future__ import annotations

import gzip

import pytest

from lib.photos import foreign
from lib.photos.identify import inspect
from lib.problems import Problem
from tests.lib.photos import samples

SAMSUNG = b"\0\0\x01\x0a\x0e\0\0\0Image_UTC_Data1756000000000SEFH\x6a\0\0\0\1\0\0\0SEFT"

SECOND_THINGS = {
    "zip": samples.archive(),
    "zip after padding": b"\0" * 40 + samples.archive(),
    "zip after something else": b"harmless at first sight" + samples.archive(),
    "zip with a comment behind": samples.archive() + b"more bytes",
    "pdf": b"%PDF-1.4\n%\xe2\xe3",
    "page": b"<!DOCTYPE html><p>x",
    "script": b"\r\n<script>fetch('/')</script>",
    "php": b"<?php echo 1;",
    "gzip": gzip.compress(b"x" * 99),
    "rar": b"Rar!\x1a\x07\x01\0" + bytes(20),
    "7z": b"7z\xbc\xaf\x27\x1c\0\4" + bytes(20),
    "elf": b"\x7fELF\2\1\1" + bytes(20),
    "shell": b"#!/bin/sh\nid\n",
}

TRAILERS = {
    "padding": bytes(4096),
    "samsung": SAMSUNG,
    "samsung motion photo": b"\0\0\x30\x0a\x10\0\0\0MotionPhoto_Data" + samples.film() + SAMSUNG,
    "google motion photo": samples.film(),
    "gain map": samples.save(samples.picture(160, 120), "JPEG"),
    "gain map and film": samples.save(samples.picture(160, 120), "JPEG") + samples.film(),
    "vivo": b'vivo{"com.android.camera":"x"}cameraalbum',
    "unknown": bytes(range(256)),
}


@pytest.mark.parametrize("name", TRAILERS)
def test_it_takes_what_phones_append(name: str) -> None:
    assert inspect(samples.good_photos()["jpeg"] + TRAILERS[name]).format == "jpeg"


def test_it_takes_a_heic_motion_photo() -> None:
    data = samples.good_photos()["heic"]
    assert inspect(data + samples.box(b"mpvd", samples.film())).format == "heic"
    assert inspect(data + SAMSUNG).format == "heic"


@pytest.mark.parametrize("base", ["jpeg", "png", "webp", "heic", "jpeg mpo"])
@pytest.mark.parametrize("name", SECOND_THINGS)
def test_it_refuses_a_second_thing_behind_the_picture(base: str, name: str) -> None:
    with pytest.raises(Problem) as caught:
        inspect(samples.good_photos()[base] + SECOND_THINGS[name])
    assert caught.value.kind == "photo-polyglot"


def test_it_refuses_active_text_in_metadata() -> None:
    good = samples.good_photos()
    page = b"Comment\0<html><body onload=x>"
    for data in (
        samples.with_jpeg_segment(good["jpeg"], 0xFE, page),
        samples.with_jpeg_segment(good["jpeg"], 0xE5, b"<script>1</script>"),
        samples.with_jpeg_segment(good["jpeg"], 0xFE, b"%PDF-1.5 in a comment"),
        samples.with_png_chunk(good["png"], b"tEXt", page),
        good["heic"] + samples.box(b"free", page),
    ):
        with pytest.raises(Problem) as caught:
            inspect(data)
        assert caught.value.kind == "photo-polyglot"


def test_it_refuses_a_zip_inside_the_last_part_of_a_picture() -> None:
    data = samples.good_photos()["png"]
    inside = data[:-12] + samples.png_chunk(b"tEXt", b"x\0" + samples.archive()) + data[-12:]
    with pytest.raises(Problem) as caught:
        inspect(inside)
    assert "ZIP" in caught.value.detail


def test_a_stray_zip_mark_in_a_film_is_no_zip() -> None:
    assert (
        inspect(samples.good_photos()["jpeg"] + samples.film() + b"PK\x05\x06" + bytes(40)).format == "jpeg"
    )


def test_ordinary_xmp_is_taken() -> None:
    xmp = b"http://ns.adobe.com/xap/1.0/\0<?xpacket begin=''?><x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF/>"
    assert inspect(samples.with_jpeg_segment(samples.good_photos()["jpeg"], 0xE1, xmp)).format == "jpeg"


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"PK\x03\x04rest", "ZIP"),
        (b"%PDF-1.7", "PDF"),
        (b"II*\0\x08\0\0\0", "raw"),
        (samples.box(b"ftyp", b"crx \0\0\0\1crx isom"), "raw"),
        (samples.box(b"ftyp", b"qt  \0\0\0\0qt  "), "a video"),
        (b"RIFF\0\0\0\0AVI LIST", "video"),
        (b"\xef\xbb\xbf <!DOCTYPE html>", "web page"),
        (b"<?xml version='1.0'?><svg xmlns='x'>", "SVG"),
        (bytes(200), "all its bytes are zero"),
        (b"date,species\n2025-08-24,x\n", "a text"),
        ("日付 ハコベ\n".encode() * 9 + "日".encode()[:2], "a text"),
    ],
)
def test_it_names_what_was_sent_instead(head: bytes, name: str) -> None:
    assert name in (foreign.name_of(head) or "")


def test_it_does_not_guess() -> None:
    assert foreign.name_of(b"\x80\x81\x82") is None
    assert foreign.name_of(b"") is None
