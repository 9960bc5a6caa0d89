# Passes where the compiler refuses SOURCE in lnpt's own words: its first line, `// expect: <text>`, gives a part of the sentence,
# which must stand in the first error. Called by ctest with COMPILER, FLAGS (a response file), HEADERS (the options that
# bring precompiled headers) and SOURCE.
file(STRINGS ${SOURCE} first_line LIMIT_COUNT 1)
if(NOT first_line MATCHES "^// expect: (.+)$")
  message(FATAL_ERROR "${SOURCE} must begin with '// expect: <part of the sentence that refuses it>'.")
endif()
set(expected "${CMAKE_MATCH_1}")

set(ENV{LC_ALL} C)
execute_process(COMMAND ${COMPILER} @${FLAGS} ${HEADERS} -fsyntax-only -Wfatal-errors ${SOURCE}
  RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(status EQUAL 0)
  message(FATAL_ERROR "${SOURCE} compiles, but should be refused with '${expected}'.")
endif()

string(REGEX MATCH "error: [^\n]*" first_error "${output}")
string(FIND "${first_error}" "${expected}" found)
if(found EQUAL -1)
  message(FATAL_ERROR "The first error should say '${expected}', but it says\n  ${first_error}\nof\n${output}")
endif()
message(STATUS "refused: ${first_error}")
