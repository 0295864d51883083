//! fence: the middleware of guard.cc in Rust: a key for every request and a field on every answer, and a word that
//! is replaced in bodies, wherever they are cut. In a project that `leat plugin new fence --lang rust` has made,
//! this is src/lib.rs.
#[allow(dead_code, non_camel_case_types)]
mod abi;
#[allow(dead_code)]
mod leat;

use leat::{Config, Head, Middleware, Onward, Phase, Problem, Refusal, Request, Response, Wants};

/// `[[middleware]] kind = "fence:key"`, `key = "sesame"`
struct Key(String);

impl Middleware for Key {
    const NAME: &'static str = "key";
    const PHASE: Phase = Phase::Protect;
    const SENTENCE: &'static str = "Lets requests pass that have the key.";
    type State = ();

    fn create(options: &Config) -> Result<Self, Refusal> {
        let key = options.text("key", "")?;
        if key.is_empty() { Err(Refusal::of("key", "is missing")) } else { Ok(Key(key)) }
    }

    fn request(&self, request: &Request, _: &mut ()) -> Result<Option<Response>, Problem> {
        match request.header("X-API-Key") {
            Some(key) if key == self.0.as_bytes() => Ok(None),
            _ => Err(Problem::new(401, "Send the key in X-API-Key.")),
        }
    }

    fn head(&self, head: &mut Head, _: &mut ()) -> Wants {
        head.set("X-Guarded-By", "fence");
        Wants::Keep
    }
}

/// `[[middleware]] kind = "fence:replace"`, `word = "cat"`, `by = "dog"`
struct Replace {
    word: Vec<u8>,
    by: Vec<u8>,
}

impl Middleware for Replace {
    const NAME: &'static str = "replace";
    const PHASE: Phase = Phase::Transform;
    const SENTENCE: &'static str = "Replaces a word in answers.";
    /// What may be the beginning of the word, and is held back until more has come.
    type State = Vec<u8>;

    fn create(options: &Config) -> Result<Self, Refusal> {
        let word = options.text("word", "")?.into_bytes();
        let by = options.text("by", "")?.into_bytes();
        if word.is_empty() { Err(Refusal::of("word", "is missing")) } else { Ok(Replace { word, by }) }
    }

    fn head(&self, head: &mut Head, _: &mut Vec<u8>) -> Wants {
        let kind = head.content_type();
        let is_text = kind.starts_with(b"text/") || kind.starts_with(b"application/json");
        if !is_text || head.header("Content-Encoding").is_some() {
            return Wants::Keep;
        }
        head.remove("ETag"); // it was of other bytes
        Wants::Change
    }

    fn piece(&self, piece: &[u8], onward: &mut Onward, held: &mut Vec<u8>) {
        held.extend_from_slice(piece);
        let mut rest = held.as_slice();
        while let Some(at) = rest.windows(self.word.len()).position(|each| each == self.word) {
            onward.give(&rest[..at]);
            onward.give(&self.by);
            rest = &rest[at + self.word.len()..];
        }
        let most = rest.len().min(self.word.len() - 1);
        let keep = (0..=most).rev().find(|&size| rest.ends_with(&self.word[..size])).unwrap_or(0);
        onward.give(&rest[..rest.len() - keep]);
        *held = rest[rest.len() - keep..].to_vec();
    }

    fn end(&self, onward: &mut Onward, held: &mut Vec<u8>) {
        onward.give(held);
    }
}

struct Fence;

impl leat::Plugin for Fence {
    fn create(_: &Config) -> Result<Self, Refusal> {
        Ok(Fence)
    }
}

leat::plugin!(Fence, name: "fence", version: "1.0.0", middleware: [Key, Replace], handlers: {});
