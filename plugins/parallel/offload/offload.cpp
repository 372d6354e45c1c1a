// The tensors that a unit saves for its backward pass wait in host memory or in a file, and come
// back when the backward pass asks for them: the device holds the activations of one unit instead
// of all, for one copy out and one back.  Source: the saved-tensor hooks of PyTorch
// (torch.autograd.graph.save_on_cpu) and Rhu et al., "vDNN", arXiv:1602.08124 §3.
//
// Saved-tensor hooks are a Python feature: in C++ autograd asks its engine for them.  So an engine
// is put before the default one; it passes everything on, but while a wrapped unit runs it hands
// out hooks.  A storage is written once, however many operations save views of it, and is rebuilt
// with the same offsets and strides, so no bit changes.  Parameters, buffers and leaves stay where
// they are, and so does what a unit reads besides its activations (positions, prefix): the model
// holds it anyway.  A recompute strategy runs inside: what it saves are the inputs of units, and
// those wait.
#include "offload.hpp"

#include <algorithm>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/saved_variable_hooks.h>

#include "mortise/error.hpp"
#include "mortise/plugin.hpp"

namespace mortise::parallel::offload {

namespace {

using torch::autograd::Engine;
using torch::autograd::SavedVariableHooks;

/// One storage that went away, whoever saved it.
class Moved {
 public:
  Moved(Store& store, const at::Storage& storage, const at::Tensor& like)
      : device_(like.device()), waiting_(store.put(bytes_of(storage, like))) {}

  at::Storage storage() {
    const std::lock_guard lock(mutex_);
    if (!back_.defined()) back_ = waiting_->fetch(device_);
    waiting_.reset();
    return back_.storage();
  }

 private:
  static at::Tensor bytes_of(const at::Storage& storage, const at::Tensor& like) {
    const auto count = static_cast<int64_t>(storage.nbytes());
    return at::empty({0}, like.options().dtype(at::kByte)).set_(storage, 0, {count}, {1});
  }

  at::Device device_;
  std::shared_ptr<Waiting> waiting_;
  at::Tensor back_;
  std::mutex mutex_;
};

at::StorageImpl* storage_of(const at::Tensor& tensor) {
  return tensor.has_storage() ? tensor.storage().unsafeGetStorageImpl() : nullptr;
}

bool is_trained_leaf(const at::Tensor& tensor) {
  const at::TensorBase& owner =
      tensor.is_view() ? tensor._base() : static_cast<const at::TensorBase&>(tensor);
  return owner.is_leaf() && owner.requires_grad();
}

}  // namespace

/// Storages that wait, by address; the weak reference keeps an address from meaning another one.
struct Offload::Ledger {
  struct Entry {
    std::optional<c10::weak_intrusive_ptr<at::StorageImpl>> storage;
    uint32_t version = 0;
    std::weak_ptr<Moved> moved;
  };

  void forget_the_gone() {
    std::erase_if(entries, [](const auto& entry) { return entry.second.moved.expired(); });
  }

  std::unordered_map<at::StorageImpl*, Entry> entries;
};

/// One run of a wrapped unit.
struct Offload::Frame {
  Frame(const Config& config,
        Store& place,
        Ledger& known,
        const std::vector<at::Tensor>& fixed,
        const BlockInput& in)
      : min_bytes(config.min_bytes), store(place), ledger(known) {
    for (const at::Tensor& tensor : fixed) stay.insert(storage_of(tensor));
    BlockInput others = in;
    others.for_each_tensor([&](at::Tensor& tensor) {
      if (tensor.defined() && !tensor.is_same(in.x_BTD)) stay.insert(storage_of(tensor));
    });
    ledger.forget_the_gone();
  }

  /// Null: the tensor stays.
  std::shared_ptr<Moved> move(const at::Tensor& tensor) {
    if (tensor.layout() != at::kStrided || !tensor.has_storage() || tensor.is_meta())
      return nullptr;
    const at::Storage& storage = tensor.storage();
    const auto size = static_cast<int64_t>(storage.nbytes());
    constexpr int64_t kMost = 4;  // a small view would bring all of its storage
    if (size < std::max<int64_t>(min_bytes, 1) ||
        size > kMost * static_cast<int64_t>(tensor.nbytes()))
      return nullptr;
    if (stay.contains(storage_of(tensor)) || is_trained_leaf(tensor)) return nullptr;
    Ledger::Entry& entry = ledger.entries[storage_of(tensor)];
    const auto version = static_cast<uint32_t>(tensor._version());
    std::shared_ptr<Moved> moved = entry.moved.lock();
    if (moved == nullptr || entry.version != version) {
      moved = std::make_shared<Moved>(store, storage, tensor);
      entry = {storage.getWeakStorageImpl(), version, moved};
    }
    return moved;
  }

