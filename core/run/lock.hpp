// lock.toml: what a run depended on besides its recipe, and the check that a later run has the
// same.
#pragma once

#include <string>
#include <vector>

#include "mortise/value.hpp"

#include "core/plugin/plugin_host.hpp"
#include "core/run/run_directory.hpp"

namespace mortise::core {

struct LockFacts {
  std::vector<LoadedPlugin> plugins;
  std::string data_fingerprint, tokenizer_fingerprint;
  std::string isa;  // "avx512": which kernels LibTorch and the SDK choose
  int64_t threads = 0;
};

/// The lock as data: mortise.version, machine.{cpu, isa, threads}, plugins.ID.{version, sha256,
/// tag}, data, tokenizer.
Value make_lock(const LockFacts& facts);
/// TOML text.
std::string lock_text(const Value& lock);
/// Reads lock.toml.  Throws: Error{Io}, DataError.
Value read_lock(const std::string& path);
/// Throws: Error{DoesNotFit} naming each difference.
void check_locked(const Value& expected, const Value& actual, const std::string& path);
/// Differences that let a resumed run give other bits: machine and plugins.
std::vector<TreeDifference> bit_risks(const Value& saved, const Value& now);

/// The processor's name as the kernel gives it.
std::string cpu_model();

}  // namespace mortise::core
