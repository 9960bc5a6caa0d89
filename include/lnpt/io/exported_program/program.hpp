#pragma once
/// The contents of a `.pt2` file: what `torch.export.save` of PyTorch 2.9 or newer writes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/io/byte_source.hpp>
#include <lnpt/io/exported_program/graph.hpp>
#include <lnpt/io/exported_program/stored_tensor.hpp>
#include <lnpt/io/json_fault.hpp>
#include <lnpt/io/zip/archive.hpp>

namespace lnpt::io::exported {

/// An input of the graph that the file holds a tensor for.
struct held_input {
  std::string value;       ///< what the graph calls it
  std::size_t tensor = 0;  ///< among `program::tensors`
};

/// An input of the graph whose tensor is no array of numbers that a network computes with.
struct unread_input {
  std::string value;
  std::string because;  ///< what is read there instead, and what would have worked
};

/// An exported program, read and checked but not yet understood: the graph, the tensors by the state_dict's names, and which value of
/// the graph each of them is.
///
///     NAME/models/model.json                       the graph and its signature
///     NAME/data/weights/model_weights_config.json  the state_dict: for each name an entry, dtype, sizes, strides and offset
///     NAME/data/constants/…_config.json            the same for tensors outside the state_dict
///     NAME/data/weights/weight_0 …                 the bytes of each storage
class program {
 public:
  static constexpr char const* graph_entry = "models/model.json";
  static constexpr char const* weights_entry = "data/weights/model_weights_config.json";
  static constexpr char const* constants_entry = "data/constants/model_constants_config.json";

  explicit program(byte_source source) : archive_(std::move(source)) {
    checked([&] {
      root_ = find_root();
      document_ = parse(root_ + graph_entry);
      check_version();
      state_ = parse_tensors(weights_entry);
      for (auto const& [tensor, because] : why_unread_) unread_state_.push_back(because);
      parse_tensors(constants_entry);
      graph_.emplace(document_.at("graph_module").at("graph"));
      read_signature();
    });
  }
  program(program const&) = delete;  // the graph and the tensors point into it
  program& operator=(program const&) = delete;

  [[nodiscard]] std::string const& name() const { return archive_.name(); }
  [[nodiscard]] zip::archive const& archive() const { return archive_; }
  /// What every entry's name begins with.
  [[nodiscard]] std::string const& root() const { return root_; }
  [[nodiscard]] json const& document() const { return document_; }

  /// Another entry of JSON, such as `weights_entry`.
  [[nodiscard]] json document_of(std::string const& entry) const { return parse(root_ + entry); }

  [[nodiscard]] exported::graph const& graph() const { return *graph_; }
  /// The state_dict's tensors in its order, then those outside it.
  [[nodiscard]] std::vector<stored_tensor> const& tensors() const { return tensors_; }
  /// The first tensor of the same elements: names that share a storage are one parameter.
  [[nodiscard]] std::size_t canonical(std::size_t tensor) const { return canonical_[tensor]; }
  /// How many of them are the state_dict's.
  [[nodiscard]] std::size_t state_size() const { return state_; }
  /// What the state_dict holds beside them: tensors that are not read, and why.
  [[nodiscard]] std::vector<std::string> const& unread_state() const { return unread_state_; }
  [[nodiscard]] std::vector<held_input> const& held_inputs() const { return held_; }
  /// What is no error unless the logits need it.
  [[nodiscard]] std::vector<unread_input> const& unread_inputs() const { return unread_; }
  /// Whether a tensor is a parameter, under any of its names.
  [[nodiscard]] bool is_parameter(std::size_t tensor) const { return parameters_.contains(canonical_[tensor]); }
  /// The value that stands for the batch.
  [[nodiscard]] std::string const& batch() const { return batch_; }
  /// The extents of one sample of a value, as the graph says: what follows the first axis, which is the batch.
  [[nodiscard]] lnpt::shape sample_shape(std::string const& value) const {
    auto const all = graph_->extents(value);
    if (all.empty()) fail(name(), ": value ", value, " has no axes: export a network of batches");
    lnpt::shape sample;
    for (std::size_t i = 1; i < all.size(); ++i) {
      if (all[i].number < 1 || all[i].number > max_number)
        fail(name(), " does not say how large its images are: export it with a fixed height and width");
      sample.push_back(static_cast<std::size_t>(all[i].number));
    }
    return sample;
  }
  /// The values that the program returns.
  [[nodiscard]] std::vector<std::string> const& results() const { return results_; }

