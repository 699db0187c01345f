"""How the pictures of a column are read: kept with the dataset and with every model that learns from it.

So a picture to predict becomes the very numbers that it would be among those to learn from.
"""

from pydantic import Field

from engine.component import Component

WHITE = 65_535  # the greatest value of 16 bits


class PictureReading(Component):
    """Pictures as uint8 (h, w) where they are gray, else (h, w, 3) or (h, w, 1)."""

    resized: bool = Field(False, description="of any size, and brought to that of the column")
    white: int = Field(WHITE, ge=1, le=WHITE, description="the value that is white in pictures of 16 bits")
