// Interface `transform`: keeps, changes, drops (with a reason) or multiplies records.
//
// Order of calls: (fit* finish_fit)? apply*.  fit sees every record of the data once, in order,
// before any apply; only transforms with needs_fit get it.
#pragma once

#include <string>
#include <string_view>

#include "mortise/component.hpp"
#include "mortise/host.hpp"
#include "mortise/layout.hpp"
#include "mortise/record.hpp"
#include "mortise/state.hpp"

namespace mortise {

struct TransformTraits {
  bool per_row = true;     // apply() depends on its record only: rows may be processed in parallel
  bool needs_fit = false;  // fit() must see all records first
  bool global =
      false;  // apply() depends on earlier records (deduplication): one instance sees all, in order
};

/// Where apply() puts its results.  Implemented by the host.  Thread: that of apply().
class MORTISE_API RecordSink {
 public:
  virtual ~RecordSink();
  virtual void keep(Record record) = 0;
  /// `reason` is a short stable word that reports count: "duplicate", "empty".
  virtual void drop(const Record& record, std::string_view reason) = 0;
};

class MORTISE_API Transform : public Component {
 public:
  using Interface = Transform;
  using Args = NoArgs;
  using Extensions = detail::ExtensionList<>;
  static constexpr const char* kInterface = "transform/1.0";

  static std::string layout() {
    return layout_fingerprint({MORTISE_COMMON_TYPES,
                               MORTISE_TYPE(Record),
                               MORTISE_MEMBER(Record, fields),
                               MORTISE_TYPE(TransformTraits)});
  }

  virtual TransformTraits traits() const { return {}; }

  /// Sees one record while fitting.   Thread: [one thread at a time].
  virtual void fit(const Record&) {}

  virtual void finish_fit() {}

  /// Emits zero, one or many records for one.  Throws: DataError naming the record's id.
  /// Thread: [any-thread, concurrent] when traits().per_row, else [one thread at a time].
  virtual void apply(Record record, RecordSink& sink) = 0;

  /// Saves or restores what was fitted or remembered.
  virtual void state(StateIo&) {}
};

}  // namespace mortise
