#pragma once
/// A cache that keeps what was used most recently.
#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace lnpt::onednn::detail {

/// Values made from their keys on first use. At most `capacity` are kept; who still holds an older one keeps it alive. Thread-safe.
template <class Key, class Value>
class recently_used {
 public:
  explicit recently_used(std::size_t capacity) : capacity_(capacity) {}

  [[nodiscard]] std::shared_ptr<Value const> operator[](Key const& key) {
    std::scoped_lock const lock(mutex_);
    if (auto const known = places_.find(key); known != places_.end()) {
      order_.splice(order_.begin(), order_, known->second);
      return known->second->second;
    }
    order_.emplace_front(key, std::make_shared<Value const>(key));
    places_[key] = order_.begin();
    if (order_.size() > capacity_) {
      places_.erase(order_.back().first);
      order_.pop_back();
    }
    return order_.front().second;
  }

  [[nodiscard]] std::size_t size() const {
    std::scoped_lock const lock(mutex_);
    return order_.size();
  }

 private:
  using entries = std::list<std::pair<Key, std::shared_ptr<Value const>>>;

  std::size_t capacity_;
  mutable std::mutex mutex_;
  entries order_;  ///< the latest first
  std::map<Key, typename entries::iterator> places_;
};

}  // namespace lnpt::onednn::detail
