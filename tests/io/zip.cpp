// Zip archives of stored entries: what is written is read, and what a stranger wrote is checked byte by byte.
#include <doctest/doctest.h>

#include <lnpt/io/zip/archive.hpp>
#include <lnpt/io/zip/writer.hpp>

#include "support.hpp"
#include "zip_bytes.hpp"

using namespace lnpt::io;
using support::archive_of;
using support::record;
using support::refusal;
using support::says;

namespace {

std::string refusal_of(support::bytes const& bytes) {
  return refusal([&] {
    zip::archive const opened(byte_source::view(std::as_bytes(std::span(bytes)), "z"));
    for (auto const& each : opened.entries()) (void)opened.read(each);
  });
}

std::string text_of(zip::archive const& archive, std::string const& name) {
  auto const bytes = archive.read(*archive.find(name));
  return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST_CASE("an archive holds two entries, one of them empty") {
  auto const bytes = archive_of({{"a", "hello"}, {"b/c", ""}});
  zip::archive const archive(byte_source::view(std::as_bytes(std::span(bytes)), "z"));
  REQUIRE(archive.entries().size() == 2);
  CHECK(archive.entries()[0].offset == 30 + 1);  // behind a header of 30 bytes and a name of one
  CHECK(text_of(archive, "a") == "hello");
  CHECK(text_of(archive, "b/c").empty());
  CHECK(archive.find("b") == nullptr);
}

TEST_CASE("what is written is read, and an archive that is not committed does not appear") {
  support::temporary_folder const folder;
  auto const path = folder / "z.zip";
  {
    zip::writer abandoned(path);
    abandoned.add("a", {});
  }
  CHECK_FALSE(std::filesystem::exists(path));
  zip::writer writer(path);
  std::string const text(100'000, 'x');
  writer.add("folder/long", std::as_bytes(std::span(text)));
  writer.add("short", std::as_bytes(std::span(text)).first(1));
  writer.commit();
  zip::archive const archive(byte_source::open(path));
  CHECK(text_of(archive, "folder/long") == text);
  CHECK(text_of(archive, "short") == "x");
}

TEST_CASE("a broken archive is refused with the entry and the byte") {
  auto const good = archive_of({{"a", "hello"}, {"b", "world"}});
  CHECK(refusal_of(good).empty());
  for (std::size_t size = 0; size < good.size(); ++size) {
    CAPTURE(size);
    CHECK(says(refusal_of({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}), "pass a complete file"));
  }
  CHECK(says(refusal_of(archive_of({{"a", "hello"}, {"a", "world"}})), "entry a is there twice, again at byte "));
  CHECK(says(refusal_of(archive_of({{.name = "a", .data = "hello", .method = 8}})),
             "entry a is compressed or encrypted (method 8)"));
  CHECK(says(refusal_of(archive_of({{.name = "a", .data = "hello", .flags = 1}})), "entry a is compressed or encrypted"));
  CHECK(says(refusal_of(archive_of({{.name = "a", .data = "hello", .checksum = 1}})),
             "entry a at byte 31 does not have the checksum"));
  CHECK(says(refusal_of(archive_of({{.name = "a", .data = "hello", .local_name = "b"}})), "does not begin where that says"));
  CHECK(says(refusal_of(archive_of({{.name = "a", .data = "hello", .offset = 4000}})), "does not begin where that says"));
  CHECK(says(refusal_of(archive_of({{.name = "a", .data = "hello", .size = 100}})), "entry a from byte 31 on reach into"));
  auto const inner =
      std::string(reinterpret_cast<char const*>(archive_of({{"b", "world"}}).data()), 36);  // the record of b inside a
  CHECK(says(refusal_of(archive_of({{"a", inner}, {.name = "b", .data = "world", .offset = 31}})), "entries must not overlap"));
}
