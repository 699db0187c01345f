"""How the pictures of a column are read: kept with the dataset and with every model that learns from it.

So a picture to predict becomes the very numbers that it would be among those to learn from.
"""

from pydantic import Field

from engine.component import Component

WHITE = 65_535  # the greatest value of 16 bits


class PictureReading(Component):
    """Pictures as uint8 (h, w) where they are gray, else (h, w, 3) or (h, w, 1)."""

    resized: bool = Field(False, description="of any size, and brought to that of the column")
    white: int | None = Field(
        None, ge=1, le=WHITE, description="the value that is white in pictures of 16 bits; null where none has so many"
    )

    def unlike(self, other: "PictureReading") -> str:
        """Why pictures that were read in another way are none for this; empty where they are."""
        if other.white in (None, self.white):
            return ""
        if self.white is None:
            return "pictures of 16 bits, where those that are learned from have 8; save them with 8 bits"
        return (
            f"pictures in which {other.white} is white, where it is {self.white} in those that are learned from; "
            f"upload them with white={self.white}"
        )


def upload_like(shape: tuple[int, ...]) -> str:
    """What to ask of an upload whose pictures are to become arrays of a shape."""
    return f"upload them with size={shape[1]}x{shape[0]}&mode={'color' if shape[2:] == (3,) else 'grayscale'}"
