#pragma once
/// How the products of a masked parameter are carried out.

namespace lnpt {

/// `dense` multiplies by every weight, pruned ones as zeros; `sparse` by the kept ones alone; `automatic` does what costs less, by a rule of
/// the parameter's shape and density that gives the same answer, and so the same bits, on every run.
enum class execution { automatic, dense, sparse };

}  // namespace lnpt
