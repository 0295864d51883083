#include "config/codes.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "pipeline/codes.h"
#include "plugin/codes.h"

namespace leat::config {

namespace {

constexpr Explanation kExplanations[] = {
    {kUnreadable, "a file cannot be read",
     "The file does not exist, is a folder or a pipe, or the daemon's user may not read it. Under systemd "
     "the unit's user needs read permission for the file and search permission for every folder above it."},
    {kNotText, "a file is not text", "The file has a NUL byte or is not UTF-8."},
    {kTooLarge, "a file is too large",
     "Configuration files of more than 16 MiB are refused: a log or an image was probably named by mistake."},
    {kSyntax, "the file is not TOML",
     "The text does not follow the grammar of TOML 1.0. Strings stand in quotes, tables in [brackets], and "
     "each key has one value on its line. Reading goes on at the next line that begins something, so that "
     "other mistakes are told as well."},
    {kIncludeCycle, "files include each other",
     "A file includes itself, directly or through others, or includes nest more than 16 deep. A file that is "
     "named twice without a cycle is read once."},
    {kNoInclude, "an include matches nothing",
     "An include without wildcards names a file that does not exist, which is an error. A pattern with * or "
     "? may match nothing, which is a warning."},
    {kDefinedTwice, "something is defined twice",
     "A key stands twice in a file, two files set the same setting, or two plugins have one name. Which one "
     "should count would depend on the order, so neither does."},
    {kUnknownKey, "an unknown key",
     "No setting has this name. Unknown keys are errors because a misspelt limit would otherwise be no "
     "limit. `leat settings` lists all settings."},
    {kWrongType, "a value of the wrong type",
     "The setting wants another type of value: text in quotes, a number, true or false, or a list in "
     "[brackets]."},
    {kOutOfRange, "a value out of range", "The value is smaller or larger than the setting can be."},
    {kBadUnit, "a value with a bad unit",
     "Times are numbers with ms, s, m, h or d (\"10s\"); sizes are bytes, or numbers with KiB, MiB or GiB, "
     "or KB, MB or GB for powers of ten (\"64KiB\")."},
    {kBadChoice, "a value that is not one of the choices",
     "The setting is one of a few words; the message lists them."},
    {kBadAddress, "a bad address",
     "An address is IPV4:PORT, [IPV6]:PORT, *:PORT for all addresses, or unix:/path/to/socket. One of IPv6 "
     "that begins with fe80 needs its interface as well: [fe80::1%eth0]:8080."},
    {kMissingKey, "a key is missing", "The declaration needs this key; see the reference for what it holds."},
    {kVariable, "a variable is not set",
     "${NAME} in a string stands for an environment variable and is an error when that is not set. "
     "${NAME:-text} gives a default and ${NAME:?text} an error message of your own, both also for a variable "
     "that is empty. $$ is a dollar sign. One ${...} cannot stand within another."},
    {kBadHandler, "a handler that is not PLUGIN:NAME",
     "A route's handler is the name of a [[plugin]], a colon, and the name of one of its handlers: "
     "\"demo:json\"."},
    {kUnknownPlugin, "a route names a plugin that is not declared",
     "Declare it with [[plugin]], or correct the name."},
    {kNothingToServe, "there is no route",
     "The configuration declares no [[route]]: every request would be answered with 404. A daemon that has "
     "routes takes "
     "up no such configuration by a reload, nor a file that is empty, or that ends in the middle of a line "
     "of what it said "
     "before: somebody is probably still writing it. Put a file into place by renaming it."},
    {kSecret, "a secret cannot be read",
     "${file:PATH} stands for the text of a file and ${credential:NAME} for that of a file in the folder "
     "that CREDENTIALS_DIRECTORY names, which systemd sets for a unit with LoadCredential=. The file must be "
     "readable for the daemon's user and hold at most 64 KiB of text; the line end after its last line is "
     "left out."},
    {kBadName, "a bad name",
     "A plugin's name is made of letters, digits, - and _: routes use it before a colon. The name leat is "
     "taken: under it routes reach the daemon's own handlers."},
    {kDate, "a date or a time of day",
     "TOML has dates and times, but no setting is one. Text stands in quotes."},
    {kCannotListen, "an address cannot be listened on",
     "Somebody else listens there already, the address is none of this machine's, or the user may not have "
     "the "
     "port or the folder of the socket; the message says which. A reload changes nothing then. `leat check` "
     "says "
     "so of the user that runs it and of the moment; an address that the configuration's own daemon has is "
     "fine."},
    {kTooDeep, "tables and lists too deep in each other",
     "Tables and lists lie at most 64 deep in each other, whether they are written with brackets, braces or "
     "keys with dots. No configuration needs more; a deeper file was made to do harm, or by a program that "
     "went wrong."},
    {kLogFile, "the log file cannot be written",
     "The path of `log.file` is a folder, something on the way to it is none, or the user may not write "
     "there. "
     "Folders that are not there are made by the daemon. `leat check` writes nothing, and tells what would "
     "be "
     "wrong for the user that runs it."},
    {kPluginFolder, "a folder of plugins cannot be looked into",
     "A folder of `server.plugin_path` does not exist, is none, or may not be read by the user. Plugins that "
     "are named without a slash are looked for in the others."},
    {kBadHost, "a bad host",
     "A [[host]] has names as clients send them, without a port: \"example.org\", or \"*.example.org\" for "
     "all names below "
     "it; its listeners are addresses that are listened on."},
    {kBadCondition, "a bad condition of a route",
     "A route's `when` has lists, of which each needs an item: header (\"NAME\" or \"NAME: VALUE\"), query "
     "(\"NAME\" or "
     "\"NAME=VALUE\"), content_type (\"TYPE/SUBTYPE\" or \"TYPE/*\") and client (ranges of addresses)."},
    {kNotTogether, "keys that do not go together",
     "Each of the keys is good by itself, and with the other it means nothing."},
    {kBadField, "a bad header field",
     "A field is written \"NAME: VALUE\", without control characters. Those that say how a message is sent, "
     "Date and Server are "
     "the server's own."},
    {kDeprecated, "something that will not be taken for ever",
     "The setting or option still has its effect, and a later version will not know it: write what the "
     "message names in its place. Until then the daemon starts and reloads as before."},
    {kBadRange, "a bad range of addresses",
     "Who is trusted is named by addresses, 192.0.2.1 or 2001:db8::1, by the first bits that they have in "
     "common, "
     "10.0.0.0/8, or, for whoever connects to a unix socket, by the word unix. Names are not looked up."},
    {kNobodyTrusted, "a listener for proxies without a proxy",
     "With proxy_protocol a listener takes connections of those alone who are trusted to say for whom they "
     "connect, and "
     "there is nobody: name them in server.trusted_proxies, or in the listener's own trusted_proxies."},
    {kToldTwice, "two fields that tell of the same",
     "server.proxy_fields names the fields that the proxies set. With Forwarded and X-Forwarded-For both, a "
     "proxy that "
     "sets only the one passes on the other as its client has sent it, and nobody could tell whom to "
     "believe."},
    {kNoAccount, "a user or group that does not exist",
     "The file of a unix socket is given to a user or group of the system, by name or number."},
    {kBadCertificate, "a certificate, or its key, that cannot be used",
     "A [[listener]]'s `client_ca` has certificates of authorities, and its `client_crl` lists of what these "
     "have revoked, "
     "both in PEM. A [[tls]] names the files of a certificate, with those that vouch for it behind it, and "
     "of its private "
     "key. Both are "
     "PEM, belong together, and are not encrypted: nobody types a password when a daemon starts. Keys of RSA "
     "have 2048 bits "
     "at least. Its `ocsp_response` is DER, verified by the certificate's authority, and says that it is "
     "good. A reload that meets such a mistake changes nothing."},
    {kNoCertificate, "a listener speaks TLS, and there is no certificate",
     "A [[listener]] with `tls = true` needs at least one [[tls]] with `certificate` and `key`. `leat tls "
     "init` makes both "
     "for a developer's own machine."},
    {kExpired, "a certificate that is not good at this time",
     "Clients refuse a certificate before and after its time, so that one that has expired is an error where "
     "the daemon "
     "begins to serve by it; one that expires while it serves goes on, and is told of. One that is about to "
     "expire, or is "
     "not good yet, is a warning."},
    {pipeline::kLogOption, "options of an access log that do not go together",
     "An option is for another kind of target or format: `rotate_size` for a file, `facility` for syslog, "
     "`fields` for "
     "the format \"json\" and for the journal. It would have no effect, which is hardly what was meant."},
    {pipeline::kCannotLog, "an access log cannot be written",
     "The file cannot be opened for appending: its folder is not there, or the daemon's user may not write "
     "to it, or it "
     "is a folder itself. The folder is not made, so that a misspelt path is told. Under systemd, "
     "`LogsDirectory=leat` "
     "makes /var/log/leat, and with `ProtectSystem=strict` other places need `ReadWritePaths=`."},
    {pipeline::kBadPattern, "a bad path in a route",
     "A route's path begins with a slash. Its segments are text, {name} for one segment, or, at the end, "
     "{name...} for the rest. * and ? mean nothing in it; for the characters themselves write %2A and %3F."},
    {pipeline::kDuplicateRoute, "two routes for the same requests",
     "Two routes take the same method for paths of the same shape; /users/{id} and /users/{name} are the "
     "same shape."},
    {pipeline::kUnknownMethod, "an unknown request method",
     "Methods are written as in HTTP, in capitals: \"GET\"."},
    {pipeline::kDuplicateHost, "two hosts for the same requests",
     "Two [[host]] tables have a name in common, for all listeners or for the same one. Put their routes "
     "into one."},
    {pipeline::kBadTarget, "a bad target of a redirect or a rewrite",
     "A target is a path (\"/new/{id}\"), or, for a redirect, a URL. In braces stand parameters of the "
     "route's path, or scheme, "
     "host, path and query; other characters than those of URLs are percent-encoded. A rewrite leads to "
     "another path."},
    {pipeline::kUnknownKind, "an unknown kind of middleware", "The reference lists the kinds there are."},
    {pipeline::kUnknownMiddleware, "a name that no middleware has",
     "before, after and a route's middleware name instances by their `name`; before and after also take "
     "kinds."},
    {pipeline::kOrderCycle, "before and after contradict each other",
     "Following before and after from one instance leads back to it. Remove one of the constraints."},
    {pipeline::kBadOption, "a bad option of a middleware",
     "The kind does not have the option, or not with that value."},
    {pipeline::kDuplicateName, "two middleware instances with the same name",
     "Names tell instances apart; rename one. `cache` is what before and after call the response cache."},
    {pipeline::kInsideCache, "a middleware that acts on requests behind the cache",
     "What comes after the cache sees the answers of handlers before they are stored, and no request: many "
     "never "
     "get that far. Remove the constraint that puts it there."},
    {pipeline::kTooManyFilters, "too many middleware instances for one route",
     "At most 64 instances can see the answers of a route."},
    {pipeline::kCredentials, "a file of keys or passwords cannot be used",
     "The file that a middleware has its keys or passwords from is not there, cannot be read by the daemon's "
     "user, or has lines that are wrong, of which the numbers are told and never the text. A daemon that "
     "serves goes on with those that it has read before. `leat key new NAME` makes a line for `api_key`."},
    {pipeline::kUnmetNeed, "what needs another middleware in front of it has none",
     "Some kinds and handlers work with what another kind has found out of a request: `csrf` with a `token` "
     "and handlers "
     "that keep sessions need `sessions`, and a key or field of a user needs a kind that has it proved who "
     "asks. It has to "
     "be on the same routes, and in front: of an earlier phase, or by `before`. What no route takes passes "
     "the global ones "
     "alone, and those of its host."},
    {plugin::kCannotLoad, "a plugin cannot be loaded",
     "The shared object is missing, cannot be linked, is not a plugin, or was made for another version of "
     "the plugin interface; the message says which. A file name without a slash is looked for in "
     "server.plugin_path and then in the installed folder, which `leat version` names."},
    {plugin::kBadOption, "a bad option of a plugin",
     "The plugin asked for this key of its [plugin.config] and got another type of value, or one out of "
     "range."},
    {plugin::kUnknownOption, "an option that the plugin does not have",
     "The plugin never asked for this key of its [plugin.config]. As with settings, a misspelt option is an "
     "error because it would otherwise have no effect."},
    {plugin::kRefused, "a plugin refuses its options",
     "The plugin looked at its options and said what is wrong."},
    {plugin::kNoService, "plugins that need each other do not fit together",
     "A plugin needs a service that no other one provides, or several do and `services` of its [[plugin]] "
     "does not say which, or plugins need each other in a circle. `leat plugin check FILE` tells what a "
     "plugin provides and needs."},
    {plugin::kCannotBind, "a handler cannot serve its route",
     "The plugin has no handler of that name, or the handler wants a path parameter that the route's path "
     "lacks."},
};

}  // namespace

std::span<const Explanation> explanations() { return kExplanations; }

const Explanation* explain(int code) {
  const auto* found = std::ranges::find(kExplanations, code, &Explanation::code);
  return found == std::end(kExplanations) ? nullptr : found;
}

std::string code_text(int code) { return fmt::format("LT{:04}", code); }

}  // namespace leat::config
