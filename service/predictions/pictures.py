"""Pictures to predict from, as bytes: a body that is one, and how much work is in a body that may hold some."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine import DataError, Model
from engine.data.encoding.arrays import NO_PICTURES
from engine.data.encoding.encoders import TensorEncoder
from engine.data.formats.images.picture import picture_in
from engine.data.formats.images.picture_reading import PictureReading
from service.http.problems import Fault, RequestRefused

JSON = "application/json"
PICTURES = ("image/png", "image/jpeg", "image/webp", "image/bmp", "image/gif", "image/tiff")
ALIASES = ("image/jpg", "image/pjpeg", "image/mpo", "image/x-png", "image/x-ms-bmp", "image/x-bmp")
"""What some programs and browsers say of the same."""


class PictureFeature(NamedTuple):
    """The only feature of a model that learned from pictures."""

    name: str
    shape: tuple[int, ...]
    reading: PictureReading


def picture_feature(model: Model) -> PictureFeature | None:
    """That of a model; None where there is another feature, or none is a picture."""
    encoders = model.preprocessor.encoders
    if len(encoders) != 1 or not isinstance(first := encoders[0], TensorEncoder) or first.picture is None:
        return None
    return PictureFeature(first.name, first.shape, first.picture)


def is_picture(kind: str) -> bool:
    """Whether a media type is that of a picture; which kind of picture it is, its content says."""
    return kind in PICTURES or kind in ALIASES


def read_picture(model: Model, body: bytes) -> NDArray[np.uint8]:
    """The one row that a picture is, (1, h, w) or (1, h, w, 3); raises RequestRefused."""
    feature = picture_feature(model)
    if feature is None:
        raise _refused(f"the body is a picture; {NO_PICTURES}")
    try:
        return picture_in(body, feature.shape, feature.reading)[np.newaxis]
    except DataError as error:
        raise _refused(str(error)) from error


def may_hold_pictures(model: Model, kind: str, body: bytes) -> bool:
    """Whether pictures may have to be decoded, which is no work for the event loop."""
    if picture_feature(model) is None or (kind == JSON and body.count(b'"') == 2):  # nothing but `rows` is text
        return False
    # a body, tensors of text, or text between quotes that is longer than a name
    return is_picture(kind) or b'"BYTES"' in body or any(len(text) > 64 for text in body.split(b'"')[1::2])


def _refused(detail: str) -> RequestRefused:
    fault = Fault(pointer="", part="body", detail=detail)
    return RequestRefused(422, "invalid_row", "A row cannot be used", detail, [fault])
