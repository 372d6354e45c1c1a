// The stemmer that rouge-score uses: Porter's with NLTK's extensions.
#pragma once

#include <string>
#include <string_view>

namespace mortise::metric::rouge {

/// Returns the stem of a lower-case ASCII word (letters and digits).   Thread: [any-thread].
std::string porter_stem(std::string_view word);

}  // namespace mortise::metric::rouge
