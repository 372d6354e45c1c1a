# Imports LibTorch 2.11 as mortise::torch: headers as SYSTEM, libtorch_cpu and libc10, nothing of CUDA.
#
# find_package(Torch) is not used: it drags the CUDA toolkit into every consumer (pytorch#64692, #139108).

function(mortise_import_torch dir)
  if(NOT EXISTS ${dir}/lib/libtorch_cpu.so OR NOT EXISTS ${dir}/include/ATen/ATen.h)
    message(FATAL_ERROR "no LibTorch in ${dir}: expected lib/libtorch_cpu.so and include/ATen/ATen.h.\n"
                        "fix: set MORTISE_TORCH_DIR to a torch 2.11 folder, or run sdk/bootstrap/bootstrap.sh of Mortise")
  endif()
  file(STRINGS ${dir}/include/torch/headeronly/version.h lines REGEX "#define TORCH_VERSION_(MAJOR|MINOR) ")
  string(REGEX MATCHALL "[0-9]+" numbers "${lines}")
  list(JOIN numbers "." version)
  if(NOT version STREQUAL "2.11")
    message(FATAL_ERROR "LibTorch in ${dir} is ${version}; Mortise needs 2.11")
  endif()
  add_library(mortise::torch INTERFACE IMPORTED GLOBAL)
  target_include_directories(mortise::torch SYSTEM INTERFACE ${dir}/include ${dir}/include/torch/csrc/api/include)
  target_link_libraries(mortise::torch INTERFACE ${dir}/lib/libtorch_cpu.so ${dir}/lib/libc10.so)
  # libtorch_cpu names further libraries by its own runpath; the linker need not resolve them.
  target_link_options(mortise::torch INTERFACE -Wl,--allow-shlib-undefined)
  target_compile_definitions(mortise::torch INTERFACE MORTISE_SDK_TORCH)
endfunction()
