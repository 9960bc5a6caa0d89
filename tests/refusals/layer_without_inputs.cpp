// expect: a layer does not say what it is connected to
#include <lnpt/nn/graph.hpp>

struct negation {
  std::size_t from;
};
lnpt::nn::graph<std::variant<lnpt::nn::input, negation>> graph;
