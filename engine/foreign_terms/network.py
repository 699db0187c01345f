"""What others call layers, activations and initial weights."""

from collections.abc import Mapping

from engine.foreign_terms.term import (
    ALL,
    COURSE,
    FOLLOWS,
    KERAS,
    KT,
    KTS,
    NO_OTHER_LAYERS,
    OWN_LAYER,
    SKLEARN,
    TORCH,
    XAVIER,
    Term,
)

TERMS: Mapping[str, tuple[Term, ...]] = {
    "/initializer/type": (
        Term("he_normal kaiming kaiming_normal", KT, "he"),
        Term("he_uniform kaiming_uniform", KT, {"type": "he", "distribution": "uniform"}),
        Term("glorot_normal xavier_normal", KT, "glorot", XAVIER),
        Term("glorot_uniform xavier_uniform", KT, {"type": "glorot", "distribution": "uniform"}, XAVIER),
        Term("lecun lecun_normal", KERAS, "xavier"),
        Term("lecun_uniform", KERAS, {"type": "xavier", "distribution": "uniform"}),
        Term("random random_normal randn gaussian truncated_normal", f"{KERAS}, {COURSE}", "normal"),
        Term("uniform random_uniform", KT, {"type": "normal", "distribution": "uniform"},
             "std is its standard deviation"),
        Term("zero", KT, "zeros"),
        Term("default none", KTS, "auto"),
        Term("ones constant orthogonal identity variance_scaling sparse dirac", KT, note="there is none; upload the "
             'parameters, and name them: {"type": "given", "parameters": "..."}'),
    ),
    "/initializer": (
        Term("stddev sigma scale", KERAS, "std"),
        Term("seed random_state", KTS, "/seed"),
        Term("mode gain nonlinearity mean", TORCH, note="there is none; leave it out"),
    ),
    "/layers/*/type": (
        Term("linear", TORCH, "dense", beside="units out_features in_features"),
        Term("fc fully_connected affine lazy_linear hidden ffn mlp", KTS, "dense"),
        Term("batch_normalization batchnorm1d batchnorm2d bn", KT, "batch_norm"),
        Term("layer_norm layer_normalization group_norm group_normalization instance_norm rms_norm "
             "spectral_norm", KT, note="there is none; 'batch_norm' comes nearest"),
        Term("dropout1d drop inverted_dropout", ALL, "dropout"),
        Term("alpha_dropout gaussian_dropout spatial_dropout", KT, note="there is none; 'dropout' comes nearest"),
        Term("swish", KT, "silu"),
        Term("mish hard_swish", KT, note="there is none; 'silu' comes nearest"),
        Term("logistic", SKLEARN, "sigmoid"),
        Term("identity no_activation none", SKLEARN, "linear"),
        Term("hyperbolic_tangent", ALL, "tanh"),
        Term("relu6 selu prelu celu softplus softsign rrelu threshold hardtanh", KT, note="there is none; 'relu', "
             "'leaky_relu' and 'elu' come nearest"),
        Term("hard_sigmoid log_sigmoid", KT, note="there is none; 'sigmoid' comes nearest"),
        Term("softmax log_softmax output", ALL, note="the output layer, with its softmax or sigmoid, follows from the "
             "target and the loss; leave it out"),
        Term("conv conv1d conv2d conv3d convolution convolution2d depthwise_conv2d separable_conv2d max_pool "
             "max_pool2d max_pooling2d avg_pool2d average_pooling2d global_average_pooling2d pooling", KT,
             note=f"{NO_OTHER_LAYERS}, and every pixel is an input; /data/augment varies images"),
        Term("lstm gru rnn simple_rnn bidirectional embedding attention multi_head_attention transformer", KT,
             note=f"{NO_OTHER_LAYERS}; columns of categories are encoded by themselves"),
        Term("flatten reshape", KT, note="inputs are flat already; leave it out"),
        Term("input input_layer", KT, note=f"the inputs: {FOLLOWS}"),
        Term("normalization rescaling", KERAS, note="inputs are scaled by /data/normalize"),
        Term("activation", KERAS, note='an activation is a layer by its own name: {"type": "relu"}'),
        Term("add concat concatenate residual skip sequential", KT, note="layers are one list, the output of each the "
             "input of the next"),
        Term("random_flip random_rotation random_zoom random_crop random_translation gaussian_noise", KERAS,
             note="training rows are varied by /data/augment"),
    ),
    "/layers/*=linear": (
        Term("units out_features n_units neurons", TORCH, {"type": "dense"}, "'linear' is no activation"),
        Term("in_features", TORCH, note=f"'linear' is no activation; a layer of units is 'dense', its inputs: "
             f"{FOLLOWS}"),
    ),
    "/layers/*=dense": (
        Term("out_features output_dim neurons nodes size width num_units n_units hidden hidden_size hidden_units n",
             KTS, "units"),
        Term("use_bias", KERAS, "bias"),
        Term("activation act nonlinearity", KERAS, note=OWN_LAYER + ": {value}", value="behind"),
        Term("dropout dropout_rate", KT, note='a layer of its own: {"type": "dropout", "keep_prob": {value}}',
             value="one minus"),
    ),
    "/layers/*=batch_norm": (
        Term("eps", TORCH, "epsilon"),
        Term("affine center scale track_running_stats axis num_features", KT, note="there is none; leave it out"),
    ),
    "/layers/*=dropout": (
        Term("rate p prob probability dropout dropout_rate drop_rate drop_prob dropout_prob", KT, "keep_prob",
             "the share that is kept, 1 - rate", "one minus"),
        Term("keep keep_rate keep_probability retain", COURSE, "keep_prob"),
        Term("inplace noise_shape", KT, note="there is none; leave it out"),
    ),
    "/layers/*=leaky_relu": (Term("alpha negative_slope a leak", KT, "slope"),),
    "/layers/*": (
        Term("l2 kernel_regularizer regularizer lambda", ALL, "/regularization/l2", "a penalty is on all weights"),
        Term("l1", ALL, "/regularization/l1", "a penalty is on all weights"),
        Term("kernel_initializer weight_initializer init", KERAS, "/initializer", "there is one for all layers"),
        Term("bias_initializer", KERAS, note="biases begin at 0; leave it out"),
        Term("input_shape input_dim in_features n_in input_size", KT, note=f"the number of inputs: {FOLLOWS}"),
        Term("name trainable dtype seed device", KT, note="a layer has none; leave it out"),
        Term("activation", KERAS, note='an activation is a layer by its own name: {"type": "relu"}'),
    ),
}  # fmt: skip
