"""The step itself: a table of operations over one arena, carried out for as many mini-batches as are wanted.

One function for every network: a new architecture is a new table, and nothing is compiled. Several threads may run
it together on the same arguments, each with its share of a batch's rows on the way forward and back, and then with
its share of every weight matrix; who is done first takes over some of the others'. They meet where one needs what
another has made, and whoever makes it, it is the same.
"""

import numpy as np
from numpy.typing import NDArray

from engine.compiling import compiled, entrance, inlined, rows_of
from engine.kernels import loss, normalization
from engine.kernels.activation import activate, slope
from engine.kernels.blas import AS_IT_IS, TRANSPOSED, gemm
from engine.kernels.mask import draw
from engine.kernels.meeting import claim, meet
from engine.kernels.update import PIECE, clipping, moment, move, objective, shrink, sum_of_squares, update
from engine.parameters import Array

Numbers = NDArray[np.int64]
Whole = int | np.int64

# An operation is a row of these columns: offsets are into the arena, P and Q into θ.
KIND, N, IN, OUT, EXTRA, P, Q, K, WHICH, GROUP = range(10)
# Forward
PRODUCT, STATISTICS, NORMALIZE, BIAS, ACTIVATE, DROP = range(6)
# Backward
PRODUCT_BACK, SUMS_TOGETHER, NORMALIZE_BACK, BIAS_SUM, ACTIVATE_BACK, DROP_BACK, GRADIENT_SUMS = range(10, 17)
IN_GROUPS = (NORMALIZE, BIAS, ACTIVATE, DROP, NORMALIZE_BACK, BIAS_SUM, ACTIVATE_BACK, DROP_BACK, GRADIENT_SUMS)
# What a batch norm has at EXTRA, each once a thread and n wide; not as plain numbers, for each of which Numba would
# compile a function of its own
SUM, SQUARE, MEAN, VARIANCE, SCALE, DBETA_PART, DGAMMA_PART, DBETA, DGAMMA = (np.int64(place) for place in range(9))
BATCH_NORM_VECTORS = 9
# The batch at hand
X_AT, Y_AT, W_AT, ROW_AT, Z_AT, PANEL_AT, WEIGHTS, OUTPUTS, LOSS, COPIES, PANEL_SIZE = range(11)
BY_ROWS, BY_COLUMNS = range(2)  # how the threads divide a product, at WHICH
LANES = 16  # columns that a processor takes at once
BLOCK = 4096  # numbers of a group at a time: they stay in a core's first cache from one operation to the next
INPUT = -1  # an offset that stands for the inputs


@inlined
def vector(arena: Array, op: Numbers, which: Whole, thread: int, threads: int) -> Array:
    """One of a batch norm's vectors of this thread."""
    n = op[N]
    at = op[EXTRA] + (which * threads + thread) * n
    return arena[at : at + n]


@inlined
def all_vectors(arena: Array, op: Numbers, which: Whole, threads: int) -> Array:
    """The same vector of every thread."""
    vectors: Array = rows_of(arena, op[EXTRA] + which * threads * op[N], threads, op[N])
    return vectors


@inlined
def copied(arena: Array, source: int, target: int, size: int) -> Array:
    """The numbers where they may be overwritten: copied, unless they are there."""
    out = arena[target : target + size]
    if source != target:
        normalization.copy(arena[source : source + size], out)
    return out


@compiled
def share(
    op: Numbers, columns: Whole, begin: int, end: int, m: int, thread: int, threads: int
) -> tuple[Whole, Whole, Whole, Whole]:
    """This thread's part of a product: the first and last row, and the first and last column."""
    if op[WHICH] == BY_ROWS:
        return begin, end, 0, columns
    after = columns if thread == threads - 1 else columns * (thread + 1) // threads // LANES * LANES
    return 0, m, columns * thread // threads // LANES * LANES, after


