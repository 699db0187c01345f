// What the engine asks of MKL, answered by the formula: C <- op(A) op(B), row by row, with sizes of 64 bits.
#include <stdint.h>
#include <stdio.h>

enum { TRANSPOSED = 112 };
static int layer = -1, branch = -1;

int MKL_Set_Threading_Layer(int wanted) { return layer = wanted; }
int MKL_CBWR_Set(int wanted) { branch = wanted; return REFUSES; }
int MKL_CBWR_Get_Auto_Branch(void) { return layer * 10 + branch; }
void MKL_Get_Version_String(char *text, int length) { snprintf(text, length, "Fake MKL Version 1.2-Product"); }

#define GEMM(NAME, NUMBER)                                                                                       \
    void NAME(int order, int ta, int tb, int64_t m, int64_t n, int64_t k, NUMBER alpha, const NUMBER *a,          \
              int64_t lda, const NUMBER *b, int64_t ldb, NUMBER beta, NUMBER *c, int64_t ldc) {                  \
        for (int64_t i = 0; i < m; i++)                                                                          \
            for (int64_t j = 0; j < n; j++) {                                                                    \
                NUMBER sum = 0;                                                                                  \
                for (int64_t q = 0; q < k; q++)                                                                  \
                    sum += (ta == TRANSPOSED ? a[q * lda + i] : a[i * lda + q]) *                                \
                           (tb == TRANSPOSED ? b[j * ldb + q] : b[q * ldb + j]);                                 \
                c[i * ldc + j] = alpha * sum + (beta == 0 ? 0 : beta * c[i * ldc + j]);                          \
            }                                                                                                    \
    }
GEMM(cblas_sgemm_64, float)
GEMM(cblas_dgemm_64, double)
