//! What a plugin in Rust is written with: safe Rust over abi.rs, so that a handler is a function of a request
//! which returns a response or a problem, and a panic in it is a 500 for the client and not the daemon's end.
//!
//!     struct Shop { most: u64 }                                        // what all workers share
//!     impl leat::Plugin for Shop { fn create(config: &Config) -> Result<Self, Refusal> { ... } }
//!     fn order(shop: &Shop, request: &Request) -> Result<Response, Problem> { ... }
//!     leat::plugin!(Shop, name: "shop", version: "1.0.0", handlers: { "order"("id") => order });
//!
//! It covers what most handlers do: parameters, headers, bodies, JSON both ways. For all else (timers, other
//! servers, streams) abi.rs has the whole interface, and this file shows how its functions are called. It is
//! the project's own from here on: change it as you like. abi.rs is plugin.h of the daemon that made this
//! project; an older one goes on working, since tables only grow at their end.
use crate::abi::*;
use std::cell::Cell;
use std::ffi::c_void;
use std::fmt::Display;
use std::marker::PhantomData;
use std::mem::{align_of, offset_of, size_of, zeroed, MaybeUninit};
use std::ops::RangeInclusive;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::{null, null_mut, NonNull};
use std::str::FromStr;
use std::sync::OnceLock;

/// What all workers share, made once for each `[[plugin]]` that names the file and dropped when the last request
/// has ended. Handlers run at the same time on different threads: what they change needs a lock or an atomic.
pub trait Plugin: Sized + Send + Sync + 'static {
    /// Reads `[plugin.config]`. A key that is never asked for is refused by the daemon.
    fn create(config: &Config) -> Result<Self, Refusal>;
}

/// Why a configuration is refused; reported at its line, and the daemon does not start with it.
pub struct Refusal(Option<(String, String)>);

impl Refusal {
    /// `key` is the one at fault, "" for none.
    pub fn of(key: &str, message: &str) -> Self {
        Refusal(Some((key.to_owned(), message.to_owned())))
    }
}

/// The table `[plugin.config]`. A value of a wrong type or out of range is a refusal that the daemon words.
pub struct Config<'a> {
    raw: *const leat_config,
    life: PhantomData<&'a leat_config>,
}

impl Config<'_> {
    pub fn text(&self, key: &str, fallback: &str) -> Result<String, Refusal> {
        let mut text = leat_str::ABSENT;
        // SAFETY: `raw` is good for as long as self is, and the text until create() returns; it is copied here.
        let status = unsafe { (api().config.string)(self.raw, leat_str::new(key), leat_str::new(fallback), &mut text) };
        judged(status)?;
        Ok(unsafe { text.text() }.unwrap_or_default().to_owned())
    }
    pub fn integer(&self, key: &str, fallback: i64, range: RangeInclusive<i64>) -> Result<i64, Refusal> {
        let (key, mut number) = (leat_str::new(key), fallback);
        // SAFETY: as above, as for those below.
        judged(unsafe { (api().config.integer)(self.raw, key, fallback, *range.start(), *range.end(), &mut number) })?;
        Ok(number)
    }
    pub fn real(&self, key: &str, fallback: f64, range: RangeInclusive<f64>) -> Result<f64, Refusal> {
        let (key, mut number) = (leat_str::new(key), fallback);
        judged(unsafe { (api().config.real)(self.raw, key, fallback, *range.start(), *range.end(), &mut number) })?;
        Ok(number)
    }
    pub fn boolean(&self, key: &str, fallback: bool) -> Result<bool, Refusal> {
        let mut truth = i32::from(fallback);
        judged(unsafe { (api().config.boolean)(self.raw, leat_str::new(key), truth, &mut truth) })?;
        Ok(truth != 0)
    }
}

fn judged(status: i32) -> Result<(), Refusal> {
    if status == LEAT_OK { Ok(()) } else { Err(Refusal(None)) }
}

/// One request. It lasts for the handler's call: it cannot be kept, nor used on another thread.
pub struct Request<'a> {
    raw: *mut leat_request,
    names: &'static [&'static str],
    numbers: &'a [u32],
    json: Cell<*mut leat_json>,
    reader: Cell<*mut leat_json_reader>,
}

