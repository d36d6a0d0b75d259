"""Browsers unpack what they download and keep its name: content decides whether a file is compressed."""

import gzip
import json

import pytest

from cortexscale.alignment.published import read_published
from cortexscale.errors import InputError

ALEXNET = {"tvsd": {"V4": {"layer_name": "features.3", "layer_position": 3, "layer_position_normalized": 0.5, "score": 0.4}}}
TEXT = json.dumps({"alexnet": ALEXNET, "config": {}}).encode()
PACKED = gzip.compress(TEXT, mtime=0)


@pytest.mark.parametrize("name", ["layers.json", "layers.json.gz"])
@pytest.mark.parametrize("content", [TEXT, PACKED, b"\xef\xbb\xbf" + TEXT], ids=["text", "packed", "mark of UTF-8"])
def test_content_decides(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert read_published(tmp_path / name)["alexnet"].datasets["tvsd"]["V4"].layer_name == "features.3"


DAMAGED = {
    "cut": (PACKED[:-12], "EOFError"),
    "other bytes": (PACKED[:12] + b"\xff" * 8 + PACKED[20:], "error: Error -3"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git LFS pointer"),
    "a model twice": (TEXT[:-1] + b', "alexnet": {}}', "alexnet twice"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_damaged_is_named(tmp_path, name):
    content, found = DAMAGED[name]
    (tmp_path / "layers.json.gz").write_bytes(content)
    with pytest.raises(InputError, match=found) as caught:
        read_published(tmp_path / "layers.json.gz")
    assert "layers.json.gz" in caught.value.where
