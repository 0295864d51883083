//! @NAME@: a plugin for Leat, with one handler. @NAME@.toml leads requests to it, test.cc and test.py ask it.
#[allow(dead_code, non_camel_case_types)]
mod abi;
#[allow(dead_code)]
mod leat;

use leat::{Config, Problem, Refusal, Request, Response};

/// One for all workers, whose handlers run at the same time: what they change needs a lock, or is an atomic.
struct Plugin {
    greeting: String,
}

impl leat::Plugin for Plugin {
    /// `[plugin.config]` of @NAME@.toml. A mistake there is reported at its line, and the daemon does not start.
    fn create(config: &Config) -> Result<Self, Refusal> {
        let greeting = config.text("greeting", "Hello")?;
        if greeting.is_empty() {
            return Err(Refusal::of("greeting", "must not be empty"));
        }
        Ok(Plugin { greeting })
    }
}

/// GET /hello/Ada?times=3. What is not right about a parameter is answered with a 400 that names it.
fn hello(plugin: &Plugin, request: &Request) -> Result<Response, Problem> {
    let name = request.path("name")?;
    let times: u64 = request.query_number("times", 1..=10)?.unwrap_or(1);
    Ok(request.json(|json| {
        json.object(|json| {
            json.member("greeting", &plugin.greeting);
            json.member("name", name);
            json.member("times", times);
        })
    }))
}

leat::plugin!(Plugin, name: "@NAME@", version: "0.1.0", handlers: { "hello"("name") => hello });