impl Request<'_> {
    /// A path parameter, which the handler's line in `plugin!` names.
    pub fn path(&self, name: &str) -> Result<&str, Problem> {
        let at = self.names.iter().position(|each| *each == name);
        let number = self.numbers[at.expect("plugin! names the handler's path parameters")];
        // SAFETY: the request is that of this callback, and its texts are good until it ends; likewise below.
        let text = unsafe { (api().request.param)(self.raw, number).bytes() };
        std::str::from_utf8(text.unwrap_or_default()).map_err(|_| not_utf8("path", name))
    }
    /// The first query parameter of that name, decoded.
    pub fn query(&self, name: &str) -> Result<Option<&str>, Problem> {
        let text = unsafe { (api().request.query_param)(self.raw, leat_str::new(name)).bytes() };
        text.map(std::str::from_utf8).transpose().map_err(|_| not_utf8("query", name))
    }
    /// The same as a number; what is none, or outside `range`, is the client's mistake.
    pub fn query_number<T: FromStr + PartialOrd + Display>(
        &self,
        name: &str,
        range: RangeInclusive<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.query(name)? else { return Ok(None) };
        match text.parse() {
            Ok(number) if range.contains(&number) && !text.starts_with('+') => Ok(Some(number)),
            _ => Err(Problem::new(
                400,
                format!("The query parameter `{name}` must be a whole number from {} to {}.", range.start(), range.end()),
            )
            .with_parameter(name)),
        }
    }
    /// The first field of that name, any case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        unsafe { (api().request.header)(self.raw, leat_str::new(name)).bytes() }
    }
    pub fn cookie(&self, name: &str) -> Option<&[u8]> {
        unsafe { (api().request.cookie)(self.raw, leat_str::new(name)).bytes() }
    }
    pub fn method(&self) -> &str {
        unsafe { (api().request.method)(self.raw).text() }.unwrap_or_default()
    }
    /// As received, with its query.
    pub fn target(&self) -> &[u8] {
        unsafe { (api().request.target)(self.raw).bytes() }.unwrap_or_default()
    }
    /// Who is connected: an address.
    pub fn peer(&self) -> &str {
        unsafe { (api().request.peer)(self.raw).text() }.unwrap_or_default()
    }
    /// For whom that one asks, by what trusted proxies say; the peer with a daemon that is too old to know.
    pub fn client(&self) -> &str {
        if !request_has(offset_of!(leat_request_v1, client)) {
            return self.peer();
        }
        unsafe { (api().request.client)(self.raw).text() }.unwrap_or_default()
    }
    /// By which the client asks: `http` or `https`.
    pub fn scheme(&self) -> &str {
        if !request_has(offset_of!(leat_request_v1, scheme)) {
            return "http";
        }
        unsafe { (api().request.scheme)(self.raw).text() }.unwrap_or_default()
    }
    /// Somebody said for whom it is who is not trusted, or nobody can understand what was said.
    pub fn client_in_doubt(&self) -> bool {
        request_has(offset_of!(leat_request_v1, client_in_doubt))
            && unsafe { (api().request.client_in_doubt)(self.raw) } != 0
    }
    /// What is known of the TLS connection: `version`, `cipher`, and of the certificate that its other end has shown `subject`,
    /// `cn`, `names` and `sha256`. `None` without TLS, or without a certificate.
    pub fn tls(&self, name: &str) -> Option<&str> {
        if !request_has(offset_of!(leat_request_v1, tls)) {
            return None;
        }
        unsafe { (api().request.tls)(self.raw, leat_str::new(name)).text() }
    }
    /// Before the answer, what its client may fetch meanwhile (103): values of Link fields. False where it was answered, or one of
    /// them is no such value; nothing happens with a daemon that is too old to know.
    pub fn early_hints(&self, links: &[&str]) -> bool {
        let has = api().response.struct_size as usize > offset_of!(leat_response_v1, early_hints);
        let texts: Vec<leat_str> = links.iter().map(|link| leat_str::new(link)).collect();
        !has || unsafe { (api().response.early_hints)(self.raw, texts.as_ptr(), texts.len() as u32) } == LEAT_OK
    }
    /// Who asks, as middleware has had it proved; empty where none has, and with a daemon that is too old to know.
    pub fn user(&self) -> &str {
        if !request_has(offset_of!(leat_request_v1, user)) {
            return "";
        }
        unsafe { (api().request.user)(self.raw).text() }.unwrap_or_default()
    }
    /// What was proved of that user beside the name: a claim of its token.
    pub fn claim(&self, name: &str) -> Option<&[u8]> {
        if !request_has(offset_of!(leat_request_v1, claim)) {
            return None;
        }
        unsafe { (api().request.claim)(self.raw, leat_str::new(name)).bytes() }
    }
    pub fn body(&self) -> &[u8] {
        unsafe { (api().request.body)(self.raw).bytes() }.unwrap_or_default()
    }

    /// What middleware has noted of the request under that name: the user whose key it has checked.
    pub fn note(&self, name: &str) -> Option<&[u8]> {
        let (middleware, _) = MIDDLEWARE.get()?;
        unsafe { (middleware.note)(self.raw, leat_str::new(name)).bytes() }
    }
    /// Notes something for those behind, in `Middleware::request`. The last one of a name counts.
    pub fn set_note(&self, name: &str, value: &str) -> Result<(), Problem> {
        // SAFETY: both are copied.
        match unsafe { (middleware_api().set_note)(self.raw, leat_str::new(name), leat_str::new(value)) } {
            LEAT_OK => Ok(()),
            _ => Err(Problem::new(503, "The server is out of memory for this request.")),
        }
    }

    /// What is known of the client from one request to the next; `None` where no `sessions` is in front of the route.
    pub fn session(&self) -> Option<Session<'_>> {
        let table = *SESSION.get()?;
        // SAFETY: the request is that of this callback.
        (unsafe { (table.there)(self.raw) } != 0).then_some(Session { raw: self.raw, table, life: PhantomData })
    }

    /// A response that is the JSON which `write` writes, once, into the request's memory.
    pub fn json(&self, write: impl FnOnce(&mut Json)) -> Response {
        let raw = unsafe { (api().json.start)(self.raw) };
        if !raw.is_null() {
            write(&mut Json { raw, life: PhantomData });
        }
        self.json.set(raw);
        Response::with(Content::Json)
    }

    /// The body as JSON, read value by value: what `read` makes of it, or a problem that says what is wrong and
    /// where. `read` need not look for mistakes: after the first one all that it reads is 0 or empty.
    pub fn read_json<'r, T>(&'r self, read: impl FnOnce(&mut JsonReader<'r>) -> T) -> Result<T, Problem> {
        let raw = unsafe { (api().reader.body)(self.raw) };
        self.reader.set(raw);
        let value = read(&mut JsonReader { raw, life: PhantomData });
        // SAFETY: it may be null, which is "no memory"; so for all that a JsonReader calls.
        if unsafe { (api().reader.finish)(raw) } == LEAT_OK { Ok(value) } else { Err(Problem(Wrong::Body)) }
    }
}

/// A client's session: a few values, sealed in a cookie that the answer sets. Changes are for before it begins.
pub struct Session<'a> {
    raw: *mut leat_request,
    table: &'static leat_session_v1,
    life: PhantomData<&'a leat_request>,
}

impl<'a> Session<'a> {
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        let mut value = leat_str::ABSENT;
        // SAFETY: a Session lasts no longer than the call in whose request it lies, and what is read of it as long as
        // that; names and values are copied. Likewise below.
        unsafe { (self.table.get)(self.raw, leat_str::new(name), &mut value) };
        unsafe { value.bytes() }
    }
    /// A problem where there are too many values or bytes: nothing is changed then.
    pub fn set(&self, name: &str, value: &[u8]) -> Result<(), Problem> {
        let value = leat_str { ptr: value.as_ptr(), len: value.len() };
        match unsafe { (self.table.set)(self.raw, leat_str::new(name), value) } {
            LEAT_OK => Ok(()),
            LEAT_E_ARGUMENT => Err(Problem::new(507, "The session is full.")),
            _ => Err(Problem::new(503, "The session cannot be changed.")),
        }
    }
    pub fn remove(&self, name: &str) {
        unsafe { (self.table.remove)(self.raw, leat_str::new(name)) };
    }
    /// Ends it, with all its values: for logging out.
    pub fn clear(&self) {
        unsafe { (self.table.clear)(self.raw) };
    }
    /// The same values in a session of its own, which nobody knew before: whenever somebody logs in.
    pub fn renew(&self) -> Result<(), Problem> {
        match unsafe { (self.table.renew)(self.raw) } {
            LEAT_OK => Ok(()),
            _ => Err(Problem::new(503, "The session cannot be changed.")),
        }
    }
}

