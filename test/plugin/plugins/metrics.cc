// A plugin that counts: from a worker, from the pool, and wrongly. Its options can have it declare one thing
// more, in the C interface.
#include <leat/plugin.hpp>
#include <limits>
#include <string>

namespace {

class Counting : public leat::Plugin<Counting> {
 public:
  explicit Counting(leat::Setup& setup)
      : asked_(setup, "tested_total", "Requests.", {{"kind", setup.text("kind", "a")}}),
        level_(setup, "tested_level", "Where it stands."),
        sizes_(setup, "tested_bytes", "Sizes.", {setup.real("bound", 10, {0, 1000}), 2000}) {}

  leat::Reply count(leat::Path<uint64_t, "n"> n) {
    asked_.add();
    level_.set(static_cast<double>(*n));
    level_.add(-0.5);
    sizes_.observe(static_cast<double>(*n));
    return leat::text("counted");
  }
  leat::Task<leat::Reply> elsewhere(leat::Path<uint64_t, "n"> n) {
    co_await leat::blocking([this, n = *n] {
      for (uint64_t i = 0; i < n; ++i) asked_.add(2);
    });
    co_return leat::text("counted");
  }

  // What each misuse answers.
  static int32_t misuse(const leat_scope* scope, leat_request* request) {
    const leat_metrics_v1& api = *leat::detail::api.metrics;
    leat_metric* made = nullptr;
    const leat_metric_options late{.struct_size = sizeof(leat_metric_options),
                                   .type = LEAT_METRIC_COUNTER,
                                   .name = LEAT_STR("late_total"),
                                   .help = LEAT_STR(""),
                                   .labels = nullptr,
                                   .bounds = nullptr,
                                   .label_count = 0,
                                   .bound_count = 0};
    const int32_t answers[] = {api.declare(scope->host, &late, LEAT_STR(""), nullptr, &made),
                               api.declare(nullptr, &late, LEAT_STR(""), nullptr, &made),
                               api.add(nullptr, 1),
                               api.set(nullptr, 1),
                               api.change(nullptr, 1),
                               api.observe(nullptr, 1),
                               api.set(first, 1),
                               api.change(first, 1),
                               api.observe(first, 1)};
    std::string text;
    for (const int32_t answer : answers) text += std::to_string(answer) + " ";
    return leat::detail::api.response->send(request, leat::to_str(text)) == LEAT_OK ? LEAT_DONE : LEAT_ERROR;
  }
  static constexpr leat_handler misuse_handler() {
    leat_handler raw{};
    raw.struct_size = sizeof(leat_handler);
    raw.name = LEAT_STR("misuse");
    raw.handle = misuse;
    return raw;
  }

  static constexpr auto handlers() {
    return leat::list(handler<&Counting::count>("count"), handler<&Counting::elsewhere>("elsewhere"),
                      misuse_handler());
  }

  // The option `more` is what goes wrong.
  static int32_t create(const leat_host* host, const leat_config* config, void** instance,
                        leat_error* error) noexcept {
    const leat_metrics_v1& api = *leat::detail::api.metrics;
    leat_str more{};
    (void)leat::detail::api.config->string(config, LEAT_STR("more"), LEAT_STR(""), &more);
    const std::string_view kind = leat::to_view(more);
    leat_field label = {LEAT_STR("a"), LEAT_STR("b")};
    const double bounds[] = {1, 2, 3};
    leat_metric_options options{.struct_size = sizeof(leat_metric_options),
                                .type = LEAT_METRIC_COUNTER,
                                .name = LEAT_STR("more_total"),
                                .help = LEAT_STR("More."),
                                .labels = &label,
                                .bounds = nullptr,
                                .label_count = 1,
                                .bound_count = 0};
    if (kind == "type") options.type = 3;
    if (kind == "name") options.name = LEAT_STR("no-name");
    if (kind == "reserved") options.name = LEAT_STR("leat_more_total");
    if (kind == "help") options.help = LEAT_STR("\xff");
    if (kind == "plugin label") label.name = LEAT_STR("plugin");
    if (kind == "label value") label.value = LEAT_STR("\xc3");
    if (kind == "bounds") options.bounds = bounds, options.bound_count = 3;
    if (kind == "histogram") {
      options.type = LEAT_METRIC_HISTOGRAM;
      options.bounds = bounds;
      options.bound_count = 3;
    }
    if (kind == "size") options.struct_size = 8;
    if (kind == "no labels") options.labels = nullptr;
    if (!api_answers(api.declare(host, &options, LEAT_STR("more"), error, &first), kind)) return LEAT_E_STATE;
    // The same again is the same; another one of its name is refused.
    leat_metric* again = nullptr;
    if (kind.empty() &&
        (api.declare(host, &options, LEAT_STR("more"), error, &again) != LEAT_OK || again != first ||
         api.declare(host, nullptr, {}, error, &again) != LEAT_E_ARGUMENT || again != nullptr))
      return LEAT_E_STATE;
    if (kind == "twice") {
      options.type = LEAT_METRIC_GAUGE;
      (void)api.declare(host, &options, LEAT_STR("more"), error, &again);
    }
    return leat::detail::Entry<Counting>::create(host, config, instance, error);
  }

 private:
  // What is explained at its key is for the host to refuse.
  static bool api_answers(int32_t answer, std::string_view kind) {
    const bool good = kind.empty() || kind == "histogram" || kind == "twice";
    return good ? answer == LEAT_OK && first != nullptr : answer == LEAT_E_ARGUMENT && first == nullptr;
  }

  static inline leat_metric* first = nullptr;
  leat::Counter asked_;
  leat::Gauge level_;
  leat::Histogram sizes_;
};

constexpr auto kHandlers = Counting::handlers();

}  // namespace

LEAT_NOTE("metrics");
extern "C" const leat_plugin_entry leat_plugin = {LEAT_ENTRY("metrics", "1.0.0"),
                                                  .load = leat::detail::Entry<Counting>::load,
                                                  .unload = nullptr,
                                                  .create = Counting::create,
                                                  .destroy = leat::detail::Entry<Counting>::destroy,
                                                  .worker_init = nullptr,
                                                  .worker_fini = nullptr,
                                                  .handlers = kHandlers.data(),
                                                  .handler_count = static_cast<uint32_t>(kHandlers.size()),
                                                  .reserved = 0,
                                                  .self_test = nullptr,
                                                  .export_state = nullptr,
                                                  .import_state = nullptr,
                                                  .on_drain = nullptr};
