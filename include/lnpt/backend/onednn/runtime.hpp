#pragma once
/// oneDNN's engine, and how its primitives are described and run.
#include <tuple>
#include <unordered_map>

#include <dnnl.hpp>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/onednn/single_thread.hpp>

namespace lnpt::onednn::detail {

inline dnnl::engine const& engine() {
  static dnnl::engine const cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

/// oneDNN took its arguments as a descriptor of the operation before version 3.
template <class Primitive, class... Hint, class... Arguments>
auto describe(dnnl::primitive_attr const& attributes, std::tuple<Arguments...> const& arguments, Hint const&... hint) {
  return std::apply(
      [&](auto const&... a) {
        if constexpr (DNNL_VERSION_MAJOR >= 3)
          return typename Primitive::primitive_desc(engine(), a..., hint..., attributes);
        else
          return typename Primitive::primitive_desc(typename Primitive::desc(a...), attributes, engine(), hint...);
      },
      arguments);
}

/// Of every primitive: memory for temporaries is the caller's, so that threads can share the primitive.
inline dnnl::primitive_attr attributes() {
  dnnl::primitive_attr result;
  result.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return result;
}

/// Runs a primitive on this thread. Its temporary memory comes from the arrays' own cache of blocks.
inline void execute(dnnl::primitive const& primitive, std::size_t scratch_bytes,
                    std::unordered_map<int, dnnl::memory> arguments) {
  thread_local dnnl::stream stream(engine());
  auto scratch = cpu::uninitialized<float>({scratch_bytes / sizeof(float) + 1});
  auto const bytes = static_cast<dnnl::memory::dim>(scratch_bytes);
  if (bytes != 0) {
    dnnl::memory::desc const layout({bytes}, dnnl::memory::data_type::u8, dnnl::memory::format_tag::a);
    arguments.emplace(DNNL_ARG_SCRATCHPAD, dnnl::memory(layout, engine(), scratch.data()));
  }
  single_thread const here;
  primitive.execute(stream, arguments);
}

}  // namespace lnpt::onednn::detail
