#include "server/reloading.h"

#include <fmt/core.h>

#include <utility>

#include "config/codes.h"
#include "config/diagnostics.h"
#include "plugin/shared_resources.h"
#include "server/process/crash_report.h"

namespace leat::server {

namespace {

// How many series metrics may have, put back where what was loaded with another number comes to nothing.
class SeriesLimit {
 public:
  SeriesLimit(metrics::Registry& metrics, size_t former) : metrics_(metrics), former_(former) {}
  ~SeriesLimit() {
    if (!stays_) metrics_.set_limit(former_);
  }
  SeriesLimit(const SeriesLimit&) = delete;
  SeriesLimit& operator=(const SeriesLimit&) = delete;
  void stay() { stays_ = true; }

 private:
  metrics::Registry& metrics_;
  size_t former_;
  bool stays_ = false;
};

}  // namespace

std::expected<Control::Options::Loaded, std::string> Reloading::operator()(std::string& remarks) const {
  std::string report;
  auto series =
      std::make_shared<SeriesLimit>(libraries_.shared().metrics, running_.now().shared.metric_series);
  Source source{command_.file, {}};
  libraries_.begin();
  const KeptSettings kept{&running_.now(), running_.workers()};
  auto loaded = load(command_, libraries_, false, report,
                     {.kept = &kept, .files = &source.files, .tickets = running_.kept_tickets()});
  if (!loaded) return std::unexpected(std::move(report));
  const size_t routes = loaded->assembly.site->routes().size();
  if (std::string lost = lost_since(source, routes); !lost.empty()) return std::unexpected(std::move(lost));
  auto next = running_.prepare(std::move(loaded->settings));
  if (!next) {
    Diagnostics all(1, next.error());
    loaded->secrets.hide(all);
    return std::unexpected(config::render(all, false));
  }
  remarks += report;
  for (const std::string& path : loaded->waiting)
    remarks +=
        fmt::format("`{}` has changed: it takes effect at the next start, or with `leat upgrade`\n", path);
  note_loaded_objects();
  const auto taken_up = std::make_shared<RunningSettings::Next>(std::move(*next));
  const auto served = std::make_shared<Served>(std::move(source), routes, std::move(loaded->declared));
  return Control::Options::Loaded{
      std::move(loaded->assembly),
      [this, series, taken_up, served](Generations::Workers workers, const std::stop_token& stopping,
                                       std::string& told) {
        series->stay();
        running_.take_up(std::move(*taken_up), workers, stopping, told);
        *served_ = std::move(*served);
      }};
}

// Of a configuration that is no mistake by itself, but leaves little of the one that serves; empty where nothing is lost.
std::string Reloading::lost_since(const Source& source, size_t routes) const {
  std::string lost = source.files.cut_since(served_->source.files);
  if (lost.empty() && routes == 0 && served_->routes != 0)
    lost = fmt::format("no [[route]] is declared any more, of {} that serve", served_->routes);
  if (lost.empty()) return lost;
  Diagnostics all(1);
  all[0].code = config::kNothingToServe;
  all[0].message = std::move(lost);
  all[0].place.file = std::make_shared<const std::string>(source.file);
  all[0].hint = "it may be that somebody is still writing it: put it into place by renaming it";
  return config::render(all, false);
}

}  // namespace leat::server
