#include "html_page.hpp"

#include <cmath>
#include <fmt/format.h>

#include "chart.hpp"
#include "text.hpp"
#include "xml.hpp"

namespace cli {

namespace {

constexpr std::string_view page_style = R"(
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:84rem;padding:1rem;color:#24292f;background:#fff}
h1{font-size:1.5rem;margin:.2rem 0}
h2{font-size:1.15rem;margin:2rem 0 .5rem}
p{margin:.4rem 0;max-width:60rem}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,23rem),1fr));gap:1rem;align-items:start}
figure{margin:0;padding:.8rem;border:1px solid #d5dae0;border-radius:8px;break-inside:avoid}
figure svg{display:block;width:100%;height:auto}
figcaption{font-size:.85rem;margin-top:.4rem;color:#57606a}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid #d5dae0;white-space:nowrap}
th:first-child,td:first-child{text-align:left}
thead th{vertical-align:bottom;white-space:normal}
thead th+th{min-width:5.5rem}
td:first-child{white-space:normal;min-width:11rem}
.shade{background:rgba(0,114,178,var(--share))}
@media screen and (prefers-color-scheme:dark){
body{color:#e3e8ee;background:#15191e}
figure,th,td{border-color:#363d46}
figcaption{color:#9aa4af}
}
@media print{
body{max-width:none;font-size:11px}
.figures{grid-template-columns:1fr 1fr}
.wide{overflow:visible}
}
)";

}  // namespace

std::string data(double value, std::string const& shown) {
  if (!std::isfinite(value)) return "–";
  return fmt::format("<data value=\"{}\">{}</data>", shortest_text(value), shown);
}

std::string cell(std::string const& content) { return "<td>" + content + "</td>"; }

std::string opened_table(std::string_view id, std::vector<std::string> const& headings) {
  auto html = fmt::format("<div class=\"wide\" tabindex=\"0\"><table id=\"{}\"><thead><tr>", id);
  for (auto const& heading : headings) html += "<th scope=\"col\">" + escaped(heading) + "</th>";
  return html + "</tr></thead><tbody>\n";
}

std::string settings_table(std::map<std::string, std::string> const& settings) {
  auto html = opened_table("settings", {"setting", "value"});
  for (auto const& [name, value] : settings) html += "<tr>" + cell(escaped(name)) + cell(escaped(value)) + "</tr>\n";
  return html + std::string(closed_table);
}

std::string html_page(std::string_view title, std::string_view body) {
  return fmt::format(R"(<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
{}{}</title>
<style>{}{}</style>
</head>
<body>
<main>
{}</main>
</body>
</html>
)",
                     page_title_begins, escaped(title), page_style, chart_style(), body);
}

}  // namespace cli
