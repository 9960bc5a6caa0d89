#pragma once
/// cuDNN's graph API by its own descriptors, without a wrapper library: a descriptor gets attributes, is finalised, and is used.
#include <cstdint>
#include <utility>
#include <vector>

#include <lnpt/backend/cudnn/handle.hpp>

namespace lnpt::cudnn::detail {

inline void destroy_descriptor(cudnnBackendDescriptor_t d) { (void)cudnnBackendDestroyDescriptor(d); }

/// A backend descriptor of cuDNN, built by a chain of `set` and `finalized`.
class descriptor {
 public:
  explicit descriptor(cudnnBackendDescriptorType_t type) {
    check(cudnnBackendCreateDescriptor(type, handle_.out()), "cudnnBackendCreateDescriptor");
  }

  descriptor&& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count,
                   void const* values) && {
    check(cudnnBackendSetAttribute(get(), name, type, count, values), "cudnnBackendSetAttribute");
    return std::move(*this);
  }
  descriptor&& set(cudnnBackendAttributeName_t name, std::vector<std::int64_t> const& values) && {
    return std::move(*this).set(name, CUDNN_TYPE_INT64, static_cast<std::int64_t>(values.size()), values.data());
  }
  descriptor&& set(cudnnBackendAttributeName_t name, std::int64_t value) && {
    return std::move(*this).set(name, CUDNN_TYPE_INT64, 1, &value);
  }
  descriptor&& set(cudnnBackendAttributeName_t name, double value) && {
    return std::move(*this).set(name, CUDNN_TYPE_DOUBLE, 1, &value);
  }
  descriptor&& set(cudnnBackendAttributeName_t name, cudnnDataType_t value) && {
    return std::move(*this).set(name, CUDNN_TYPE_DATA_TYPE, 1, &value);
  }
  descriptor&& set(cudnnBackendAttributeName_t name, descriptor const& part) && {
    auto const d = part.get();
    return std::move(*this).set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &d);
  }
  descriptor&& finalized() && {
    check(cudnnBackendFinalize(get()), "cudnnBackendFinalize");
    return std::move(*this);
  }

  /// Reads an attribute; returns how many values there are.
  std::int64_t read(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t room, void* out) const {
    std::int64_t found = 0;
    check(cudnnBackendGetAttribute(get(), name, type, room, &found, out), "cudnnBackendGetAttribute");
    return found;
  }
  [[nodiscard]] cudnnBackendDescriptor_t get() const { return handle_.get(); }

 private:
  handle<cudnnBackendDescriptor_t, destroy_descriptor> handle_;
};

}  // namespace lnpt::cudnn::detail
