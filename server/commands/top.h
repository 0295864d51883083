// `leat top`: what goes on in the daemon, shown once a second for as long as somebody looks.
#pragma once

#include <functional>
#include <string_view>

namespace leat::server {

// `ask` sends an admin command, hands over its answer, and returns the exit code. With `once` the first answer is printed and
// that is all; likewise where stdout is no terminal, but one after the other.
int run_top(const std::function<int(std::string_view command,
                                    const std::function<void(std::string_view)>& take)>& ask,
            bool json, bool once);

}  // namespace leat::server