  /// Runs `read`, turning what its JSON lacks into one sentence.
  template <class Read>
  void checked(Read read) const {
    try {
      read();
    } catch (json::exception const& reason) {
      fail(name(), ": the graph is not written as PyTorch writes it, since it ", json_fault(reason),
           ": export the network again");
    }
  }

 private:
  [[nodiscard]] std::string find_root() const {
    for (auto const& each : archive_.entries()) {
      if (each.name.ends_with("serialized_exported_program.json"))
        fail(name(), " was exported by PyTorch 2.8 or older, whose files hold pickles; export the network with 2.9 or newer");
      if (each.name.ends_with("/data.pkl") || each.name.ends_with("/constants.pkl"))
        fail(name(),
             " is a pickle or TorchScript file of torch.save or torch.jit.save; write the network with torch.export.save");
      auto const slash = each.name.find('/');
      if (slash != std::string::npos && std::string_view(each.name).substr(slash + 1) == graph_entry)
        return each.name.substr(0, slash + 1);
    }
    fail(name(), " holds no entry ", graph_entry, ": pass what torch.export.save wrote");
  }

  [[nodiscard]] json parse(std::string const& entry) const {
    auto const* const found = archive_.find(entry);
    if (!found) fail(name(), " holds no entry ", entry, ": pass what torch.export.save wrote");
    auto const bytes = archive_.read(*found);
    auto const* const text = reinterpret_cast<char const*>(bytes.data());
    constexpr int deepest = 256;
    try {
      return json::parse(text, text + bytes.size(), [&](int depth, json::parse_event_t, json&) {
        if (depth > deepest)
          fail(name(), ": entry ", entry, " nests its JSON more than ", deepest, " deep: export the network again");
        return true;
      });
    } catch (json::parse_error const& reason) {
      fail(name(), ": entry ", entry, " breaks JSON at its byte ", reason.byte, ", byte ", found->offset + reason.byte,
           " of the file");
    }
  }

  void check_version() const {
    constexpr std::int64_t known = 8;
    auto const version = detail::read_integer(document_.at("schema_version").at("major"));
    if (version != known)
      fail(name(), " follows version ", version, " of the export schema; version ", known,
           " (PyTorch 2.9 to 2.15) is what is read");
  }

  /// Adds the tensors of one configuration; their number.
  std::size_t parse_tensors(std::string const& configuration) {
    auto const before = tensors_.size();
    auto const folder = configuration.substr(0, configuration.rfind('/') + 1);
    auto const all = document_of(configuration);
    for (auto const& [tensor, about] : all.at("config").items()) {
      if (about.value("use_pickle", false) || !about.at("tensor_meta").is_object()) {
        why_unread_.emplace(tensor, "the tensor " + tensor + ", which the file holds as a pickle (a plain tensor would be read)");
        continue;
      }
      add_tensor(tensor, root_ + folder + about.at("path_name").get<std::string>(), about.at("tensor_meta"));
    }
    return tensors_.size() - before;
  }

