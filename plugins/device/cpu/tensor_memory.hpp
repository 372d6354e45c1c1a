// The counting and recycling allocator of CPU tensors.
#pragma once

#include <cstdint>

namespace mortise::device::cpu {

/// Installs the allocator once; later calls do nothing.  It stays until the process ends: tensors
/// may outlive everything. Thread: [main-thread].
void install_tensor_memory();

/// Bytes of living tensors, now and at most since the last reset.   Thread: [any-thread].
int64_t current_tensor_bytes();
int64_t peak_tensor_bytes();
void reset_peak_tensor_bytes();
/// Freed bytes kept for reuse.   Thread: [any-thread].
int64_t kept_tensor_bytes();

}  // namespace mortise::device::cpu