fn not_utf8(kind: &str, name: &str) -> Problem {
    Problem::new(400, format!("The {kind} parameter `{name}` must be UTF-8.")).with_parameter(name)
}

/// What a handler answers.
pub struct Response {
    status: u32,
    headers: Vec<(String, String)>,
    content: Content,
}

enum Content {
    Bytes(&'static str, Vec<u8>),
    Given, // it was answered already: a WebSocket
    Json, // of the request that it was written for
}

impl Response {
    fn with(content: Content) -> Self {
        Response { status: 200, headers: Vec::new(), content }
    }
    pub fn empty(status: u16) -> Self {
        Response::with(Content::Bytes("", Vec::new())).status(status)
    }
    pub fn text(text: impl Into<String>) -> Self {
        Response::bytes("text/plain; charset=utf-8", text.into())
    }
    pub fn bytes(content_type: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        Response::with(Content::Bytes(content_type, bytes.into()))
    }
    pub fn status(mut self, status: u16) -> Self {
        self.status = u32::from(status);
        self
    }
    /// A field that cannot be sent, such as one that holds a line break, makes the answer a 500.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn send(&self, request: &Request) -> i32 {
        if let Content::Given = self.content {
            return LEAT_DONE;
        }
        let response = api().response;
        // SAFETY: the request is that of this callback, and the texts are copied before the calls return.
        unsafe {
            let mut good = (response.status)(request.raw, self.status) == LEAT_OK;
            for (name, value) in &self.headers {
                good = good && (response.add_header)(request.raw, leat_str::new(name), leat_str::new(value)) == LEAT_OK;
            }
            let sent = match &self.content {
                _ if !good => false,
                Content::Given => true,
                Content::Json if request.json.get().is_null() => false,
                Content::Json => (api().json.send)(request.raw, request.json.get()) == LEAT_OK,
                Content::Bytes(kind, bytes) => {
                    (kind.is_empty() || (response.content_type)(request.raw, leat_str::new(kind)) == LEAT_OK)
                        && (response.send)(request.raw, leat_str { ptr: bytes.as_ptr(), len: bytes.len() }) == LEAT_OK
                }
            };
            if sent { LEAT_DONE } else { LEAT_ERROR }
        }
    }
}

/// What a handler answers when something is wrong: `application/problem+json` (RFC 9457).
pub struct Problem(Wrong);

enum Wrong {
    Told { status: u32, detail: String, extra: String },
    Body, // what the request's JSON reader found
}

impl Problem {
    /// `status` is 400 to 599, and `detail` tells the client what to mend.
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        Problem(Wrong::Told { status: u32::from(status), detail: detail.into(), extra: String::new() })
    }
    /// Names the parameter at fault.
    pub fn with_parameter(mut self, name: &str) -> Self {
        if let Wrong::Told { extra, .. } = &mut self.0 {
            *extra = format!("\"parameter\":\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
        }
        self
    }

    fn send(&self, request: &Request) -> i32 {
        // SAFETY: as in Response::send.
        let sent = unsafe {
            match &self.0 {
                Wrong::Told { status, detail, extra } => {
                    (api().response.send_problem)(request.raw, *status, leat_str::new(detail), leat_str::new(extra))
                }
                Wrong::Body => (api().reader.refuse)(request.raw, request.reader.get()),
            }
        };
        if sent == LEAT_OK { LEAT_DONE } else { LEAT_ERROR }
    }
}

/// A JSON text that is written. What makes none, such as a member outside an object, makes the answer a 500.
pub struct Json<'a> {
    raw: *mut leat_json,
    life: PhantomData<&'a leat_json>,
}

impl Json<'_> {
    pub fn object(&mut self, members: impl FnOnce(&mut Self)) {
        // SAFETY: a Json lasts no longer than the call in whose request it lies; likewise below.
        unsafe { (api().json.begin_object)(self.raw) };
        members(self);
        unsafe { (api().json.end_object)(self.raw) };
    }
    pub fn array(&mut self, elements: impl FnOnce(&mut Self)) {
        unsafe { (api().json.begin_array)(self.raw) };
        elements(self);
        unsafe { (api().json.end_array)(self.raw) };
    }
    /// The name of a member, whose value comes next.
    pub fn key(&mut self, name: &str) -> &mut Self {
        unsafe { (api().json.key)(self.raw, leat_str::new(name)) };
        self
    }
    pub fn value(&mut self, value: impl ToJson) {
        value.to_json(self);
    }
    pub fn member(&mut self, name: &str, value: impl ToJson) {
        self.key(name).value(value);
    }
}

/// What is a JSON value by itself. A struct of yours becomes one with `json.object(...)`.
pub trait ToJson {
    fn to_json(&self, json: &mut Json);
}

macro_rules! to_json {
    ($($type:ty, $function:ident, |$value:ident| $given:expr;)+) => {$(
        impl ToJson for $type {
            fn to_json(&self, json: &mut Json) {
                let $value = self;
                // SAFETY: as in Json::object; texts are copied before the call returns.
                unsafe { (api().json.$function)(json.raw, $given) };
            }
        }
    )+};
}
to_json! {
    str, string, |it| leat_str::new(it);
    String, string, |it| leat_str::new(it);
    bool, boolean, |it| i32::from(*it);
    f64, real, |it| *it;
    i32, integer, |it| i64::from(*it);
    i64, integer, |it| *it;
    u32, unsigned_integer, |it| u64::from(*it);
    u64, unsigned_integer, |it| *it;
    usize, unsigned_integer, |it| *it as u64;
}
impl<T: ToJson + ?Sized> ToJson for &T {
    fn to_json(&self, json: &mut Json) {
        (**self).to_json(json);
    }
}
impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self, json: &mut Json) {
        match self {
            Some(value) => value.to_json(json),
            // SAFETY: as in Json::object.
            None => unsafe { (api().json.null)(json.raw) },
        }
    }
}
impl<T: ToJson> ToJson for [T] {
    fn to_json(&self, json: &mut Json) {
        json.array(|json| self.iter().for_each(|each| each.to_json(json)));
    }
}
impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self, json: &mut Json) {
        self.as_slice().to_json(json);
    }
}

