"""Specs that must be refused: what is sent, where the fault lies, and what the answer has to say about it."""

from dataclasses import dataclass

from pydantic import JsonValue

DATA: dict[str, JsonValue] = {"train": "digits", "target": "label"}


@dataclass(frozen=True)
class BadSpec:
    name: str
    spec: JsonValue
    pointer: str
    says: str


def spec(**fields: JsonValue) -> dict[str, JsonValue]:
    return {"data": DATA, **fields}


def data(**fields: JsonValue) -> JsonValue:
    return spec(data={**DATA, **fields})


BAD_SPECS = [
    BadSpec("no data", {}, "/data", "is required"),
    BadSpec("not an object", [1, 2], "", "must be an object"),
    BadSpec("mistyped field", spec(layrs=[]), "/layrs", "did you mean 'layers'"),
    BadSpec(
        "a checkpoint beyond 64 bits",
        spec(start_from={"job": "job_1", "checkpoint": 2**63}),
        "/start_from/checkpoint",
        "must be less than or equal to 2147483647 or 'best' or 'last'",
    ),
    BadSpec(
        "a checkpoint of 200 digits",
        spec(start_from={"job": "job_1", "checkpoint": 10**200}),
        "/start_from/checkpoint",
        "must be less than or equal to 2147483647 or 'best' or 'last'",
    ),
    BadSpec("mistyped nested field", spec(layers=[{"type": "dense", "unit": 3}]), "/layers/0/unit", "units"),
    BadSpec("mistyped type", spec(layers=[{"type": "dens", "units": 3}]), "/layers/0/type", "'dense'"),
    BadSpec("no type", spec(layers=[{"type": "relu"}, {"units": 3}]), "/layers/1/type", "is required"),
    BadSpec("mistyped optimizer", spec(optimizer={"type": "adamm"}), "/optimizer/type", "'adam'"),
    BadSpec("mistyped name of an optimizer", spec(optimizer="adamm"), "/optimizer", "did you mean 'adam'"),
    BadSpec("a name that is not enough", spec(layers=[64, "dense"]), "/layers/1", "'dense' needs 'units'"),
    BadSpec(
        "a number for an optimizer", spec(optimizer=1), "/optimizer", "must be an object or the name of one, not 1"
    ),
    BadSpec("a mistyped name in a short list", spec(layers=[64, "tanhh", 32]), "/layers/1", "did you mean 'tanh'"),
    BadSpec("no units in a short list", spec(layers=["relu", 0]), "/layers/1", "must be greater than 0, not 0"),
    BadSpec("half a unit", spec(layers=[64, 0.5]), "/layers/1", "must be an integer, not 0.5"),
    BadSpec("too wide in a short list", spec(layers=[64, 64, 65_537]), "/layers/2", "65536"),
    BadSpec("more layers than can be", spec(layers=[8] * 1001), "/layers", "at most 1000 entries"),
    BadSpec("more layers than can be, in short", spec(layers=[8] * 501), "/layers", "at most 1000 are possible"),
    BadSpec("two shares", data(split=[0.8, 0.2]), "/data/split", "three shares, of train, dev, test"),
    BadSpec("a share above one", data(split=[0.6, 1.2, 0.2]), "/data/split/1", "must be less than 1, not 1.2"),
    BadSpec("shares below one", data(split=[0.5, 0.2, 0.2]), "/data/split", "must be 1, not 0.9"),
    BadSpec("a loss by name for another target", spec(loss="sigmoid_cross_entropy"), "/loss", "softmax_cross_entropy"),
    BadSpec("a mistyped column type", data(columns={"a/b": "categry"}), "/data/columns/a~1b", "'category'"),
    BadSpec(
        "a batch of one under batch norm",  # 1078 = 3·359 + 1
        spec(layers=[{"type": "dense", "units": 4}, {"type": "batch_norm"}], training={"batch_size": 359}),
        "/training/batch_size",
        "such as 360",
    ),
    BadSpec(
        "early stopping without a dev set",
        spec(data={**DATA, "split": {"type": "given"}}, training={"early_stopping": {}}),
        "/training/early_stopping",
        "no dev set",
    ),
    BadSpec(
        "early stopping on a metric of another task",
        spec(training={"early_stopping": {"metric": "dev_r2"}}),
        "/training/early_stopping/metric",
        "dev_accuracy",
    ),
    BadSpec(
        "a field named like the type",
        spec(layers=[{"type": "dropout", "dropout": 1}]),
        "/layers/0/dropout",
        "unknown field",
    ),
    BadSpec("true for an integer", spec(training={"epochs": True}), "/training/epochs", "not true"),
    BadSpec("text for an integer", spec(training={"epochs": "5"}), "/training/epochs", 'not "5"'),
    BadSpec("half an epoch", spec(training={"epochs": 4.5}), "/training/epochs", "not 4.5"),
    BadSpec(
        "text for a number", spec(optimizer={"type": "adam", "learning_rate": "0.1"}), "/optimizer/learning_rate", "not"
    ),
    BadSpec("one for true", spec(training={"shuffle": 1}), "/training/shuffle", "not 1"),
    BadSpec("batch size in words", spec(training={"batch_size": "all"}), "/training/batch_size", "or 'full'"),
    BadSpec("no units", spec(layers=[{"type": "dense", "units": 0}]), "/layers/0/units", "not 0"),
    BadSpec("a keep_prob above one", spec(layers=[{"type": "dropout", "keep_prob": 2}]), "/layers/0/keep_prob", "1"),
    BadSpec(
        "negative learning rate",
        spec(optimizer={"type": "adam", "learning_rate": -1}),
        "/optimizer/learning_rate",
        "-1",
    ),
    BadSpec("mistyped precision", spec(precision="float46"), "/precision", "did you mean 'float64'"),
    BadSpec("negative seed", spec(seed=-1), "/seed", "-1"),
    BadSpec("long name", spec(name="x" * 65), "/name", "64"),
    BadSpec("fractions above one", data(split={"type": "fractions", "train": 0.9}), "/data/split", "must be 1"),
    BadSpec("mistyped split", data(split={"type": "fraction"}), "/data/split/type", "'fractions'"),
    BadSpec("unknown dataset", data(train="digitz"), "/data/train", "digits"),
    BadSpec("unknown target", data(target="lable"), "/data/target", "label"),
    BadSpec("unknown feature", data(features=["pixel"]), "/data/features/0", "pixels"),
    BadSpec(
        "unknown parameters",
        spec(initializer={"type": "given", "parameters": "mine"}),
        "/initializer/parameters",
        "mine",
    ),
    BadSpec("too wide", spec(layers=[{"type": "dense", "units": 65_537}]), "/layers/0/units", "65536"),
    BadSpec("too long", spec(training={"epochs": 100_001}), "/training/epochs", "100000"),
    BadSpec("too deep", spec(layers=[{"type": "dense", "units": 2}] * 65), "/layers", "64"),
    BadSpec("too large", spec(layers=[{"type": "dense", "units": 60_000}] * 3), "/layers", "50000000"),
]

