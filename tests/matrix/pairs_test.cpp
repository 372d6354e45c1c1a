// The swap matrix, second half: what must compose, two by two.  Each pair trains four steps of the
// tiny recipe, and must give the right numbers against its plain twin (not recomputed, unpacked,
// merged, fp32) and resume to the same bits, or be refused before training with both sides named
// and a fix that, applied, validates.
//
// docs/reference/compatibility.md is this test's result; MORTISE_UPDATE_GOLDEN=1 writes it anew.
#include <cmath>
#include <cstdlib>
#include <vector>

#include <doctest/doctest.h>

#include "mortise/json.hpp"

#include "tests/matrix/job.hpp"

using namespace mortise;  // NOLINT: a test file
using namespace mortise::matrix;
using test::mortise_cli, test::Ran;

namespace {

/// One line of a recipe.  Of one axis a recipe holds one choice.
struct Choice {
  const char *axis, *name, *set;
};

constexpr const char* kMoe =
    "--set 'model.layer.dense={type=\"moe\",attention={type=\"gqa\",heads=4,kv_heads=2,position={"
    "type=\"rope\"}},router={type=\"topk\",experts=6,k=2},paths={type=\"swiglu_experts\",hidden=24}"
    "}' --set export.hf.architecture=mixtral";
constexpr const char* kDynamicPath =
    "--set 'model.layer.dense={type=\"dynamic_path\",router={type=\"by_kind\",map={the=\"a\"},"
    "otherwise=\"b\"},paths={type=\"subnets\",paths={a={kind=\"layers\",layer={type=\"prenorm\","
    "attention={type=\"gqa\",heads=4,kv_heads=2,position={type=\"rope\"}},ffn={type=\"swiglu\","
    "hidden=24}}},b={kind=\"cnn\",kernel=3}}}}' --set ~export.hf";

constexpr Choice kChoices[] = {
    {"adapter", "lora", "--set 'adapter={type=\"lora\"}'"},
    {"adapter", "dora", "--set 'adapter={type=\"lora\",use_dora=true}'"},
    {"adapter", "ia3", "--set 'adapter={type=\"ia3\"}'"},
    {"adapter", "prefix", "--set 'adapter={type=\"prefix\",tokens=4}'"},
    {"adapter", "prompt", "--set 'adapter={type=\"prompt\",tokens=4}'"},
    {"parallel", "recompute", "--set 'parallel.p={type=\"recompute\"}'"},
    {"memory", "offload", "--set 'parallel.o={type=\"offload\",min_bytes=0}'"},
    {"rows", "packing", "--set batch.packing=true"},
    {"layer", "moe", kMoe},
    {"layer", "dynamic_path", kDynamicPath},
    {"precision", "bf16", "--set run.dtype=bf16"},
    {"precision", "fp16", "--set run.dtype=fp16"},
    {"optimizer", "lion", "--set 'optimizer={type=\"lion\",lr=1e-3}'"},
    {"optimizer", "muon", "--set 'optimizer={type=\"muon\",lr=1e-2}'"},
    {"optimizer", "adafactor", "--set 'optimizer={type=\"adafactor\",lr=1e-2}'"},
    {"optimizer", "sgd", "--set 'optimizer={type=\"sgd\",lr=1e-1,momentum=0.9}'"},
    {"average", "ema", "--set ema.decay=0.8"},
    {"noise", "neftune", "--set run.neftune_alpha=5"},
};

bool is(const Choice& choice, std::string_view name) { return choice.name == name; }

bool merges(const Choice& c) { return is(c, "lora") || is(c, "dora") || is(c, "ia3"); }

bool is_half(const Choice& c) { return std::string_view(c.axis) == "precision"; }

/// The recipe of a choice by itself, or of two.  The later word wins, so a layer stands before what
/// is set in it.
std::string job(const Choice& a, const Choice* b) {
  std::string sets = std::string(" --set run.threads=1 --set batch.packing=false ") + a.set;
  if (b != nullptr) sets += std::string(" ") + b->set;
  const bool is_written = sets.find("~export.hf") == std::string::npos;
  if (is_written && (merges(a) || (b != nullptr && merges(*b))))
    sets += " --set export.hf.merge_adapter=true";
  return kTiny + sets;
}

double dev_perplexity(const std::string& dir) {
  return parse_json(read_file(dir + "/status.json"))
      .at("scores")
      .get("dev.perplexity", std::nan(""));
}

/// "… in 68 rows × 48 …" of the plan.
int64_t rows_of(const std::string& dir) {
  const std::string plan = read_file(dir + "/plan.txt");
  const size_t end = plan.find(" rows ×");
  REQUIRE((end != std::string::npos));
  return std::stoll(plan.substr(plan.rfind(' ', end - 1) + 1));
}

/// What was proved of a pair, in the signs of the page.
class Pair {
 public:
  Pair(const Choice& a, const Choice& b, const std::string& root)
      : a_(a),
        b_(b),
        recipe_(job(a, &b)),
        root_(root),
        dir_(fmt::format("{}/{}-{}", root, a.name, b.name)) {}

