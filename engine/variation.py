"""Training rows varied at random, as the spec's `data.augment` asks: images before they are scaled, inputs after."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.data.augmentation.augmentations import AnyAugmentation
from engine.data.augmentation.augmenter import Augmenter, augmented_column
from engine.data.encoding.preprocessor import Preprocessor
from engine.data.table import Table
from engine.parameters import Array


class Variation:
    """What varies the rows of the training set; images and inputs may be varied by two threads."""

    def __init__(self, augment: Sequence[AnyAugmentation], preprocessor: Preprocessor, seed: int) -> None:
        self.column = augmented_column(augment, preprocessor.shapes)
        shape = () if self.column is None else preprocessor.shapes[self.column]
        self.augmenter = Augmenter(augment, shape, seed)

    def of(self, table: Table, rows: NDArray[np.intp], epoch: int) -> Table:
        """The table with its images varied; they last until the next call."""
        if self.column is None:
            return table
        images = self.augmenter.apply(table.whole(self.column), rows, epoch)
        return Table({**table.columns, self.column: images}, table.types)

    def mix(self, X: Array, Y: Array, rows: NDArray[np.intp], epoch: int, w: Array | None) -> None:
        """Vary the inputs and targets of a batch in place."""
        if self.augmenter.varies_inputs:
            self.augmenter.mix(X, Y, rows, epoch, w)
