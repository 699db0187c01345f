"""What others call losses, penalties, optimizers, schedules, and how long is trained."""

from collections.abc import Mapping

from engine.foreign_terms.term import (
    ALL,
    CLASSIC,
    COURSE,
    COURSE_L2,
    KERAS,
    KT,
    KTS,
    RATE,
    SKLEARN,
    SKLEARN_L2,
    TORCH,
    TS,
    WEIGHT_DECAY,
    Term,
)

TERMS: Mapping[str, tuple[Term, ...]] = {
    "/optimizer/type": (
        Term("sgd", KT, {"type": "momentum"}, CLASSIC, beside="momentum"),
        Term("sgd", KT, {"type": "momentum", "nesterov": True}, beside="nesterov"),
        Term("sgd gd batch_gradient_descent stochastic_gradient_descent mini_batch_gradient_descent", ALL,
             "gradient_descent"),
        Term("sgdm sgd_momentum sgd_with_momentum gd_with_momentum heavy_ball", f"{KT}, {COURSE}", "momentum"),
        Term("nag nesterov nesterov_momentum", KERAS, {"type": "momentum", "nesterov": True}),
        Term("nadam radam adamax lion lamb adafactor", KT, note="there is none; 'adam' comes nearest"),
        Term("adagrad adadelta rprop ftrl", KT, note="there is none; 'rmsprop' comes nearest"),
        Term("lbfgs newton_cg liblinear saga sag", TS,
             note="there is none; 'adam', or 'gradient_descent' with \"batch_size\": \"full\", comes nearest"),
    ),
    "/optimizer=gradient_descent": (
        Term("momentum", KT, {"type": "momentum"}, CLASSIC),
        Term("nesterov", KT, {"type": "momentum"}),
    ),
    "/optimizer=momentum": (
        Term("momentum mu gamma rho beta1", KT, "beta", CLASSIC),
        Term("dampening", TORCH, note="v = beta*v + (1 - beta)*g has a dampening of beta, \"classic\": true has none"),
    ),
    "/optimizer=rmsprop": (
        Term("rho decay_rate beta2", KERAS, "beta"),
        Term("alpha", TORCH, RATE, "the smoothing constant that PyTorch calls alpha is 'beta'"),
        Term("momentum centered", KT, note="there is none; 'adam' is rmsprop with momentum"),
    ),
    "/optimizer=adam": (Term("beta momentum", ALL, "beta1"),),
    "/optimizer=adamw": (
        Term("beta momentum", ALL, "beta1"),
        Term("decay wd lambda", KT, "weight_decay"),
    ),
    "/optimizer": (
        Term("alpha", COURSE, RATE, "scikit-learn's alpha, its L2 penalty, is /regularization/l2"),
        Term("eps", TORCH, "epsilon"),
        Term("betas", TORCH, note='there are two fields, "beta1" and "beta2"'),
        Term("weight_decay wd decoupled_weight_decay", TORCH, "/regularization/l2", WEIGHT_DECAY, "times batch"),
        Term("amsgrad foreach fused capturable maximize differentiable use_ema ema_momentum jit_compile", KT,
             note="there is none; leave it out"),
        Term("decay decay_rate", KERAS, "/schedule/decay", "of the schedule inverse_time, per epoch"),
    ),
    RATE: (
        Term("constant", SKLEARN, "/schedule", note="a schedule, and the default"),
        Term("invscaling", SKLEARN, "/schedule"),
        Term("adaptive auto", SKLEARN, note="no schedule watches the cost; \"schedule\": \"cosine\" falls by itself"),
    ),
    "/schedule/type": (
        Term("none fixed constant_lr", KTS, "constant"),
        Term("exponential_lr exponential_decay exponential_decay_lr exp", KT, "exponential", "base is what the rate is "
             "multiplied by in an epoch, or in a step with \"per\": \"step\""),
        Term("step_lr staircase", KT, "step_decay"),
        Term("multi_step_lr multi_step piecewise_constant_decay piecewise_constant lambda_lr lambda piecewise", KT,
             note="'table' comes nearest: pairs [epoch, learning rate], "
                  '{"type": "table", "rates": [[0, 0.1], [30, 0.01]]}'),
        Term("cosine_annealing cosine_annealing_lr cosine_decay cosine_lr cosine_schedule_with_warmup", KT, "cosine"),
        Term("cosine_annealing_warm_restarts cosine_decay_restarts sgdr", KT, note="there are no restarts; 'cosine' "
             "comes nearest"),
        Term("one_cycle one_cycle_lr cyclic cyclic_lr", TORCH, note='{"type": "cosine", "warmup": 5} comes nearest'),
        Term("inverse_time_decay time_based time_decay hyperbolic decay", f"{KERAS}, {COURSE}", "inverse_time"),
        Term("inv_scaling inverse_sqrt inverse_square_root rsqrt noam", SKLEARN, "inverse_root"),
        Term("reduce_lr_on_plateau plateau adaptive", KTS, note="no schedule watches the cost; 'step_decay' comes "
             "nearest, or change /optimizer/learning_rate while the job trains"),
        Term("polynomial polynomial_decay polynomial_lr linear linear_lr linear_decay", KT, note="there is none; "
             "'cosine' comes nearest"),
        Term("warmup linear_warmup warmup_lr", KT, note='every schedule has it: {"type": "constant", "warmup": 5}'),
    ),
    "/schedule=exponential": (Term("gamma decay_rate decay factor rate", KT, "base"),),
    "/schedule=step_decay": (
        Term("gamma decay_rate drop drop_rate decay base", KT, "factor"),
        Term("step_size step steps decay_steps epochs_drop interval time_interval", KT, "every"),
    ),
    "/schedule=inverse_time": (
        Term("decay_rate rate gamma", f"{KERAS}, {COURSE}", "decay"),
        Term("time_interval decay_steps every step_size", COURSE, "interval"),
    ),
    "/schedule=cosine": (
        Term("eta_min min_lr minimum lr_min end_lr", TORCH, "floor"),
        Term("t_max decay_steps total_steps epochs", KT, note="it falls to the end of the run; leave it out"),
    ),
    "/schedule=table": (Term("milestones boundaries values table", KT, note='pairs [epoch, learning rate]: "rates": '
                             "[[0, 0.1], [30, 0.01]]"),),
    "/schedule": (
        Term("warmup_epochs num_warmup_epochs", KT, "warmup"),
        Term("warmup_steps num_warmup_steps", KT, "warmup", 'in epochs, or in steps with "per": "step"'),
        Term("unit by", ALL, "per"),
        Term("alpha0", COURSE, RATE),
        Term("last_epoch verbose name", KT, note="leave it out"),
    ),
    "/loss/type": (
        Term("bce bce_loss bce_with_logits bce_with_logits_loss binary_crossentropy "
             "binary_cross_entropy_with_logits logistic logistic_loss", ALL,
             "sigmoid_cross_entropy"),
        Term("ce crossentropy cross_entropy_loss categorical_crossentropy nll nll_loss "
             " negative_log_likelihood", ALL, "softmax_cross_entropy"),
        Term("sparse_categorical_crossentropy", KERAS, "softmax_cross_entropy",
             "labels stay as they are in their column"),
        Term("log_loss", SKLEARN, "auto", "it takes sigmoid_cross_entropy for two classes, softmax_cross_entropy for "
             "more"),
        Term("mse mse_loss l2 l2_loss squared_error squared_loss quadratic least_squares rmse", ALL,
             "mean_squared_error"),
        Term("mae l1 l1_loss mean_absolute_error absolute_error huber huber_loss smooth_l1 smooth_l1_loss log_cosh "
             "quantile mape msle poisson", KTS, note="there is none; 'mean_squared_error' comes nearest"),
        Term("hinge squared_hinge hinge_loss modified_huber focal focal_loss kl_div kl_divergence kld", KTS,
             note="there is none; 'auto' takes the cross-entropy that fits the target"),
    ),
    "/loss": (
        Term("from_logits", KERAS, note="losses are always computed from logits; leave it out"),
        Term("reduction", KT, note="every loss is a mean over the batch; leave it out"),
        Term("weight weights pos_weight class_weight", KTS, "class_weights"),
        Term("smoothing", TORCH, "label_smoothing"),
    ),
    "/regularization": (
        Term("lambda lambd lamda λ reg reg_lambda l2_lambda l2_reg l2_regularization l2_penalty kernel_regularizer",
             COURSE, "l2", COURSE_L2),
        Term("weight_decay wd decay", TORCH, "l2", WEIGHT_DECAY, "times batch"),
        Term("alpha", SKLEARN, "l2", f"{SKLEARN_L2}; the course's alpha is {RATE}"),
        Term("c", SKLEARN, "l2", "the inverse of scikit-learn's C", "inverse"),
        Term("l1_lambda l1_reg l1_penalty", COURSE, "l1"),
        Term("l1_ratio", SKLEARN, note='both penalties are given: "l1" and "l2"'),
        Term("type penalty name", SKLEARN, note='the penalties are fields: {"l2": 0.1}, {"l1": 0.1}'),
        Term("dropout dropout_rate", ALL, note="a layer, behind an activation: "
             '{"type": "dropout", "keep_prob": {value}}', value="one minus"),
    ),
    "/regularization=": (
        Term("l2 l1 elasticnet l1_l2 ridge lasso", KTS, note='the penalties are fields: {"l2": 0.1}, {"l1": 0.1}'),
    ),
    "/training/early_stopping=": (
        Term("true", SKLEARN, {}, "watching dev_cost"),
        Term("false none", SKLEARN, note="null, or nothing, does without"),
    ),
    "/training/early_stopping": (
        Term("monitor", KERAS, "metric"),
        Term("tol delta tolerance", SKLEARN, "min_delta"),
        Term("n_iter_no_change rounds early_stopping_rounds", SKLEARN, "patience"),
        Term("mode", KERAS, note="costs and errors fall and scores rise; leave it out"),
        Term("restore_best_weights", KERAS, "/training/keep", value="best or last"),
        Term("baseline start_from_epoch verbose enabled", KERAS, note="there is none; leave it out"),
    ),
    "/training/early_stopping/metric": (
        Term("val_loss dev_loss validation_loss valid_loss loss cost", KT, "dev_cost"),
        Term("val_accuracy val_acc dev_acc valid_acc validation_accuracy accuracy acc val_binary_accuracy "
             "val_sparse_categorical_accuracy", KT, "dev_accuracy"),
        Term("val_error valid_error error", ALL, "dev_error"),
        Term("val_auc auc roc_auc val_roc_auc", KTS, "dev_auc"),
        Term("val_f1 f1 f1_score val_f1_score", KTS, "dev_f1"),
        Term("val_log_loss log_loss neg_log_loss", SKLEARN, "dev_log_loss"),
        Term("val_rmse rmse val_root_mean_squared_error", KTS, "dev_rmse"),
        Term("val_mse mse val_mean_squared_error", KTS, "dev_rmse", "its root"),
        Term("val_mae mae val_mean_absolute_error", KTS, "dev_mae"),
        Term("val_r2 r2 r2_score", SKLEARN, "dev_r2"),
        Term("train_cost train_loss training_loss train_accuracy train_acc", ALL, note="training stops by what the dev "
             "set says, such as dev_cost; training rows go on improving"),
    ),
    "/training/batch_size": (Term("all whole batch none max entire", ALL, "full"),),
    "/training": (
        Term("alpha", COURSE, RATE, "scikit-learn's alpha, its L2 penalty, is /regularization/l2"),
        Term("restore_best_weights save_best_only keep_best best_model", KERAS, "keep", value="best or last"),
        Term("initial_epoch steps_per_epoch validation_steps validation_freq", KERAS, note="there is none; leave it "
             "out"),
    ),
}  # fmt: skip
