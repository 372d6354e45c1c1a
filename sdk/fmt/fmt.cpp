// fmt's own functions, compiled once for all who link mortise::sdk, where FMT_HEADER_ONLY would
// compile them anew in every source.  A static library with hidden symbols: each plugin still
// carries its formatting and needs no libfmt at run time. Built twice: for the plain tier with
// Debian's fmt 9, for the tensor tier with the fmt 12 that stands among LibTorch's headers. Source:
// fmt/format-inl.h of both.
#include <fmt/format-inl.h>

FMT_BEGIN_NAMESPACE

namespace detail {

template FMT_API auto thousands_sep_impl<char>(locale_ref) -> thousands_sep_result<char>;
template FMT_API auto thousands_sep_impl<wchar_t>(locale_ref) -> thousands_sep_result<wchar_t>;
template FMT_API auto decimal_point_impl(locale_ref) -> char;
template FMT_API auto decimal_point_impl(locale_ref) -> wchar_t;

// Declared in fmt/core.h and fmt/format.h, defined for any character in fmt/format-inl.h.
template FMT_API void buffer<char>::append(const char*, const char*);
#if FMT_VERSION < 110000  // an ordinary function since
template FMT_API void vformat_to(buffer<char>&,
                                 string_view,
                                 basic_format_args<buffer_context<char>>,
                                 locale_ref);
#endif
template FMT_API auto dragonbox::to_decimal(float) noexcept -> dragonbox::decimal_fp<float>;
template FMT_API auto dragonbox::to_decimal(double) noexcept -> dragonbox::decimal_fp<double>;

}  // namespace detail

FMT_END_NAMESPACE
