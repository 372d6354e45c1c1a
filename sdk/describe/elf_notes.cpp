// Reads .note.gnu.build-id, .gnu.version_r, .dynamic and .dynsym of a 64-bit ELF file (System V
// ABI, chapters 4 and 5; LSB symbol versioning). Every offset is checked against the file before
// use: the file may be anyone's.
#include "elf_notes.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <vector>

#include <elf.h>

namespace {

class Image {
 public:
  explicit Image(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(in), {});
    const auto header = read<Elf64_Ehdr>(0);
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64)
      throw std::runtime_error("no 64-bit ELF file: " + path);
    for (uint64_t i = 0; i < header.e_shnum; ++i)
      sections_.push_back(read<Elf64_Shdr>(header.e_shoff + i * header.e_shentsize));
  }

  template <class T>
  T read(uint64_t offset) const {
    if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T))
      throw std::runtime_error("truncated ELF file");
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof(T));
    return value;
  }

  std::string text(uint64_t offset) const {
    std::string out;
    for (char c = read<char>(offset); c != 0; c = read<char>(++offset)) out += c;
    return out;
  }

  const std::vector<Elf64_Shdr>& sections() const { return sections_; }

 private:
  std::vector<char> bytes_;
  std::vector<Elf64_Shdr> sections_;
};

std::array<int, 3> version_numbers(const std::string& text) {
  std::array<int, 3> numbers{};
  std::sscanf(text.c_str(), "%d.%d.%d", &numbers[0], &numbers[1], &numbers[2]);
  return numbers;
}

void raise(std::string& highest, const std::string& version) {
  if (version_numbers(version) > version_numbers(highest)) highest = version;
}

void read_build_id(const Image& image, const Elf64_Shdr& section, ElfNotes& notes) {
  const auto note = image.read<Elf64_Nhdr>(section.sh_offset);
  if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4) return;
  for (uint64_t i = 0; i < note.n_descsz && i < 64; ++i) {
    const auto byte = image.read<unsigned char>(section.sh_offset + sizeof note + 4 + i);
    notes.build_id += "0123456789abcdef"[byte >> 4];
    notes.build_id += "0123456789abcdef"[byte & 15];
  }
}

void read_needed_versions(const Image& image, const Elf64_Shdr& section, ElfNotes& notes) {
  if (section.sh_link >= image.sections().size())
    throw std::runtime_error("broken ELF section link");
  const uint64_t names = image.sections()[section.sh_link].sh_offset;
  uint64_t file = section.sh_offset;
  for (uint64_t i = 0; i < section.sh_info; ++i) {
    const auto need = image.read<Elf64_Verneed>(file);
    uint64_t at = file + need.vn_aux;
    for (uint64_t j = 0; j < need.vn_cnt; ++j) {
      const auto aux = image.read<Elf64_Vernaux>(at);
      const std::string name = image.text(names + aux.vna_name);
      if (name.rfind("GLIBCXX_", 0) == 0)
        raise(notes.glibcxx, name.substr(8));
      else if (name.rfind("GLIBC_", 0) == 0)
        raise(notes.glibc, name.substr(6));
      if (aux.vna_next == 0) break;
      at += aux.vna_next;
    }
    if (need.vn_next == 0) break;
    file += need.vn_next;
  }
}

uint64_t names_of(const Image& image, const Elf64_Shdr& section) {
  if (section.sh_link >= image.sections().size())
    throw std::runtime_error("broken ELF section link");
  return image.sections()[section.sh_link].sh_offset;
}

void read_dynamic(const Image& image, const Elf64_Shdr& section, ElfNotes& notes) {
  const uint64_t names = names_of(image, section);
  for (uint64_t i = 0; i < section.sh_size / sizeof(Elf64_Dyn); ++i) {
    const auto entry = image.read<Elf64_Dyn>(section.sh_offset + i * sizeof(Elf64_Dyn));
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_NEEDED) notes.needed.push_back(image.text(names + entry.d_un.d_val));
    if (entry.d_tag == DT_RPATH || entry.d_tag == DT_RUNPATH)
      notes.run_path.push_back(image.text(names + entry.d_un.d_val));
  }
}

void read_symbols(const Image& image, const Elf64_Shdr& section, ElfNotes& notes) {
  const uint64_t names = names_of(image, section);
  for (uint64_t i = 1; i < section.sh_size / sizeof(Elf64_Sym); ++i) {
    const auto symbol = image.read<Elf64_Sym>(section.sh_offset + i * sizeof(Elf64_Sym));
    const auto binding = ELF64_ST_BIND(symbol.st_info),
               visibility = ELF64_ST_VISIBILITY(symbol.st_other);
    const bool is_visible = visibility == STV_DEFAULT || visibility == STV_PROTECTED;
    if (symbol.st_shndx != SHN_UNDEF && symbol.st_shndx != SHN_ABS && binding != STB_LOCAL &&
        is_visible)
      notes.exported.push_back(image.text(names + symbol.st_name));
  }
}

}  // namespace

bool ElfNotes::needs_torch() const {
  return std::any_of(needed.begin(), needed.end(), [](const std::string& name) {
    return name.rfind("libmortise_sdk_torch", 0) == 0 || name.rfind("libtorch", 0) == 0;
  });
}

ElfNotes read_elf_notes(const std::string& path) {
  const Image image(path);
  ElfNotes notes;
  for (const Elf64_Shdr& section : image.sections()) {
    if (section.sh_type == SHT_NOTE && notes.build_id.empty()) read_build_id(image, section, notes);
    if (section.sh_type == SHT_GNU_verneed) read_needed_versions(image, section, notes);
    if (section.sh_type == SHT_DYNAMIC) read_dynamic(image, section, notes);
    if (section.sh_type == SHT_DYNSYM) read_symbols(image, section, notes);
  }
  return notes;
}