  void add_tensor(std::string const& tensor, std::string const& entry, json const& about) {
    auto const* const found = archive_.find(entry);
    if (!found)
      fail(name(), ": tensor ", tensor, " is said to lie in entry ", entry, ", which the file lacks: export the network again");
    auto const number = detail::read_integer(about.at("dtype"));
    auto const type = dtype_numbered(number);
    if (!type) {
      why_unread_.emplace(tensor, "the tensor " + tensor + " of dtype " + unread_dtype(number) +
                                      " (float32 or another dtype of real numbers of 16 to 64 bits would be read)");
      return;
    }
    stored_tensor result{tensor, found, *type, numbers(about.at("sizes"), tensor), numbers(about.at("strides"), tensor), 0};
    auto const offset = detail::read_extent(about.at("storage_offset")).number;
    if (result.extents.size() != result.strides.size() || offset < 0)
      fail(name(), ": tensor ", tensor, " has ", result.extents.size(), " extents, ", result.strides.size(),
           " strides and begins at ", offset, ": export the network again");
    result.offset = static_cast<std::size_t>(offset);
    detail::check_view(result, name());
    if (!index_.emplace(tensor, tensors_.size()).second)
      fail(name(), " names the tensor ", tensor, " twice: export the network again");
    canonical_.push_back(by_elements_.try_emplace(result.elements(), tensors_.size()).first->second);
    tensors_.push_back(std::move(result));
  }

  [[nodiscard]] lnpt::shape numbers(json const& sizes, std::string const& tensor) const {
    lnpt::shape result;
    for (auto const& size : sizes) {
      auto const number = detail::read_extent(size).number;
      if (number < 0) fail(name(), ": tensor ", tensor, " has an extent or a stride of ", number, ": export the network again");
      result.push_back(static_cast<std::size_t>(number));
    }
    return result;
  }

  /// Key and value of an object that has just one.
  [[nodiscard]] std::pair<std::string, json const&> only_member(json const& object) const {
    if (!object.is_object() || object.size() != 1)
      fail(name(), ": ", object.dump(), " is no input or output of a graph: export the network again");
    return {object.begin().key(), object.begin().value()};
  }

  void read_signature() {
    auto const& signature = document_.at("graph_module").at("signature");
    for (auto const& input : signature.at("input_specs")) {
      auto const& [kind, about] = only_member(input);
      if (kind == "user_input")
        add_batch(about.at("arg"));
      else if (kind == "parameter" || kind == "buffer" || kind == "tensor_constant")
        add_held(about.at("arg").at("name").get<std::string>(), about.at(kind + "_name").get<std::string>(), kind == "parameter");
      else if (kind != "constant_input")
        fail(name(), " reads an input of the kind ", kind, "; networks of one tensor and their weights are what is read");
    }
    if (batch_.empty()) fail(name(), " reads no tensor: export a network with one batch as its input");
    for (auto const& output : signature.at("output_specs")) {
      auto const& [kind, about] = only_member(output);
      if (kind != "user_output") continue;
      auto const tensor = about.at("arg").find("as_tensor");
      results_.push_back(tensor == about.at("arg").end() ? std::string() : tensor->at("name").template get<std::string>());
    }
  }

  void add_batch(json const& argument) {
    auto const tensor = argument.find("as_tensor");
    if (tensor == argument.end()) return;  // a number or None, fixed by the export
    if (!batch_.empty()) fail(name(), " reads more than one tensor: export a network with one batch as its input");
    batch_ = tensor->at("name").get<std::string>();
  }

  void add_held(std::string value, std::string const& tensor, bool is_parameter) {
    auto const found = index_.find(tensor);
    if (found == index_.end()) {
      auto const reason = why_unread_.find(tensor);
      unread_.push_back({std::move(value), reason == why_unread_.end() ? "the tensor " + tensor + ", which the file does not hold"
                                                                       : reason->second});
      return;
    }
    held_.push_back({std::move(value), found->second});
    if (is_parameter) parameters_.insert(canonical_[found->second]);
  }

  zip::archive archive_;
  std::string root_;
  json document_;
  std::optional<exported::graph> graph_;
  std::vector<stored_tensor> tensors_;
  std::size_t state_ = 0;
  std::vector<std::size_t> canonical_;
  std::map<stored_tensor::place, std::size_t> by_elements_;
  std::unordered_map<std::string, std::size_t> index_;
  std::vector<held_input> held_;
  std::vector<unread_input> unread_;
  std::map<std::string, std::string> why_unread_;  ///< by tensor
  std::vector<std::string> unread_state_;
  std::unordered_set<std::size_t> parameters_;
  std::string batch_;
  std::vector<std::string> results_;
};

}  // namespace lnpt::io::exported
