// The page at /: what this server answers, as a table. Self-contained, readable without its style.
#pragma once

#include <leat/plugin.hpp>

namespace demo {

inline constexpr leat::Literal kWelcomePage = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Leat is running</title>
<style>
:root { color-scheme: light dark; --line: #8884; --faint: #777; --link: #0a6c8f }
@media (prefers-color-scheme: dark) { :root { --faint: #999; --link: #5fc3e4 } }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 46rem; margin: 12vh auto 4rem; padding: 0 1.25rem }
h1 { font-size: 1.6rem; font-weight: 600; margin: 0 0 .25rem; letter-spacing: -.01em }
p { margin: 0 0 1.75rem; color: var(--faint) }
table { border-collapse: collapse; width: 100% }
td { border-top: 1px solid var(--line); padding: .5rem .75rem .5rem 0; vertical-align: top }
td:first-child { color: var(--faint); font-size: .8rem; line-height: 1.5rem; white-space: nowrap }
code { font: .9rem/1.5rem ui-monospace, monospace }
a { color: var(--link); text-decoration: none }
a:hover { text-decoration: underline }
</style>
<h1>Leat is running</h1>
<p>These routes are the demo plugin's, as the example configuration declares them.</p>
<table>
<tr><td>GET<td><code><a href="/plaintext">/plaintext</a></code><td>Hello, World!
<tr><td>GET<td><code><a href="/json">/json</a></code><td>The same as JSON, serialised at each request
<tr><td>GET<td><code><a href="/payload/p2">/payload/{id}</a></code><td>JSON of several sizes: p1 to p4, p6 to p8
<tr><td>POST<td><code>/echo</code><td>The body, streamed back as it arrives
<tr><td>GET<td><code><a href="/users/7?limit=20&amp;active=yes">/users/{id}?limit=&amp;active=</a></code><td>Typed parameters; a bad one is named in a 400
<tr><td>GET<td><code><a href="/bytes/1024">/bytes/{n}</a></code><td>That many bytes, up to 64 MiB
<tr><td>GET<td><code>/nocontent</code><td>204, and nothing else
<tr><td>GET<td><code><a href="/sleep/500">/sleep/{ms}</a></code><td>Answers after a timer, blocking nobody
<tr><td>GET POST<td><code><a href="/notes">/notes</a></code><td>A small API: send <code>{"text":"..."}</code>
<tr><td>GET PUT DELETE<td><code>/notes/{id}</code><td>One note
</table>
</html>
)";

}  // namespace demo
