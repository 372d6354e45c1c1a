// Union-find with path halving; the smaller value becomes the root, so that a root's value is its
// component's key.
#include "grouping.hpp"

#include <algorithm>

namespace mortise::transform::split {

size_t Grouping::node_of(uint64_t value) {
  const auto [it, is_new] = nodes_.emplace(value, values_.size());
  if (is_new) {
    values_.push_back(value);
    parents_.push_back(it->second);
    records_.push_back(0);
  }
  return it->second;
}

size_t Grouping::root_of(size_t node) {
  while (parents_[node] != node) node = parents_[node] = parents_[parents_[node]];
  return node;
}

void Grouping::add(const std::vector<uint64_t>& values) {
  const size_t first = node_of(values.front());
  ++records_[first];
  ++num_records_;
  for (size_t i = 1; i < values.size(); ++i) {
    links_.emplace_back(values.front(), values[i]);
    const size_t a = root_of(first), b = root_of(node_of(values[i]));
    if (values_[a] < values_[b])
      parents_[b] = a;
    else
      parents_[a] = b;
  }
}

std::vector<ValueGroup> Grouping::components() {
  std::unordered_map<uint64_t, int64_t> counts;
  for (size_t node = 0; node < values_.size(); ++node)
    counts[values_[root_of(node)]] += records_[node];
  std::vector<ValueGroup> out;
  for (const auto& [key, count] : counts) out.push_back({key, count});
  std::sort(out.begin(), out.end(), [](const ValueGroup& a, const ValueGroup& b) {
    return a.key < b.key;
  });
  return out;
}

std::unordered_map<uint64_t, size_t> Grouping::places() {
  std::unordered_map<uint64_t, size_t> place_of_key;
  for (const ValueGroup& component : components())
    place_of_key.emplace(component.key, place_of_key.size());
  std::unordered_map<uint64_t, size_t> out;
  for (size_t node = 0; node < values_.size(); ++node)
    out.emplace(values_[node], place_of_key.at(values_[root_of(node)]));
  return out;
}

}  // namespace mortise::transform::split
