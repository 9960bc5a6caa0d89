# The components of lnpt, each an interface target over one more dependency. The build tree and the installed package both
# read this file, so that a component exists where its dependency does and the headers install everywhere.
#
#   lnpt_component(<io|torch|onednn|cudnn|mpi> [REQUIRED])
#
# creates lnpt::<component>; without REQUIRED, only where the dependency is found. Macros, because LibTorch built for CUDA
# enables a language, which CMake does not do inside a function.
include_guard(GLOBAL)

# Eigen is asked for without a version, since its package file accepts requests for its own major version only.
macro(lnpt_check_eigen)
  if(Eigen3_FOUND AND Eigen3_VERSION VERSION_LESS 3.4)
    message(FATAL_ERROR "lnpt needs Eigen 3.4 or newer, and ${Eigen3_DIR} is ${Eigen3_VERSION}.")
  endif()
endmacro()

# Where a component's dependency comes from, for those who miss it.
set(lnpt_io_needs "nlohmann-json 3.10 or newer, minizip and zlib: install nlohmann-json3-dev, libminizip-dev and zlib1g-dev, "
  "or set CMAKE_PREFIX_PATH")
string(CONCAT lnpt_io_needs ${lnpt_io_needs})
set(lnpt_torch_needs "LibTorch: install libtorch-dev, or set Torch_DIR to the share/cmake/Torch of another one")
set(lnpt_onednn_needs "dnnl.hpp and libdnnl: install libdnnl-dev, or set ONEDNN_ROOT")
set(lnpt_cudnn_needs "CUDA 12.8 and cuDNN 9.8 or newer: install them, or set CUDAToolkit_ROOT and CUDNN_ROOT")
set(lnpt_mpi_needs "an MPI: install libopenmpi-dev and openmpi-bin, or set MPI_HOME")
set(lnpt_find_modules ${CMAKE_CURRENT_LIST_DIR})

macro(lnpt_component lnpt_component_name)
  if(NOT TARGET lnpt::${lnpt_component_name})
    set(lnpt_component_quiet QUIET)
    if("${ARGN}" STREQUAL "REQUIRED")
      set(lnpt_component_quiet REQUIRED)
    endif()
    # Targets visible in every directory, as lnpt::<component> is.
    set(lnpt_component_global ${CMAKE_FIND_PACKAGE_TARGETS_GLOBAL})
    set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL TRUE)
    if("${lnpt_component_name}" STREQUAL "io")
      lnpt_find_io(${lnpt_component_quiet})
    elseif("${lnpt_component_name}" STREQUAL "torch")
      lnpt_find_torch(${lnpt_component_quiet})
    elseif("${lnpt_component_name}" STREQUAL "onednn")
      lnpt_find_onednn(${lnpt_component_quiet})
    elseif("${lnpt_component_name}" STREQUAL "cudnn")
      lnpt_find_cudnn(${lnpt_component_quiet})
    elseif("${lnpt_component_name}" STREQUAL "mpi")
      lnpt_find_mpi(${lnpt_component_quiet})
    elseif("${lnpt_component_quiet}" STREQUAL "REQUIRED")
      message(FATAL_ERROR "lnpt has no component '${lnpt_component_name}': the components are io, torch, onednn, cudnn and mpi.")
    endif()
    set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ${lnpt_component_global})
  endif()
endmacro()

# lnpt::<component> over lnpt::lnpt and these libraries.
function(lnpt_add_component component)
  add_library(lnpt::${component} INTERFACE IMPORTED GLOBAL)
  target_link_libraries(lnpt::${component} INTERFACE lnpt::lnpt ${ARGN})
endfunction()

macro(lnpt_find_io)
  find_package(nlohmann_json 3.10 ${ARGN})
  find_package(ZLIB ${ARGN})
  # By path: Debian's minizip has no configuration file.
  find_path(LNPT_MINIZIP_INCLUDE_DIR minizip/unzip.h)
  find_library(LNPT_MINIZIP_LIBRARY minizip)
  mark_as_advanced(LNPT_MINIZIP_INCLUDE_DIR LNPT_MINIZIP_LIBRARY)
  if(TARGET nlohmann_json::nlohmann_json AND TARGET ZLIB::ZLIB AND LNPT_MINIZIP_INCLUDE_DIR AND LNPT_MINIZIP_LIBRARY)
    lnpt_add_component(io nlohmann_json::nlohmann_json ${LNPT_MINIZIP_LIBRARY} ZLIB::ZLIB)
    target_include_directories(lnpt::io INTERFACE ${LNPT_MINIZIP_INCLUDE_DIR})
  elseif("${ARGN}" STREQUAL "REQUIRED")
    message(FATAL_ERROR "lnpt::io needs ${lnpt_io_needs}.")
  endif()
endmacro()