/// A JSON text that is read, strictly; see leat_json_reader_v1 in abi.rs. A value that is not taken is read over.
///
///     request.read_json(|json| {
///         json.object(&["title"], &["done"], |json, name| match name {
///             "title" => title = json.text(),
///             _ => done = json.boolean(),
///         });
///     })?;
pub struct JsonReader<'a> {
    raw: *mut leat_json_reader,
    life: PhantomData<&'a leat_json_reader>,
}

impl<'a> JsonReader<'a> {
    /// Calls `member` with the name of each member that is there, of those that are `required` and those that
    /// may be missing, 64 in all; others are read over.
    pub fn object(&mut self, required: &[&str], optional: &[&str], mut member: impl FnMut(&mut Self, &str)) {
        let names: Vec<&str> = required.iter().chain(optional).copied().collect();
        let texts: Vec<leat_str> = names.iter().map(|each| leat_str::new(each)).collect();
        assert!(texts.len() <= 64, "an object has at most 64 names that are known");
        let must = if required.len() == 64 { u64::MAX } else { (1 << required.len()) - 1 };
        // SAFETY: `texts` stays until the object is left, which Inside sees to, whatever `member` does; the reader
        // lasts as long as its request. Likewise below.
        if unsafe { (api().reader.object)(self.raw, texts.as_ptr(), texts.len() as u32, must) } == 0 {
            return;
        }
        let mut inside = Inside { raw: self.raw, left: false };
        loop {
            let which = unsafe { (api().reader.member)(self.raw) };
            let Ok(which) = usize::try_from(which) else { break };
            member(self, names.get(which).copied().unwrap_or_default());
        }
        inside.left = true;
    }
    /// Calls `element` before each element, which comes next.
    pub fn array(&mut self, mut element: impl FnMut(&mut Self)) {
        if unsafe { (api().reader.array)(self.raw) } == 0 {
            return;
        }
        while unsafe { (api().reader.element)(self.raw) } != 0 {
            element(self);
        }
    }
    pub fn boolean(&mut self) -> bool {
        unsafe { (api().reader.boolean)(self.raw) != 0 }
    }
    pub fn integer(&mut self, range: RangeInclusive<i64>) -> i64 {
        unsafe { (api().reader.integer)(self.raw, *range.start(), *range.end()) }
    }
    pub fn unsigned(&mut self, range: RangeInclusive<u64>) -> u64 {
        unsafe { (api().reader.unsigned_integer)(self.raw, *range.start(), *range.end()) }
    }
    pub fn real(&mut self) -> f64 {
        unsafe { (api().reader.real)(self.raw) }
    }
    /// Without its escapes, in the request's memory.
    pub fn text(&mut self) -> &'a str {
        unsafe { (api().reader.string)(self.raw).text() }.unwrap_or_default()
    }
    /// Takes a null; where something else comes, that is next still.
    pub fn null(&mut self) -> bool {
        unsafe { (api().reader.null)(self.raw) != 0 }
    }
    /// Says that the value which was read last is wrong: "must not be empty".
    pub fn reject(&mut self, message: &str) {
        unsafe { (api().reader.reject)(self.raw, leat_str::new(message)) }
    }
}

/// Leaves the object also where a panic goes through it, and is caught by whoever reads on.
struct Inside {
    raw: *mut leat_json_reader,
    left: bool,
}

impl Drop for Inside {
    fn drop(&mut self) {
        if !self.left {
            // SAFETY: as in JsonReader::object.
            unsafe { (api().reader.leave)(self.raw) };
        }
    }
}

// ------------------------------------------------------------------------------------------------- middleware

/// When a middleware runs, relative to others; see LEAT_PHASE_OBSERVE and the others.
#[derive(Clone, Copy)]
pub enum Phase {
    Observe = 0,
    Identify = 1,
    Protect = 2,
    Limit = 3,
    Transform = 4,
    /// Before the cache stores: such a kind sees answers, and no requests.
    Content = 5,
}

/// What a middleware wants of an answer's body.
pub enum Wants {
    Keep,
    /// To see it, by `piece` and `end`, which give nothing.
    Watch,
    /// To make another of it, of `piece` and `end`.
    Change,
}

/// What stands between clients and handlers. One is made for each `[[middleware]] kind = "PLUGIN:NAME"`, and
/// shared by all workers; `plugin!` lists the kinds.
pub trait Middleware: Sized + Send + Sync + 'static {
    const NAME: &'static str;
    const PHASE: Phase;
    /// What it does, for people.
    const SENTENCE: &'static str;
    /// What it keeps for each request.
    type State: Default;

    /// Reads its options. A mistake is reported at its line.
    fn create(options: &Config) -> Result<Self, Refusal>;
    /// Before the handler: `None` lets the request go on, a response or a problem is its answer.
    fn request(&self, _request: &Request, _state: &mut Self::State) -> Result<Option<Response>, Problem> {
        Ok(None)
    }
    /// The request's body on its way to the handler: all of it, or a piece where the handler streams it. As
    /// `request`.
    fn body(&self, _piece: &mut BodyPiece, _state: &mut Self::State) -> Result<Option<Response>, Problem> {
        Ok(None)
    }
    /// The head of each answer, on its way to the client.
    fn head(&self, _head: &mut Head, _state: &mut Self::State) -> Wants {
        Wants::Keep
    }
    /// A piece of an answer's body that `head` wants, cut anywhere.
    fn piece(&self, piece: &[u8], onward: &mut Onward, _state: &mut Self::State) {
        onward.give(piece);
    }
    /// It is complete: what was held back is given now.
    fn end(&self, _onward: &mut Onward, _state: &mut Self::State) {}
}

/// The head of an answer.
pub struct Head<'a> {
    raw: *mut leat_request,
    refused: bool,
    life: PhantomData<&'a leat_request>,
}

impl Head<'_> {
    pub fn status(&self) -> u32 {
        // SAFETY: the request is that of this callback; likewise below.
        unsafe { (middleware_api().status)(self.raw) }
    }
    pub fn content_type(&self) -> &[u8] {
        unsafe { (middleware_api().content_type)(self.raw).bytes() }.unwrap_or_default()
    }
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        unsafe { (middleware_api().header)(self.raw, leat_str::new(name)).bytes() }
    }
    /// In place of those of that name. A field that cannot be sent makes the answer a 500.
    pub fn set(&mut self, name: &str, value: &str) {
        let set = unsafe { (api().response.set_header)(self.raw, leat_str::new(name), leat_str::new(value)) };
        self.refused = self.refused || set != LEAT_OK;
    }
    pub fn remove(&mut self, name: &str) {
        unsafe { (api().response.remove_header)(self.raw, leat_str::new(name)) };
    }
}

