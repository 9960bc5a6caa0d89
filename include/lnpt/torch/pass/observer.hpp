#pragma once
/// Calls an object for every operator that this thread runs.
#include <ATen/record_function.h>

#include <exception>
#include <memory>
#include <string>
#include <utility>

#include <lnpt/core/error.hpp>

namespace lnpt::detail {

/// While it lives, `start` sees every operator before it runs and `end` those for which `start` gave a context. An observer made while
/// another lives takes over from it for as long. LibTorch's C++ modules have no hooks; the dispatcher's observers see every operator of
/// every module, scripted ones among them, with its tensors as autograd knows them.
class operator_observer {
 public:
  operator_observer(operator_observer const&) = delete;
  operator_observer& operator=(operator_observer const&) = delete;

  /// Throws what an observer has to say; in the midst of an operator it must not.
  void check() const {
    if (complaint_) std::rethrow_exception(complaint_);
  }

 protected:
  operator_observer() : outer_(std::exchange(current(), this)) {
    if (outer_ == nullptr)  // one callback calls the innermost observer
      handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(&on_start, &on_end)
                                               .needsInputs(true)
                                               .needsOutputs(true)
                                               .scopes({at::RecordScope::FUNCTION}));
  }
  virtual ~operator_observer() {
    current() = outer_;
    if (outer_ == nullptr) at::removeCallback(handle_);
  }

  /// The first complaint is the one that `check` throws.
  void complain(std::exception_ptr reason) {
    if (!complaint_) complaint_ = std::move(reason);
  }
  void complain(std::string const& sentence) { complain(std::make_exception_ptr(error(sentence))); }
  [[nodiscard]] bool has_complained() const { return complaint_ != nullptr; }

 private:
  [[nodiscard]] virtual std::unique_ptr<at::ObserverContext> start(at::RecordFunction const& call) = 0;
  virtual void end(at::RecordFunction const& call, at::ObserverContext& context) = 0;

  static operator_observer*& current() {
    static thread_local operator_observer* active = nullptr;
    return active;
  }

  /// Calls `f` on the observer, whose own operators nobody observes.
  template <class F>
  void quietly(at::RecordFunction const& call, F f) {
    at::RecordFunctionGuard const quiet(/*is_enabled=*/false);
    try {
      f();
    } catch (error const&) {
      complain(std::current_exception());
    } catch (std::exception const& reason) {
      complain(std::string(call.name()) + " could not be watched (" + reason.what() + "): report it with the module");
    }
  }

  static std::unique_ptr<at::ObserverContext> on_start(at::RecordFunction const& call) {
    auto* const observer = current();
    std::unique_ptr<at::ObserverContext> context;
    if (observer != nullptr)  // else a thread of autograd's, for another device
      observer->quietly(call, [&] { context = observer->start(call); });
    return context;
  }

  static void on_end(at::RecordFunction const& call, at::ObserverContext* context) {
    if (context != nullptr && current() != nullptr) current()->quietly(call, [&] { current()->end(call, *context); });
  }

  operator_observer* outer_;
  at::CallbackHandle handle_ = 0;
  std::exception_ptr complaint_;
};

}  // namespace lnpt::detail
