//! @NAME@: a plugin for Leat, with one kind of middleware, for the routes of whichever plugin. @NAME@.toml puts it
//! before one, test.cc and test.py ask that.
#[allow(dead_code, non_camel_case_types)]
mod abi;
#[allow(dead_code)]
mod leat;

use leat::{Config, Head, Middleware, Phase, Problem, Refusal, Request, Response, Wants};

/// One for each `[[middleware]]` entry, for all workers at the same time: what it changes needs a lock, is an atomic,
/// or belongs into its `State`, of which each request has its own.
struct Key(String);

impl Middleware for Key {
    const NAME: &'static str = "key";
    const PHASE: Phase = Phase::Protect;
    const SENTENCE: &'static str = "Lets requests pass that have the key.";
    type State = ();

    /// The entry in @NAME@.toml. A mistake there is reported at its line, and the daemon does not start.
    fn create(options: &Config) -> Result<Self, Refusal> {
        let key = options.text("key", "")?;
        if key.is_empty() {
            return Err(Refusal::of("key", "is missing: without it nobody could come in"));
        }
        Ok(Key(key))
    }

    /// Before the handler: `None` lets the request go on, all else is its answer.
    fn request(&self, request: &Request, _: &mut ()) -> Result<Option<Response>, Problem> {
        if request.header("X-API-Key") != Some(self.0.as_bytes()) {
            return Err(Problem::new(401, "Send the key in X-API-Key."));
        }
        Ok(None)
    }

    /// The head of each answer on its way to the client, refusals too.
    fn head(&self, head: &mut Head, _: &mut ()) -> Wants {
        head.set("X-Guarded-By", "@NAME@");
        Wants::Keep
    }
}

struct Plugin;

impl leat::Plugin for Plugin {
    fn create(_: &Config) -> Result<Self, Refusal> {
        Ok(Plugin)
    }
}

leat::plugin!(Plugin, name: "@NAME@", version: "0.1.0", middleware: [Key], handlers: {});