/// The body of a request on its way to the handler.
pub struct BodyPiece<'a> {
    raw: *mut leat_request,
    bytes: &'a mut leat_str,
    last: bool,
}

impl BodyPiece<'_> {
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: they stay until the request ends, which is after this.
        unsafe { self.bytes.bytes() }.unwrap_or_default()
    }
    /// No other piece follows; this one may be empty.
    pub fn is_last(&self) -> bool {
        self.last
    }
    /// Puts others in its place, which are copied. Where there is no memory for them, the answer is a 503.
    pub fn replace(&mut self, bytes: &[u8]) {
        let given = leat_str { ptr: bytes.as_ptr(), len: bytes.len() };
        *self.bytes = if bytes.is_empty() { leat_str::new("") } else { unsafe { (arena_api().copy)(self.raw, given) } };
    }
}

/// The way on for a body that is changed.
pub struct Onward<'a> {
    raw: *mut leat_request, // null: of one that is watched
    life: PhantomData<&'a leat_request>,
}

impl Onward<'_> {
    /// False: taken, but the client is slow, or has gone: give no more than must be.
    pub fn give(&mut self, bytes: &[u8]) -> bool {
        if self.raw.is_null() {
            return true;
        }
        let bytes = leat_str { ptr: bytes.as_ptr(), len: bytes.len() };
        unsafe { (middleware_api().give)(self.raw, bytes) == LEAT_OK }
    }
}

/// What somebody does with a WebSocket, which has one of these for itself: made when it is accepted, by
/// `Request::accept`, and dropped when it has ended. Its functions are called on one thread, one at a time; a panic in one
/// closes the socket (1011).
pub trait Conversation: Send + 'static {
    /// The client has its answer coming.
    fn open(&mut self, _socket: &WebSocket) {}
    fn message(&mut self, socket: &WebSocket, message: Message);
    /// There is room again after `send` was `Sent::Blocked`.
    fn writable(&mut self, _socket: &WebSocket) {}
    /// It has ended, by the client's code or ours; 1005: without a code, 1006: without a word.
    fn close(&mut self, _socket: &WebSocket, _code: u16, _reason: &str) {}
}

pub enum Message<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

impl Message<'_> {
    fn parts(&self) -> (u32, leat_str) {
        match self {
            Message::Text(text) => (LEAT_WEBSOCKET_TEXT, leat_str::new(text)),
            Message::Binary(bytes) => (LEAT_WEBSOCKET_BINARY, leat_str { ptr: bytes.as_ptr(), len: bytes.len() }),
        }
    }
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    Done,
    Blocked, // it was taken; wait for `writable` with others
    Full,    // it was not: so much waits already
    Closed,  // nobody will get it
}

/// A WebSocket in one of its conversation's calls.
pub struct WebSocket {
    raw: *mut leat_websocket,
    host: *const leat_host,
}

impl WebSocket {
    pub fn send(&self, message: Message) -> Sent {
        let (kind, bytes) = message.parts();
        // SAFETY: a socket that has ended is refused; what is sent is copied; likewise below.
        match unsafe { (socket_api().send)(self.raw, kind, bytes) } {
            LEAT_OK => Sent::Done,
            LEAT_BLOCKED => Sent::Blocked,
            LEAT_E_BUSY => Sent::Full,
            _ => Sent::Closed,
        }
    }
    /// `code` is 1000 or one of 3000 to 4999, `reason` of 123 bytes at most; others do nothing.
    pub fn close(&self, code: u16, reason: &str) {
        unsafe { (socket_api().close)(self.raw, u32::from(code), leat_str::new(reason)) };
    }
    /// From now on it gets what is published of that topic.
    pub fn subscribe(&self, topic: &str) -> bool {
        unsafe { (socket_api().subscribe)(self.raw, leat_str::new(topic), LEAT_SLOW_DROP) == LEAT_OK }
    }
    pub fn unsubscribe(&self, topic: &str) -> bool {
        unsafe { (socket_api().unsubscribe)(self.raw, leat_str::new(topic)) == LEAT_OK }
    }
    /// Sends to all who have subscribed, on all workers. `false`: so much is on its way that it was not taken.
    pub fn publish(&self, topic: &str, message: Message) -> bool {
        let (kind, bytes) = message.parts();
        unsafe { (socket_api().publish)(self.host, leat_str::new(topic), kind, bytes) == LEAT_OK }
    }
}

static SOCKETS: OnceLock<&'static leat_websocket_v1> = OnceLock::new();

fn socket_api() -> &'static leat_websocket_v1 {
    SOCKETS.get().expect("this daemon is too old for WebSockets")
}

impl Request<'_> {
    /// Agrees to a WebSocket, where the client asks for one; else it is answered what is wrong. The handler returns
    /// what this does.
    pub fn accept<C: Conversation>(&self, conversation: C) -> Result<Response, Problem> {
        let state = Box::into_raw(Box::new(conversation));
        // SAFETY: the request is that of this callback. The state is the socket's from here on, until its close(), unless
        // it is refused.
        unsafe {
            let options = leat_websocket_options {
                struct_size: size_of::<leat_websocket_options>() as u32,
                state: state.cast(),
                ..zeroed()
            };
            let table = &Table::<C>::HANDLER;
            let answer = (socket_api().accept)(self.raw, table, &options, null_mut());
            if answer != LEAT_OK {
                drop(Box::from_raw(state));
            }
            match answer {
                LEAT_OK | LEAT_E_ARGUMENT => Ok(Response::with(Content::Given)),
                _ => Err(Problem::new(503, "The server has no room for this.")),
            }
        }
    }
}

struct Table<C>(PhantomData<C>);

impl<C: Conversation> Table<C> {
    const HANDLER: leat_websocket_handler = leat_websocket_handler {
        struct_size: size_of::<leat_websocket_handler>() as u32,
        flags: 0,
        open: Some(Self::open),
        message: Some(Self::message),
        writable: Some(Self::writable),
        timer: None,
        close: Some(Self::close),
    };

