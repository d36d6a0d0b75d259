"""Image files: which files of a folder are images, and how stimuli and training images become RGB pixels."""

import io
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from cortexscale.errors import InputError
from cortexscale.files import HEAD, stand_in_of
from cortexscale.listing import DOWNLOAD, IN_ICLOUD, files_below, is_in_cloud, listing, nfc

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Suffixes of image files in lower case: those that torchvision's ``ImageFolder`` takes."""

FORMATS = "PNG, JPEG, TIFF, BMP, WebP, PPM or PGM"
"""The formats of these suffixes, in words."""

_READ = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""Pillow's names of the formats that a file may have, whatever its suffix. Other formats are refused, because Pillow may start
programs for them, as for EPS."""

_UNREAD = (".avif", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jxl", ".svg")
"""Suffixes of images that are not read. Such a file raises an error, because results would change if it were skipped."""

_MODES = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"}
"""Pillow's modes with at most 8 bits per channel. torchvision and timm convert them to RGB in the same way."""

_DARK = 16  # if all upper bytes of a 16-bit image are below this, its values have at most 12 bits, and it would look black
_TURNED = 0x0112  # EXIF's tag of the orientation
_TRANSPARENT = "transparent in places"  # key in the ``info`` of an image with transparent pixels
_TURNED_TEXT = (
    "have an EXIF block that asks programs to turn them. Their pixels are used as they are stored. If they were shown turned, "
    "store them so, without the block"
)
_TRANSPARENT_TEXT = (
    "have transparent pixels. The colours under the transparency are used, as torchvision, timm and Brain-Score do. If they were "
    "shown on another background, store them so, without transparency"
)
_BITS_PER_SAMPLE = 258  # TIFF's tag of the number of bits per channel


def is_image(name: str) -> bool:
    """Tell whether a file has the name of an image that can be read."""
    return name.lower().endswith(SUFFIXES)


def image_names(folder: Path | str) -> list[str]:
    """List the names of the image files in a folder, sorted by their form in Unicode NFC.

    Raises:
        InputError: a file is an image of a kind that is not read, or a link to a missing file; a name is not UTF-8, or looks like
            the name of another file; or a folder within the folder has images.
    """
    there = listing(folder)
    if unread := [name for name in there.files if name.lower().endswith(_UNREAD)]:
        found = f"{len(unread)} images of kinds that are not read, e.g. {', '.join(unread[:3])}"
        raise InputError(folder, found, f"images ({FORMATS})", "convert them to PNG, or move them elsewhere")
    inside = chain.from_iterable(files_below(Path(folder, name)) for name in there.folders if not Path(folder, name).is_symlink())
    if deeper := next((file for file in inside if is_image(file.name)), None):
        found = f"images in a folder within this folder, e.g. {deeper.relative_to(folder)}"
        raise InputError(folder, found, "images directly in it", "move them up or elsewhere, or correct the path")
    names = list(filter(is_image, there.files))
    require_distinct(folder, names)
    broken = list(filter(is_image, there.broken))
    if clouded := [name for name in broken if is_in_cloud(Path(folder, name))]:
        found = f"{len(clouded)} images that are in iCloud and not on this disk, e.g. {', '.join(clouded[:3])}"
        raise InputError(folder, found, "image files", DOWNLOAD)
    if broken:
        found = f"{len(broken)} links to files that are not there, e.g. {', '.join(broken[:3])}"
        remedy = "fetch the content (git annex get), or correct the links"
        raise InputError(folder, found, "image files", remedy)
    return names


def require_distinct(folder: Path | str, names: list[str]) -> None:
    """Raise an InputError if two names are equal in NFC (and so look equal), or if a name is not UTF-8."""
    seen: dict[str, str] = {}
    for name in names:
        if not name.isascii():
            try:
                name.encode()
            except UnicodeEncodeError:
                found = f"the name {name.encode(errors='surrogateescape')!r}, which is not UTF-8"
                remedy = "rename it, for example with convmv -t utf8, or unpack its archive again with the right encoding"
                raise InputError(folder, found, "names in UTF-8", remedy) from None
        if other := seen.get(nfc(name)):
            found = f"two files whose names look equal, {other!a} and {name!a}"
            raise InputError(
                folder, found, "a name of its own for every image (compared in Unicode's form NFC)", "rename one of them"
            )
        seen[nfc(name)] = name


