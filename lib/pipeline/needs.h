// Needs: whether all that instances and handlers need of those in front of them (finding.h) is there. A site in which it is not
// would be found wrong by its first clients; so it is told when it is built.
//
// Thread: the one that builds.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"
#include "pipeline/finding.h"
#include "pipeline/route.h"

namespace leat::pipeline {

class Needs {
 public:
  // A route of the site, or what its host's requests pass that no route takes; `place` is where it is declared.
  void add(const Route& route, const Place& place);

  // One that is not met, for people.
  struct Unmet {
    std::string message;
    Place place;
    std::string hint;
  };
  // Of all that were added, which are still there.
  [[nodiscard]] std::vector<Unmet> unmet() const;

 private:
  // By one instance or handler.
  struct Asked {
    const void* who = nullptr;
    std::string called;  // "`csrf` needs a session for `token`"
    Need need;
    Place place;
    bool met = false;  // on some route
    std::vector<const Route*> lacking;
  };
  void note(const Asked& asked, bool met, const Route& route);

  std::vector<Asked> asked_;
};

}  // namespace leat::pipeline
