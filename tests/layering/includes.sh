#!/usr/bin/env bash
# includes.sh SOURCE: plugins → sdk ← core, read from the includes; core names no plugin; sizes that are promised.
set -uo pipefail
cd "$1"
status=0
# offends MESSAGE: the lines on stdin, if any, break this rule.
offends() {
  local found
  found=$(cat)
  [ -z "$found" ] && return
  printf '%s\n%s\n\n' "$1" "$found"
  status=1
}
torch='#include <(ATen|c10|torch)/'
# without_comments: drops what stands behind //, and lines that then no longer match the pattern given.
without_comments() { sed -E 's,//.*,,' | grep -E "$1"; }

grep -rnE '#include "(core/|\.\./|plugins/)' plugins --include='*.?pp' | offends "a plugin includes core, another plugin, or a path above itself:"
grep -rnE '#include [<"](core|plugins)/' sdk --include='*.?pp' --include='*.h' | offends "the SDK includes core or a plugin:"
grep -rnE '#include [<"]plugins/' core --include='*.?pp' | offends "core includes a plugin:"
grep -rnE "$torch|#include [<\"]mortise/torch/" sdk/include/mortise/*.hpp sdk/include/mortise/*.h sdk/src/*.cpp | grep -v 'torch/headeronly/version.h' | offends "the plain tier includes LibTorch:"
grep -rnE "$torch" sdk/include/mortise/torch | grep -v '<ATen/core/Tensor.h>' | grep -v 'nn_bridge.hpp' | offends "a tensor header includes more of LibTorch than ATen/core/Tensor.h:"
grep -rnE "$torch|#include [<\"]mortise/torch/" core/cli core/plugin core/recipe core/run core/conform --include='*.?pp' 2>/dev/null | offends "the torch-free half of core includes LibTorch:"
grep -rnE '#include <(spdlog|toml\+\+|boost|torch/csrc/distributed)' sdk/include | offends "a public header shows a hidden library:"
grep -rn 'torch/torch.h' sdk core plugins tests examples --include='*.?pp' | offends "torch/torch.h costs 24 s a source:"
grep -rnE 'org\.mortise\.[a-z]' core --include='*.?pp' | without_comments 'org\.mortise' | offends "core names a plugin:"
# allowed.txt: names that are everyday words or that the defaults of a recipe's own tables give.
for folder in plugins/*/*/; do
  name=$(basename "$folder")
  grep -qxF "$name" tests/layering/allowed.txt && continue
  grep -rnE "\"$name\"" core --include='*.?pp' | without_comments "\"$name\"" | offends "core names the component $name:"
done
lines=$(find core -name '*.?pp' -print0 | xargs -0 cat | grep -vcE '^[[:space:]]*(//.*)?$')
[ "$lines" -lt 15000 ] || { echo "core has $lines lines of code (comments and blank lines left out), at most 15000 were promised"; status=1; }
exit $status