    // SAFETY, of all: the socket is that of this callback, and its state what accept() gave it.
    unsafe fn call(scope: *const leat_scope, raw: *mut leat_websocket, function: impl FnOnce(&mut C, &WebSocket)) {
        let socket = WebSocket { raw, host: (*scope).host };
        let done = guard(|| {
            function(&mut *(socket_api().state)(raw).cast::<C>(), &socket);
            LEAT_OK
        });
        if done != LEAT_OK {
            socket.close(1011, "");
        }
    }
    unsafe extern "C" fn open(scope: *const leat_scope, raw: *mut leat_websocket) {
        Self::call(scope, raw, |conversation, socket| conversation.open(socket));
    }
    unsafe extern "C" fn message(scope: *const leat_scope, raw: *mut leat_websocket, kind: u32, bytes: leat_str) {
        let bytes = bytes.bytes().unwrap_or_default();
        Self::call(scope, raw, |conversation, socket| match std::str::from_utf8(bytes) {
            Ok(text) if kind == LEAT_WEBSOCKET_TEXT => conversation.message(socket, Message::Text(text)),
            _ => conversation.message(socket, Message::Binary(bytes)),
        });
    }
    unsafe extern "C" fn writable(scope: *const leat_scope, raw: *mut leat_websocket) {
        Self::call(scope, raw, |conversation, socket| conversation.writable(socket));
    }
    unsafe extern "C" fn close(scope: *const leat_scope, raw: *mut leat_websocket, code: u32, reason: leat_str) {
        let reason = std::str::from_utf8(reason.bytes().unwrap_or_default()).unwrap_or_default();
        Self::call(scope, raw, |conversation, socket| conversation.close(socket, code as u16, reason));
        drop(Box::from_raw((socket_api().state)(raw).cast::<C>()));
    }
}

// The daemon's memory for a request, zeros at first: no state.
struct Kept<S> {
    made: bool,
    watches: bool, // the answer's body, without changing it
    state: MaybeUninit<S>,
}

// SAFETY: `request` is that of a callback of M, whose kind has asked for memory of that size.
unsafe fn state_of<'a, M: Middleware>(request: *mut leat_request) -> &'a mut M::State {
    let kept = &mut *(api().request.state)(request).cast::<Kept<M::State>>();
    if !kept.made {
        kept.state.write(M::State::default());
        kept.made = true;
    }
    kept.state.assume_init_mut()
}

unsafe fn onward_of<'a, M: Middleware>(request: *mut leat_request) -> Onward<'a> {
    let watches = (*(api().request.state)(request).cast::<Kept<M::State>>()).watches;
    Onward { raw: if watches { null_mut() } else { request }, life: PhantomData }
}

unsafe fn middleware_of<'a, M: Middleware>(scope: *const leat_scope) -> &'a M {
    &*(*scope).bound.cast::<M>()
}

unsafe extern "C" fn create_middleware<M: Middleware>(
    host: *const leat_host,
    _instance: *mut c_void,
    options: *const leat_config,
    made: *mut *mut c_void,
    error: *mut leat_error,
) -> i32 {
    make(host, options, made, error, M::create)
}

unsafe extern "C" fn destroy_middleware<M: Middleware>(_instance: *mut c_void, made: *mut c_void) {
    destroy_boxed::<M>(made);
}

unsafe extern "C" fn on_request<M: Middleware>(scope: *const leat_scope, raw: *mut leat_request) -> i32 {
    guard(|| {
        let request =
            Request { raw, names: &[], numbers: &[], json: Cell::new(null_mut()), reader: Cell::new(null_mut()) };
        judge(middleware_of::<M>(scope).request(&request, state_of::<M>(raw)), &request)
    })
}

fn judge(said: Result<Option<Response>, Problem>, request: &Request) -> i32 {
    match said {
        Ok(None) => LEAT_NEXT,
        Ok(Some(response)) => response.send(request),
        Err(problem) => problem.send(request),
    }
}

unsafe extern "C" fn on_body<M: Middleware>(
    scope: *const leat_scope,
    raw: *mut leat_request,
    bytes: *mut leat_str,
    last: i32,
) -> i32 {
    guard(|| {
        let mut piece = BodyPiece { raw, bytes: &mut *bytes, last: last != 0 };
        let said = middleware_of::<M>(scope).body(&mut piece, state_of::<M>(raw));
        if piece.bytes.ptr.is_null() {
            return LEAT_ERROR;
        }
        let request =
            Request { raw, names: &[], numbers: &[], json: Cell::new(null_mut()), reader: Cell::new(null_mut()) };
        judge(said, &request)
    })
}

unsafe extern "C" fn on_head<M: Middleware>(scope: *const leat_scope, raw: *mut leat_request) -> i32 {
    guard(|| {
        let mut head = Head { raw, refused: false, life: PhantomData };
        match middleware_of::<M>(scope).head(&mut head, state_of::<M>(raw)) {
            _ if head.refused => LEAT_ERROR,
            Wants::Keep => LEAT_BODY_KEEP,
            Wants::Watch => {
                (*(api().request.state)(raw).cast::<Kept<M::State>>()).watches = true;
                LEAT_BODY_WATCH
            }
            Wants::Change => LEAT_BODY_CHANGE,
        }
    })
}

unsafe extern "C" fn on_piece<M: Middleware>(scope: *const leat_scope, raw: *mut leat_request, piece: leat_str) -> i32 {
    guard(|| {
        let mut onward = onward_of::<M>(raw);
        middleware_of::<M>(scope).piece(piece.bytes().unwrap_or_default(), &mut onward, state_of::<M>(raw));
        LEAT_NEXT
    })
}

unsafe extern "C" fn on_end<M: Middleware>(scope: *const leat_scope, raw: *mut leat_request) -> i32 {
    guard(|| {
        middleware_of::<M>(scope).end(&mut onward_of::<M>(raw), state_of::<M>(raw));
        LEAT_NEXT
    })
}

unsafe extern "C" fn on_done<M: Middleware>(_scope: *const leat_scope, raw: *mut leat_request) {
    guard(|| {
        let kept = &mut *(api().request.state)(raw).cast::<Kept<M::State>>();
        if std::mem::take(&mut kept.made) {
            kept.state.assume_init_drop();
        }
        LEAT_OK
    });
}

