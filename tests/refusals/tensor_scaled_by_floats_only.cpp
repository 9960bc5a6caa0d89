// expect: the model's tensor_type lacks an operation
#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/prune.hpp>

struct plane {
  std::vector<float> values;
  friend plane operator+(plane const& a, plane const&) { return a; }
  friend plane operator*(plane const& a, plane const&) { return a; }
  template <std::same_as<float> Scalar>
  friend plane operator*(Scalar, plane const& a) {
    return a;
  }
  friend plane abs(plane const& a) { return a; }
};
template <>
struct lnpt::tensor_traits<plane> {
  using value_type = float;
  static std::size_t size(plane const&);
  static lnpt::shape shape(plane const&);
  static void copy_to(plane const&, std::span<float>);
  static plane make(lnpt::shape const&, std::span<float const>, plane const&);
};
struct flat_model {
  using tensor_type = plane;
  std::vector<lnpt::parameter<plane>> parameters();
};
auto f(flat_model& model) { return lnpt::prune<lnpt::magnitude>(model, {.budget = lnpt::sparsity{0.95}}); }
