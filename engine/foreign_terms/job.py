"""What others say of a job as a whole, or in whatever object of it."""

from collections.abc import Mapping

from engine.foreign_terms.term import (
    ALL,
    CLASSIC,
    COURSE,
    COURSE_L2,
    FOLLOWS,
    KERAS,
    KT,
    KTS,
    OTHERS,
    OWN_LAYER,
    RATE,
    SHARES,
    SKLEARN,
    TORCH,
    WEIGHT_DECAY,
    Term,
)

TERMS: Mapping[str, tuple[Term, ...]] = {
    "/device": (
        Term("cuda cuda0 gpu0 nvidia", KT, "gpu"),
        Term("cuda1 cuda2 cuda3 gpu1 gpu2 gpu3", KT, "gpu", "the first one that the worker sees"),
        Term("mps metal rocm xpu tpu hip npu xla", TORCH, note="GPUs are NVIDIA's; 'auto' takes the CPU elsewhere"),
        Term("cpu0", TORCH, "cpu"),
        Term("none default", KTS, "auto"),
    ),
    "/precision": (
        Term("fp32 f32 float single 32 full highest torch_float32", KT, "float32"),
        Term("fp64 f64 double 64 torch_float64", KT, "float64"),
        Term("fp16 f16 float16 half bf16 bfloat16 mixed mixed_float16 mixed_bfloat16 16 amp mixed_precision", KT,
             note='there is none; on a GPU "tf32": true comes nearest'),
        Term("tf32 tensorfloat32", TORCH, note='it is a field of its own beside precision: "tf32": true'),
    ),
    "": (
        Term("alpha", f"{COURSE}, {SKLEARN}",
             note=f"the course's alpha is {RATE}, scikit-learn's alpha, its L2 penalty, is /regularization/l2"),
        Term("dataset datasets dataset_name train_data train_set x_train training_data train_dataset", KTS,
             "/data/train"),
        Term("y labels label y_train target_column targets output", ALL, "/data/target"),
        Term("x inputs input", ALL, "/data/features", "the names of the columns to predict from; all but the target "
             "where it is left out"),
        Term("units neurons", KERAS, note='a number in the list of layers: "layers": [64, 32]'),
        Term("run_name experiment_name title job_name display_name", OTHERS, "name"),
        Term("tags tag metadata meta", OTHERS, note='a job has no tags; its "name", of up to 64 letters, may say them'),
        Term("description notes note comment", OTHERS, note='a job has no description; its "name", of up to 64 '
             "letters, may say it"),
        Term("experiment project group study", OTHERS, note='jobs are not grouped; the "name" of a job may say it'),
        Term("model_name registered_model_name save_as", OTHERS, "register_as"),
    ),
    "**": (
        Term("lr learning_rate_init base_lr initial_lr init_lr initial_learning_rate eta eta0 lr0 alpha0", ALL, RATE),
        Term("n_epochs num_epochs nb_epoch nb_epochs max_epochs epoch", ALL, "/training/epochs"),
        Term("max_iter n_iter iterations num_iterations n_iterations max_iterations num_iter", f"{SKLEARN}, {COURSE}",
             "/training/epochs", 'an iteration over all rows is an epoch with "batch_size": "full"'),
        Term("bs batch minibatch_size train_batch_size per_device_train_batch_size", ALL,
             "/training/batch_size"),
        Term("random_state random_seed rng manual_seed numpy_seed torch_seed global_seed", ALL, "/seed"),
        Term("optim opt solver algorithm", KTS, "/optimizer"),
        Term("scheduler lr_scheduler lr_schedule learning_rate_schedule lr_decay learning_rate_decay decay", ALL,
             "/schedule"),
        Term("decay_rate", f"{KERAS}, {COURSE}", "/schedule/decay", "of the schedule inverse_time, per epoch"),
        Term("criterion loss_fn loss_function loss_func cost cost_function objective", ALL, "/loss"),
        Term("class_weight pos_weight", KTS, "/loss/class_weights"),
        Term("init weight_init weights_init kernel_initializer initialization initialisation initializers", KTS,
             "/initializer"),
        Term("regularizer regularisation penalty kernel_regularizer", KTS, "/regularization"),
        Term("lambda lambd lamda λ reg_lambda l2_lambda l2_reg l2_penalty l2_regularization", COURSE,
             "/regularization/l2", COURSE_L2),
        Term("weight_decay wd", TORCH, "/regularization/l2", WEIGHT_DECAY, "times batch"),
        Term("dropout dropout_rate drop_prob", ALL, note="a layer, behind an activation: "
             '{"type": "dropout", "keep_prob": {value}}', value="one minus"),
        Term("keep_prob", COURSE, note='of a layer, behind an activation: {"type": "dropout", "keep_prob": 0.8}'),
        Term("activation hidden_activation activation_function activations", KTS,
             note=f'{OWN_LAYER}: "layers": [64, "tanh", 32, "tanh"]'),
        Term("hidden_layer_sizes hidden_layers hidden_units n_hidden hidden_sizes layer_sizes", f"{SKLEARN}, {COURSE}",
             "/layers", 'with ReLU behind each, unless another follows: [64, "tanh"]'),
        Term("layer_dims layers_dims", COURSE, "/layers",
             "the hidden ones only; inputs and outputs follow from the data"),
        Term("model network net architecture layer arch", KT, "/layers"),
        Term("batch_norm batch_normalization", KT, note='a layer, between a dense layer and its activation: '
             '[64, "batch_norm", "relu"]'),
        Term("momentum", KT, "/optimizer/beta", f"of the optimizer momentum; {CLASSIC}"),
        Term("n_iter_no_change early_stopping_rounds", SKLEARN, "/training/early_stopping/patience"),
        Term("monitor", KERAS, "/training/early_stopping/metric"),
        Term("tol", SKLEARN, "/training/early_stopping/min_delta"),
        Term("restore_best_weights save_best_only keep_best", KERAS, "/training/keep", value="best or last"),
        Term("callbacks", KERAS, note="early stopping is /training/early_stopping, checkpoints are kept anyway, and "
             "the learning rate falls by /schedule"),
        Term("validation_split validation_fraction val_split val_size valid_size validation_size dev_size", KTS,
             "/data/split", SHARES, "dev share"),
        Term("test_size test_split test_fraction", SKLEARN, "/data/split", SHARES, "test share"),
        Term("train_size train_split train_test_split", SKLEARN, "/data/split", SHARES, "train share"),
        Term("validation_data val_data dev_data x_val x_dev", KERAS, note="a dataset of its own is named in "
             '/data/split: {"type": "given", "dev": "..."}'),
        Term("test_data x_test", KERAS, note="a dataset of its own is named in /data/split: "
             '{"type": "given", "test": "..."}'),
        Term("cv k_folds kfold n_splits folds", SKLEARN, note="there is no cross-validation; rows are divided once, by "
             "/data/split"),
        Term("scaler normalization standardize preprocessing feature_scaling", KTS, "/data/normalize"),
        Term("augmentation augmentations data_augmentation transform transforms", KT, "/data/augment"),
        Term("clipnorm global_clipnorm max_grad_norm grad_clip gradient_clip gradient_clipping clip_grad_norm "
             "gradient_clip_val max_norm", KT, "/training/clip_norm"),
        Term("clipvalue clip_grad_value grad_clip_value", KT, "/training/clip_value"),
        Term("use_gpu use_cuda cuda gpu gpus accelerator", KT, "/device", value="gpu or cpu"),
        Term("dtype amp mixed_precision fp16 half use_fp16", KT, "/precision"),
        Term("timeout time_limit max_time max_runtime max_seconds", OTHERS, "/time_limit_seconds"),
        Term("gradient_check grad_check check_gradients gradient_checking", COURSE, "/checks/gradients",
             value="at start"),
        Term("pretrained resume resume_from init_from initial_weights warm_start load_weights weights", KTS,
             note='parameters of another job are taken by "start_from": {"job": "job_..."}, uploaded ones by '
                  '"initializer": {"type": "given", "parameters": "..."}'),
        Term("metrics scoring eval_metric", KTS, note="every metric of the task is measured; leave it out"),
        Term("verbose progress_bar log_interval logging_steps", KTS, note="every epoch's metrics are kept; leave it "
             "out"),
        Term("n_jobs num_workers workers use_multiprocessing", KTS, note="leave it out; the service has its workers"),
        Term("num_classes n_classes classes class_names output_dim n_outputs", KTS, note=f"the classes: {FOLLOWS}"),
        Term("input_shape input_dim input_size n_features n_inputs", KT, note=f"the number of inputs: {FOLLOWS}"),
        Term("gradient_accumulation gradient_accumulation_steps accumulate_grad_batches", TORCH,
             note="there is none; a larger batch_size does the same"),
        Term("sample_weight sample_weights", KTS, note="rows have no weights of their own; classes have: "
             "/loss/class_weights"),
    ),
}  # fmt: skip
