// `leat init`: a configuration to begin with, made of one of the ready sites (config/sites), which are put into the program,
// and of three answers.
#pragma once

#include <string>

namespace leat::server {

struct NewSite {
  std::string target = "leat.toml";  // the file to make, or a folder to make leat.toml in
  // Answers. Of those that are empty each is asked for, unless `yes`; then, and where nobody answers, it is what the site has.
  std::string kind;    // "api", "public", "internal" or "development"
  std::string listen;  // an address as in server.listen
  std::string plugin;  // the path of one, or "demo"
  bool https = false;  // it speaks TLS as well, with an authority of its own (leat tls init)
  bool yes = false;
};

// An exit code. A file that is there is never touched.
int make_site(const NewSite& wanted);

}  // namespace leat::server
