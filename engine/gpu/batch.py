"""The batch at hand, brought together from examples that are on the device."""

from engine.gpu.kernel import Array, kernel, per_element

FIRST, NUMBER, STEP = range(3)
"""Of the clock: where the batch begins, which of the prepared steps this is, and its t."""


@kernel(
    per_element,
    "out",
    """
    (const real* source, const whole* rows, const whole* clock, real* out, whole height, whole width) {
        ELEMENT
        const whole at = clock[0] + i, row = rows ? rows[at] : at;
        out[e] = source[row * width + j];
    }
    """,
)
def gather(source: Array, rows: Array | None, clock: Array, out: Array) -> None:
    """out = source[rows], of the rows that the clock points to; without numbers they follow each other."""
    first = int(clock[FIRST])
    places = slice(first, first + len(out))
    out[:] = source[places if rows is None else rows[places]].reshape(out.shape)


@kernel(
    per_element,
    "Y",
    """
    (const whole* y, const whole* rows, const whole* clock, const real* table, const real* weights, whole* labels,
     real* Y, real* w, whole height, whole width) {
        ELEMENT
        const whole label = y[rows[clock[0] + i]];
        if (table) Y[e] = table[label * width + j];
        if (j == 0) {
            labels[i] = label;
            if (weights) w[i] = weights[label];
        }
    }
    """,
)
def look_up(
    y: Array,
    rows: Array,
    clock: Array,
    table: Array | None,
    weights: Array | None,
    labels: Array,
    Y: Array,
    w: Array | None,
) -> None:
    """The labels of the batch's rows; Y = table[labels] and w = weights[labels] where there are any."""
    first = int(clock[FIRST])
    labels[:] = y[rows[first : first + len(Y)]]
    if table is not None:
        Y[:] = table[labels]
    if weights is not None and w is not None:
        w[:] = weights[labels].reshape(w.shape)
