#pragma once
/// The table as text: groups of rows, each with its ratio, its reach and whether it gets there, and remarks on those that do not.
#include <cstdio>
#include <fnmatch.h>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "expectations.hpp"
#include "measurements.hpp"
#include "remarks.hpp"

namespace bench_table {

template <class... Values>
[[nodiscard]] std::string text(char const* format, Values... values) {
  std::string result(static_cast<std::size_t>(std::snprintf(nullptr, 0, format, values...)) + 1, '\0');
  std::snprintf(result.data(), result.size(), format, values...);
  result.pop_back();
  return result;
}

/// Four digits and a unit, right-aligned: `1.003 s`, `85.12 ms`, `812.0 MiB`.
[[nodiscard]] inline std::string in_words(measured const& m) {
  auto value = m.value;
  auto const* unit = "s";
  if (m.is_bytes) {
    value /= 1 << 20;
    unit = "MiB";
  } else if (value < 1e-3) {
    value *= 1e6;
    unit = "us";
  } else if (value < 1) {
    value *= 1e3;
    unit = "ms";
  }
  return text("%.*f %-3s", value < 10 ? 3 : value < 100 ? 2 : 1, value, unit);
}

/// The words of `long_text` in lines of at most `width` bytes, each behind `indent`.
[[nodiscard]] inline std::string wrapped(std::string const& long_text, std::string const& indent, std::size_t width) {
  std::istringstream words(long_text);
  std::string result, line;
  for (std::string word; words >> word;) {
    if (!line.empty() && indent.size() + line.size() + 1 + word.size() > width) {
      result += indent + line + '\n';
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return result + indent + line + '\n';
}

class table {
 public:
  table(std::vector<group> groups, std::vector<remark> remarks) : groups_(std::move(groups)), remarks_(std::move(remarks)) {}

  [[nodiscard]] std::string print(measurements const& found) const {
    tally counts;
    std::string result;
    for (auto const& each : groups_) {
      std::string lines;
      for (auto const& line : each.rows) lines += print(line, found, counts);
      if (!lines.empty()) result += each.title + '\n' + heading() + lines + '\n';
    }
    return result + summary(counts, found);
  }

 private:
  struct tally {
    int met = 0, absent = 0;
    std::vector<std::string> not_met;
  };

  static std::string heading() { return text("  %-46s%12s %12s %9s %8s\n", "", "row  ", "unit  ", "ratio", "reach"); }

  static bool is_met(row const& line, double ratio) {
    return line.kind == bound::at_least ? ratio >= line.reach : ratio <= line.reach;
  }

  static std::string print(row const& line, measurements const& found, tally& counts) {
    auto const pair = found.compare(line.subject, line.unit);
    if (!pair) {
      ++counts.absent;
      return "";
    }
    auto const ratio = pair->ratio / line.size;
    auto result = text("  %-46s%12s %12s %9.2f", line.subject.c_str(), in_words(pair->subject).c_str(),
                       in_words(pair->unit).c_str(), ratio);
    if (line.kind != bound::none) {
      auto const met = is_met(line, ratio);
      result += text("  %s %4.2f  %s", line.kind == bound::at_least ? "≥" : "≤", line.reach, met ? "met" : "NOT MET");
      if (met)
        ++counts.met;
      else
        counts.not_met.push_back(line.subject);
    }
    if (!line.elsewhere.empty()) result += "   (published programs: " + line.elsewhere + ')';
    return result + '\n';
  }

  [[nodiscard]] std::string remark_on(std::string const& subject) const {
    for (auto const& each : remarks_)
      if (fnmatch(each.subject.c_str(), subject.c_str(), 0) == 0) return each.text;
    return "Nothing is on record about this row: profile it.";
  }

  [[nodiscard]] std::string summary(tally const& counts, measurements const& found) const {
    auto result = text("%d of %d rows with a reach are met.\n", counts.met, counts.met + static_cast<int>(counts.not_met.size()));
    if (counts.absent != 0)
      result += text("%d rows are left out: they, or their rivals (LibTorch, oneDNN), were not run here.\n", counts.absent);
    for (auto const& [name, why] : found.failed()) result += name + " failed: " + why + '\n';
    std::map<std::string, std::string> subjects_by_remark;
    std::vector<std::string> order;
    for (auto const& subject : counts.not_met) {
      auto const words = remark_on(subject);
      auto& subjects = subjects_by_remark[words];
      if (subjects.empty()) order.push_back(words);
      subjects += (subjects.empty() ? "" : ", ") + subject;
    }
    if (!order.empty()) result += "\nNot met:\n";
    for (auto const& words : order) result += wrapped(subjects_by_remark[words], "  ", 120) + wrapped(words, "      ", 120);
    return result;
  }

  std::vector<group> groups_;
  std::vector<remark> remarks_;
};

}  // namespace bench_table
