/// The conformance suite on the engine over cuDNN: small networks in double (derivatives too) and in float.
#include <lnpt/cudnn.hpp>
#include <lnpt/nn/builder.hpp>

#include "../../conformance/support.hpp"
#include "device.hpp"

using namespace lnpt;

namespace {

template <class T, class Model>
void examine(Model model, shape const& extents) {
  check_conforms(conformance::examine(model, random_batch<cudnn::array<T>>(extents, 2, 1)));
}

}  // namespace

TEST_CASE_TEMPLATE("networks on the device conform", T, double, float) {
  if (!device_is_here()) return;
  std::vector<std::size_t> const sizes{4, 3, 2};
  examine<T>(zoo::mlp<cudnn::backend<T>>(sizes), {5, 4});
  network_builder<cudnn::backend<T>> net(2, 3);
  auto const x = net.batch_norm("bn", net.conv2d("conv", net.input(), 2), true);
  net.classifier("fc", net.global_average_pool(x), 2);
  examine<T>(std::move(net).build(), {3, 2, 3, 3});
}
