// Visibility of what the SDK libraries export.  Everything else is hidden.
#pragma once

#if defined(__GNUC__)
#define MORTISE_API __attribute__((visibility("default")))
#else
#error "Mortise needs g++ or clang++ on Linux"
#endif
