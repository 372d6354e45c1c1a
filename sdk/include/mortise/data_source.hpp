// Interface `data_source`: a resumable reader of records, of one shard of several.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "mortise/component.hpp"
#include "mortise/host.hpp"
#include "mortise/layout.hpp"
#include "mortise/record.hpp"
#include "mortise/state.hpp"

namespace mortise {

struct DataSourceArgs {
  int64_t shard =
      0;  // which share of the records this reader gives: those with index % num_shards == shard
  int64_t num_shards = 1;
};

/// What was read and what was refused; printed by `mortise data stats` and at the end of loading.
struct DataReport {
  int64_t records = 0;
  int64_t bytes = 0;
  int64_t skipped = 0;   // bad rows left out by the policy in force
  int64_t repaired = 0;  // rows with invalid UTF-8 replaced by U+FFFD
};

class MORTISE_API DataSource : public Component {
 public:
  using Interface = DataSource;
  using Args = DataSourceArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "data_source/1.0";

  static std::string layout() {
    return layout_fingerprint({MORTISE_COMMON_TYPES,
                               MORTISE_TYPE(Record),
                               MORTISE_MEMBER(Record, fields),
                               MORTISE_TYPE(DataSourceArgs),
                               MORTISE_TYPE(DataReport)});
  }

  /// Reads the next record of this shard; returns false at the end.  Order: the same in every run.
  /// Throws: DataError naming file and line.   Thread: [one thread at a time].
  virtual bool next(Record& record) = 0;
  /// Returns to the first record.
  virtual void rewind() = 0;
  /// Saves or restores the cursor: after loading, next() goes on where the saved reader stopped.
  virtual void state(StateIo& io) = 0;
  /// Identifies the content, not the path: equal bytes give an equal fingerprint.  May read the
  /// files once.
  virtual std::string fingerprint() const = 0;

  /// The number of records of all shards when it is known without reading.
  virtual std::optional<int64_t> size() const { return std::nullopt; }

  virtual DataReport report() const = 0;
};

}  // namespace mortise
