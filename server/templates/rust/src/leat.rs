//! What a Rust plugin wants beside the interface itself, which is abi.rs: texts, extensions, entries, panics.
//!
//! abi.rs is plugin.h of the daemon that made this project; `leat plugin new` makes a fresh one. An older one goes on
//! working: tables only grow at their end.
pub use crate::abi::*;
use std::ffi::c_void;
use std::mem::{size_of, zeroed};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::{null, NonNull};

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

/// What every callback begins with: a panic ends here, as an error, and not in the daemon.
pub fn guard(body: impl FnOnce() -> i32) -> i32 {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(LEAT_ERROR)
}

impl leat_note {
    /// The note that is read before any code of the plugin is loaded; a `#[used]` static in `.note.leat`.
    pub const fn new(name: &str) -> Self {
        let mut note = leat_note {
            owner_size: 5,
            description_size: (size_of::<leat_note>() - std::mem::offset_of!(leat_note, abi_major)) as u32,
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
    pub const fn new(name: &'static str, handle: unsafe extern "C" fn(*const leat_scope, *mut leat_request) -> i32) -> Self {
        leat_handler {
            struct_size: size_of::<Self>() as u32,
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

/// A value handed to the daemon as the `void*` that it gives back: from `into_state` to exactly one `from_state`.
pub fn into_state<T>(value: T) -> *mut c_void {
    Box::into_raw(Box::new(value)).cast()
}

/// # Safety
/// `state` comes from `into_state::<T>`, and nothing uses it any more.
pub unsafe fn from_state<T>(state: *mut c_void) -> T {
    *Box::from_raw(state.cast::<T>())
}
