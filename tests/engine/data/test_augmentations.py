"""What augmentations do to images and rows, held against what they promise and against scipy."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy import ndimage, stats

from engine.data.augmentation.augmentations import AnyAugmentation, Elastic, Mixup
from engine.data.augmentation.augmenter import Augmenter, augmented_column
from engine.data.augmentation.image_warp import FusedWarp, ImageWarp
from engine.data.augmentation.row_draws import RowDraws
from engine.errors import SpecError
from tests.engine.families import members, type_of

AUGMENT = TypeAdapter(tuple[AnyAugmentation, ...])
STILL = {
    "flip": {"horizontal": 0}, "rotate": {"degrees": 0}, "zoom": {"by": 0}, "shift": {"horizontal": 0, "vertical": 0},
    "crop": {"smallest": 1}, "elastic": {"strength": 0}, "brightness": {"by": 0}, "contrast": {"by": 0},
    "color": {"by": 0}, "noise": {"std": 0}, "mixup": {"alpha": 0},
}  # fmt: skip
ALL = [type_of(member) for member in members(AnyAugmentation)]
SHAPES = [(28, 28), (9, 14), (16, 12, 3), (8, 8, 1)]
EVERYTHING = [{"type": kind} for kind in ALL if kind != "mixup"]


def augmenter(augment: list[dict], shape: tuple[int, ...], seed: int = 0) -> Augmenter:
    return Augmenter(AUGMENT.validate_python(augment), shape, seed)


def images(shape: tuple[int, ...], rows: int = 20, dtype: str = "u1") -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (rows, *shape)).astype(dtype)


@pytest.mark.parametrize("dtype", ["u1", "f4", "f8", "i2"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ALL)
def test_a_strength_of_zero_is_the_identity(kind: str, shape: tuple[int, ...], dtype: str) -> None:
    if kind == "color" and shape[2:] != (3,):
        return
    x, rows = images(shape, dtype=dtype), np.arange(20)
    still = augmenter([{"type": kind} | STILL[kind]], shape)
    np.testing.assert_array_equal(still.apply(x, rows, 1), x)
    flat, targets = x.reshape(20, -1).astype(np.float32), np.eye(20, dtype=np.float32)
    mixed, labels = flat.copy(), targets.copy()
    still.mix(mixed, labels, rows, 1)
    np.testing.assert_array_equal(mixed, flat)
    np.testing.assert_array_equal(labels, targets)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("chance", "axis"), [({"horizontal": 1}, 2), ({"horizontal": 0, "vertical": 1}, 1)])
def test_flipping_twice_is_the_identity(shape: tuple[int, ...], chance: dict, axis: int) -> None:
    x, rows = images(shape), np.arange(20)
    flip = {"type": "flip", **chance}
    once = augmenter([flip], shape).apply(x, rows, 1).copy()
    np.testing.assert_array_equal(once, np.flip(x, axis))
    np.testing.assert_array_equal(augmenter([flip], shape).apply(once, rows, 2), x)
    np.testing.assert_array_equal(augmenter([flip, flip], shape).apply(x, rows, 1), x)


@pytest.mark.parametrize("fill", ["zero", "edge"])
@pytest.mark.parametrize("shape", [(13, 10), (13, 10, 3)])
def test_the_warp_reads_where_scipy_reads(shape: tuple[int, ...], fill: str) -> None:
    """One image turned, enlarged and moved, its map rebuilt here from the same draws."""
    x, row, seed, epoch = images(shape, 1), np.array([77]), 5, 3
    augment = [
        {"type": "rotate", "degrees": 40, "fill": fill},
        {"type": "zoom", "by": 0.3, "fill": fill},
        {"type": "shift", "horizontal": 0.2, "vertical": 0.1, "fill": fill},
    ]
    angle, scale, (right, down) = (RowDraws(seed, epoch, place, row).symmetric(2)[0] for place in range(3))
    turned = angle[0] * np.deg2rad(40)
    center = (np.array(shape[:2]) - 1) / 2
    # In scipy's order, rows before columns: old = R/z·(new + shift − center) + center.
    matrix = np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
    moved = np.array([down * 0.1 * shape[0], right * 0.2 * shape[1]])
    linear = matrix / (1 + scale[0] * 0.3)
    offset = matrix @ ((moved - center) / (1 + scale[0] * 0.3)) + center
    found = augmenter(augment, shape, seed).apply(x, row, epoch)[0].reshape(*shape[:2], -1)
    mode = "constant" if fill == "zero" else "nearest"
    for channel in range(found.shape[2]):
        image = x[0].reshape(*shape[:2], -1)[..., channel].astype(float)
        # Beyond the border scipy's "constant" cuts off at once; with a frame of zeros it fades out as ours does.
        framed = np.pad(image, 30, mode="constant" if fill == "zero" else "edge")
        wanted = ndimage.affine_transform(framed, linear, offset + 30 - linear @ np.full(2, 30), order=1, mode=mode)[
            30:-30, 30:-30
        ]
        np.testing.assert_allclose(found[..., channel], wanted, atol=2e-3)


@pytest.mark.parametrize("pulled", [False, True])
@pytest.mark.parametrize("fill", ["zero", "edge"])
@pytest.mark.parametrize(("dtype", "off"), [("u1", 2**-23), ("f4", 2**-23), ("f8", 2**-52)])
@pytest.mark.parametrize("shape", [(28, 28, 1), (9, 14, 3), (16, 12, 4)])
def test_the_compiled_warp_is_the_plain_formula(
    shape: tuple[int, int, int], dtype: str, off: float, fill: str, pulled: bool
) -> None:
    """Places differ by rounding only: by a few units in the last place of a place, and that times a slope of 255."""
    h, w, _ = shape
    x, rng = images(shape, 50, dtype), np.random.default_rng(2)
    maps = np.tile(np.eye(3), (50, 1, 1))
    maps[:, :2] += rng.normal(0, 0.3, (50, 2, 3)) * [1, 1, w]
    number = np.result_type(dtype, np.float32)
    field = rng.normal(0, 3, (50, 2, h, w)).astype(number) if pulled else None
    plain, fused = np.empty(x.shape, number), np.empty(x.shape, number)
    ImageWarp(50, shape, number, fill).apply(x, maps, field, plain)
    FusedWarp(shape, number, fill).apply(x, maps, field, fused)
    np.testing.assert_allclose(fused, plain, rtol=0, atol=255 * 8 * max(h, w) * off)
    assert np.mean(fused == plain) > 0.1  # what neither rounds is equal


@given(st.lists(st.integers(1, 59), max_size=5, unique=True), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_a_row_is_varied_alike_in_whatever_batch_it_comes(cuts: list[int], random) -> None:
    shape = (28, 28, 3)
    x = images(shape, 60)
    whole = augmenter(EVERYTHING, shape).apply(x, np.arange(60), 4).copy()
    order = np.array(random.sample(range(60), 60))
    again = augmenter(EVERYTHING, shape)
    batches = [again.apply(x[rows], rows, 4).copy() for rows in np.split(order, sorted(cuts))]
    np.testing.assert_array_equal(np.concatenate(batches), whole[order])


@pytest.mark.parametrize("kind", ALL)
def test_another_epoch_seed_row_or_place_is_another_draw(kind: str) -> None:
    shape, rows = (16, 12, 3), np.arange(40)
    x, other = images(shape, 40), {"type": "brightness", "by": 0}

    def varied(augment: list[dict], seed: int, epoch: int, rows: np.ndarray) -> bytes:
        made = augmenter(augment, shape, seed)
        flat = made.apply(x, rows, epoch).reshape(40, -1).astype(np.float32)
        made.mix(flat, np.eye(40, dtype=np.float32), rows, epoch)
        return flat.tobytes()

    one = [{"type": kind}]
    results = [
        varied(one, 0, 1, rows), varied(one, 1, 1, rows), varied(one, 0, 2, rows), varied(one, 0, 1, rows + 1),
        varied([other, *one], 0, 1, rows),
    ]  # fmt: skip
    assert len(set(results)) == 5
    assert varied(one, 0, 1, rows) == results[0]


def test_integers_stay_in_their_range() -> None:
    x = images((16, 12, 3), 200)
    strong = [{"type": "brightness", "by": 1}, {"type": "contrast", "by": 1}, {"type": "noise", "std": 1}]
    varied = augmenter(strong, (16, 12, 3)).apply(x, np.arange(200), 1)
    assert varied.min() == 0 and varied.max() == 255 and varied.dtype == np.float32


def test_the_displacement_of_rubber_is_as_strong_as_asked() -> None:
    field = Elastic(strength=0.05, smoothness=0.2).displacement(
        RowDraws(0, 1, 0, np.arange(500)), (40, 60), np.dtype(np.float32)
    )
    assert field.shape == (500, 2, 40, 60)
    assert field.std() == pytest.approx(0.05 * 40, rel=0.03)
    assert abs(field.mean()) < 0.1
    # Neighbors move alike, and pixels far apart do not.
    near, far = (np.corrcoef(field[:, 0, 20, 30], field[:, 0, 20, place])[0, 1] for place in (31, 58))
    assert near > 0.9 and abs(far) < 0.2


def test_uniform_draws_are_uniform_and_normal_ones_normal() -> None:
    draws = RowDraws(3, 1, 0, np.arange(300))
    uniform, normal = draws.uniform(301), draws.normal(301)
    assert stats.kstest(uniform.ravel(), "uniform").pvalue > 1e-3
    assert stats.kstest(normal.ravel(), "norm").pvalue > 1e-3
    assert uniform.min() >= 0 and uniform.max() < 1
    between_rows, between_places = np.corrcoef(uniform), np.corrcoef(uniform.T)
    for correlations in (between_rows, between_places):
        assert np.abs(correlations - np.eye(len(correlations))).max() < 0.35


def test_the_first_hashes_are_those_of_the_published_generator() -> None:
    """SplitMix64 seeded with 0 begins with 0xe220a8397b1dcdaf, as its authors' C code has it."""
    draws = RowDraws(0, 1, 0, np.arange(1))
    draws.keys[:] = 0
    upper = [0x7B1DCDAF >> 8, 0xE220A839 >> 8]  # the lower half comes first in memory
    np.testing.assert_array_equal(draws.uniform(2)[0] * 2**24, upper)