pub const fn kind_of<M: Middleware>() -> leat_middleware {
    assert!(align_of::<Kept<M::State>>() <= 16, "the request's memory is aligned to 16 bytes");
    let sees_requests = !matches!(M::PHASE, Phase::Content);
    leat_middleware {
        struct_size: size_of::<leat_middleware>() as u32,
        phase: M::PHASE as u32,
        name: leat_str::new(M::NAME),
        sentence: leat_str::new(M::SENTENCE),
        state_size: size_of::<Kept<M::State>>() as u32,
        create: Some(create_middleware::<M>),
        destroy: Some(destroy_middleware::<M>),
        request: if sees_requests { Some(on_request::<M>) } else { None },
        body: if sees_requests { Some(on_body::<M>) } else { None },
        head: Some(on_head::<M>),
        piece: Some(on_piece::<M>),
        end: Some(on_end::<M>),
        done: Some(on_done::<M>),
        // SAFETY: of numbers and optional functions, for all of which zero is "none".
        ..unsafe { zeroed() }
    }
}

static SESSION: OnceLock<&'static leat_session_v1> = OnceLock::new();
static MIDDLEWARE: OnceLock<(&'static leat_middleware_v1, &'static leat_arena_v1)> = OnceLock::new();

fn middleware_api() -> &'static leat_middleware_v1 {
    MIDDLEWARE.get().expect("load() comes first").0
}

fn arena_api() -> &'static leat_arena_v1 {
    MIDDLEWARE.get().expect("load() comes first").1
}

/// The load() of a plugin that has middleware.
pub unsafe fn load_with(host: *const leat_host, error: *mut leat_error, kinds: &[leat_middleware]) -> i32 {
    let loaded = load(host, error);
    if loaded != LEAT_OK {
        return loaded;
    }
    let session = ((*host).extension)(host, leat_str::new(leat_session_v1::NAME)).cast::<leat_session_v1>();
    if let Some(table) = session.as_ref() {
        SESSION.get_or_init(|| table); // an older daemon has none
    }
    let sockets = ((*host).extension)(host, leat_str::new(leat_websocket_v1::NAME)).cast::<leat_websocket_v1>();
    if let Some(table) = sockets.as_ref() {
        SOCKETS.get_or_init(|| table); // likewise
    }
    if kinds.is_empty() && ((*host).extension)(host, leat_str::new(leat_middleware_v1::NAME)).is_null() {
        return LEAT_OK; // an older daemon, where nobody notes anything
    }
    guard(|| match (find::<leat_middleware_v1>(host, error), find::<leat_arena_v1>(host, error)) {
        (Some(table), Some(arena)) => {
            MIDDLEWARE.get_or_init(|| (table, arena));
            (table.declare)(host, kinds.as_ptr(), kinds.len() as u32, error)
        }
        _ => LEAT_E_NOT_FOUND,
    })
}

/// Makes a plugin of a `Plugin`, its kinds of middleware, `middleware: [Key]`, if it has any, and its handlers:
/// functions of `&Plugin` and `&Request` that return `Result<Response, Problem>`, each with the name that routes
/// have for it and the path parameters that it needs.
macro_rules! plugin {
    ($plugin:ty, name: $name:literal, version: $version:literal, $(middleware: [$($middleware:ty),* $(,)?],)?
     handlers: { $($handler:literal $(($($parameter:literal),*))? => $function:path),* $(,)? }) => {
        #[used]
        #[link_section = ".note.leat"]
        static NOTE: $crate::abi::leat_note = $crate::abi::leat_note::new($name);

        const HANDLERS: &[$crate::abi::leat_handler] = &[$({
            const PARAMETERS: &[&str] = &[$($($parameter),*)?];
            unsafe extern "C" fn bind(
                host: *const $crate::abi::leat_host,
                _plugin: *mut std::ffi::c_void,
                route: *const $crate::abi::leat_route,
                bound: *mut *mut std::ffi::c_void,
                error: *mut $crate::abi::leat_error,
            ) -> i32 {
                $crate::leat::bind(host, route, bound, error, PARAMETERS)
            }
            unsafe extern "C" fn handle(
                scope: *const $crate::abi::leat_scope,
                request: *mut $crate::abi::leat_request,
            ) -> i32 {
                $crate::leat::handle::<$plugin>(scope, request, PARAMETERS, $function)
            }
            $crate::abi::leat_handler {
                bind: Some(bind),
                unbind: Some($crate::leat::unbind),
                ..$crate::abi::leat_handler::new($handler, handle)
            }
        }),*];

        unsafe extern "C" fn load(host: *const $crate::abi::leat_host, error: *mut $crate::abi::leat_error) -> i32 {
            $crate::leat::load_with(host, error, &[$($($crate::leat::kind_of::<$middleware>()),*)?])
        }

        #[no_mangle]
        #[allow(non_upper_case_globals)]
        pub static leat_plugin: $crate::abi::leat_plugin_entry = $crate::abi::leat_plugin_entry {
            load: Some(load),
            create: Some($crate::leat::create::<$plugin>),
            destroy: Some($crate::leat::destroy::<$plugin>),
            ..$crate::abi::leat_plugin_entry::new($name, $version, HANDLERS)
        };
    };
}
pub(crate) use plugin;

// ------------------------------------------------------------------------- what the daemon calls, and its tables

struct Api {
    config: &'static leat_config_v1,
    route: &'static leat_route_v1,
    request: &'static leat_request_v1,
    response: &'static leat_response_v1,
    json: &'static leat_json_v1,
    reader: &'static leat_json_reader_v1,
}

static API: OnceLock<Api> = OnceLock::new();

fn api() -> &'static Api {
    API.get().expect("load() comes first")
}

/// Whether the daemon's table of requests has the function at this place.
fn request_has(offset: usize) -> bool {
    api().request.struct_size as usize > offset
}

/// The daemon's table, or `None` after `error` was told that it has none.
///
/// # Safety
/// In `load` or `create`, with what they were called with.
pub unsafe fn find<T: Extension>(host: *const leat_host, error: *mut leat_error) -> Option<&'static T> {
    let table = ((*host).extension)(host, leat_str::new(T::NAME)).cast::<T>();
    if table.is_null() {
        ((*host).fail)(error, leat_str::new(T::NAME), leat_str::new("this daemon has no such extension"));
    }
    table.as_ref()
}

unsafe fn find_all(host: *const leat_host, error: *mut leat_error) -> Option<Api> {
    Some(Api {
        config: find(host, error)?,
        route: find(host, error)?,
        request: find(host, error)?,
        response: find(host, error)?,
        json: find(host, error)?,
        reader: find(host, error)?,
    })
}

/// What every callback begins with: a panic ends here, as an error, and not in the daemon.
pub fn guard(body: impl FnOnce() -> i32) -> i32 {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(LEAT_ERROR)
}

// The functions below are the daemon's to call, as plugin.h says, by way of `plugin!`.

