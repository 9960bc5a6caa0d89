#pragma once
/// lnpt for LibTorch: any torch module, the same criteria, losses, masks and schedules, on any device. Link lnpt::torch.
#include <lnpt/lnpt.hpp>
#include <lnpt/torch/model.hpp>
#include <lnpt/torch/module/script.hpp>
#include <lnpt/torch/tensor.hpp>
#include <lnpt/torch/train/checkpoint.hpp>
#include <lnpt/torch/train/masked_optimizer.hpp>
#include <lnpt/torch/train/train.hpp>
