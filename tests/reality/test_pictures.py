"""Images of every kind that folders hold become the right pixels, or an InputError that names the file and the reason."""

import io
import re
import struct
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from cortexscale.check.images import SAMPLE, check_stimuli
from cortexscale.check.report import ReportSection
from cortexscale.errors import InputError, InputErrors
from cortexscale.image_files import decoded, tried
from cortexscale.models.training.data import open_images
from cortexscale.stimuli import StimulusImages, require_images, stimulus_table
from cortexscale.study.images import StimulusSet

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4, 3)).astype(np.uint8)
GREY = PIXELS[:, :, 0]


def encoded(image: Image.Image | np.ndarray, format: str = "PNG", **settings) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, format, **settings)
    return buffer.getvalue()


def png(colour_type: int, depth: int, rows: np.ndarray, *extra: tuple[bytes, bytes]) -> bytes:
    """Write a PNG by hand, as Pillow does not write all kinds; ``rows`` are the bytes of each row."""
    height, width = rows.shape[0], rows.shape[1] * 8 // depth // {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    chunks = [(b"IHDR", header), *extra, (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def upper_bytes(values: np.ndarray) -> np.ndarray:
    """Rows of big-endian 16-bit values, whose upper bytes are the given ones and whose lower bytes are noise."""
    noise = np.random.default_rng(1).integers(0, 256, values.shape).astype(np.uint8)
    return np.stack([values, noise], axis=-1).reshape(len(values), -1)


def grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[:, :, None], 3, axis=2)


OPAQUE = np.dstack([PIXELS, np.full((6, 4), 255, np.uint8)])
SIXTEEN = (GREY.astype(np.uint16) << 8) + 77
TURNED = Image.Exif()
TURNED[0x0112] = 6
PALETTE = Image.fromarray(PIXELS).quantize(8)

RIGHT = {
    "RGB PNG": (encoded(PIXELS), PIXELS),
    "grey PNG": (encoded(GREY), grey(GREY)),
    "16-bit grey PNG": (png(0, 16, upper_bytes(GREY)), grey(GREY)),
    "16-bit colour PNG": (png(2, 16, upper_bytes(PIXELS.reshape(6, -1))), PIXELS),
    "16-bit grey TIFF": (encoded(SIXTEEN, "TIFF"), grey(GREY)),
    "16-bit grey TIFF of the other byte order": (encoded(Image.fromarray(SIXTEEN.astype(">u2")), "TIFF"), grey(GREY)),
    "1 bit": (encoded(Image.fromarray(GREY > 127)), grey(np.where(GREY > 127, 255, 0).astype(np.uint8))),
    "palette": (encoded(PALETTE), np.asarray(PALETTE.convert("RGB"))),
    "palette with opaque entries": (encoded(PALETTE, transparency=b"\xff" * 8), np.asarray(PALETTE.convert("RGB"))),
    "opaque alpha": (encoded(OPAQUE), PIXELS),
    "opaque grey alpha": (encoded(Image.fromarray(np.dstack([GREY, OPAQUE[:, :, 3]]))), grey(GREY)),
    "a transparent colour that no pixel has": (encoded(GREY // 2, transparency=255), grey(GREY // 2)),
    "BMP": (encoded(PIXELS, "BMP"), PIXELS),
    "lossless WebP": (encoded(PIXELS, "WEBP", lossless=True), PIXELS),
    "PNG that is called JPEG": (encoded(PIXELS), PIXELS),
    "texts": (encoded(PIXELS, pnginfo=PngImagePlugin.PngInfo()), PIXELS),
    "turned by EXIF": (encoded(PIXELS, exif=TURNED), PIXELS),
    "a GIF of one frame": (encoded(PALETTE, "GIF"), np.asarray(PALETTE.convert("RGB"))),
}


@pytest.mark.parametrize("kind", RIGHT)
def test_right_pixels(kind):
    content, pixels = RIGHT[kind]
    image = decoded(content, "a.png")
    assert image.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(image), pixels)
    np.testing.assert_array_equal(np.asarray(decoded(content, "a.png", transparency="dropped")), pixels)


def test_cmyk_jpegs_are_those_of_torchvision():
    content = encoded(Image.fromarray(PIXELS).resize((32, 32)).convert("CMYK"), "JPEG")
    np.testing.assert_array_equal(np.asarray(decoded(content, "a")), np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))


def frames(format: str, **settings) -> bytes:
    return encoded(PIXELS, format, save_all=True, append_images=[Image.fromarray(255 - PIXELS)], **settings)


def texts(size: int, *, packed: bool) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("prompt", "A" * size, zip=packed)
    return encoded(PIXELS, pnginfo=info)