  std::string prove() {
    const Ran valid = mortise_cli("validate " + recipe_ + " --json");
    if (valid.code != 0) return refusal(valid);
    const Ran ran = run(recipe_, dir_);
    INFO(ran.output);
    CHECK(ran.code == 0);
    if (ran.code != 0) return "!";
    CHECK(std::isfinite(dev_perplexity(dir_)));
    std::string signs = "✓";
    for (const char* strategy : {"recompute", "offload"})
      if (const Choice* other = beside(strategy))
        signs = signs.substr(0, signs.find('R')) + same_as_stored(*other);
    if (const Choice* other = beside("packing")) signs += same_as_unpacked(*other);
    if (merges(a_) || merges(b_)) signs += same_as_merged();
    if (is_half(a_) || is_half(b_)) signs += near_fp32(is_half(a_) ? b_ : a_);
    resumes();
    return signs;
  }

  const std::string& refused() const { return refused_; }

 private:
  const Choice* beside(std::string_view name) const {
    return is(a_, name) ? &b_ : is(b_, name) ? &a_ : nullptr;
  }

  std::string single(const Choice& choice) const {
    const std::string dir = fmt::format("{}/{}", root_, choice.name);
    if (!fs::exists(dir)) {
      const Ran ran = run(job(choice, nullptr), dir);
      INFO(ran.output);
      REQUIRE(ran.code == 0);
    }
    return dir;
  }

  std::string same_as_stored(const Choice& other) const {
    CHECK(differing(dir_, single(other)) == "");
    return "R";
  }

  /// With all rows in one step, packed and unpacked rows hold the same documents, and give the same
  /// gradients.
  double by_whole_epochs(const std::string& recipe, const std::string& like) const {
    const std::string dir = like + "-epochs";
    const int64_t rows = rows_of(like);
    const Ran ran =
        run(fmt::format("{0} --set batch.global={1} --set batch.micro={1}", recipe, rows), dir);
    INFO(ran.output);
    REQUIRE(ran.code == 0);
    return dev_perplexity(dir);
  }

  std::string same_as_unpacked(const Choice& other) const {
    if (is(other, "neftune")) return "";  // its noise is another in other rows
    const bool half = is_half(a_) || is_half(b_);
    CHECK(by_whole_epochs(recipe_, dir_) ==
          doctest::Approx(by_whole_epochs(job(other, nullptr), single(other)))
              .epsilon(half ? 5e-3 : 1e-4));
    return "U";
  }

  std::string same_as_merged() const {
    const std::string report = dir_ + "/export/hf/merge_report.json";
    if (!fs::exists(report)) return "";  // no architecture writes this model
    const bool half = is_half(a_) || is_half(b_);
    CHECK(parse_json(read_file(report)).get("relative_difference", 1.0) < (half ? 0.03 : 1e-5));
    return "M";
  }

  std::string near_fp32(const Choice& other) const {
    if (is(other, "neftune")) return "";  // its noise is another in another dtype
    const double exact = dev_perplexity(single(other));
    CHECK(dev_perplexity(dir_) == doctest::Approx(exact).epsilon(0.03));
    return "H";
  }