SMALLEST = b'{"data": {"train": "digits", "target": "label"}'


@dataclass(frozen=True)
class BadBytes:
    name: str
    body: bytes
    status: int
    pointer: str | None  # None: the body as a whole cannot be read


BAD_BYTES = [
    BadBytes("NaN", SMALLEST + b', "regularization": {"l2": NaN}}', 422, "/regularization/l2"),
    BadBytes("NaN for an integer", SMALLEST + b', "seed": NaN}', 422, "/seed"),
    BadBytes("NaN in an unknown field", SMALLEST + b', "x": [0, NaN]}', 422, "/x/1"),
    BadBytes("infinity", SMALLEST + b', "regularization": {"l2": -Infinity}}', 422, "/regularization/l2"),
    BadBytes("1e999", SMALLEST + b', "regularization": {"l2": 1e999}}', 422, "/regularization/l2"),
    BadBytes("5000 digits", SMALLEST + b', "seed": ' + b"9" * 5000 + b"}", 422, "/seed"),
    BadBytes("lone surrogate", SMALLEST + b', "name": "\\ud800"}', 422, "/name"),
    BadBytes("lone surrogate in a key", SMALLEST + b', "\\udfff": 1}', 422, ""),
    BadBytes("NUL", SMALLEST + b', "name": "a\\u0000b"}', 422, "/name"),
    BadBytes("twins", SMALLEST + b', "seed": 1, "seed": 2}', 422, "/seed"),
    BadBytes("nested twins", b'{"data": {"train": "digits", "target": "a", "target": "b"}}', 422, "/data/target"),
    BadBytes("broken UTF-8", SMALLEST + b', "name": "\xff"}', 400, None),
    BadBytes("surrogate in UTF-8", SMALLEST + b', "name": "\xed\xa0\x80"}', 400, None),
    BadBytes("UTF-16", (SMALLEST + b"}").decode().encode("utf-16"), 400, None),
    BadBytes("byte order mark", b"\xef\xbb\xbf" + SMALLEST + b"}", 400, None),
    BadBytes("100 000 levels", b"[" * 100_000 + b"]" * 100_000, 400, None),
    BadBytes("100 levels", b'{"a":' * 100 + b"1" + b"}" * 100, 400, None),
    BadBytes("cut short", SMALLEST, 400, None),
    BadBytes("two documents", SMALLEST + b"} {}", 400, None),
    BadBytes("a comment", b"{} // nothing", 400, None),
    BadBytes("blanks", b"   ", 400, None),
    BadBytes("nothing", b"", 422, ""),
    BadBytes("null", b"null", 422, ""),
    BadBytes("text", b'"digits"', 422, ""),
    BadBytes("too many bytes", b'{"name": "' + b"x" * 300_000 + b'"}', 413, None),
]