CLEAR = OPAQUE.copy()
CLEAR[2, 1, 3] = 128
KEY = upper_bytes(PIXELS.reshape(6, -1))[0, :6].tobytes()
REFUSED = {
    "transparent": (encoded(CLEAR), "transparent pixels"),
    "transparent grey": (encoded(Image.fromarray(CLEAR[:, :, [0, 3]])), "transparent pixels"),
    "transparent entry of a palette": (encoded(PALETTE, transparency=int(np.asarray(PALETTE)[0, 0])), "transparent pixels"),
    "transparent colour": (encoded(PIXELS, transparency=tuple(map(int, PIXELS[0, 0]))), "transparent pixels"),
    "transparent 16-bit colour": (png(0, 16, upper_bytes(GREY), (b"tRNS", upper_bytes(GREY)[0, :2].tobytes())), "transparent"),
    "transparent 16-bit RGB": (png(2, 16, upper_bytes(PIXELS.reshape(6, -1)), (b"tRNS", KEY)), "transparent pixels"),
    "transparent WebP": (encoded(CLEAR, "WEBP", lossless=True), "transparent pixels"),
    "8-bit values in 16 bits": (encoded(GREY.astype(np.uint16)), "16-bit values up to 4,096"),
    "12-bit values in 16 bits": (encoded(GREY.astype(np.uint16) << 4, "TIFF"), "16-bit values up to 4,096"),
    "10-bit colours in 16 bits": (png(2, 16, upper_bytes(PIXELS.reshape(6, -1) >> 6)), "16-bit values up to 4,096"),
    "32-bit TIFF": (encoded(Image.fromarray(SIXTEEN.astype(np.int32)), "TIFF"), "mode I"),
    "floating-point TIFF": (encoded(Image.fromarray(PIXELS[:, :, 0].astype(np.float32)), "TIFF"), "mode F"),
    "animated GIF": (frames("GIF"), "GIF file of 2 frames"),
    "animated WebP": (frames("WEBP"), "WEBP file of 2 frames"),
    "animated PNG": (frames("PNG"), "PNG file of 2 frames"),
    "TIFF of several pages": (frames("TIFF"), "TIFF file of 2 frames"),
    "HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "kind heic"),
    "a text of two megabytes": (texts(2 * 2**20, packed=True), "more text"),
    "too many pixels": (encoded(Image.new("1", (20000, 10000))), "too large"),
    "empty": (b"", "an empty file"),
    "cut": (encoded(PIXELS)[:-30], "not a whole image"),
    "cut JPEG": (encoded(Image.fromarray(PIXELS).resize((99, 99)), "JPEG")[:900], "not a whole image"),
    "git-annex": (b"/annex/objects/MD5E-s13--0123.png\n", "a git-annex pointer"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "a Git LFS pointer"),
    "web page": (b"\n<!DOCTYPE html><title>Sign in</title>", "an HTML page"),
    "storage server": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "AccessDenied"),
    "EPS, which would start a program": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no kind of image"),
    "text": (b"not found", "no kind of image"),
    "AppleDouble": (b"\0\5\x16\7" + bytes(90), "no kind of image"),
    "zeros": (bytes(5000), "no kind of image"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_by_name(kind, tmp_path):
    content, reason = REFUSED[kind]
    with pytest.raises(InputError, match=rf"c/a\.png\n.*({reason})"):
        decoded(content, "c/a.png")
    file = tmp_path / "c/a.png"
    file.parent.mkdir()
    file.write_bytes(content)
    table = stimulus_table("image_folder", tmp_path)
    with pytest.raises(InputError, match=rf"c/a\.png\n.*({reason})"):
        StimulusImages("image_folder", tmp_path, table)[0]


def test_only_what_is_cut_is_to_be_fetched_again():
    again = {kind for kind, (content, _) in REFUSED.items() if "again" in remedy_for(content)}
    assert again == {"empty", "cut", "cut JPEG", "text", "AppleDouble", "zeros", "EPS, which would start a program"}


def remedy_for(content: bytes) -> str:
    with pytest.raises(InputError) as error:
        decoded(content, "a")
    return error.value.remedy


SEEDS = [
    RIGHT["RGB PNG"][0],
    encoded(Image.fromarray(PIXELS).resize((40, 30)), "JPEG"),
    encoded(PIXELS, "TIFF"),
    encoded(PIXELS, "BMP"),
]
SEEDS += [RIGHT["16-bit grey PNG"][0], RIGHT["palette"][0], RIGHT["turned by EXIF"][0], RIGHT["lossless WebP"][0]]


@given(st.sampled_from(SEEDS), st.integers(0, 400), st.binary(min_size=1, max_size=8), st.booleans(), st.integers(0, 400))
def test_whatever_is_damaged_there_is_no_foreign_error(content, place, patch, cut, length):
    place %= len(content)
    damaged = content[:place] + patch + content[place + len(patch) :]
    damaged = damaged[: length % len(content)] if cut else damaged
    try:
        assert decoded(damaged, "a.png").mode == "RGB"
    except InputError as error:
        assert error.where == "a.png" and error.remedy


def test_training_images_are_those_under_the_transparency_as_in_torchvision(tmp_path):
    for split in ("train", "val"):
        file = tmp_path / split / "n01/a.png"
        file.parent.mkdir(parents=True)
        file.write_bytes(encoded(CLEAR))
    np.testing.assert_array_equal(np.asarray(open_images(tmp_path, "train")[0]), PIXELS)


# ------------------------------------------------------------------------------------------ the job, and what is told before


def folder(root: Path, **contents: bytes) -> Path:
    for name, content in contents.items():
        file = root / f"c/{name}.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    return root


def test_the_job_names_all_images_that_cannot_be_used(tmp_path, caplog):
    folder(tmp_path, a=b"", b=encoded(PIXELS), c=REFUSED["transparent"][0], d=RIGHT["turned by EXIF"][0])
    table = stimulus_table("image_folder", tmp_path)
    with pytest.raises(InputErrors) as error:
        require_images("image_folder", tmp_path, table["stimulus_id"])
    assert [Path(problem.where).name for problem in error.value.problems] == ["a.png", "c.png"]
    assert "c/d.png" in caplog.text and "asks programs to turn" in caplog.text
    for name in ("a", "c"):
        (tmp_path / f"c/{name}.png").unlink()
    require_images("image_folder", tmp_path, ["c/b.png"])


def test_an_image_that_went_away_is_not_to_be_fetched_without_need(tmp_path):
    folder(tmp_path, a=encoded(PIXELS))
    images = StimulusImages("image_folder", tmp_path, stimulus_table("image_folder", tmp_path))
    (tmp_path / "c/a.png").unlink()
    with pytest.raises(InputError, match=r"a\.png\n.*nothing\n.*\n.*removed on purpose, delete the stimulus table"):
        images[0]


def test_orientation_is_told_whatever_the_exif_block_is():
    damaged = encoded(Image.fromarray(PIXELS), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    contents = {"turned": RIGHT["turned by EXIF"][0], "plain": RIGHT["RGB PNG"][0], "damaged": damaged}
    errors, remarks = tried(((name, partial(decoded, content, name)) for name, content in contents.items()), "set", 20)
    assert not errors and len(remarks) == 1 and "1 image(s) of set, e.g. turned, have an EXIF" in remarks[0]


def test_released_images_of_brainscore_lose_their_transparency_with_a_warning(tmp_path, caplog):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/a.png").write_bytes(REFUSED["transparent"][0])
    (tmp_path / "set.csv").write_text("image_id,filename\nx,a.png\n")
    table = stimulus_table("brainscore", tmp_path / "set.csv")
    np.testing.assert_array_equal(np.asarray(StimulusImages("brainscore", tmp_path / "set.csv", table)[0]), PIXELS)
    require_images("brainscore", tmp_path / "set.csv", table["stimulus_id"])
    assert "e.g. x, have transparent pixels" in caplog.text


def test_a_camera_may_add_previews():
    large, small = Image.fromarray(PIXELS).resize((64, 48)), Image.fromarray(PIXELS).resize((32, 24))
    image = decoded(encoded(large, "MPO", save_all=True, append_images=[small]), "a")
    assert image.size == (64, 48)


def test_check_data_decodes_a_sample_and_every_suspicious_file(tmp_path):
    large = encoded(np.random.default_rng(0).integers(0, 256, (30, 30, 3)).astype(np.uint8))
    folder(tmp_path, **{f"{number:03d}": large for number in range(3 * SAMPLE)})
    folder(tmp_path, **{"000": large[:-500], "007": REFUSED["git-annex"][0], "100": RIGHT["turned by EXIF"][0], ".x": b""})
    (tmp_path / "cover.png").write_bytes(large)
    section = ReportSection("images")
    check_stimuli(section, StimulusSet(layout="image_folder", path=str(tmp_path)))
    text = section.text()
    for part in (
        "150 images",
        "c/000.png: ",
        "not a whole image",
        "c/007.png: a git-annex pointer",
        "e.g. c/100.png, have an EXIF",
    ):
        assert part in text, text
    assert "passed over 1 hidden" in text and "1 images beside the folders are no stimuli" in text
    assert re.search("5[012] of them were decoded", text)
