// The version of the SDK, kept here only: CMake reads it from this line.
#pragma once

#define MORTISE_VERSION "0.1.0"