@contextmanager
def read_from(where: object, gone: str, near: Callable[[], str] = str) -> Iterator[None]:
    """Turn the errors that a block raises while it reads an image file into an InputError about ``where``.

    ``gone`` says what to do if the image was removed on purpose. If there is no image, the message includes the text that
    ``near`` returns, such as the name of a similar image.
    """
    try:
        yield
        return
    except (FileNotFoundError, KeyError) as error:
        if isinstance(error, OSError) and is_in_cloud(str(where)):
            raise InputError(where, IN_ICLOUD, "an image file", DOWNLOAD) from None
        found, remedy = f"nothing{near()}", f"restore the image; if it was removed on purpose, {gone}"
    except PermissionError:
        found, remedy = "a file that this user may not read", "make it readable: chmod a+r, as its owner"
    except (NotImplementedError, RuntimeError) as error:  # a zip with a password, or with an unknown compression
        found, remedy = f"an image that cannot be unpacked ({error})", "unpack the zip, and pack it again without a password"
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        found, remedy = f"an image that cannot be read ({error})", "fetch the image again; if that does not help, check the disk"
        if isinstance(error, OSError) and is_in_cloud(str(where), error):
            remedy = DOWNLOAD
    raise InputError(where, found, "an image file", remedy)


def decoded(content: bytes, where: object, transparency: Literal["refused", "dropped"] = "refused") -> Image.Image:
    """Decode an image file to RGB with 8 bits per channel, or raise an InputError that names ``where`` and the reason.

    Pixels are those of ``Image.open(...).convert("RGB")``, on which the networks of torchvision and timm are trained. Only values
    of 16 bits can differ: they are reduced to their upper 8 bits. Pillow does the same for 16-bit colours, but clips 16-bit grey
    values. An EXIF orientation is not applied, because torchvision, timm, MATLAB's ``imread`` and PsychoPy do not apply it;
    :func:`tried` reports images that have one. CMYK is converted by Pillow's default formula. Colour profiles are not applied.

    The colour that subjects saw at a transparent pixel depends on a background that is not in the file. ``refused`` raises an
    error for such images. It is right for stimuli, because only the experimenter knows the background. ``dropped`` ignores the
    transparency and takes the stored colours, as torchvision and timm do in training.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # some files of ImageNet have odd EXIF blocks and palettes
            image = Image.open(io.BytesIO(content), formats=_READ)
            _require_one(image, where)
            image.load()
            rgb = _rgb(image, where)
            if _bits(image, content) == 16 and np.asarray(rgb).max() < _DARK:
                found = f"16-bit values up to {256 * _DARK:,} at most: an image of 8 to 12 bits, or a black one"
                raise InputError(where, found, "values up to 65,535", "save the image with 8 bits, from black to white")
            if image.has_transparency_data and _is_transparent(image):
                if transparency == "refused":
                    remedy = "save it without transparency, on the background that the subjects saw"
                    raise InputError(where, "an image with transparent pixels", "an opaque image", remedy)
                rgb.info[_TRANSPARENT] = True
            return rgb
    except InputError:
        raise
    except Exception as error:  # Pillow raises many types of exceptions for damaged files
        raise _damage(content, where, error) from None


def tried(
    images: Iterable[tuple[str, Callable[[], Image.Image]]], where: Path | str, most: int
) -> tuple[list[InputError], list[str]]:
    """Decode images until all are decoded, or until ``most`` errors have occurred.

    Returns:
        The errors of images that cannot be used, and remarks on images that subjects perhaps saw in another form.
    """
    errors: list[InputError] = []
    turned: list[str] = []
    transparent: list[str] = []
    for name, image in images:
        try:
            pixels = image()
        except InputError as error:
            errors.append(error)
            if len(errors) == most:
                break
            continue
        if _is_turned(pixels):
            turned.append(name)
        if _TRANSPARENT in pixels.info:
            transparent.append(name)
    return errors, [
        f"{len(names)} image(s) of {where}, e.g. {names[0]}, {text}."
        for names, text in ((turned, _TURNED_TEXT), (transparent, _TRANSPARENT_TEXT))
        if names
    ]


def _is_turned(image: Image.Image) -> bool:
    with suppress(Exception), warnings.catch_warnings(action="ignore"):  # a damaged EXIF block counts as none
        return image.getexif().get(_TURNED, 1) not in (0, 1)
    return False


def _require_one(image: Image.Image, where: object) -> None:
    """Raise an InputError for an animation or a file of several pages.

    A camera's JPEG file (MPO) is accepted, although it may contain previews as further images.
    """
    if image.format != "MPO" and (frames := getattr(image, "n_frames", 1)) > 1:
        found = f"a {image.format} file of {frames} frames"
        raise InputError(where, found, "one image", "save the frame that is meant as a file of its own")


def _bits(image: Image.Image, content: bytes) -> int:
    """Return the number of bits per channel in a PNG or TIFF file. For other formats, return 8."""
    if image.format == "PNG":
        return content[24]
    return max(np.atleast_1d(image.tag_v2.get(_BITS_PER_SAMPLE, 8))) if isinstance(image, TiffImageFile) else 8


def _rgb(image: Image.Image, where: object) -> Image.Image:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        grey = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        grey.info = dict(image.info)
        return grey.convert("RGB")
    if image.mode not in _MODES:
        found = f"pixels of Pillow's mode {image.mode}, whose black and white are not known"
        raise InputError(where, found, "8 or 16 bits per channel", "save the image with 8 bits per channel")
    return image.convert("RGB")


def _is_transparent(image: Image.Image) -> bool:
    key = np.atleast_1d(image.info.get("transparency", 0)) if image.mode.startswith(("I;16", "RGB")) else np.array([0])
    if image.mode.startswith("I;16") or key.max() > 255:  # Pillow ignores the transparent colour of a 16-bit PNG
        pixels = np.asarray(image).reshape(image.height, image.width, -1)
        return bool((pixels == (key if image.mode.startswith("I;16") else key >> 8)).all(axis=-1).any())
    return bool(np.asarray(image.convert("RGBA").getchannel("A")).min() < 255)


def _damage(content: bytes, where: object, error: Exception) -> InputError:
    found, remedy = f"{len(content):,} bytes that are not a whole image ({error})", "fetch the image again, or restore it"
    if not content:
        found = "an empty file"
    elif stand_in := stand_in_of(content[:HEAD]):
        found, remedy = stand_in[0], f"{stand_in[2]}Or restore the image from its release"
    elif isinstance(error, Image.DecompressionBombError):
        found, remedy = f"an image that is too large to be decoded ({error})", "save a smaller copy, as it was shown"
    elif isinstance(error, MemoryError):
        found, remedy = "an image that needs more memory than there is", "give the job more memory, or save a smaller copy"
    elif "MAX_TEXT" in str(error) or "text chunks" in str(error):
        found = f"a PNG with more text or a larger profile than Pillow reads ({error})"
        remedy = "save the image without its texts: exiftool -all= FILE"
    elif content[4:8] == b"ftyp":
        found = f"an image of the kind {content[8:12].decode('ascii', 'replace')} (as HEIC of iPhones), which is not read"
        remedy = "convert the image to PNG"
    elif isinstance(error, UnidentifiedImageError):
        found = f"{len(content):,} bytes of no kind of image that is read; they begin with {content[:12]!r}"
        remedy = "fetch the image again, convert it to PNG, or remove the file"
    return InputError(where, found, f"a whole image ({FORMATS})", remedy)
