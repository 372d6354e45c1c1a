// Connected components of values that occur together in one record (union-find).
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mortise::transform::split {

struct ValueGroup {
  uint64_t key = 0;  // the smallest of its values: does not depend on the order of records
  int64_t num_records = 0;
};

class Grouping {
 public:
  /// Adds a record with these values (hashes, at least one).
  void add(const std::vector<uint64_t>& values);
  /// Lists the components in order of their keys.
  std::vector<ValueGroup> components();
  /// The place in components() of every value's component, by value.
  std::unordered_map<uint64_t, size_t> places();

  /// Pairs of values that stood together in a record; enough of them to connect all its values.
  const std::vector<std::pair<uint64_t, uint64_t>>& links() const { return links_; }

  int64_t num_records() const { return num_records_; }

 private:
  size_t node_of(uint64_t value);
  size_t root_of(size_t node);

  std::unordered_map<uint64_t, size_t> nodes_;
  std::vector<uint64_t> values_;  // of each node
  std::vector<size_t> parents_;
  std::vector<int64_t> records_;  // counted at the node of a record's first value
  std::vector<std::pair<uint64_t, uint64_t>> links_;
  int64_t num_records_ = 0;
};

}  // namespace mortise::transform::split
