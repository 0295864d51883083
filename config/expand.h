// ${...} in the strings of a configuration.
//
//   ${NAME}             an environment variable; an error where it is not set
//   ${NAME:-text}       the same, `text` where it is not set or empty
//   ${NAME:?message}    the same, an error with `message` where it is not set or empty
//   ${file:PATH}        a secret: the text of a file, without its last line end; PATH is relative to the
//                       file that names it
//   ${credential:NAME}  a secret: the file NAME in $CREDENTIALS_DIRECTORY, as systemd's LoadCredential= fills
//                       it
//   $$                  a dollar sign; so is a $ before anything else
//
// One syntax for all, rather than tables like { file = "..." } for secrets: such a table may as well be an
// option that a plugin defines.
#pragma once

#include <string>

#include "base/value.h"
#include "config/secrets.h"

namespace leat::config {

struct Expansion {
  std::string text;
  bool replaced = false;                       // there was a ${...}
  Value::Origin origin = Value::Origin::File;  // what is in it that the file does not say
};

// `text` with each ${...} replaced. What is wrong goes to `diagnostics`, which never quote a value; secrets
// are noted in `secrets`. `where` is the place of the string, in the file that relative paths start from.
Expansion expand(std::string text, const Place& where, Diagnostics& diagnostics, Secrets& secrets);

}  // namespace leat::config
