// mortise-describe PLUGIN.so [MANIFEST]   writes the manifest of a plugin (to stdout without
// MANIFEST) mortise-describe --rehash FOLDER        sets sha256 in FOLDER/plugin.toml
//
// It runs the plugin's entry, so it is for one's own build and for probing in a child process; it
// depends on abi.h only.  The SDK libraries (and through them the pinned LibTorch) are loaded
// first, by path, because plugins carry no rpath; the tensor tier only for a plugin that names it.
// What a plugin prints goes to stderr: stdout is the manifest's.
#include <climits>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <unistd.h>

#include "mortise/abi.h"

#include "elf_notes.hpp"
#include "manifest_text.hpp"

namespace {

std::string directory_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

std::string own_directory() {
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  if (length <= 0) throw std::runtime_error("cannot find my own path");
  return directory_of(std::string(path, static_cast<size_t>(length)));
}

void* load(const std::string& path) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) throw std::runtime_error(dlerror());
  return handle;
}

void preload_sdk(bool torch) {
  const std::string base = own_directory() + "/../lib/libmortise_sdk";
  load(base + ".so.0");
  if (torch) load(base + "_torch.so.0");
}

// What the plugin reported, as one sentence; `context` is a std::string.
void keep_error(void* context, int32_t, const char* message, const char* hint, const char*) {
  *static_cast<std::string*>(context) = std::string(message) + (*hint != 0 ? "; fix: " : "") + hint;
}

const mortise_plugin& descriptor_of(const std::string& path) {
  void* symbol = dlsym(load(path), MORTISE_ENTRY_NAME);
  if (symbol == nullptr)
    throw std::runtime_error(path + " exports no " MORTISE_ENTRY_NAME "; is it a Mortise plugin?");
  mortise_plugin_entry_fn entry;
  std::memcpy(&entry, &symbol, sizeof entry);
  std::string reported;
  const mortise_error_sink sink{&reported, &keep_error};
  const mortise_plugin* plugin = entry(&sink);
  if (plugin == nullptr)
    throw std::runtime_error(reported.empty() ? path + " gave no descriptor"
                                              : "its entry failed: " + reported);
  if (std::memcmp(plugin->magic, MORTISE_MAGIC, sizeof plugin->magic) != 0)
    throw std::runtime_error(path + " has a wrong magic number");
  if (plugin->abi != MORTISE_ABI)
    throw std::runtime_error(path + " speaks ABI " + std::to_string(plugin->abi) + ", this tool " +
                             std::to_string(MORTISE_ABI));
  if (plugin->size < sizeof(mortise_plugin) || plugin->component_size < sizeof(mortise_component))
    throw std::runtime_error(path + " has a descriptor that is too small");
  return *plugin;
}

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A manifest is whole or absent: written beside, then renamed.
void write_text(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".tmp";
  std::ofstream out(temporary, std::ios::binary);
  out << text;
  out.close();
  if (!out || std::rename(temporary.c_str(), path.c_str()) != 0)
    throw std::runtime_error("cannot write " + path);
}

void run(std::vector<std::string> args) {
  if (args.size() == 2 && args[0] == "--rehash") {
    write_text(args[1] + "/plugin.toml", with_hash(read_text(args[1] + "/plugin.toml"), args[1]));
    return;
  }
  if (args.empty() || args.size() > 2)
    throw std::runtime_error("usage: mortise-describe PLUGIN.so [MANIFEST] | --rehash FOLDER");
  char absolute[PATH_MAX];
  if (realpath(args[0].c_str(), absolute) == nullptr)
    throw std::runtime_error("no such file: " + args[0]);
  const std::string path = absolute;
  const ElfNotes notes = read_elf_notes(path);
  const int real_stdout = dup(STDOUT_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  preload_sdk(notes.needs_torch());
  const std::string text =
      manifest_text(descriptor_of(path), notes, path.substr(path.rfind('/') + 1));
  std::fflush(stdout);
  dup2(real_stdout, STDOUT_FILENO);
  if (args.size() == 2)
    write_text(args[1], text);
  else
    std::fputs(text.c_str(), stdout);
}

}  // namespace

int main(int argc, char** argv) {
  int status = 0;
  try {
    run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mortise-describe: %s\n", error.what());
    status = 6;
  } catch (...) {
    std::fprintf(
        stderr, "mortise-describe: the plugin threw an exception of unknown type from its entry\n");
    status = 6;
  }
  std::fflush(nullptr);
  _exit(status);  // libraries of the plugin stay loaded; their exit handlers are nobody's business
                  // here
}
