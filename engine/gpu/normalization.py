"""Batch norm: sums over columns first, then one pass that uses them; engine/layers.py has the formulas."""

import numpy as np

from engine.gpu.kernel import Array, kernel, per_column, per_element


@kernel(
    per_column,
    "Z",
    """
    (const real* Z, real* mu, real* scale, double epsilon, real* mean, real* variance, const real* batches,
     double momentum, whole height, whole width) {
        COLUMN;
        real sum = 0, squares = 0;
        EACH_ROW sum += Z[i * width + j];
        const real mu_j = sum_of_column(sum) / height;
        EACH_ROW {
            const real centered = Z[i * width + j] - mu_j;
            squares += centered * centered;
        }
        const real variance_j = sum_of_column(squares) / height;
        if (threadIdx.y != 0 || j >= width) return;
        mu[j] = mu_j;
        scale[j] = 1 / sqrt(variance_j + real(epsilon));
        const real share = real((1 - momentum) / (1 - pow(momentum, (double)batches[0] + 1)));
        mean[j] += (mu_j - mean[j]) * share;
        variance[j] += (variance_j - variance[j]) * share;
    }
    """,
)
def statistics(
    Z: Array,
    mu: Array,
    scale: Array,
    epsilon: float,
    mean: Array,
    variance: Array,
    batches: Array,
    momentum: float,
) -> None:
    """μ and 1/√(σ² + ε) of the batch, and V̂ += (x − V̂)·(1−β)/(1−βᵗ) of their running averages.

    The batch is counted by `normalize`, behind which nobody reads the count of those before.
    """
    np.mean(Z, axis=0, out=mu)
    seen = np.mean((Z - mu) ** 2, axis=0)
    scale[:] = 1 / np.sqrt(seen + Z.dtype.type(epsilon))
    share = Z.dtype.type((1 - momentum) / (1 - momentum ** (float(batches[0]) + 1)))
    mean += (mu - mean) * share
    variance += (seen - variance) * share


@kernel(
    per_element,
    "Z_hat",
    """
    (const real* Z, const real* mu, const real* scale, const real* gamma, const real* beta, real* Z_hat, real* Y,
     real* batches, whole height, whole width) {
        ELEMENT
        const real hat = (Z[e] - mu[j]) * scale[j];
        Z_hat[e] = hat;
        Y[e] = hat * gamma[j] + beta[j];
        if (e == 0) batches[0] += 1;
    }
    """,
)
def normalize(
    Z: Array, mu: Array, scale: Array, gamma: Array, beta: Array, Z_hat: Array, Y: Array, batches: Array
) -> None:
    """Ẑ = (Z − μ)·scale and Y = γ·Ẑ + β, and one more batch; Ẑ may be Z."""
    Z_hat[:] = (Z - mu) * scale
    Y[:] = Z_hat * gamma + beta
    batches += 1


@kernel(
    per_element,
    "Y",
    """
    (const real* Z, const real* mean, const real* variance, double epsilon, const real* gamma, const real* beta,
     real* Y, whole height, whole width) {
        ELEMENT
        Y[e] = (Z[e] - mean[j]) * (1 / sqrt(variance[j] + real(epsilon))) * gamma[j] + beta[j];
    }
    """,
)
def normalize_by_averages(
    Z: Array, mean: Array, variance: Array, epsilon: float, gamma: Array, beta: Array, Y: Array
) -> None:
    """Y = γ·(Z − μ)/√(σ² + ε) + β with the running averages, as predictions have it; Y may be Z."""
    Y[:] = (Z - mean) * (1 / np.sqrt(variance + Z.dtype.type(epsilon))) * gamma + beta


@kernel(
    per_column,
    "dY",
    """
    (const real* dY, const real* Z_hat, real* dgamma, real* dbeta, whole height, whole width) {
        COLUMN;
        real by_gamma = 0, by_beta = 0;
        EACH_ROW {
            const real d = dY[i * width + j];
            by_gamma += d * Z_hat[i * width + j];
            by_beta += d;
        }
        by_gamma = sum_of_column(by_gamma);
        by_beta = sum_of_column(by_beta);
        if (threadIdx.y != 0 || j >= width) return;
        dgamma[j] = by_gamma;
        dbeta[j] = by_beta;
    }
    """,
)
def gradient_sums(dY: Array, Z_hat: Array, dgamma: Array, dbeta: Array) -> None:
    """dγ = Σ dY·Ẑ and dβ = Σ dY."""
    np.sum(dY * Z_hat, axis=0, out=dgamma)
    np.sum(dY, axis=0, out=dbeta)


@kernel(
    per_element,
    "dY",
    """
    (real* dY, const real* Z_hat, const real* dgamma, const real* dbeta, const real* scale, const real* gamma,
     whole height, whole width) {
        ELEMENT
        const real m = real(height);
        dY[e] = (dY[e] - dbeta[j] / m - Z_hat[e] * (dgamma[j] / m)) * (gamma[j] * scale[j]);
    }
    """,
)
def normalize_back(dY: Array, Z_hat: Array, dgamma: Array, dbeta: Array, scale: Array, gamma: Array) -> None:
    """dZ = γ·scale·(dY − mean(dY) − Ẑ·mean(dY·Ẑ)), in place of dY."""
    m = len(dY)
    dY -= dbeta / m + Z_hat * (dgamma / m)
    dY *= gamma * scale
