#pragma once
/// lnpt with oneDNN's convolutions: zoo networks over `lnpt::onednn::backend<float>`. Link lnpt::onednn.
#include <lnpt/backend/onednn/backend.hpp>
#include <lnpt/lnpt.hpp>
