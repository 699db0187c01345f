"""Specs in the words of Keras, PyTorch, scikit-learn and the textbook, and what each is told, or read as."""

from dataclasses import dataclass
from typing import Any

WINE = {"train": "wine", "target": "label"}


@dataclass(frozen=True)
class Foreign:
    """What somebody wrote beside the data of the smallest job, where that is answered, and with what hint."""

    said: dict[str, Any]
    pointer: str
    hint: str


@dataclass(frozen=True)
class Short:
    """What somebody wrote in short, and what it is in full."""

    said: dict[str, Any]
    meant: dict[str, Any]


def layers(*entries: object) -> dict[str, Any]:
    return {"layers": [{"type": "dense", "units": 6}, *entries]}


def optimizer(kind: str, **fields: object) -> dict[str, Any]:
    return {"optimizer": {"type": kind, **fields}}


def data(**fields: object) -> dict[str, Any]:
    return {"data": {**WINE, **fields}}


def stopping(**fields: object) -> dict[str, Any]:
    return {"training": {"early_stopping": fields}}


DENSE, RELU = {"type": "dense"}, {"type": "relu"}

SHORT = [
    Short({"optimizer": "rmsprop"}, {"optimizer": {"type": "rmsprop", "learning_rate": 0.001, "beta": 0.9}}),
    Short({"layers": [48, 12]}, {"layers": [{**DENSE, "units": 48}, RELU, {**DENSE, "units": 12}, RELU]}),
    Short(
        {"layers": [48, "tanh", 12]},
        {"layers": [{**DENSE, "units": 48}, {"type": "tanh"}, {**DENSE, "units": 12}, RELU]},
    ),
    Short({"layers": ["sigmoid"]}, {"layers": [{"type": "sigmoid"}]}),
    Short({"layers": [RELU, RELU]}, {"layers": [RELU, RELU]}),
    Short(optimizer("momentum", beta=0.95), {"optimizer": {"type": "momentum", "beta": 0.95}}),
    Short(optimizer("adam", beta1=0.8), {"optimizer": {"type": "adam", "beta1": 0.8}}),
    Short(
        data(split=[0.7, 0.2, 0.1]), {"data": {"split": {"type": "fractions", "train": 0.7, "dev": 0.2, "test": 0.1}}}
    ),
    Short({"initializer": "glorot"}, {"initializer": {"type": "glorot", "distribution": "normal"}}),
    Short({"schedule": "cosine"}, {"schedule": {"type": "cosine", "floor": 0.0}}),
    Short({"loss": "softmax_cross_entropy"}, {"loss": {"type": "softmax_cross_entropy", "label_smoothing": 0.0}}),
    Short(data(normalize="minmax"), {"data": {"normalize": {"type": "minmax"}}}),
    Short(data(columns={"alcohol": "ignore"}), {"data": {"columns": {"alcohol": {"type": "ignore"}}}}),
]