  int64_t min_bytes;
  Store& store;
  Ledger& ledger;
  std::unordered_set<at::StorageImpl*> stay;

  static thread_local Frame* current;
};

thread_local Offload::Frame* Offload::Frame::current = nullptr;

/// What autograd holds instead of a saved tensor.
struct Offload::Hook final : SavedVariableHooks {
  void call_pack_hook(const at::Tensor& tensor) override {
    const at::NoGradGuard no_grad;
    moved = Frame::current == nullptr ? nullptr : Frame::current->move(tensor);
    if (moved == nullptr) {
      stayed = tensor.detach();
      return;
    }
    offset = tensor.storage_offset();
    sizes = tensor.sizes().vec();
    strides = tensor.strides().vec();
    options = tensor.options();
  }

  at::Tensor call_unpack_hook() override {
    if (moved == nullptr) return stayed;
    const at::NoGradGuard no_grad;
    return at::empty({0}, options).set_(moved->storage(), offset, sizes, strides);
  }

  at::Tensor stayed;
  std::shared_ptr<Moved> moved;
  int64_t offset = 0;
  std::vector<int64_t> sizes, strides;
  at::TensorOptions options;
};

struct Offload::Hooks {
  /// Passes on everything but the question for hooks.
  struct Before final : Engine {
    explicit Before(Engine& engine) : next(engine) {}

    std::unique_ptr<SavedVariableHooks> get_default_saved_variable_hooks() override {
      if (Frame::current == nullptr) return next.get_default_saved_variable_hooks();
      return std::make_unique<Hook>();
    }

    torch::autograd::variable_list execute(const torch::autograd::edge_list& roots,
                                           const torch::autograd::variable_list& inputs,
                                           bool keep_graph,
                                           bool create_graph,
                                           bool accumulate_grad,
                                           const torch::autograd::edge_list& outputs) override {
      return next.execute(roots, inputs, keep_graph, create_graph, accumulate_grad, outputs);
    }

    c10::intrusive_ptr<at::ivalue::Future> execute_with_graph_task(
        const std::shared_ptr<torch::autograd::GraphTask>& graph_task,
        std::shared_ptr<torch::autograd::Node> graph_root,
        torch::autograd::InputBuffer&& input_buffer) override {
      return next.execute_with_graph_task(
          graph_task, std::move(graph_root), std::move(input_buffer));
    }

    std::unique_ptr<torch::autograd::AnomalyMetadata> make_anomaly_metadata() override {
      return next.make_anomaly_metadata();
    }

    Engine& next;
  };

  static Engine& engine() {
    static auto* before = new Before(Engine::get_default_engine());  // outlives every thread
    return *before;
  }

  /// Once a process.
  static void install() {
    static const bool done = [] {
      engine();  // asks for the default one before it is replaced
      torch::autograd::set_default_engine_stub(&engine);
      return true;
    }();
    (void)done;
  }
};

/// Hooks are handed out while it lives.
class Offload::Scope {
 public:
  explicit Scope(Frame& frame) : earlier_(std::exchange(Frame::current, &frame)) {}

  ~Scope() { Frame::current = earlier_; }

  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Frame* earlier_;
};

Offload::Offload(Config config, const ParallelArgs& args)
    : config_(std::move(config)),
      fixed_(args.tensors),
      store_(config_.to == "host" ? make_host_store() : make_file_store(config_.folder)),
      ledger_(std::make_shared<Ledger>()) {
  const bool is_host = !fixed_.empty() && fixed_.front().is_cpu();
  if (is_host && config_.to == "host")
    throw Error(
        Code::Usage,
        "offload to = \"host\" would copy activations from the memory of this device to the "
        "same memory: the device is the host",
        "to = \"file\"");
  Hooks::install();
}

UnitRunner Offload::wrap(int64_t layer, UnitRunner unit) {
  if (layer % config_.every != 0) return unit;
  return [this, unit = std::move(unit)](const BlockInput& in) {
    if (!at::GradMode::is_enabled()) return unit(in);
    Frame frame(config_, *store_, *ledger_, fixed_, in);
    const Scope scope(frame);
    return unit(in);
  };
}

void Offload::Config::describe(Schema<Config>& schema) {
  schema
      .field("to",
             &Config::to,
             "where they wait: in an unlinked temporary file, or in host memory (for devices with "
             "memory of their own)")
      .one_of({"file", "host"});
  schema.field("folder", &Config::folder, "of the file; empty: TMPDIR, else the system's");
  schema.field("min_bytes", &Config::min_bytes, "smaller tensors stay").min(0).unit("bytes");
  schema.field("every", &Config::every, "offloads each n-th unit").min(1);
}

}  // namespace mortise::parallel::offload

MORTISE_PLUGIN("org.mortise.parallel.offload",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::parallel::offload::Offload>(
                   "offload", "activations of a unit wait in host memory or a file"));