pub unsafe extern "C" fn load(host: *const leat_host, error: *mut leat_error) -> i32 {
    guard(|| match find_all(host, error) {
        Some(found) => {
            API.get_or_init(|| found);
            LEAT_OK
        }
        None => LEAT_E_NOT_FOUND,
    })
}

pub unsafe extern "C" fn create<P: Plugin>(
    host: *const leat_host,
    config: *const leat_config,
    instance: *mut *mut c_void,
    error: *mut leat_error,
) -> i32 {
    make(host, config, instance, error, P::create)
}

/// What `create` makes of options, boxed, into `*made`.
unsafe fn make<T>(
    host: *const leat_host,
    config: *const leat_config,
    made: *mut *mut c_void,
    error: *mut leat_error,
    create: fn(&Config) -> Result<T, Refusal>,
) -> i32 {
    let fail = |key: &str, message: &str| ((*host).fail)(error, leat_str::new(key), leat_str::new(message));
    let answer = guard(|| match create(&Config { raw: config, life: PhantomData }) {
        Ok(value) => {
            *made = Box::into_raw(Box::new(value)).cast();
            LEAT_OK
        }
        Err(refusal) => {
            if let Some((key, message)) = refusal.0 {
                fail(&key, &message);
            }
            LEAT_E_ARGUMENT
        }
    });
    if answer == LEAT_ERROR {
        fail("", "create() panicked");
    }
    answer
}

pub unsafe extern "C" fn destroy<P: Plugin>(instance: *mut c_void) {
    destroy_boxed::<P>(instance);
}

unsafe fn destroy_boxed<T>(made: *mut c_void) {
    guard(|| {
        drop(Box::from_raw(made.cast::<T>()));
        LEAT_OK
    });
}

/// Keeps the numbers of a route's parameters, in their order, in `*bound`.
pub unsafe fn bind(
    host: *const leat_host,
    route: *const leat_route,
    bound: *mut *mut c_void,
    error: *mut leat_error,
    names: &[&str],
) -> i32 {
    guard(|| {
        let mut numbers: Vec<u32> = Vec::new();
        for name in names {
            let number = (api().route.param_index)(route, leat_str::new(name));
            let Ok(number) = u32::try_from(number) else {
                let message = format!("the handler needs a path parameter {{{name}}}");
                ((*host).fail)(error, leat_str::new(""), leat_str::new(&message));
                return LEAT_E_ARGUMENT;
            };
            numbers.push(number);
        }
        *bound = Box::into_raw(Box::new(numbers)).cast();
        LEAT_OK
    })
}

pub unsafe extern "C" fn unbind(_instance: *mut c_void, bound: *mut c_void) {
    drop(Box::from_raw(bound.cast::<Vec<u32>>()));
}

pub unsafe fn handle<P: Plugin>(
    scope: *const leat_scope,
    request: *mut leat_request,
    names: &'static [&'static str],
    handler: fn(&P, &Request) -> Result<Response, Problem>,
) -> i32 {
    guard(|| {
        let numbers = &*(*scope).bound.cast::<Vec<u32>>();
        let request =
            Request { raw: request, names, numbers, json: Cell::new(null_mut()), reader: Cell::new(null_mut()) };
        match handler(&*(*scope).instance.cast::<P>(), &request) {
            Ok(response) => response.send(&request),
            Err(problem) => problem.send(&request),
        }
    })
}

impl leat_str {
    /// For the daemon to read during a call, or for ever, for functions whose name ends in `_static`.
    pub const fn new(text: &str) -> Self {
        leat_str { ptr: text.as_ptr(), len: text.len() }
    }

    pub const ABSENT: Self = leat_str { ptr: null(), len: 0 };

    /// The bytes; `None` if the text is absent.
    ///
    /// # Safety
    /// `'a` must not outlive what the daemon promises for the text: for most, the request.
    pub unsafe fn bytes<'a>(self) -> Option<&'a [u8]> {
        NonNull::new(self.ptr.cast_mut()).map(|start| std::slice::from_raw_parts(start.as_ptr(), self.len))
    }

    /// The same as text; `None` also for what is not UTF-8.
    ///
    /// # Safety
    /// As for `bytes`.
    pub unsafe fn text<'a>(self) -> Option<&'a str> {
        self.bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }
}

impl leat_note {
    /// The note that is read before any code of the plugin is loaded; a `#[used]` static in `.note.leat`.
    pub const fn new(name: &str) -> Self {
        let mut note = leat_note {
            owner_size: 5,
            description_size: (size_of::<leat_note>() - offset_of!(leat_note, abi_major)) as u32,
            r#type: LEAT_NOTE_TYPE,
            owner: *b"Leat\0\0\0\0",
            abi_major: LEAT_ABI_MAJOR,
            abi_minor: LEAT_ABI_MINOR,
            name: [0; 48],
        };
        assert!(name.len() < note.name.len(), "the name of a plugin has at most 47 bytes");
        let mut i = 0;
        while i < name.len() {
            note.name[i] = name.as_bytes()[i];
            i += 1;
        }
        note
    }
}

impl leat_handler {
    /// One that needs no worker of its own, so that its route may put it on the pool, where it can block.
    pub const fn new(name: &'static str, handle: unsafe extern "C" fn(*const leat_scope, *mut leat_request) -> i32) -> Self {
        leat_handler {
            struct_size: size_of::<Self>() as u32,
            flags: LEAT_HANDLER_ANY_THREAD,
            name: leat_str::new(name),
            handle: Some(handle),
            // SAFETY: of numbers, pointers and optional functions, for all of which zero is "none".
            ..unsafe { zeroed() }
        }
    }
}

impl leat_plugin_entry {
    pub const fn new(name: &'static str, version: &'static str, handlers: &'static [leat_handler]) -> Self {
        leat_plugin_entry {
            magic: LEAT_PLUGIN_MAGIC,
            struct_size: size_of::<Self>() as u32,
            abi_major: LEAT_ABI_MAJOR,
            abi_minor: LEAT_ABI_MINOR,
            name: leat_str::new(name),
            version: leat_str::new(version),
            handlers: handlers.as_ptr(),
            handler_count: handlers.len() as u32,
            // SAFETY: as above.
            ..unsafe { zeroed() }
        }
    }
}

// SAFETY: they point to what is static and never changes.
unsafe impl Sync for leat_handler {}
unsafe impl Sync for leat_plugin_entry {}