FOREIGN = [
    # optimizers
    Foreign(optimizer("sgd", learning_rate=0.2), "/optimizer/type",
            'it is {"type": "gradient_descent", "learning_rate": 0.2} here'),
    Foreign(optimizer("sgd", momentum=0.8), "/optimizer/type",
            'sgd with momentum is {"type": "momentum", "beta": 0.8} here; add "classic": true'),
    Foreign(optimizer("SGD", lr=0.2, nesterov=True), "/optimizer/type",
            'SGD with nesterov is {"type": "momentum", "nesterov": true, "learning_rate": 0.2} here'),
    Foreign({"optimizer": "torch.optim.SGD"}, "/optimizer", "it is 'gradient_descent' here"),
    Foreign({"optimizer": {"name": "Adam", "lr": 0.02}}, "/optimizer/type",
            'it is {"type": "adam", "learning_rate": 0.02} here'),
    Foreign({"optimizer": "nadam"}, "/optimizer", "there is none; 'adam' comes nearest"),
    Foreign(optimizer("adam", lr=0.02), "/optimizer/lr", "it is 'learning_rate' here: \"learning_rate\": 0.02"),
    Foreign(optimizer("gradient_descent", alpha=0.02), "/optimizer/alpha",
            "it is 'learning_rate' here: \"learning_rate\": 0.02; scikit-learn's alpha, its L2 penalty, is "
            "/regularization/l2"),
    Foreign(optimizer("adam", weight_decay=0.01), "/optimizer/weight_decay",
            'it is /regularization/l2 here: {"regularization": {"l2": 0.64}}; l2 is PyTorch\'s weight decay times the '
            "batch size"),
    Foreign(optimizer("rmsprop", rho=0.95), "/optimizer/rho", "it is 'beta' here: \"beta\": 0.95"),
    Foreign(optimizer("adam", learning_rate=-0.5), "/optimizer/learning_rate", "must be greater than 0, not -0.5"),
    # layers
    Foreign(layers({"type": "dense", "units": 3, "activation": "elu"}), "/layers/1/activation",
            'an activation is a layer of its own, behind the dense layer: {"type": "elu"}'),
    Foreign({"layers": [{"type": "Dense", "units": 3}]}, "/layers/0/type", "did you mean 'dense'?"),
    Foreign(layers({"type": "dropout", "rate": 0.3}), "/layers/1/rate", "it is 'keep_prob' here: \"keep_prob\": 0.7"),
    Foreign(layers({"type": "dropout", "p": 0.1}), "/layers/1/p", "it is 'keep_prob' here: \"keep_prob\": 0.9"),
    Foreign(layers({"type": "batchnorm"}), "/layers/1/type", "did you mean 'batch_norm'?"),
    Foreign(layers({"type": "BatchNormalization"}), "/layers/1/type", "it is 'batch_norm' here"),
    Foreign(layers({"type": "linear", "units": 3}), "/layers/1/units",
            'linear with units is {"type": "dense", "units": 3} here'),
    Foreign(layers({"type": "Linear", "in_features": 6, "out_features": 3}), "/layers/1/type",
            'Linear with out_features is {"type": "dense", "units": 3} here'),
    Foreign(layers({"type": "dense", "units": 3, "l2": 0.2}), "/layers/1/l2",
            'it is /regularization/l2 here: {"regularization": {"l2": 0.2}}'),
    Foreign(layers({"type": "softmax"}), "/layers/1/type", "the output layer, with its softmax or sigmoid, follows"),
    Foreign(layers({"type": "conv2d", "filters": 8}), "/layers/1/type", "there are dense layers only"),
    Foreign({"layers": ["flatten", 6]}, "/layers/0", "inputs are flat already; leave it out"),
    Foreign({"layers": [6, "LeakyReLU"]}, "/layers/1", "did you mean 'leaky_relu'?"),
    Foreign({"layers": [6, "swish"]}, "/layers/1", "it is 'silu' here"),
    Foreign({"layers": [6, "logistic"]}, "/layers/1", "it is 'sigmoid' here"),
    Foreign(layers({"type": "dense", "units": 0}), "/layers/1/units", "must be greater than 0, not 0"),
    Foreign(layers({"type": "dropout", "keep_prob": 0}), "/layers/1/keep_prob", "must be greater than 0, not 0"),
    Foreign({"hidden_layer_sizes": [30, 20]}, "/hidden_layer_sizes", "it is 'layers' here: \"layers\": [30, 20]"),
    # losses and penalties
    Foreign({"loss": "mse"}, "/loss", "it is 'mean_squared_error' here"),
    Foreign({"loss": {"type": "MSELoss"}}, "/loss/type", "it is 'mean_squared_error' here"),
    Foreign({"loss": {"type": "categorical_crossentropy"}}, "/loss/type", "it is 'softmax_cross_entropy' here"),
    Foreign({"loss": {"type": "binary_crossentropy"}}, "/loss/type", "it is 'sigmoid_cross_entropy' here"),
    Foreign({"loss": "mae"}, "/loss", "there is none; 'mean_squared_error' comes nearest"),
    Foreign({"class_weight": "balanced"}, "/class_weight", "it is /loss/class_weights here"),
    Foreign({"regularization": {"lambda": 0.3}}, "/regularization/lambda",
            "it is 'l2' here: \"l2\": 0.3; the penalty is l2/(2m) times the sum of W^2, the course's lambda/(2m)"),
    Foreign({"regularization": {"weight_decay": 0.5}, "training": {"batch_size": 8}}, "/regularization/weight_decay",
            "it is 'l2' here: \"l2\": 4.0; l2 is PyTorch's weight decay times the batch size"),
    Foreign({"regularization": {"alpha": 0.001}}, "/regularization/alpha",
            "it is 'l2' here: \"l2\": 0.001; on the scale of scikit-learn's alpha"),
    Foreign({"regularization": {"C": 4}}, "/regularization/C", "it is 'l2' here: \"l2\": 0.25"),
    # the initial weights and the schedule
    Foreign({"initializer": {"type": "xavier_uniform"}}, "/initializer/type",
            'it is {"type": "glorot", "distribution": "uniform"} here'),
    Foreign({"initializer": {"type": "he_normal"}}, "/initializer/type", "it is 'he' here"),
    Foreign({"schedule": {"type": "step", "every": 4}}, "/schedule/type", "did you mean 'step_decay'?"),
    Foreign({"schedule": {"decay": 0.5}}, "/schedule/type",
            'with these fields it is {"type": "inverse_time", "decay": 0.5}'),
    Foreign({"schedule": {"type": "StepLR", "step_size": 7, "gamma": 0.1}}, "/schedule/type",
            'it is {"type": "step_decay", "every": 7, "factor": 0.1} here'),
    Foreign({"schedule": "ReduceLROnPlateau"}, "/schedule", "no schedule watches the cost; 'step_decay' comes nearest"),
    Foreign({"lr_scheduler": "CosineAnnealingLR"}, "/lr_scheduler", "it is 'schedule' here: \"schedule\": \"cosine\""),
    # the training
    Foreign({"epochs": 15}, "/epochs", 'it is /training/epochs here: {"training": {"epochs": 15}}'),
    Foreign({"max_iter": 15}, "/max_iter", 'it is /training/epochs here: {"training": {"epochs": 15}}'),
    Foreign({"batch_size": 16}, "/batch_size", 'it is /training/batch_size here: {"training": {"batch_size": 16}}'),
    Foreign({"learning_rate": 0.3}, "/learning_rate",
            'it is /optimizer/learning_rate here: {"optimizer": {"type": "adam", "learning_rate": 0.3}}'),
    Foreign({"learningRate": 0.3, "optimizer": "momentum"}, "/learningRate",
            'it is /optimizer/learning_rate here: {"optimizer": {"type": "momentum", "learning_rate": 0.3}}'),
    Foreign({"alpha": 0.3}, "/alpha",
            "the course's alpha is /optimizer/learning_rate, scikit-learn's alpha, its L2 penalty, is "
            "/regularization/l2"),
    Foreign({"training": {"validation_split": 0.25}}, "/training/validation_split",
            'it is /data/split here: {"data": {"split": [0.75, 0.25, 0]}}; shares of train, dev and test'),
    Foreign({"training": {"early_stopping": True}}, "/training/early_stopping", "it is {} here; watching dev_cost"),
    Foreign(stopping(monitor="val_loss"), "/training/early_stopping/monitor",
            "it is 'metric' here: \"metric\": \"dev_cost\""),
    Foreign(stopping(metric="val_loss"), "/training/early_stopping/metric", 'it is "dev_cost" here'),
    Foreign(stopping(metric="val_accuracy"), "/training/early_stopping/metric", 'it is "dev_accuracy" here'),
    Foreign(stopping(metric="dev_acuracy"), "/training/early_stopping/metric", "Did you mean 'dev_accuracy'?"),
    Foreign({"EarlyStopping": {"monitor": "val_loss", "patience": 4}}, "/EarlyStopping",
            '{"training": {"early_stopping": {"metric": "dev_cost", "patience": 4}}}'),
    # the data
    Foreign({"dataset": "wine"}, "/dataset", 'it is /data/train here: {"data": {"train": "wine"}}'),
    Foreign({"data": {"dataset": "wine", "target": "label"}}, "/data/dataset",
            "it is 'train' here: \"train\": \"wine\""),
    Foreign({"data": {"X": ["alcohol"], "y": "label", "train": "wine"}}, "/data/y",
            "it is 'target' here: \"target\": \"label\""),
    Foreign(data(train="Wine"), "/data/train", "Did you mean 'wine'?"),
    Foreign(data(train="MNIST"), "/data/train", "It is not shipped; 'digits' comes nearest"),
    Foreign(data(target="cultivar"), "/data/target", "There is 'label', 'alcohol', "),
    Foreign(data(test_size=0.1), "/data/test_size", "it is 'split' here: \"split\": [0.9, 0, 0.1]"),
    Foreign(data(split={"train": 0.7, "dev": 0.2, "test": 0.1}), "/data/split/type",
            'with these fields it is {"type": "fractions", "train": 0.7, "dev": 0.2, "test": 0.1}'),
    Foreign(data(split={"type": "fractions", "train": 0.7, "val": 0.2, "test": 0.1}), "/data/split/val",
            "it is 'dev' here: \"dev\": 0.2"),
    Foreign(data(normalize="StandardScaler"), "/data/normalize", "it is 'standard' here"),
    # the job as a whole
    Foreign({"random_state": 7}, "/random_state", "it is 'seed' here: \"seed\": 7"),
    Foreign({"tags": ["first"]}, "/tags", 'a job has no tags; its "name"'),
    Foreign({"description": "mine"}, "/description", 'a job has no description; its "name"'),
    Foreign({"experiment": "first"}, "/experiment", 'jobs are not grouped; the "name" of a job may say it'),
    Foreign({"device": "cuda"}, "/device", 'it is "gpu" here'),
    Foreign({"device": "mps"}, "/device", "GPUs are NVIDIA's; 'auto' takes the CPU elsewhere"),
    Foreign({"precision": "fp32"}, "/precision", 'it is "float32" here'),
    Foreign({"precision": "half"}, "/precision", 'there is none; on a GPU "tf32": true comes nearest'),
    Foreign({"metrics": ["f1"]}, "/metrics", "every metric of the task is measured; leave it out"),
]  # fmt: skip

UNHEARD_OF = [{"n_estimators": 100}, {"frobnicate": 1}, {"optimizer": "zigzag"}, {"layers": [6, "wavelet"]}]
"""What nobody can make sense of: told what there is, and nothing else."""
