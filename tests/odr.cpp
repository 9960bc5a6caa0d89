// Linked into every test, with every header of the library beside it: a function that is not inline breaks the link.
#include <every_header.hpp>  // written by CMake from the library's file sets
