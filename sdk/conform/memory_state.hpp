// A StateIo in memory: what a checkpoint would hold of one component.
#pragma once

#include <map>
#include <string>

#include "mortise/error.hpp"
#include "mortise/state.hpp"

namespace mortise::conform {

/// Saves first; after rewind() it loads.  The plain tier has no tensors.
class MemoryState : public StateIo {
 public:
  bool loading() const override { return loading_; }

  void value(std::string_view name, Value& value) override {
    if (!loading_) {
      if (!values_.emplace(std::string(name), value).second)
        throw DataError(fmt::format("the state {} is named twice", name));
      return;
    }
    const auto it = values_.find(name);
    if (it == values_.end()) throw DataError(fmt::format("the state {} was not saved", name));
    value = it->second;
  }

  void tensor(std::string_view name, at::Tensor&) override {
    throw DataError(fmt::format("the state {} is a tensor in the plain tier", name));
  }

  void rewind() { loading_ = true; }

  bool empty() const { return values_.empty(); }

 private:
  std::map<std::string, Value, std::less<>> values_;
  bool loading_ = false;
};

}  // namespace mortise::conform
