// The build tag: how this translation unit was compiled, "key=value;…".  The host compares it field
// by field.
//
// Equal are required: sdk major, stdlib, cxx11, debug, san; torch major.minor in the tensor tier;
// cuda major when there is device code.  `compiler` and `build` are notes only.
#pragma once

#include "mortise/version.hpp"

#ifdef MORTISE_SDK_TORCH
#include <torch/headeronly/version.h>  // macros only: costs nothing
#endif

#define MORTISE_TAG_TEXT_(x) #x
#define MORTISE_TAG_TEXT(x) MORTISE_TAG_TEXT_(x)

#if defined(__GLIBCXX__) || __has_include(<bits/c++config.h>)
#include <cstddef>
#define MORTISE_TAG_STDLIB "stdlib=libstdc++;cxx11=" MORTISE_TAG_TEXT(_GLIBCXX_USE_CXX11_ABI) ";"
#else
#define MORTISE_TAG_STDLIB "stdlib=other;cxx11=1;"
#endif

#ifdef _GLIBCXX_DEBUG
#define MORTISE_TAG_DEBUG "glibcxx_debug=1;"
#else
#define MORTISE_TAG_DEBUG "glibcxx_debug=0;"
#endif

#if defined(__SANITIZE_ADDRESS__)
#define MORTISE_TAG_SAN "san=address;"
#elif defined(__SANITIZE_THREAD__)
#define MORTISE_TAG_SAN "san=thread;"
#else
#define MORTISE_TAG_SAN "san=none;"
#endif

#ifdef MORTISE_SDK_TORCH
#define MORTISE_TAG_TORCH                                              \
  "torch=" MORTISE_TAG_TEXT(TORCH_VERSION_MAJOR) "." MORTISE_TAG_TEXT( \
      TORCH_VERSION_MINOR) "." MORTISE_TAG_TEXT(TORCH_VERSION_PATCH) ";"
#else
#define MORTISE_TAG_TORCH ""
#endif

#ifdef MORTISE_CUDA_MAJOR
#define MORTISE_TAG_CUDA "cuda=" MORTISE_TAG_TEXT(MORTISE_CUDA_MAJOR) ";"
#else
#define MORTISE_TAG_CUDA ""
#endif

#ifdef NDEBUG
#define MORTISE_TAG_BUILD "build=release"
#else
#define MORTISE_TAG_BUILD "build=debug"
#endif

#define MORTISE_BUILD_TAG                                                                     \
  "sdk=" MORTISE_VERSION                                                                      \
  ";" MORTISE_TAG_STDLIB MORTISE_TAG_DEBUG MORTISE_TAG_SAN MORTISE_TAG_TORCH MORTISE_TAG_CUDA \
  "compiler=" __VERSION__ ";" MORTISE_TAG_BUILD
