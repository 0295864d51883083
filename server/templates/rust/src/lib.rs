//! @NAME@: a plugin for Leat, with one handler. @NAME@.toml leads requests to it, test.py asks it.
//!
//! abi.rs documents everything that is called here. All workers call the handler at the same time: what it
//! changes needs a lock, or belongs into the `worker_state` of `worker_init`.
#[allow(dead_code, non_camel_case_types)]
mod abi;
#[allow(dead_code)]
mod leat;

use leat::*;
use std::ffi::c_void;
use std::sync::OnceLock;

#[used]
#[link_section = ".note.leat"]
static NOTE: leat_note = leat_note::new("@NAME@");

static HANDLERS: [leat_handler; 1] = [leat_handler { bind: Some(bind_hello), ..leat_handler::new("hello", hello) }];

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static leat_plugin: leat_plugin_entry = leat_plugin_entry {
    load: Some(load),
    create: Some(create),
    destroy: Some(destroy),
    ..leat_plugin_entry::new("@NAME@", "0.1.0", &HANDLERS)
};

/// The extensions in use, all asked for when the plugin is loaded.
struct Api {
    config: &'static leat_config_v1,
    route: &'static leat_route_v1,
    request: &'static leat_request_v1,
    response: &'static leat_response_v1,
    json: &'static leat_json_v1,
}

impl Api {
    unsafe fn find(host: *const leat_host, error: *mut leat_error) -> Option<Api> {
        Some(Api {
            config: find(host, error)?,
            route: find(host, error)?,
            request: find(host, error)?,
            response: find(host, error)?,
            json: find(host, error)?,
        })
    }
}

static API: OnceLock<Api> = OnceLock::new();

fn api() -> &'static Api {
    API.get().expect("load() comes first")
}

unsafe extern "C" fn load(host: *const leat_host, error: *mut leat_error) -> i32 {
    guard(|| match Api::find(host, error) {
        Some(found) => {
            API.get_or_init(|| found);
            LEAT_OK
        }
        None => LEAT_E_NOT_FOUND,
    })
}

/// `[plugin.config]` of @NAME@.toml.
struct Instance {
    greeting: String,
}

unsafe extern "C" fn create(
    host: *const leat_host,
    config: *const leat_config,
    instance: *mut *mut c_void,
    error: *mut leat_error,
) -> i32 {
    guard(|| {
        let mut greeting = leat_str::ABSENT;
        if (api().config.string)(config, leat_str::new("greeting"), leat_str::new("Hello"), &mut greeting) != LEAT_OK {
            return LEAT_E_ARGUMENT; // reported at its line by the daemon
        }
        match greeting.text() {
            None | Some("") => {
                ((*host).fail)(error, leat_str::new("greeting"), leat_str::new("must not be empty"));
                LEAT_E_ARGUMENT
            }
            Some(text) => {
                *instance = into_state(Instance { greeting: text.to_owned() });
                LEAT_OK
            }
        }
    })
}

unsafe extern "C" fn destroy(instance: *mut c_void) {
    drop(from_state::<Instance>(instance));
}

/// The number of the path parameter {name} is kept in `*bound`.
unsafe extern "C" fn bind_hello(
    host: *const leat_host,
    _instance: *mut c_void,
    route: *const leat_route,
    bound: *mut *mut c_void,
    error: *mut leat_error,
) -> i32 {
    guard(|| {
        let index = (api().route.param_index)(route, leat_str::new("name"));
        if index < 0 {
            ((*host).fail)(error, leat_str::new(""), leat_str::new("the handler needs a path parameter {name}"));
            return LEAT_E_ARGUMENT;
        }
        *bound = index as usize as *mut c_void;
        LEAT_OK
    })
}

/// A whole number from 1 to 10 in decimal digits, 1 if it is absent.
fn parse_times(text: Option<&[u8]>) -> Option<u64> {
    match text {
        None => Some(1),
        Some(b"10") => Some(10),
        Some([digit @ b'1'..=b'9']) => Some(u64::from(digit - b'0')),
        Some(_) => None,
    }
}

/// GET /hello/Ada?times=3
unsafe extern "C" fn hello(scope: *const leat_scope, request: *mut leat_request) -> i32 {
    guard(|| {
        let Api { request: asked, response, json, .. } = api();
        let instance = &*(*scope).instance.cast::<Instance>();
        let name = (asked.param)(request, (*scope).bound as usize as u32);
        let Some(times) = parse_times((asked.query_param)(request, leat_str::new("times")).bytes()) else {
            let sent = (response.send_problem)(
                request,
                400,
                leat_str::new("The query parameter `times` must be a whole number from 1 to 10."),
                leat_str::new("\"parameter\":\"times\""),
            );
            return if sent == LEAT_OK { LEAT_DONE } else { LEAT_ERROR };
        };
        let text = (json.start)(request);
        if text.is_null() {
            return LEAT_ERROR;
        }
        (json.begin_object)(text);
        (json.key)(text, leat_str::new("greeting"));
        (json.string)(text, leat_str::new(&instance.greeting));
        (json.key)(text, leat_str::new("name"));
        (json.string)(text, name);
        (json.key)(text, leat_str::new("times"));
        (json.unsigned_integer)(text, times);
        (json.end_object)(text);
        if (json.send)(request, text) == LEAT_OK { LEAT_DONE } else { LEAT_ERROR }
    })
}
