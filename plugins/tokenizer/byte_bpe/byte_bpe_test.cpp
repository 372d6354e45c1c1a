#include "byte_bpe.hpp"
#include <doctest/doctest.h>