@compiled
def group(
    ops: Numbers, reals: NDArray[np.float64], first: Whole, last: Whole, begin: int, end: int, arena: Array,
    masks: NDArray[np.uint8], theta: Array, step: int, keys: NDArray[np.uint64], words: NDArray[np.uint64],
    thread: int, threads: int,
) -> None:  # fmt: skip
    """The operations first to last − 1, all of them on some rows before the next rows are taken."""
    widest = 1
    for q in range(first, last):
        widest = max(widest, ops[q, N])
        if ops[q, KIND] == BIAS_SUM or ops[q, KIND] == GRADIENT_SUMS:
            clear(ops[q], arena, thread, threads)
    together = max(1, BLOCK // widest)
    for r in range(begin, end, together):
        rows = min(together, end - r)
        for q in range(first, last):
            op = ops[q]
            kind, n = op[KIND], op[N]
            here, size = r * n, rows * n
            if kind == BIAS:
                normalization.add_bias(rows_of(arena, op[OUT] + here, rows, n), theta[op[P] : op[P] + n])
            elif kind == ACTIVATE:
                A = copied(arena, op[IN] + here, op[OUT] + here, size)
                activate(op[WHICH], reals[q, 0], A)
            elif kind == DROP:
                at = op[EXTRA] + here
                A, mask = copied(arena, op[IN] + here, op[OUT] + here, size), masks[at : at + size]
                draw(mask, here, op[Q], step, keys[0], keys[1] + np.uint64(op[WHICH]), words, arena)
                normalization.drop(A, mask, reals[q, 0])
            elif kind == NORMALIZE:
                copied(arena, op[IN] + here, op[WHICH] + here, size)
                normalization.normalize(
                    rows_of(arena, op[WHICH] + here, rows, n),
                    vector(arena, op, MEAN, thread, threads), vector(arena, op, SCALE, thread, threads),
                    theta[op[P] : op[P] + n], theta[op[Q] : op[Q] + n],
                    rows_of(arena, op[OUT] + here, rows, n),
                )  # fmt: skip
            elif kind == ACTIVATE_BACK:
                source, target, at = op[IN] + here, op[OUT] + here, op[EXTRA] + here
                slope(op[WHICH], reals[q, 0], arena[source : source + size], arena[target : target + size],
                      arena[at : at + size])  # fmt: skip
            elif kind == DROP_BACK:
                at, flags = op[OUT] + here, op[EXTRA] + here
                normalization.drop(arena[at : at + size], masks[flags : flags + size], reals[q, 0])
            elif kind == BIAS_SUM:
                at = op[EXTRA] + thread * n
                normalization.add_column_sums(rows_of(arena, op[OUT] + here, rows, n), arena[at : at + n])
            elif kind == GRADIENT_SUMS:
                normalization.gradient_sums(
                    rows_of(arena, op[OUT] + here, rows, n), rows_of(arena, op[IN] + here, rows, n),
                    vector(arena, op, DBETA_PART, thread, threads), vector(arena, op, DGAMMA_PART, thread, threads),
                )  # fmt: skip
            elif kind == NORMALIZE_BACK:
                normalization.back(
                    rows_of(arena, op[OUT] + here, rows, n), rows_of(arena, op[IN] + here, rows, n),
                    vector(arena, op, DBETA, thread, threads), vector(arena, op, DGAMMA, thread, threads),
                    vector(arena, op, SCALE, thread, threads), theta[op[P] : op[P] + n],
                )  # fmt: skip


@compiled
def clear(op: Numbers, arena: Array, thread: int, threads: int) -> None:
    """This thread's sums back to 0."""
    if op[KIND] == BIAS_SUM:
        at = op[EXTRA] + thread * op[N]
        arena[at : at + op[N]] = 0
    else:
        vector(arena, op, DBETA_PART, thread, threads)[:] = 0
        vector(arena, op, DGAMMA_PART, thread, threads)[:] = 0


@compiled
def statistics(
    op: Numbers, reals: NDArray[np.float64], begin: int, end: int, m: int, arena: Array, averages: Array,
    learning: bool, meeting: Numbers, thread: int, threads: int, yielding: int,
) -> None:  # fmt: skip
    """μ and 1/√(σ² + ε) over the whole batch, and the running averages; these themselves where nothing is learned."""
    n = op[N]
    Z = rows_of(arena, op[IN] + begin * n, end - begin, n)
    mean, scale = (
        vector(arena, op, MEAN, thread, threads),
        vector(arena, op, SCALE, thread, threads),
    )
    if not learning:
        normalization.copy(averages[op[P] : op[P] + n], mean)
        normalization.scales(averages[op[P] + n : op[P] + 2 * n], reals[1], scale)
        return
    variance = vector(arena, op, VARIANCE, thread, threads)
    normalization.column_sums(Z, vector(arena, op, SUM, thread, threads))
    meet(meeting, threads, yielding)
    normalization.add_up(all_vectors(arena, op, SUM, threads), mean, np.float64(m))
    normalization.column_squares(Z, mean, vector(arena, op, SQUARE, thread, threads))
    meet(meeting, threads, yielding)
    normalization.add_up(all_vectors(arena, op, SQUARE, threads), variance, np.float64(m))
    normalization.scales(variance, reals[1], scale)
    if thread == 0:
        kept, momentum = averages[op[P] : op[P] + 2 * n + 1], reals[0]
        kept[2 * n] += 1
        share = (1 - momentum) / (1 - momentum ** np.float64(kept[2 * n]))
        normalization.average(mean, kept[:n], share)
        normalization.average(variance, kept[n : 2 * n], share)


@compiled
def sums_together(
    op: Numbers, m: int, arena: Array, meeting: Numbers, thread: int, threads: int, yielding: int
) -> None:
    """mean(dY) and mean(dY·Ẑ) over the whole batch, in a place of each thread."""
    meet(meeting, threads, yielding)
    for part, total in ((DBETA_PART, DBETA), (DGAMMA_PART, DGAMMA)):
        normalization.add_up(
            all_vectors(arena, op, part, threads), vector(arena, op, total, thread, threads), np.float64(m)
        )


@compiled
def taken_in_turn(panels: Numbers, turn: Whole, thread: int, threads: int) -> Whole:
    """The panel to try next: a thread's own from the first on, then those of the others, from the last on."""
    first = after = np.int64(0)
    for q in range(len(panels)):
        first += panels[q, 0] < thread
        after += panels[q, 0] <= thread
    if turn < after - first:
        return first + turn
    place = len(panels) - 1 - (turn - (after - first))
    return place if place >= after else place - (after - first)


@entrance
def run(
    function: int, forward: Numbers, forward_reals: NDArray[np.float64], backward: Numbers,
    backward_reals: NDArray[np.float64], panels: Numbers, reductions: Numbers, places: Numbers, arena: Array,
    masks: NDArray[np.uint8], theta: Array, g: Array, v: Array, s: Array, averages: Array, x: Array, gathered: bool,
    rows: Numbers, start: int, labels: Numbers, targets: Array, table: Array, weights: Array, size: int, count: int,
    learning: bool, answers: Array, rates: NDArray[np.float64], t: int, constants: NDArray[np.float64],
    clip_norm: float, whole: bool, keys: NDArray[np.uint64], sums: NDArray[np.float64], costs: NDArray[np.float64],
    totals: NDArray[np.float64], local: Numbers, moments: NDArray[np.float64], blocks: NDArray[np.uint64],
    meeting: Numbers, thread: int, threads: int, yielding: int,
) -> int:  # fmt: skip
    """Steps t, t + 1, … over `count` examples in batches of `size`; how many were taken.

    The examples are rows[start:] of x where it is `gathered`, else x[start:] itself. Where there are targets, these
    and the weights go by the same row numbers; else they are the table's and the weights' of the row's label.
    A step whose cost is not finite is the last one. `totals` gains Σ cost·m, Σ loss·m and the right answers, and
    ends with the last step's own.

    Without `learning` there is only the way forward: every batch is one thread's own, its logits go to `answers` and
    the sum of its losses to its place in `totals`, so that nothing depends on how many threads there are.
    """
    item, base = arena.itemsize, np.int64(arena.ctypes.data)
    weights_at, gradient_at = np.int64(theta.ctypes.data), np.int64(g.ctypes.data)
    n_in, k, own = x.shape[1], places[OUTPUTS], thread * places[PANEL_SIZE]
    panel_at = places[PANEL_AT] + own
    by_class, whole = len(labels) > 0, whole or clip_norm > 0
    now, words = moments[thread], blocks[thread]
    yes, no = np.int64(1), np.int64(0)
    taken = 0
    for first in range(0, count, size):
        m = min(size, count - first)
        begin, end = m * thread // threads, m * (thread + 1) // threads
        shift = start + first  # from a row of the batch to one of the set
        if not learning:
            if first // size % threads != thread:
                continue
            begin, end = thread * size, thread * size + m
            shift -= begin
        side = sums[(t + taken) % 2]
        mine = side[thread]
        mine[:] = 0
        if learning:
            moment(constants, rates[taken], t + taken, m, now)

        # -- the batch
        inputs = base + places[X_AT] * item
        if gathered or places[COPIES]:
            X = rows_of(arena, places[X_AT], end, n_in)
            for i in range(begin, end):
                source = x[rows[shift + i]] if gathered else x[shift + i]
                target = X[i]
                for j in range(n_in):
                    target[j] = source[j]
        else:
            inputs = np.int64(x.ctypes.data) + shift * n_in * item
        Y = rows_of(arena, places[Y_AT], end, k)
        w = arena[places[W_AT] : places[W_AT] + (end if len(weights) > 0 else 0)]
        for i in range(begin, end):
            row = rows[shift + i] if len(rows) > 0 else shift + i
            if by_class:
                local[i] = labels[row]
            if len(targets) > 0:
                for c in range(k):
                    Y[i, c] = targets[row, c]
                if len(weights) > 0:
                    w[i] = weights[row]
            else:
                for c in range(k):
                    Y[i, c] = table[labels[row], c]
                if len(weights) > 0:
                    w[i] = weights[labels[row]]

        # -- forward
        at_op = np.int64(0)
        while at_op < len(forward):
            op = forward[at_op]
            if op[KIND] == PRODUCT:
                low, high, left, right = share(op, op[N], begin, end, m, thread, threads)
                if op[WHICH] == BY_COLUMNS:  # all rows of what it multiplies have to be there
                    meet(meeting, threads, yielding)
                a = (inputs if op[IN] == INPUT else base + op[IN] * item) + low * op[K] * item
                if high > low and right > left:
                    gemm(function, AS_IT_IS, AS_IT_IS, high - low, right - left, op[K], a, op[K],
                         weights_at + (op[P] + left) * item, op[N],
                         base + (op[OUT] + low * op[N] + left) * item, op[N], arena)  # fmt: skip
                if op[WHICH] == BY_COLUMNS:
                    meet(meeting, threads, yielding)
                at_op += 1
            elif op[KIND] == STATISTICS:
                statistics(op, forward_reals[at_op], begin, end, m, arena, averages, learning, meeting, thread, threads,
                           yielding)  # fmt: skip
                at_op += 1
            else:
                group(forward, forward_reals, at_op, op[GROUP], begin, end, arena, masks, theta, t + taken, keys,
                      words, thread, threads)  # fmt: skip
                at_op = op[GROUP]

        # -- the loss, whose gradient takes the place of the logits
        Z, mine_Y = rows_of(arena, places[Z_AT] + begin * k, end - begin, k), Y[begin:end]
        mine_w = w[begin:end] if len(weights) > 0 else w
        if not learning:
            for i in range(end - begin):
                for c in range(k):
                    answers[first + i, c] = Z[i, c]
        if by_class:
            mine[1] = loss.right_answers(Z, local[begin:end])
        if places[LOSS] == loss.SOFTMAX:
            at = places[ROW_AT] + begin
            mine[0] = loss.softmax(Z, mine_Y, mine_w, m, arena[at : at + end - begin])
        elif places[LOSS] == loss.SIGMOID:
            mine[0] = loss.sigmoid(Z, mine_Y, mine_w, m)
        else:
            mine[0] = loss.squares(Z, mine_Y, m)
        if not learning:
            totals[first // size] = mine[0]
            continue

        # -- backward, down to the lowest layer that learns
        at_op = np.int64(0)
        while at_op < len(backward):
            op = backward[at_op]
            if op[KIND] == PRODUCT_BACK:
                low, high, left, right = share(op, op[K], begin, end, m, thread, threads)
                if op[WHICH] == BY_COLUMNS:
                    meet(meeting, threads, yielding)
                if high > low and right > left:
                    gemm(function, AS_IT_IS, TRANSPOSED, high - low, right - left, op[N],
                         base + (op[IN] + low * op[N]) * item, op[N], weights_at + (op[P] + left * op[N]) * item, op[N],
                         base + (op[OUT] + low * op[K] + left) * item, op[K], arena)  # fmt: skip
                if op[WHICH] == BY_COLUMNS:
                    meet(meeting, threads, yielding)
                at_op += 1
            elif op[KIND] == SUMS_TOGETHER:
                sums_together(op, m, arena, meeting, thread, threads, yielding)
                at_op += 1
            else:
                group(backward, backward_reals, at_op, op[GROUP], begin, end, arena, masks, theta, t + taken, keys,
                      words, thread, threads)  # fmt: skip
                at_op = op[GROUP]

        # -- the weights, a panel of rows at a time: its gradient is used while it is in the cache
        meet(meeting, threads, yielding)
        small = places[WEIGHTS]
        if thread == 0:
            for q in range(len(reductions)):
                at, n, to = reductions[q, 0], reductions[q, 1], reductions[q, 2]
                normalization.add_up(rows_of(arena, at, threads, n), g[to : to + n], np.float64(1))
            if whole:
                objective(now, theta[small:], g[small:], no)
                mine[2] = sum_of_squares(g[small:])
        for turn in range(len(panels)):
            number = taken_in_turn(panels, turn, thread, threads)
            if not claim(meeting, number, threads):
                continue
            panel, worth = panels[number], costs[(t + taken) % 2, number]
            D, A, lda, n, at, high = panel[1], panel[2], panel[3], panel[4], panel[5], panel[6]
            length = high * n
            a = (inputs + panel[7] * item) if A == INPUT else base + (A + panel[7]) * item
            to = gradient_at + at * item if whole else base + panel_at * item
            gemm(function, TRANSPOSED, AS_IT_IS, high, n, m, a, lda, base + D * item, n, to, n, arena)
            worth[:] = 0
            if whole:
                grad, W = g[at : at + length], theta[at : at + length]
                for piece in range(0, length, PIECE):
                    to_piece = min(piece + PIECE, length)
                    worth[0] += objective(now, W[piece:to_piece], grad[piece:to_piece], yes)
                    if clip_norm > 0:
                        worth[1] += sum_of_squares(grad[piece:to_piece])
            else:
                worth[0] += update(now, theta[at : at + length], arena[panel_at : panel_at + length],
                                   v[at : at + length], s[at : at + length], yes)  # fmt: skip
        if whole:
            times = 1.0
            meet(meeting, threads, yielding)
            if clip_norm > 0:
                squares = side[0, 2]
                for q in range(len(panels)):
                    squares += costs[(t + taken) % 2, q, 1]
                times = clipping(squares, clip_norm)
            for q in range(len(panels)):
                if panels[q, 0] == thread:
                    at, length = panels[q, 5], panels[q, 6] * panels[q, 4]
                    if times != 1:
                        shrink(g[at : at + length], times)
                    move(now, theta[at : at + length], g[at : at + length], v[at : at + length],
                         s[at : at + length], yes)  # fmt: skip
            if thread == 0:
                if times != 1:
                    shrink(g[small:], times)
                move(now, theta[small:], g[small:], v[small:], s[small:], no)
        elif thread == 0:
            update(now, theta[small:], g[small:], v[small:], s[small:], no)
        meet(meeting, threads, yielding)

        # -- what the batch was worth before its update; every thread adds the same numbers in the same order
        loss_sum, correct, penalty = 0.0, 0.0, 0.0
        for other in range(threads):
            loss_sum += side[other, 0]
            correct += side[other, 1]
        for q in range(len(panels)):
            penalty += costs[(t + taken) % 2, q, 0]
        mean = loss_sum / m
        cost = mean + penalty
        taken += 1
        if thread == 0:
            totals[0] += cost * m
            totals[1] += mean * m
            totals[2] += correct
            totals[3], totals[4], totals[5] = cost, mean, correct
        if not np.isfinite(cost):
            break
    return taken
