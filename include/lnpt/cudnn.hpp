#pragma once
/// lnpt on NVIDIA's GPUs: networks over `lnpt::cudnn::backend<float>`. Link lnpt::cudnn; neither nvcc nor libcuda is needed.
#include <lnpt/backend/cudnn/backend.hpp>
#include <lnpt/backend/cudnn/training.hpp>
#include <lnpt/lnpt.hpp>
