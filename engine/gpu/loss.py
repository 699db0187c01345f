"""Losses with their gradient, a block a row: Z + b become dZ; engine/losses.py has the formulas.

What each row loses stays beside it in float64, and is added up by `tally`.
"""

import numpy as np

from engine.gpu.kernel import Array, Kernel, functions, kernel, per_row
from engine.losses import Loss, MeanSquaredError, SigmoidCrossEntropy, SoftmaxCrossEntropy

functions(
    """
// Whether the largest logit of a row, the first of several, is at its label; of a single logit, whether it is positive.
__device__ void answer(const real* z, const whole* labels, whole* right, whole i, whole width) {
    if (!labels || threadIdx.x != 0) return;
    whole best = 0;
    if (width == 1) best = z[0] > 0;
    else for (whole c = 1; c < width; c++) if (!(z[c] <= z[best]) && z[best] == z[best]) best = c;
    right[i] = best == labels[i];
}
"""
)


def right_answers(Z: Array, labels: Array | None, right: Array) -> None:
    """Which rows have their largest logit at their label."""
    if labels is not None:
        right[:] = (Z[:, 0] > 0 if Z.shape[1] == 1 else np.argmax(Z, axis=1)) == labels


@kernel(
    per_row,
    "Z",
    """
    (real* Z, const real* b, const real* Y, const real* w, const whole* labels, double* losses, whole* right,
     whole height, whole width) {
        const whole i = blockIdx.x;
        real* z = Z + i * width;
        const real* y = Y + i * width;
        real top = log(real(0));  // −∞, for which NVRTC has no name
        for (whole c = threadIdx.x; c < width; c += blockDim.x) {
            if (b) z[c] += b[c];
            if (!(z[c] <= top)) top = z[c];
        }
        top = largest_of_block(top);
        answer(z, labels, right, i, width);
        __syncthreads();
        double sum = 0, matched = 0;
        for (whole c = threadIdx.x; c < width; c += blockDim.x) {
            const real shifted = z[c] - top;
            matched += (double)(shifted * y[c]);
            z[c] = exp(shifted);
            sum += (double)z[c];
        }
        sum = sum_of_block(sum);
        matched = sum_of_block(matched);
        const real weight = w ? w[i] : real(1), times = weight / real(height);
        for (whole c = threadIdx.x; c < width; c += blockDim.x) z[c] = (z[c] / real(sum) - y[c]) * times;
        if (threadIdx.x == 0) losses[i] = (log(sum) - matched) * (double)weight;
    }
    """,
)
def softmax(
    Z: Array, b: Array | None, Y: Array, w: Array | None, labels: Array | None, losses: Array, right: Array
) -> None:
    """wᵢ(log Σe^(z − max) − Σ y(z − max)); Z becomes (ŷ − y)·w/m."""
    if b is not None:
        Z += b
    right_answers(Z, labels, right)
    Z -= Z.max(axis=1, keepdims=True)
    matched = (Z * Y).sum(axis=1, keepdims=True)
    np.exp(Z, out=Z)
    total = Z.sum(axis=1, keepdims=True)
    weight = np.ones_like(total) if w is None else w.reshape(-1, 1)
    losses[:] = ((np.log(total) - matched) * weight).reshape(-1)
    Z /= total
    Z -= Y
    Z *= weight / len(Z)


@kernel(
    per_row,
    "Z",
    """
    (real* Z, const real* b, const real* Y, const real* w, const whole* labels, double* losses, whole* right,
     whole height, whole width) {
        const whole i = blockIdx.x;
        real* z = Z + i * width;
        const real* y = Y + i * width;
        if (b) for (whole c = threadIdx.x; c < width; c += blockDim.x) z[c] += b[c];
        __syncthreads();
        answer(z, labels, right, i, width);
        __syncthreads();
        const real weight = w ? w[i] : real(1);
        double sum = 0;
        for (whole c = threadIdx.x; c < width; c += blockDim.x) {
            const real logit = z[c];
            sum += (double)(((logit <= 0 ? 0 : logit) + log1p(exp(-fabs(logit))) - logit * y[c]) * weight);
            z[c] = (sigma(logit) - y[c]) * weight / real(height);
        }
        sum = sum_of_block(sum);
        if (threadIdx.x == 0) losses[i] = sum;
    }
    """,
)
def sigmoid(
    Z: Array, b: Array | None, Y: Array, w: Array | None, labels: Array | None, losses: Array, right: Array
) -> None:
    """wᵢ(max(z, 0) − zy + log(1 + e^−|z|)), over the outputs; Z becomes (ŷ − y)·w/m."""
    if b is not None:
        Z += b
    right_answers(Z, labels, right)
    weight = Z.dtype.type(1) if w is None else w.reshape(-1, 1)
    losses[:] = ((np.maximum(Z, 0) - Z * Y + np.log1p(np.exp(-np.abs(Z)))) * weight).sum(axis=1)
    Z[:] = (np.tanh(Z * 0.5) + 1) * 0.5
    Z -= Y
    Z *= weight
    Z /= len(Z)


@kernel(
    per_row,
    "Z",
    """
    (real* Z, const real* b, const real* Y, const real* w, const whole* labels, double* losses, whole* right,
     whole height, whole width) {
        const whole i = blockIdx.x;
        double sum = 0;
        for (whole c = threadIdx.x; c < width; c += blockDim.x) {
            const whole e = i * width + c;
            const real error = Z[e] + (b ? b[c] : real(0)) - Y[e];
            sum += (double)(error * error);
            Z[e] = error * real(2.0 / (double)(height * width));
        }
        sum = sum_of_block(sum);
        if (threadIdx.x == 0) losses[i] = sum / (double)width;
    }
    """,
)
def squares(
    Z: Array, b: Array | None, Y: Array, w: Array | None, labels: Array | None, losses: Array, right: Array
) -> None:
    """Σ (ŷ − y)²/k; Z becomes 2(ŷ − y)/(m·k)."""
    if b is not None:
        Z += b
    Z -= Y
    losses[:] = (Z * Z).sum(axis=1) / Z.shape[1]
    Z *= 2 / Z.size


OF: dict[type[Loss], Kernel] = {
    SoftmaxCrossEntropy: softmax,
    SigmoidCrossEntropy: sigmoid,
    MeanSquaredError: squares,
}
