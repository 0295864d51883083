// The chat's page. A text is put where texts go, so that nobody writes markup for others.
#pragma once

#include <leat/plugin.hpp>

inline constexpr leat::Literal kPage = R"page(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Chat</title>
<link rel="icon" href="data:,">
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 40rem; padding: 0 1rem }
  #lines { border: 1px solid #8886; border-radius: 6px; height: 20rem; overflow-y: auto; padding: .5rem 1rem }
  form { display: flex; gap: .5rem; margin-top: 1rem }
  #text { flex: 1 }
</style>
<h1>Chat</h1>
<div id="lines" role="log"></div>
<form><input id="text" aria-label="Message" autocomplete="off" maxlength="1000"><button>Send</button></form>
<p id="state">connecting</p>
<script>
  const query = new URLSearchParams(location.search);
  const name = query.get("name") || "guest-" + Math.random().toString(36).slice(2, 6);
  const room = encodeURIComponent(query.get("room") || "lobby");
  const state = document.getElementById("state"), lines = document.getElementById("lines");
  let socket, wait = 500;
  function show(text) {
    const line = document.createElement("div");
    line.textContent = text;
    lines.append(line);
    lines.scrollTop = lines.scrollHeight;
  }
  function connect() {
    socket = new WebSocket(location.origin.replace("http", "ws") + "/rooms/" + room + "?name=" + encodeURIComponent(name));
    socket.onopen = () => { state.textContent = "connected as " + name; wait = 500 };
    socket.onmessage = event => show(event.data);
    // The server may go and come back: longer each time, and not all at once.
    socket.onclose = event => {
      state.textContent = "disconnected (" + event.code + ")";
      setTimeout(connect, wait * (0.5 + Math.random()));
      wait = Math.min(wait * 2, 30000);
    };
  }
  document.querySelector("form").onsubmit = event => {
    event.preventDefault();
    const text = document.getElementById("text");
    if (!text.value || socket.readyState !== WebSocket.OPEN) return;
    socket.send(text.value);
    text.value = "";
  };
  connect();
</script>
</html>
)page";