macro(lnpt_find_torch)
  find_package(CUDAToolkit QUIET)
  if(NOT CUDAToolkit_FOUND AND NOT TARGET torch::cudart)
    # LibTorch for CUDA demands nvcc of every project, though plain C++ needs none: its libraries know what they depend on. Where
    # this target exists, its configuration looks no further.
    add_library(torch::cudart INTERFACE IMPORTED GLOBAL)
  elseif(CUDAToolkit_FOUND AND NOT TARGET CUDA::nvToolsExt)
    # Older LibTorch for CUDA names a target that toolkits from 12.9 on no longer have.
    add_library(CUDA::nvToolsExt INTERFACE IMPORTED GLOBAL)
  endif()
  # A LibTorch chosen by Torch_DIR looks for its other half among the system's libraries first, and mixes with one installed there.
  set(lnpt_prefix_path ${CMAKE_PREFIX_PATH})
  if(Torch_DIR)
    list(PREPEND CMAKE_PREFIX_PATH ${Torch_DIR}/../../..)
  endif()
  find_package(Torch ${ARGN})
  set(CMAKE_PREFIX_PATH ${lnpt_prefix_path})
  if(TARGET torch)
    get_target_property(lnpt_torch_options torch INTERFACE_COMPILE_OPTIONS)
    if("${lnpt_torch_options};${TORCH_CXX_FLAGS}" MATCHES "_GLIBCXX_USE_CXX11_ABI=0")
      message(FATAL_ERROR "This LibTorch (${Torch_DIR}) was built with the old C++ ABI, which links with no C++20 library: "
        "take the 'cxx11 ABI' download, a wheel of 2.7 or newer, or Debian's libtorch-dev.")
    endif()
    if(TARGET torch_cuda AND NOT CUDAToolkit_FOUND)
      message(STATUS "LibTorch for CUDA without a CUDA toolkit: lnpt needs none; code of yours that includes CUDA headers would.")
    endif()
    # Without what its configuration looked for in vain, such as the static archive of a profiler.
    list(FILTER TORCH_LIBRARIES EXCLUDE REGEX "-NOTFOUND$")
    lnpt_add_component(torch ${TORCH_LIBRARIES})
  endif()
endmacro()

macro(lnpt_find_onednn)
  # By path: Debian's own configuration file demands OpenCL, which its package does not bring.
  find_path(LNPT_ONEDNN_INCLUDE_DIR dnnl.hpp HINTS ${ONEDNN_ROOT} ENV ONEDNN_ROOT PATH_SUFFIXES include)
  find_library(LNPT_ONEDNN_LIBRARY dnnl HINTS ${ONEDNN_ROOT} ENV ONEDNN_ROOT)
  mark_as_advanced(LNPT_ONEDNN_INCLUDE_DIR LNPT_ONEDNN_LIBRARY)
  if(LNPT_ONEDNN_INCLUDE_DIR AND LNPT_ONEDNN_LIBRARY)
    lnpt_add_component(onednn ${LNPT_ONEDNN_LIBRARY} ${CMAKE_DL_LIBS})
    target_include_directories(lnpt::onednn INTERFACE ${LNPT_ONEDNN_INCLUDE_DIR})
  elseif("${ARGN}" STREQUAL "REQUIRED")
    message(FATAL_ERROR "lnpt::onednn needs ${lnpt_onednn_needs}.")
  endif()
endmacro()

macro(lnpt_find_cudnn)
  set(lnpt_module_path ${CMAKE_MODULE_PATH})
  list(PREPEND CMAKE_MODULE_PATH ${lnpt_find_modules})
  find_package(CUDAToolkit 12.8 ${ARGN})
  find_package(CUDNN 9.8 ${ARGN})
  set(CMAKE_MODULE_PATH ${lnpt_module_path})
  if(CUDAToolkit_FOUND AND CUDNN_FOUND)
    # The runtime, not the driver: a program starts, and says what is missing, where there is no driver.
    lnpt_add_component(cudnn CUDA::cudart CUDA::cublas CUDA::nvrtc CUDNN::cudnn)
  elseif("${ARGN}" STREQUAL "REQUIRED")
    message(FATAL_ERROR "lnpt::cudnn needs ${lnpt_cudnn_needs}.")
  endif()
endmacro()

macro(lnpt_find_mpi)
  # The C API alone: the C++ bindings of old are a library more.
  set(MPI_CXX_SKIP_MPICXX TRUE)
  find_package(MPI COMPONENTS CXX ${ARGN})
  if(TARGET MPI::MPI_CXX)
    lnpt_add_component(mpi MPI::MPI_CXX)
  elseif("${ARGN}" STREQUAL "REQUIRED")
    message(FATAL_ERROR "lnpt::mpi needs ${lnpt_mpi_needs}.")
  endif()
endmacro()
