"""What others call datasets, columns, splits and scales."""

from collections.abc import Mapping

from engine.foreign_terms.term import ALL, KERAS, KT, KTS, SHARES, SKLEARN, TORCH, TS, Term

TERMS: Mapping[str, tuple[Term, ...]] = {
    "/data/train": (
        Term("mnist fashion_mnist emnist kmnist", KT, note="it is not shipped; 'digits' comes nearest, or upload it"),
        Term("cifar10 cifar100 svhn imagenet titanic adult boston boston_housing california_housing housing penguins "
             "imdb reuters covertype", KTS, note="it is not shipped; upload it as a dataset"),
        Term("load_iris iris_dataset", SKLEARN, "iris"),
        Term("load_digits optdigits", SKLEARN, "digits"),
        Term("load_wine", SKLEARN, "wine"),
        Term("load_breast_cancer cancer wdbc", SKLEARN, "breast_cancer"),
        Term("load_diabetes", SKLEARN, "diabetes"),
        Term("make_moons moon", SKLEARN, "moons"),
        Term("make_circles circle", SKLEARN, "circles"),
    ),
    "/data": (
        Term("dataset name path file source id url csv data train_set training_set train_data training_data "
             "training", KTS, "train"),
        Term("y label labels target_column label_column label_name target_name targets output outputs response class "
             "y_train y_col", ALL, "target"),
        Term("x inputs input input_columns feature_columns feature_names feature_cols predictors x_cols", ALL,
             "features", "the names of the columns to predict from; all but the target where it is left out"),
        Term("validation validation_data valid val dev dev_set test test_data test_set", KTS, note="a dataset of its "
             'own is named in the split: {"type": "given", "dev": "...", "test": "..."}; shares are "split": '
             "[0.6, 0.2, 0.2]"),
        Term("random_state seed shuffle_seed", SKLEARN, "/data/split/seed"),
        Term("shuffle", KTS, "/training/shuffle"),
        Term("drop exclude ignore drop_columns ignore_columns", KTS, note='columns are left out by "columns": '
             '{"id": "ignore"}'),
        Term("dtypes dtype types schema column_types categorical categorical_features categorical_columns", KTS,
             "columns", 'as in "columns": {"zip": "category", "age": "number"}'),
        Term("group groups group_column", SKLEARN, "/data/split/group_by"),
    ),
    "/data/split": (
        Term("val validation valid val_size valid_size validation_size dev_size val_fraction validation_split "
             "validation_fraction", KTS, "dev"),
        Term("test_size test_fraction test_split holdout", SKLEARN, "test"),
        Term("train_size train_fraction training train_split", SKLEARN, "train"),
        Term("random_state random_seed", SKLEARN, "seed"),
        Term("group groups", SKLEARN, "group_by"),
        Term("stratified", SKLEARN, "stratify"),
        Term("ratios ratio shares fractions sizes lengths", TORCH, note=f'"split": [0.6, 0.2, 0.2] are {SHARES}'),
        Term("shuffle", SKLEARN, note="rows are shuffled, by the split's seed; leave it out"),
    ),
    "/data/split/type": (
        Term("random shuffle random_split train_test_split holdout ratio share stratified stratified_shuffle_split "
             "shuffle_split percentage", TS, "fractions"),
        Term("group group_k_fold group_shuffle_split grouped", SKLEARN, note='{"type": "fractions", "group_by": "..."} '
             "keeps groups together"),
        Term("kfold cv cross_validation stratified_k_fold leave_one_out", SKLEARN, note="there is no "
             "cross-validation; rows are divided once, into train, dev and test"),
        Term("predefined predefined_split fixed none", SKLEARN, "given"),
        Term("time time_series time_series_split chronological", SKLEARN, note="there is none; mark the rows in a "
             'column: {"type": "column", "column": "..."}'),
    ),
    "/data/normalize/type": (
        Term("standard_scaler zscore standardize standardization standard_score mean_std normalization true",
             f"{KERAS}, {SKLEARN}", "standard"),
        Term("minmax_scaler min_max_scaling unit", SKLEARN, "minmax"),
        Term("rescaling rescale 255 pixels to_tensor", KT, "scale"),
        Term("false no off identity", KTS, "none"),
        Term("robust robust_scaler max_abs max_abs_scaler quantile quantile_transformer power power_transformer",
             SKLEARN, note="there is none; 'standard' comes nearest"),
        Term("normalizer l2 l1", SKLEARN, note="rows are not scaled, columns are; 'standard' comes nearest"),
    ),
    "/data/normalize": (Term("factor divisor by max_value", KT, "divide_by"),),
    "/data/augment/*/type": (
        Term("random_flip random_horizontal_flip horizontal_flip hflip mirror", KT, "flip"),
        Term("random_vertical_flip vertical_flip vflip", KT, {"type": "flip", "horizontal": 0, "vertical": 0.5}),
        Term("random_rotation rotation random_rotate", KT, "rotate"),
        Term("random_zoom random_scale scale", KT, "zoom"),
        Term("random_translation translate translation random_shift random_affine", KT, "shift"),
        Term("random_crop random_resized_crop", KT, "crop"),
        Term("elastic_transform", TORCH, "elastic"),
        Term("random_brightness", KT, "brightness"),
        Term("random_contrast", KT, "contrast"),
        Term("color_jitter hue saturation colour", TORCH, "color"),
        Term("gaussian_noise random_noise jitter", KT, "noise"),
        Term("cutout random_erasing cutmix rand_augment auto_augment", KT,
             note="there is none; 'mixup' and 'crop' come nearest"),
    ),
    "/data/columns/*/type": (
        Term("numeric float float32 float64 int int64 integer continuous real", KTS, "number"),
        Term("bool binary", KTS, "boolean"),
        Term("categorical string str object nominal one_hot", SKLEARN, "category"),
        Term("ordinal", SKLEARN, {"type": "category", "encoding": "ordinal"}),
        Term("drop skip exclude id", SKLEARN, "ignore"),
    ),
}  # fmt: skip