@pytest.mark.parametrize("alpha", [0.1, 0.2, 1.0, 4.0])
def test_mixup_shares_follow_the_beta_distribution(alpha: float) -> None:
    shares = Mixup(alpha=alpha).shares(RowDraws(0, 1, 0, np.arange(20_000)))
    left = shares[shares < 0.5]  # near 1 a double cannot tell shares apart that it can near 0
    assert len(left) == pytest.approx(10_000, abs=250)
    assert stats.kstest(left, lambda share: 2 * stats.beta(alpha, alpha).cdf(share)).statistic < 0.015


def test_mixup_blends_inputs_and_answers_alike() -> None:
    rows = np.arange(100, 150)
    X, Y = np.eye(50), np.eye(50)
    augmenter([{"type": "mixup", "alpha": 1}], ()).mix(X, Y, rows, 1)
    np.testing.assert_array_equal(X, Y)
    np.testing.assert_allclose(Y.sum(axis=1), 1)
    partners = [np.flatnonzero(row * (1 - np.eye(50)[place])) for place, row in enumerate(Y)]
    assert sorted(int(partner[0]) for partner in partners) == list(range(50))
    # The same rows in another order are mixed with the same partners.
    order = np.random.default_rng(0).permutation(50)
    X2, Y2 = np.eye(50)[order], np.eye(50)[order]
    augmenter([{"type": "mixup", "alpha": 1}], ()).mix(X2, Y2, rows[order], 1)
    np.testing.assert_array_equal(X2, X[order])


