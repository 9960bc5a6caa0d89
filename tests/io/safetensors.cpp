/// Reading and writing safetensors, and every way in which such a file can lie.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <lnpt/core/finite.hpp>
#include <lnpt/io/safetensors.hpp>
#include <random>

#include "support.hpp"

namespace st = lnpt::io::safetensors;
using support::refusal;
using support::says;

namespace {

/// A file in memory from its header and data; the length is right unless it is given.
std::vector<std::byte> framed(std::string header, std::size_t data_bytes, std::uint64_t length = ~std::uint64_t{0}) {
  if (length == ~std::uint64_t{0}) length = header.size();
  std::string text(8, '\0');
  std::memcpy(text.data(), &length, 8);
  text += header;
  for (std::size_t i = 0; i != data_bytes; ++i) text += static_cast<char>(i);
  auto const bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::string refused(std::string header, std::size_t data_bytes, std::uint64_t length = ~std::uint64_t{0}) {
  auto const bytes = framed(std::move(header), data_bytes, length);
  return refusal([&] { (void)st::view(bytes, "f"); });
}

std::string tensor(std::string const& name, std::string const& dtype, std::string const& shape, std::string const& offsets) {
  return '"' + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + '}';
}

}  // namespace

TEST_CASE("a file written by hand reads as its bytes say") {
  auto const bytes = framed('{' + tensor("a", "U8", "[2]", "[0,2]") + ',' + tensor("b", "I16", "[]", "[2,4]") + "}  ", 4);
  auto const file = st::view(bytes);
  CHECK(file.names() == std::vector<std::string>{"a", "b"});
  CHECK(file.read<std::uint8_t>("a") == std::vector<std::uint8_t>{0, 1});
  CHECK(file.read<std::int64_t>("b") == std::vector<std::int64_t>{2 + 3 * 256});
  CHECK(file.read<float>("b") == std::vector<float>{770});
  CHECK(file.info("b").shape.empty());
}

TEST_CASE("what is saved is read back, in the format's order") {
  support::temporary_folder const folder;
  std::mt19937_64 random(7);
  std::vector<double> wide(1000);
  for (auto& value : wide) value = std::normal_distribution<>()(random);
  std::vector<float> const narrow(wide.begin(), wide.end());

  st::writer writer;
  writer.add("narrow", {10, 100}, std::span(narrow));
  writer.add("flags", {3}, std::vector<std::uint8_t>{1, 0, 1});
  writer.add("wide", {1000}, std::span<double const>(wide));
  writer.add("ids", {2, 1}, std::vector<std::int64_t>{-5, std::numeric_limits<std::int64_t>::max()});
  writer.add("another", {}, std::vector<double>{0.5});
  writer.add("nothing", {0, 7}, std::vector<float>{});
  writer.metadata("note", "Grüße, \"quoted\"\n");
  writer.save(folder / "a.safetensors");

  auto const file = st::open(folder / "a.safetensors");
  CHECK(file.names() == std::vector<std::string>{"ids", "another", "wide", "narrow", "nothing", "flags"});
  CHECK(file.metadata() == std::map<std::string, std::string>{{"format", "pt"}, {"note", "Grüße, \"quoted\"\n"}});
  CHECK(file.read<double>("wide") == wide);
  CHECK(file.read<float>("narrow") == narrow);
  CHECK(file.read<double>("narrow") == std::vector<double>(narrow.begin(), narrow.end()));
  CHECK(file.read<float>("wide") == narrow);
  CHECK(file.read<std::int64_t>("ids") == std::vector<std::int64_t>{-5, std::numeric_limits<std::int64_t>::max()});
  CHECK(file.read<std::int64_t>("flags") == std::vector<std::int64_t>{1, 0, 1});
  CHECK(file.read<float>("nothing").empty());
  CHECK(file.info("nothing").shape == lnpt::shape{0, 7});
  CHECK(file.info("narrow").dtype == lnpt::io::dtype::f32);

  auto const text = support::text_of(folder / "a.safetensors");
  std::uint64_t header = 0;
  std::memcpy(&header, text.data(), 8);
  CHECK(header % 8 == 0);
  auto const bytes = writer.bytes();
  CHECK(std::ranges::equal(std::as_bytes(std::span(text)), bytes));
}

TEST_CASE("conversion in blocks is the conversion of each value") {
  for (std::size_t const size : {0u, 1u, 8191u, 8192u, 8193u, 20000u}) {
    CAPTURE(size);
    std::vector<float> values(size);
    for (std::size_t i = 0; i != size; ++i) values[i] = static_cast<float>(i) * 0.25f - 100;
    st::writer writer;
    writer.add("x", {size}, std::span(values));
    auto const bytes = writer.bytes();
    CHECK(st::view(bytes).read<double>("x") == std::vector<double>(values.begin(), values.end()));
  }
}

TEST_CASE("half precision numbers widen exactly") {
  using lnpt::io::half;
  CHECK(static_cast<float>(half{0x3c00}) == 1.0f);
  CHECK(static_cast<float>(half{0xc000}) == -2.0f);
  CHECK(static_cast<float>(half{0x3555}) == 0.333251953125f);
  CHECK(static_cast<float>(half{0x7bff}) == 65504.0f);
  CHECK(static_cast<float>(half{0x0001}) == 0x1p-24f);
  CHECK(static_cast<float>(half{0x7c00}) == std::numeric_limits<float>::infinity());
  CHECK(std::isnan(static_cast<float>(half{0x7e00})));
  CHECK(std::signbit(static_cast<float>(half{0x8000})));
  CHECK(static_cast<float>(lnpt::io::bfloat16{0x3fc0}) == 1.5f);
  for (unsigned bits = 0; bits != 0x7c00; ++bits) {  // every finite one against its definition
    auto const exponent = static_cast<int>(bits >> 10), mantissa = static_cast<int>(bits & 0x3ff);
    auto const expected = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    REQUIRE(static_cast<float>(half{static_cast<std::uint16_t>(bits)}) == static_cast<float>(expected));
    REQUIRE(static_cast<float>(half{static_cast<std::uint16_t>(bits | 0x8000)}) == -static_cast<float>(expected));
  }
}

TEST_CASE("stored halves, bfloat16 and booleans convert") {
  auto const bytes = framed('{' + tensor("h", "F16", "[1]", "[0,2]") + ',' + tensor("b", "BF16", "[1]", "[2,4]") + ',' +
                                tensor("t", "BOOL", "[2]", "[4,6]") + '}',
                            6);
  auto const file = st::view(bytes);
  CHECK(file.read<float>("h") == std::vector<float>{256 * 0x1p-24f});
  CHECK(file.read<double>("b") == std::vector<double>{std::bit_cast<float>(0x03020000u)});
  CHECK(file.read<std::uint8_t>("t") == std::vector<std::uint8_t>{4, 5});
}

TEST_CASE_TEMPLATE("every code of an 8-bit float is what its format defines", Float, lnpt::io::float8_e5m2, lnpt::io::float8_e4m3,
                   lnpt::io::float8_e5m2fnuz, lnpt::io::float8_e4m3fnuz) {
  using namespace lnpt::io;
  constexpr bool fnuz = std::is_same_v<Float, float8_e5m2fnuz> || std::is_same_v<Float, float8_e4m3fnuz>;
  constexpr int digits = std::is_same_v<Float, float8_e5m2> || std::is_same_v<Float, float8_e5m2fnuz> ? 2 : 3;
  constexpr int bias = (1 << (6 - digits)) - (fnuz ? 0 : 1);
  for (int code = 0; code != 256; ++code) {
    CAPTURE(code);
    auto const value = static_cast<float>(Float{static_cast<std::uint8_t>(code)});
    auto const exponent = (code & 0x7f) >> digits, mantissa = code & ((1 << digits) - 1);
    auto const magnitude =
        exponent == 0 ? std::ldexp(mantissa, 1 - bias - digits) : std::ldexp((1 << digits) + mantissa, exponent - bias - digits);
    auto const is_nan = fnuz ? code == 0x80 : digits == 3 ? (code & 0x7f) == 0x7f : (code & 0x7f) > 0x7c;
    REQUIRE(std::isnan(value) == is_nan);
    if (is_nan) continue;
    if (!fnuz && digits == 2 && (code & 0x7f) == 0x7c)
      REQUIRE(std::isinf(value));
    else
      REQUIRE(std::abs(value) == static_cast<float>(magnitude));
    REQUIRE(std::signbit(value) == (code >= 0x80));
  }
}

TEST_CASE("a file with 8-bit floats of every kind reads, each in its own format") {
  std::string header = "{";
  std::vector<std::string> const kinds{"F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"};
  for (std::size_t i = 0; i != kinds.size(); ++i)
    header += (i ? "," : "") +
              tensor(kinds[i], kinds[i], "[16]", "[" + std::to_string(16 * i) + ',' + std::to_string(16 * i + 16) + ']');
  auto const bytes = framed(header + '}', 80);
  auto const file = st::view(bytes);
  // The 9th bytes: 0x08, 0x18, 0x28, 0x38 and 0x48.
  CHECK(file.read<float>("F8_E5M2")[8] == 0x1p-13f);
  CHECK(file.read<float>("F8_E4M3")[8] == 0x1p-4f);
  CHECK(file.read<float>("F8_E8M0")[8] == 0x1p-87f);
  CHECK(file.read<float>("F8_E4M3FNUZ")[8] == 0.5f);
  CHECK(file.read<float>("F8_E5M2FNUZ")[8] == 4.0f);
  CHECK(file.info("F8_E5M2FNUZ").dtype == lnpt::io::dtype::f8_e5m2fnuz);
}

TEST_CASE("sizes of 64 bits become those of a smaller machine, or are refused") {
  using namespace lnpt::io;
  CHECK(narrowed<std::uint32_t>(4294967295) == 4294967295u);
  CHECK_FALSE(narrowed<std::uint32_t>(4294967300).has_value());
  CHECK(narrowed<std::uint64_t>(4294967300) == 4294967300u);
  using extents = std::vector<std::uint64_t>;
  CHECK(narrowed_product<std::uint32_t>(extents{65536, 65535}) == 65536u * 65535u);
  CHECK_FALSE(narrowed_product<std::uint32_t>(extents{65536, 65536}).has_value());
  CHECK_FALSE(narrowed_product<std::uint32_t>(extents{4294967300}).has_value());
  CHECK(narrowed_product<std::uint32_t>(extents{4294967300, 0}) == 0u);
  CHECK(narrowed_product<std::uint64_t>(extents{65536, 65536}) == std::uint64_t{1} << 32);
  CHECK(narrowed_product<std::uint32_t>(extents{}) == 1u);
  CHECK(memory_size(7, "f") == 7);
}

TEST_CASE("what does not convert is refused by name") {
  auto const bytes = framed('{' + tensor("x", "F32", "[1]", "[0,4]") + ',' + tensor("q", "C64", "[1]", "[4,12]") + ',' +
                                tensor("u", "U64", "[1]", "[12,20]") + ',' + tensor("p", "F4", "[2]", "[20,21]") + '}',
                            21);
  auto const file = st::view(bytes, "f");
  CHECK(says(refusal([&] { (void)file.read<std::int64_t>("x"); }), R"(f: tensor "x" of dtype F32 does not convert to I64)"));
  CHECK(says(refusal([&] { (void)file.read<float>("q"); }), R"("q" of dtype C64 does not convert to F32)"));
  CHECK(says(refusal([&] { (void)file.read<float>("p"); }), R"("p" of dtype F4)"));
  CHECK(file.read<std::int64_t>("u") == std::vector<std::int64_t>{0x131211100f0e0d0c});
  CHECK(says(refusal([&] { (void)file.read<float>("y"); }), R"(f holds no tensor "y"; it holds "x", "q", "u" and 1 more)"));
  std::vector<float> two(2);
  CHECK(says(refusal([&] { file.read<float>("x", two); }), "of shape [1] holds 1 values, not 2"));

  st::writer writer;
  writer.add("big", {2}, std::vector<std::uint64_t>{1, std::uint64_t{1} << 63});
  auto const big = writer.bytes();
  CHECK(says(refusal([&] { (void)st::view(big).read<std::int64_t>("big"); }), R"("big" holds at 1 a value outside I64)"));
}

TEST_CASE("values that are not finite are counted") {
  auto const inf = std::numeric_limits<double>::infinity();
  std::vector<double> const values{1, inf, -inf, std::nan(""), 0};
  CHECK(lnpt::count_nonfinite(std::span(values)) == 3);
  CHECK(lnpt::count_nonfinite(std::span(values).first(1)) == 0);
}

TEST_CASE("an empty file of the format is legal") {
  auto const bytes = framed("{}", 0);
  CHECK(st::view(bytes).names().empty());
  auto const tensorless = framed(R"({"__metadata__":{"a":"b"}})", 0);
  CHECK(st::view(tensorless).metadata().at("a") == "b");
  auto const empties = framed('{' + tensor("b", "U8", "[1]", "[0,1]") + ',' + tensor("a", "F64", "[0]", "[0,0]") + '}', 1);
  CHECK(st::view(empties).names() == std::vector<std::string>{"a", "b"});
}

TEST_CASE("a wrong frame is refused") {
  std::vector<std::byte> const seven(7);
  CHECK(says(refusal([&] { (void)st::view(seven, "f"); }), "f has 7 bytes"));
  CHECK(says(refused("{}", 0, 3), "f: a header of 3 bytes passes the end of the file of 10 bytes"));
  CHECK(says(refused("{}", 0, std::uint64_t{1} << 63), "is too long"));
  CHECK(says(refused("{}", 0, 100'000'001), "is too long; a safetensors header has at most 100000000"));
  CHECK(says(refused("", 0), "the header at byte 8 is no JSON object"));
  CHECK(says(refused(" {}", 0), "the header at byte 8 is no JSON object"));
  CHECK(says(refused("\xef\xbb\xbf{}", 0), "the header at byte 8 is no JSON object"));
}

TEST_CASE("a file of another format is called by its name") {
  auto const said = [](std::string_view first) {
    std::string text(first);
    text.resize(64, '\0');
    return refusal([&] { (void)st::view(std::as_bytes(std::span(text)), "f"); });
  };
  CHECK(says(said("PK\x03\x04\x14\x08\x08\x08"), "f is no safetensors file but a zip archive, as torch.save"));
  CHECK(says(said("\x80\x02\x8a\x0al\xfc\x9c\x46"), "a pickle, as torch.save wrote it before PyTorch 1.6"));
  CHECK(says(said("\x1f\x8b\x08\x08\x01\x02\x03\x04"), "unpack it"));
  CHECK(says(said("{\"metadata\": {"), "a JSON text"));
  CHECK(says(said("GGUF\x03\x01\x01\x01"), "GGUF"));
}

TEST_CASE("a tensor is written by its bytes, whatever its dtype") {
  st::writer writer;
  auto const four = std::vector<std::byte>{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
  writer.add_stored("q", {4}, lnpt::io::dtype::f8_e4m3fnuz, four);
  writer.add_stored("p", {2, 4}, lnpt::io::dtype::f4, four);
  CHECK(says(refusal([&] { writer.add_stored("h", {4}, lnpt::io::dtype::f16, four); }), "needs 64 bits, not 32"));
  auto const bytes = writer.bytes();
  auto const file = st::view(bytes, "f");
  for (auto const* const name : {"p", "q"}) {
    std::vector<std::byte> stored(4);
    file.read_bytes(file.info(name), 0, stored);
    CHECK(stored == four);
  }
  std::vector<std::byte> two(2);
  file.read_bytes(file.info("q"), 2, two);
  CHECK(two == std::vector<std::byte>{std::byte{3}, std::byte{4}});
  CHECK(says(refusal([&] { file.read_bytes(file.info("q"), 3, two); }), R"("q" has 4 bytes)"));
}

TEST_CASE("a header that is not JSON in UTF-8 is refused at its byte") {
  CHECK(says(refused("{", 0), "breaks the header's JSON"));
  CHECK(says(refused("{]", 0), "f: byte 9 breaks"));
  CHECK(says(refused("{} x", 0), "f: byte 11 breaks"));
  CHECK(says(refused("{\"__metadata__\":{\"\xff\":\"\"}}", 0), "breaks the header's JSON"));
  CHECK(says(refused(std::string("{}\0{}", 5), 0), "no JSON object"));  // a NUL must not hide the rest
}

TEST_CASE("a key that appears twice is refused") {
  auto const a = tensor("a", "U8", "[1]", "[0,1]");
  CHECK(says(refused('{' + a + ',' + a + '}', 1), R"(the key "a" appears twice)"));
  CHECK(says(refused(R"({"__metadata__":{},"__metadata__":{}})", 0), R"(the key "__metadata__" appears twice)"));
  CHECK(says(refused(R"({"__metadata__":{"k":"1","k":"2"}})", 0), R"(metadata key "k" appears twice)"));
  CHECK(says(refused(R"({"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0),
             R"(tensor "a" gives its dtype twice)"));
}

TEST_CASE("anything but the header's grammar is refused") {
  CHECK(says(refused(R"({"a":1})", 0), R"(tensor "a" holds a number)"));
  CHECK(says(refused(R"({"a":[]})", 0), R"(tensor "a" holds an array)"));
  CHECK(says(refused(R"({"a":{}})", 0), R"(tensor "a" is incomplete)"));
  CHECK(says(refused(R"({"__metadata__":{"k":1}})", 0), "the metadata holds a number"));
  CHECK(says(refused(R"({"__metadata__":{"k":{}}})", 0), "the metadata holds an object"));
  CHECK(says(refused(R"({"__metadata__":"x"})", 0), "the metadata holds a string"));
  CHECK(says(refused(R"({"a":{"shape":{}}})", 0), "holds an object"));
  CHECK(says(refused(R"({"a":{"shape":[[1]]}})", 0), "holds an array"));
  CHECK(says(refused(R"({"a":{"shape":[true]}})", 0), "holds a boolean"));
  CHECK(says(refused(R"({"a":{"shape":null}})", 0), "holds a null"));
  CHECK(says(refused(R"({"a":{"dtype":7}})", 0), "holds a number"));
  CHECK(says(refused(R"({"a":{"colour":7}})", 0), R"(unknown key "colour")"));
  CHECK(says(refused('{' + tensor("a", "F31", "[0]", "[0,0]") + '}', 0), R"(unknown dtype "F31")"));
  CHECK(says(refused('{' + tensor("a", "U8", "[-1]", "[0,0]") + '}', 0), "holds a negative number"));
  CHECK(says(refused('{' + tensor("a", "U8", "[1.0]", "[0,1]") + '}', 1), "holds a number that is no integer"));
  CHECK(says(refused('{' + tensor("a", "U8", "[99999999999999999999]", "[0,1]") + '}', 1), "holds a number that is no integer"));
  CHECK(says(refused('{' + tensor("a", "U8", "[1]", "[0]") + '}', 1), "has 1 data_offsets"));
  CHECK(says(refused('{' + tensor("a", "U8", "[1]", "[0,1,1]") + '}', 1), "has 3 data_offsets"));
  CHECK(says(refused(std::string(1'000'000, '[').replace(0, 5, "{\"a\":"), 0), "holds an array"));  // deep nesting costs nothing
}

TEST_CASE("tensors that do not tile the data are refused") {
  auto const two = [](char const* first, char const* second, std::size_t bytes) {
    return refused('{' + tensor("a", "U8", "[2]", first) + ',' + tensor("b", "U8", "[2]", second) + '}', bytes);
  };
  CHECK(two("[0,2]", "[2,4]", 4).empty());
  CHECK(two("[2,4]", "[0,2]", 4).empty());
  CHECK(says(two("[0,2]", "[3,5]", 5), R"(tensor "b" begins at byte 3 of the data, where byte 2 would leave no hole)"));
  CHECK(says(two("[0,2]", "[1,3]", 3), R"(tensor "b" begins at byte 1 of the data, where byte 2 would not overlap)"));
  CHECK(says(two("[0,2]", "[0,2]", 2), "would not overlap"));
  CHECK(says(two("[1,3]", "[3,5]", 5), R"(tensor "a" begins at byte 1)"));
  CHECK(says(two("[0,2]", "[2,4]", 5), "1 bytes follow the last tensor"));
  CHECK(says(two("[0,2]", "[2,4]", 3), R"(tensor "b" spans bytes 2 to 4 of 3)"));
  CHECK(says(refused('{' + tensor("a", "U8", "[2]", "[0,18446744073709551615]") + '}', 2),
             "spans bytes 0 to 18446744073709551615"));
  CHECK(says(refused('{' + tensor("a", "U8", "[2]", "[2,0]") + '}', 2), "begins at byte 2"));
}

TEST_CASE("a shape that disagrees with the bytes is refused") {
  auto const one = [](char const* dtype, char const* shape, std::size_t bytes) {
    return refused('{' + tensor("a", dtype, shape, "[0," + std::to_string(bytes) + "]") + '}', bytes);
  };
  CHECK(one("F32", "[1,2]", 8).empty());
  CHECK(one("F32", "[]", 4).empty());
  CHECK(one("F6_E3M2", "[4]", 3).empty());
  CHECK(says(one("F32", "[3]", 8), R"(tensor "a" of shape [3] and dtype F32 needs 12 bytes but its data_offsets span 8)"));
  CHECK(says(one("F32", "[0]", 4), "needs 0 bytes"));
  CHECK(says(one("F4", "[3]", 1), "does not fill its last byte"));
  CHECK(says(one("U8", "[562949953421312]", 1), "has an extent of 562949953421312; the format allows up to 2^48"));
  // Extents that no size on this machine counts are refused before their product is.
  auto const too_many = sizeof(std::size_t) < 8 ? "64-bit machine" : "more than 2^64 bits";
  CHECK(says(one("U8", "[281474976710656,281474976710656]", 1), too_many));
  CHECK(says(one("U8", "[4294967296,536870912]", 0), too_many));  // 2^61 bytes: 2^64 bits would wrap to 0
}

TEST_CASE("a writer refuses what would not read back") {
  st::writer writer;
  writer.add("a", {2}, std::vector<float>{1, 2});
  CHECK(says(refusal([&] { writer.add("a", {1}, std::vector<float>{1}); }), R"(tensor name "a" is taken)"));
  CHECK(says(refusal([&] { writer.add("__metadata__", {1}, std::vector<float>{1}); }), "is taken"));
  CHECK(says(refusal([&] { writer.add("b", {3}, std::vector<float>{1}); }), R"(tensor "b" of shape [3] has 3 elements, not 1)"));
  writer.add("\xff", {1}, std::vector<float>{1});
  CHECK(says(refusal([&] { (void)writer.bytes(); }), "is not UTF-8"));
}

TEST_CASE("a file that is missing, a folder or cut short is refused by its path") {
  support::temporary_folder const folder;
  CHECK(says(refusal([&] { (void)st::open(folder / "none"); }), "none (No such file or directory)"));
  CHECK(says(refusal([&] { (void)st::open(folder.path()); }), "is not a regular file"));
  st::writer writer;
  writer.add("a", {4}, std::vector<float>{1, 2, 3, 4});
  writer.save(folder / "a");
  auto const file = st::open(folder / "a");
  std::filesystem::resize_file(folder / "a", std::filesystem::file_size(folder / "a") - 4);
  CHECK(says(refusal([&] { (void)file.read<float>("a"); }), "while it was read"));
  CHECK(says(refusal([&] { (void)st::open(folder / "a"); }), R"(tensor "a" spans bytes 0 to 16 of 12)"));
}

TEST_CASE("every cut and every changed byte either reads or is refused with lnpt::error") {
  st::writer writer;
  writer.add("x", {3}, std::vector<float>{1, 2, 3});
  writer.add("m", {5}, std::vector<std::uint8_t>{1, 0, 1, 1, 0});
  auto const whole = writer.bytes();
  for (std::size_t size = 0; size != whole.size(); ++size)
    CHECK_FALSE(refusal([&] { (void)st::view(std::span(whole).first(size)); }).empty());
  auto const header_end = whole.size() - 17;
  for (std::size_t at = 0; at != header_end; ++at)
    for (unsigned value = 0; value != 256; ++value) {
      auto changed = whole;
      changed[at] = static_cast<std::byte>(value);
      auto const predicted = refusal([&] {
        auto const file = st::view(changed, "changed");
        for (auto const& each : file.entries()) (void)file.read<double>(each.name);
      });
      REQUIRE((predicted.empty() || predicted.starts_with("changed")));
    }
}
