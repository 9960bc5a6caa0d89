#pragma once
/// The rows of a study, kept in a file that survives an interruption.
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "misuse.hpp"
#include "records_lock.hpp"

namespace cli {

/// A CSV file whose first line holds the settings of its study and which always holds whole rows.
class study_file {
 public:
  using row = std::vector<std::string>;

  /// Reads the rows of `folder`/`name`.csv, if there are any. Refuses that of a study with other settings or that another process is
  /// writing, and a figure `name`.svg beside it that no study drew.
  study_file(std::filesystem::path folder, std::string_view name, std::string_view columns,
             std::map<std::string, std::string> settings);

  /// Makes the folder where it is missing, and locks it; before the first file in it.
  void make_folder();

  [[nodiscard]] std::filesystem::path const& folder() const { return folder_; }
  /// The figure beside the rows.
  [[nodiscard]] std::filesystem::path figure() const { return std::filesystem::path(path_).replace_extension(".svg"); }
  [[nodiscard]] std::string const& columns() const { return columns_; }
  [[nodiscard]] std::vector<row> const& rows() const { return rows_; }
  /// What `parse(row)` makes of every row. Refuses a row that it refuses, as the file's fault.
  template <class Parse>
  [[nodiscard]] auto parsed(Parse parse) const {
    return held_in(path_.string(), [&] {
      std::vector<decltype(parse(rows_.front()))> found;
      for (auto const& each : rows_) found.push_back(parse(each));
      return found;
    });
  }
  [[nodiscard]] std::map<std::string, std::string> const& settings() const { return settings_; }
  /// Writes the row to the disk before it returns.
  void add(row cells);

 private:
  void require_same_settings(std::string const& held) const;

  std::filesystem::path folder_, path_;
  records_lock lock_;
  std::string columns_;
  std::map<std::string, std::string> settings_;
  std::vector<row> rows_;
};

}  // namespace cli