  void resumes() const {
    const std::string whole = dir_ + "-whole";
    fs::copy(dir_, whole, fs::copy_options::recursive);
    const Ran resumed = resume_in_the_middle(dir_);
    INFO(resumed.output);
    CHECK(resumed.code == 0);
    CHECK(differing(whole, dir_) == "");
  }

  /// Both sides are named, and the fix validates.
  std::string refusal(const Ran& valid) {
    INFO(valid.output);
    CHECK(valid.code == 2);
    const Value error = parse_json(valid.output).at("errors").as_array().front();
    const std::string message = error.get("message", ""), fix = error.get("fix", "");
    for (const Choice* choice : {&a_, &b_})
      CHECK_MESSAGE(message.find(choice->name) != std::string::npos, choice->name);
    std::string set = fix;
    for (size_t space; (space = set.find(' ')) != std::string::npos;) set.erase(space, 1);
    const Ran fixed = mortise_cli(fmt::format("validate {} --set '{}'", recipe_, set));
    INFO(fixed.output);
    CHECK(fixed.code == 0);
    refused_ = fmt::format(
        "{} × {}: {} {}. Fix: `{}`", a_.name, b_.name, error.get("code", ""), message, fix);
    return "✗";
  }

  const Choice &a_, &b_;
  std::string recipe_, root_, dir_, refused_;
};

constexpr const char* kHead =
    "# What composes with what\n\n"
    "Two lines of a recipe at a time, on the tiny recipe (`tests/matrix`, which also writes this "
    "page). What each\n"
    "component does by itself is tested one by one: the same bits twice, the same when resumed, "
    "its files read back.\n\n"
    "- ✓ trains, and resumes in the middle to the bits of the whole run\n"
    "- R its weights are those of the run without recompute, or without offload, bit for bit\n"
    "- U its scores with packed rows are those with one document a row\n"
    "- M its logits are those of the merged weights\n"
    "- H its scores are near those of fp32\n"
    "- ✗ refused by `mortise validate`, see below\n\n";

std::string page(const std::vector<std::vector<std::string>>& cells,
                 const std::vector<std::string>& refusals) {
  std::string out = kHead;
  out += "|  |";
  for (const Choice& choice : kChoices) out += fmt::format(" {} |", choice.name);
  out += "\n|---|";
  for (size_t i = 0; i < cells.size(); ++i) out += "---|";
  for (size_t i = 0; i < cells.size(); ++i) {
    out += fmt::format("\n| **{}** |", kChoices[i].name);
    for (size_t j = 0; j < cells.size(); ++j)
      out += fmt::format(" {} |", cells[std::max(i, j)][std::min(i, j)]);
  }
  out += "\n\nRefused:\n\n";
  for (const std::string& line : refusals) out += "- " + line + "\n";
  return out;
}

}  // namespace

TEST_SUITE("matrix.pairs") {
  TEST_CASE("each composes with each, or is refused with a fix; the page says which") {
    const testing::TempDir temp;
    const size_t count = std::size(kChoices);
    std::vector<std::vector<std::string>> cells(count, std::vector<std::string>(count));
    std::vector<std::string> refusals;
    for (size_t i = 0; i < count; ++i)
      for (size_t j = 0; j < i; ++j) {
        if (std::string_view(kChoices[i].axis) == kChoices[j].axis) continue;
        // What stands inside a layer is set after the layer.
        const bool is_layer = std::string_view(kChoices[i].axis) == "layer";
        const Choice &a = kChoices[is_layer ? i : j], &b = kChoices[is_layer ? j : i];
        INFO(std::string(a.name), " × ", std::string(b.name));
        Pair pair(a, b, temp.path);
        cells[i][j] = pair.prove();
        if (!pair.refused().empty()) refusals.push_back(pair.refused());
      }
    const std::string file = MORTISE_SOURCE_DIR "/docs/reference/compatibility.md";
    if (std::getenv("MORTISE_UPDATE_GOLDEN") != nullptr) write_file(file, page(cells, refusals));
    CHECK(page(cells, refusals) == read_file(file));
  }
}
