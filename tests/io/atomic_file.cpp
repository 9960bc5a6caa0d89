/// A file appears whole or not at all.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include <lnpt/io/atomic_file.hpp>

#include "support.hpp"

using lnpt::io::atomic_file;

namespace {
std::span<std::byte const> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::size_t files_in(std::filesystem::path const& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}
}  // namespace

TEST_CASE("a committed file holds what was written, and nothing else is left") {
  support::temporary_folder const folder;
  atomic_file file(folder / "a");
  file.write(bytes_of("one, "));
  file.write(bytes_of("two"));
  CHECK_FALSE(std::filesystem::exists(folder / "a"));
  file.commit();
  CHECK(support::text_of(folder / "a") == "one, two");
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("without commit the older file stays and the temporary goes") {
  support::temporary_folder const folder;
  folder.write("a", {'o', 'l', 'd'});
  {
    atomic_file file(folder / "a");
    file.write(bytes_of("new"));
    CHECK(files_in(folder.path()) == 2);
  }
  CHECK(support::text_of(folder / "a") == "old");
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("a link stays one, and what it names is replaced, or made, beside it") {
  support::temporary_folder const folder;
  std::filesystem::create_directory(folder / "far");
  folder.write("far/a", {'o', 'l', 'd'});
  std::filesystem::create_symlink("far/a", folder / "near");
  std::filesystem::create_symlink(folder / "near", folder / "nearer");
  std::filesystem::create_symlink("far/b", folder / "dangling");
  for (auto const* const name : {"nearer", "dangling"}) {
    atomic_file file(folder / name);
    file.write(bytes_of("new"));
    file.commit();
    CHECK(std::filesystem::is_symlink(folder / name));
  }
  CHECK(std::filesystem::is_symlink(folder / "near"));
  CHECK(support::text_of(folder / "far/a") == "new");
  CHECK(support::text_of(folder / "far/b") == "new");
  CHECK(files_in(folder / "far") == 2);
  std::filesystem::create_symlink("ring", folder / "ring");
  CHECK(support::says(support::refusal([&] { atomic_file(folder / "ring"); }), "leads from link to link"));
}

TEST_CASE("a file that is replaced keeps its permissions") {
  using std::filesystem::perms;
  support::temporary_folder const folder;
  folder.write("a", {'o', 'l', 'd'});
  std::filesystem::permissions(folder / "a", perms::owner_read | perms::owner_write);
  atomic_file file(folder / "a");
  file.commit();
  CHECK(std::filesystem::status(folder / "a").permissions() == (perms::owner_read | perms::owner_write));
}

TEST_CASE("two writers of one name do not mix") {
  support::temporary_folder const folder;
  atomic_file first(folder / "a"), second(folder / "a");
  first.write(bytes_of("first"));
  second.write(bytes_of("second"));
  second.commit();
  first.commit();
  CHECK(support::text_of(folder / "a") == "first");
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("temporaries that killed writers left go when the file is written next, and no others") {
  support::temporary_folder const folder;
  auto const child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);  // so that there is no such process any more
  auto const gone = std::to_string(child);
  auto const mine = std::to_string(::getpid());
  for (auto const& name : {"a.tmp-" + gone + "-0", "a.tmp-" + gone + "-1"}) folder.write(name, {'x'});
  std::vector<std::string> const others{"a.tmp-" + mine + "-7", "b.tmp-" + gone + "-0",   "a.tmp-" + gone,
                                        "a.tmp-" + gone + "-x", "a.tmp-" + gone + "-0.b", "a.tmp-" + gone + "-2",
                                        "ab.tmp-" + gone + "-0"};
  for (auto const& name : others) folder.write(name, {'x'});
  // One that is still written, by a process that this one cannot see.
  int const held = ::open((folder / ("a.tmp-" + gone + "-2")).c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(::flock(held, LOCK_EX) == 0);
  atomic_file file(folder / "a");
  CHECK(files_in(folder.path()) == others.size() + 1);
  for (auto const& name : others) CHECK(std::filesystem::exists(folder / name));
  file.commit();
  ::close(held);
  atomic_file(folder / "a").commit();
  CHECK_FALSE(std::filesystem::exists(folder / ("a.tmp-" + gone + "-2")));
}

TEST_CASE("a folder that does not exist is refused by path and reason") {
  support::temporary_folder const folder;
  auto const predicted = support::refusal([&] { atomic_file(folder / "none/a"); });
  CHECK(support::says(predicted, "none/a"));
  CHECK(support::says(predicted, "No such file or directory"));
}

TEST_CASE("a name that is a folder is refused and leaves no temporary") {
  support::temporary_folder const folder;
  std::filesystem::create_directory(folder / "a");
  auto const predicted = support::refusal([&] { atomic_file(folder / "a").commit(); });
  CHECK(support::says(predicted, "is a folder"));
  CHECK(files_in(folder.path()) == 1);
}
