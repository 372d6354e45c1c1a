// Out-of-line parts of the conformance classes: their type info lives in libmortise_sdk.
#include "mortise/conform.hpp"

namespace mortise::conform {

Factory::~Factory() = default;
Failure::~Failure() = default;
Skipped::~Skipped() = default;

void fail(std::string message) { throw Failure(std::move(message)); }

void skip(std::string reason) { throw Skipped(std::move(reason)); }

}  // namespace mortise::conform
