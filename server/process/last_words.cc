#include "server/process/last_words.h"

#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <span>
#include <vector>

namespace leat::server {

namespace {

constexpr std::string_view kBlame = "plugin ";  // what a title begins with
constexpr std::string_view kRoute = " on route ";

// Text that the other process wrote and may have left without its end.
template <size_t Size>
std::string text_of(const char (&text)[Size]) {
  return {text, ::strnlen(text, Size)};
}

std::string route_of(std::string_view title) {
  const size_t at = title.find(kRoute);
  return at == std::string_view::npos ? "" : std::string(title.substr(at + kRoute.size()));
}

// What a plugin's code can end a process with. All other signals come from outside.
bool is_fault(int signal) {
  const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};
  return std::ranges::contains(faults, signal);
}

}  // namespace

std::string_view plugin_of(std::string_view title) {
  if (!title.starts_with(kBlame)) return {};
  title.remove_prefix(kBlame.size());
  return title.substr(0, title.find(": "));
}

void put_words(char* into, size_t size, std::string_view text) {
  const size_t fits = std::min(text.size(), size - 1);
  text.copy(into, fits);
  into[fits] = '\0';
}

LastWords* own_words() {
  static LastWords words;
  return &words;
}

void LastWords::clear() {
  plugin[0] = route[0] = how[0] = loading[0] = '\0';
  for (uint32_t i = 0; i < std::min<uint32_t>(threads, kMostThreads); ++i) all[i].activity.reset();
  threads = 0;
  title_count = 0;
}

LastWords::Thread* LastWords::take_thread() {
  const uint32_t index = threads.fetch_add(1, std::memory_order_relaxed);
  if (index >= kMostThreads) return nullptr;
  all[index].id = ::gettid();
  return &all[index];
}

void LastWords::note(const std::string& title) {
  const uint32_t index = title_count.load(std::memory_order_relaxed);
  if (index >= kMostTitles) return;
  titles[index].address = &title;
  put_words(titles[index].text, title);
  title_count.store(index + 1, std::memory_order_release);
}

std::string LastWords::running(const Activity& activity) const {
  const std::string* now = activity.now();
  if (now == nullptr) return {};
  const size_t count = std::min<size_t>(title_count.load(std::memory_order_acquire), kMostTitles);
  for (const Title& title : std::span(titles, count))
    if (title.address == now) return text_of(title.text);
  return {};
}

namespace {

// Where no report was made: what ran then. Of several plugins none can be told to be the one.
void blame_running(Ending& ending, std::string& route, const LastWords& words) {
  std::vector<std::string> plugins;
  for (uint32_t i = 0; i < std::min<uint32_t>(words.threads, LastWords::kMostThreads); ++i) {
    const std::string title = words.running(words.all[i].activity);
    std::string name(plugin_of(title));
    if (name.empty() || std::ranges::contains(plugins, name)) continue;
    plugins.push_back(std::move(name));
    route = route_of(title);
  }
  std::string loaded = text_of(words.loading);
  if (!loaded.empty() && !std::ranges::contains(plugins, loaded)) plugins.push_back(std::move(loaded));
  if (plugins.size() == 1) {
    ending.plugin = std::move(plugins[0]);
  } else if (plugins.size() > 1) {
    route.clear();
    std::string all;
    for (const std::string& each : plugins) all += (all.empty() ? "" : ", ") + each;
    ending.how += " in one of the plugins " + all;
  }
}

}  // namespace

Ending judge_end(int status, const LastWords& words) {
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  Ending ending{.how = text_of(words.how), .plugin = text_of(words.plugin)};
  std::string route = text_of(words.route);
  if (ending.how.empty()) {
    ending.how = signal != 0 ? fmt::format("was ended by signal {} ({})", signal, ::strsignal(signal))
                             : fmt::format("ended itself with status {}", WEXITSTATUS(status));
    if (signal == 0 || is_fault(signal)) blame_running(ending, route, words);
  }
  if (ending.plugin.empty()) return ending;
  ending.how += " in plugin " + ending.plugin;
  if (!route.empty()) ending.how += " on route " + route;
  return ending;
}

}  // namespace leat::server
