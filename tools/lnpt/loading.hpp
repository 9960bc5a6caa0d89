#pragma once
/// What score and prune have in common: a student, what to score it with, and what to score it on.
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>

#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/state_dict.hpp>

#include "command.hpp"
#include "engine.hpp"
#include "naming.hpp"
#include "typed_flags.hpp"

namespace cli {

/// The flags of score and prune.
struct scoring_options : common_options {
  std::string arch;
  std::size_t classes = 0;  ///< 0: as the weights or the architecture say
  std::string input;        ///< empty: the network's own, else 3,32,32
  std::string weights, weights_prefix;
  std::string features;
  std::string teacher, teacher_prefix, teacher_arch, teacher_features;
  naming names;  ///< of the student's weights and the teacher's
  data_options images;
  std::size_t samples = 100;  ///< of a data set
  std::string criterion;      ///< empty: teacher_guided
  std::string curvature, probes, loss, temperature, batch_norm, rounds, schedule, layer_floor, channel_score;
  double sparsity = -1;  ///< below 0: not given
  engine_choice engine{.precision = "double"};
  std::string out;
  typed_flags typed;

  [[nodiscard]] bool has_sparsity() const { return sparsity >= 0; }
  /// Adds the flags; --arch among them, which is needed unless the command says otherwise.
  CLI::Option* describe(CLI::App& command);
  /// How names of the files of weights become those of the networks.
  [[nodiscard]] lnpt::io::state_dict_options weights_names() const { return names.under(weights_prefix); }
  [[nodiscard]] lnpt::io::state_dict_options teacher_names() const { return names.under(teacher_prefix); }
  /// The student's network and the teacher's, which is the student's unless another is named.
  [[nodiscard]] architecture student_network() const { return parse_architecture(arch, features); }
  [[nodiscard]] architecture teacher_network() const { return parse_teacher(arch, features, teacher_arch, teacher_features); }
  /// Which weights the network has, in words.
  [[nodiscard]] std::string weights_used() const;
  /// Says what was named and is not read. `runs`: whether the command runs the network on --data beside scoring.
  void note_unread(criterion_spec const& by, bool runs = false) const;
  /// The criterion with its flags.
  [[nodiscard]] criterion_spec asked_criterion() const;
};

/// A network with its weights, and the data to score it on, in one precision.
template <class T>
struct scoring_case {
  cpu_network<T> student;
  scoring_data<lnpt::cpu::array<T>> data;
};

/// The number of classes a network has by its own account; 0 where neither its architecture nor, by the height of its classifier, the file of
/// its weights says.
[[nodiscard]] std::size_t own_classes(architecture const& arch, std::optional<lnpt::io::safetensors::file> const& weights = {},
                                      lnpt::io::state_dict_options const& names = {});

/// The number of classes to build a network for: as asked, else its own, else the first that is known of `others`, such as a teacher's or the
/// labels'; 0 where none is. Refuses another number than its own.
[[nodiscard]] std::size_t choose_classes(std::size_t asked, std::size_t own, std::initializer_list<std::size_t> others);
inline constexpr char const* classes_flag_text = "Number of classes; default: as the weights or the architecture say, else 10";

/// The tensors `input` and, where they are asked for and there, `labels`, as they are, in batches of at most `size` samples.
template <class T>
void read_batches(lnpt::io::safetensors::file const& file, scoring_data<lnpt::cpu::array<T>>& data, std::size_t size,
                  bool with_labels);

/// Refuses data whose channels are not those that the weights read, before the weights are blamed for it.
template <class T>
void check_channels(cpu_network<T>& network, lnpt::shape const& sample, std::string const& data,
                    lnpt::io::safetensors::file const& weights, lnpt::io::state_dict_options const& names);

/// A network as `evaluate` and `robustness` take it: its form, its weights and how their names are read; and by which flags.
struct network_source {
  std::string arch = {}, weights = {}, prefix = {};
  std::size_t classes = 0;  ///< 0: as the weights or the architecture say
  char const* arch_flag = "--model";
  char const* weights_flag = "--weights";
  char const* naming = naming_flags;
};

/// The network with its weights, for data of this shape. Refuses a missing file of weights where the form has none.
[[nodiscard]] trained_network open_network(network_source const& from, naming const& names, std::string const& data,
                                           surroundings around);

/// Loads what the criterion needs, and no teacher and no labels where it needs none. The engine asks the teacher.
template <class T>
[[nodiscard]] scoring_case<T> load_case(scoring_options const& o, criterion_spec const& criterion,
                                        scoring_engine<T> const& engine);

/// Calls `f(T{})` with the type of the precision asked for.
template <class F>
void in_precision(engine_choice const& engine, F f) {
  if (engine.arithmetic() == precision_kind::twice)
    f(double{});
  else
    f(float{});
}

}  // namespace cli
