#include "server/process/short_start.h"

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <new>
#include <string_view>
#include <system_error>

#include "base/check.h"
#include "base/fd.h"
#include "server/process/exit_code.h"

namespace leat::server {

namespace {

std::atomic<bool> starting = false;
std::atomic<bool>* ended_flag = nullptr;

// What the exception that ends this process says of it; empty where it is another one.
std::string_view shortage() {
  try {
    if (const std::exception_ptr thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    return "memory is out";
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::resource_unavailable_try_again) return "no further thread can be had";
    if (error.code() == std::errc::not_enough_memory) return "memory is out";
  } catch (...) {
    return {};
  }
  return {};
}

[[noreturn]] void on_terminate() {
  const std::string_view what = starting ? shortage() : std::string_view();
  if (what.empty()) std::abort();
  for (const std::string_view part :
       {std::string_view("leat: cannot start: "), what,
        std::string_view(
            ": what the process may have of memory (`ulimit -v`, MemoryMax=) or of threads (`ulimit -u`, "
            "TasksMax=) is too little\n")})
    (void)write_all(standard_error(), part);
  if (ended_flag != nullptr) *ended_flag = true;
  std::_Exit(kExitFailure);
}

}  // namespace

void watch_start(std::atomic<bool>* ended) {
  ended_flag = ended;
  starting = true;
  std::set_terminate(on_terminate);
}

void start_is_over() { starting = false; }

}  // namespace leat::server
