#pragma once
/// Files and data sets: safetensors, state dicts, teacher caches, CIFAR, MNIST and a synthetic set. Needs nlohmann-json.
#include <lnpt/io/atomic_file.hpp>
#include <lnpt/io/byte_source.hpp>
#include <lnpt/io/cached_guide.hpp>
#include <lnpt/io/checkpoint.hpp>
#include <lnpt/io/cifar.hpp>
#include <lnpt/io/data_set.hpp>
#include <lnpt/io/dtype.hpp>
#include <lnpt/io/image_set.hpp>
#include <lnpt/io/mnist.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/safetensors_header.hpp>
#include <lnpt/io/safetensors_writer.hpp>
#include <lnpt/io/state_dict.hpp>
#include <lnpt/io/synthetic.hpp>
#include <lnpt/io/teacher_cache.hpp>
