// `leat key new NAME` and `leat key hash NAME`: lines for the file of an `api_key`.
#pragma once

#include <string>

namespace leat::server {

// Makes a key, of 256 random bits, and prints its line. The key itself goes to stderr, so that what is redirected into the
// file is the line alone. The exit code.
int make_key(const std::string& name);

// The same for a key that there is, which is the first line of stdin. One that is so short that it can be guessed is
// refused.
int hash_key(const std::string& name);

}  // namespace leat::server
