/// cuBLAS: column-major products in float and double.
#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstddef>

#include "faults.hpp"
#include "memory.hpp"
#include "streams.hpp"

using namespace cuda_double;

struct cublasContext {
  cudaStream_t stream = nullptr;
};

namespace {

/// A matrix op(A) of `rows` by `columns`, stored with the leading dimension `leading`.
template <class T>
struct operand {
  T const* values;
  std::size_t rows, columns, leading;
  bool transposed;

  [[nodiscard]] T at(std::size_t i, std::size_t j) const {
    return transposed ? values[j + i * leading] : values[i + j * leading];
  }
  void require() const {
    auto const stored_columns = transposed ? rows : columns, stored_rows = transposed ? columns : rows;
    if (rows != 0 && columns != 0) require_live(values, ((stored_columns - 1) * leading + stored_rows) * sizeof(T));
  }
};

/// C = α A B + β C; β = 0 does not read C.
template <class T>
cublasStatus_t multiply(cublasHandle_t h, operand<T> a, operand<T> b, T alpha, T beta, T* c, std::size_t leading) {
  if (fails()) return CUBLAS_STATUS_EXECUTION_FAILED;
  auto const fits = [](operand<T> const& x) { return x.leading >= std::max<std::size_t>(1, x.transposed ? x.columns : x.rows); };
  if (!fits(a) || !fits(b) || leading < std::max<std::size_t>(1, a.rows)) return CUBLAS_STATUS_INVALID_VALUE;
  ++count.launches;
  push(h->stream, [=] {
    a.require();
    b.require();
    require_live(c, ((b.columns - 1) * leading + a.rows) * sizeof(T));
    for (std::size_t j = 0; j < b.columns; ++j)
      for (std::size_t i = 0; i < a.rows; ++i) {
        T sum = 0;
        for (std::size_t l = 0; l < a.columns; ++l) sum += a.at(i, l) * b.at(l, j);
        auto& y = c[i + j * leading];
        y = beta == 0 ? alpha * sum : alpha * sum + beta * y;
      }
  });
  return CUBLAS_STATUS_SUCCESS;
}

template <class T>
cublasStatus_t gemm(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k, T const* alpha, T const* a,
                    int lda, T const* b, int ldb, T const* beta, T* c, int ldc) {
  if (m < 0 || n < 0 || k < 0) return CUBLAS_STATUS_INVALID_VALUE;
  auto const size = [](int i) { return static_cast<std::size_t>(i); };
  return multiply<T>(h, {a, size(m), size(k), size(lda), ta != CUBLAS_OP_N}, {b, size(k), size(n), size(ldb), tb != CUBLAS_OP_N},
                     *alpha, *beta, c, size(ldc));
}

}  // namespace

extern "C" {
char const* cublasGetStatusName(cublasStatus_t s) {
  return s == CUBLAS_STATUS_SUCCESS         ? "CUBLAS_STATUS_SUCCESS"
         : s == CUBLAS_STATUS_INVALID_VALUE ? "CUBLAS_STATUS_INVALID_VALUE"
                                            : "CUBLAS_STATUS_EXECUTION_FAILED";
}
cublasStatus_t cublasCreate_v2(cublasHandle_t* h) {
  if (fails()) return CUBLAS_STATUS_NOT_INITIALIZED;
  *h = new cublasContext;
  ++count.objects;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy_v2(cublasHandle_t h) {
  delete h;
  --count.objects;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetStream_v2(cublasHandle_t h, cudaStream_t stream) {
  if (fails()) return CUBLAS_STATUS_EXECUTION_FAILED;
  h->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t) {
  return fails() ? CUBLAS_STATUS_EXECUTION_FAILED : CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSgemm_v2(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k,
                              float const* alpha, float const* a, int lda, float const* b, int ldb, float const* beta, float* c,
                              int ldc) {
  return gemm(h, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
cublasStatus_t cublasDgemm_v2(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k,
                              double const* alpha, double const* a, int lda, double const* b, int ldb, double const* beta,
                              double* c, int ldc) {
  return gemm(h, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
}