def test_mixup_of_weighted_examples_weighs_each_half_by_its_own() -> None:
    rows, X, Y = np.arange(6), np.eye(6), np.eye(6)
    weights = np.array([1.0, 2, 3, 4, 5, 0])[:, None]
    w = weights.copy()
    augmenter([{"type": "mixup", "alpha": 1}], ()).mix(X, Y, rows, 1, w)
    # X says how much of every row is in each; the loss −w·Σ y·log ŷ must be Σ λ·w·loss.
    logs = np.log(np.linspace(0.1, 0.9, 6))
    np.testing.assert_allclose(w[:, 0] * (Y @ logs), X @ (weights[:, 0] * logs))


def test_noise_of_a_table_goes_to_its_scaled_inputs() -> None:
    X, Y = np.zeros((3000, 30), np.float32), np.zeros((3000, 1), np.float32)
    made = augmenter([{"type": "noise", "std": 0.5}], ())
    assert not made.varies_images and made.varies_inputs
    made.mix(X, Y, np.arange(3000), 1)
    assert X.std() == pytest.approx(0.5, rel=0.02) and abs(X.mean()) < 0.01


def test_memory_does_not_grow_with_the_batch() -> None:
    x = images((28, 28), 4000)
    made = augmenter([kind for kind in EVERYTHING if kind["type"] != "color"], (28, 28))
    made.apply(x[:64], np.arange(64), 1)
    tracemalloc.start()
    made.apply(x, np.arange(4000), 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < x.size * 4 + 6e6  # the answer, and the buffers of a chunk


REFUSED = {
    "images in a table": ([{"type": "flip"}], {"age": (), "income": ()}, "/data/augment/0", "varies images"),
    "a flattened image": ([{"type": "noise"}, {"type": "zoom"}], {"x": (784,)}, "/data/augment/1", "(784,)"),
    "an image beside a number": ([{"type": "shift"}], {"x": (28, 28), "age": ()}, "/data/augment/0", "'age'"),
    "colors of gray": ([{"type": "color"}], {"x": (28, 28)}, "/data/augment/0", "red, green and blue"),
    "two fills": (
        [{"type": "rotate"}, {"type": "flip"}, {"type": "shift", "fill": "edge"}],
        {"x": (28, 28)}, "/data/augment/2/fill", "one fill",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_with_its_place(name: str) -> None:
    augment, shapes, pointer, sentence = REFUSED[name]
    with pytest.raises(SpecError, match=sentence.replace("(", r"\(").replace(")", r"\)")) as caught:
        augmented_column(AUGMENT.validate_python(augment), shapes)
    assert caught.value.pointer == pointer


def test_noise_and_mixup_suit_any_table() -> None:
    augment = AUGMENT.validate_python([{"type": "noise"}, {"type": "mixup"}])
    assert augmented_column(augment, {"age": (), "x": (3, 3)}) is None
    assert augmented_column(augment, {"x": (28, 28)}) == "x"


@pytest.mark.parametrize("member", members(AnyAugmentation), ids=type_of)
def test_every_field_says_what_it_does(member) -> None:
    assert all(field.description for name, field in member.model_fields.items()), member
