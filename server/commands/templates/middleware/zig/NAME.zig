//! @NAME@: a plugin for Leat, with one kind of middleware, for the routes of whichever plugin. @NAME@.toml puts it before
//! one, test.py asks that.
//!
//! <leat/plugin.h> documents everything that is called here. All workers call the middleware at the same time: what it
//! changes needs a lock, or belongs into the memory that each request has for it (`state_size`).
const std = @import("std");
const c = @cImport(@cInclude("leat/plugin.h"));

const name = "@NAME@";

/// Read before any code of the plugin is loaded.
const note = c.leat_note{
    .owner_size = 5,
    .description_size = @sizeOf(c.leat_note) - @offsetOf(c.leat_note, "abi_major"),
    .type = c.LEAT_NOTE_TYPE,
    .owner = padded(8, "Leat"),
    .abi_major = c.LEAT_ABI_MAJOR,
    .abi_minor = c.LEAT_ABI_MINOR,
    .name = padded(48, name),
};

comptime {
    @export(&note, .{ .name = "leat_plugin_note", .section = ".note.leat", .visibility = .hidden });
}

fn padded(comptime size: usize, comptime text_: []const u8) [size]u8 {
    return (text_ ++ [_]u8{0} ** (size - text_.len)).*;
}

const kinds = [_]c.leat_middleware{blk: {
    var kind = std.mem.zeroes(c.leat_middleware);
    kind.struct_size = @sizeOf(c.leat_middleware);
    kind.phase = c.LEAT_PHASE_PROTECT;
    kind.name = text("key");
    kind.sentence = text("Lets requests pass that have the key.");
    kind.create = createKey;
    kind.destroy = destroyKey;
    kind.request = onRequest;
    kind.head = onHead;
    break :blk kind;
}};

export const leat_plugin: c.leat_plugin_entry = blk: {
    var entry = std.mem.zeroes(c.leat_plugin_entry);
    entry.magic = c.LEAT_PLUGIN_MAGIC;
    entry.struct_size = @sizeOf(c.leat_plugin_entry);
    entry.abi_major = c.LEAT_ABI_MAJOR;
    entry.abi_minor = c.LEAT_ABI_MINOR;
    entry.name = text(name);
    entry.version = text("0.1.0");
    entry.load = load;
    break :blk entry;
};

fn text(bytes: []const u8) c.leat_str {
    return .{ .ptr = bytes.ptr, .len = bytes.len };
}

/// The extensions in use, all asked for when the plugin is loaded.
var config_api: *const c.leat_config_v1 = undefined;
var request_api: *const c.leat_request_v1 = undefined;
var response_api: *const c.leat_response_v1 = undefined;
var middleware_api: *const c.leat_middleware_v1 = undefined;

/// The daemon's table, or an error after `why` was told that it has none.
fn find(comptime Table: type, host: [*c]const c.leat_host, why: ?*c.leat_error, extension: []const u8) !*const Table {
    const table = host.*.extension.?(host, text(extension)) orelse {
        host.*.fail.?(why, text(extension), text("this daemon has no such extension"));
        return error.NotFound;
    };
    return @ptrCast(@alignCast(table));
}

fn findAll(host: [*c]const c.leat_host, why: ?*c.leat_error) !void {
    config_api = try find(c.leat_config_v1, host, why, "leat.config/1");
    request_api = try find(c.leat_request_v1, host, why, "leat.request/1");
    response_api = try find(c.leat_response_v1, host, why, "leat.response/1");
    middleware_api = try find(c.leat_middleware_v1, host, why, "leat.middleware/1");
}

fn load(host: [*c]const c.leat_host, why: ?*c.leat_error) callconv(.c) i32 {
    findAll(host, why) catch return c.LEAT_E_NOT_FOUND;
    return middleware_api.declare.?(host, &kinds, kinds.len, why);
}

/// One for each [[middleware]] entry of @NAME@.toml.
const Key = struct {
    bytes: []u8,
};

fn makeKey(bytes: []const u8) !*Key {
    const self = try std.heap.c_allocator.create(Key);
    errdefer std.heap.c_allocator.destroy(self);
    self.* = .{ .bytes = try std.heap.c_allocator.dupe(u8, bytes) };
    return self;
}

fn createKey(host: [*c]const c.leat_host, _: ?*anyopaque, options: ?*const c.leat_config, made: [*c]?*anyopaque, why: ?*c.leat_error) callconv(.c) i32 {
    var key: c.leat_str = undefined;
    if (config_api.string.?(options, text("key"), text(""), &key) != c.LEAT_OK)
        return c.LEAT_E_ARGUMENT; // reported at its line by the daemon
    if (key.len == 0) {
        host.*.fail.?(why, text("key"), text("is missing: without it nobody could come in"));
        return c.LEAT_E_ARGUMENT;
    }
    made.* = makeKey(key.ptr[0..key.len]) catch return c.LEAT_E_MEMORY;
    return c.LEAT_OK;
}

fn destroyKey(_: ?*anyopaque, made: ?*anyopaque) callconv(.c) void {
    const self: *Key = @ptrCast(@alignCast(made));
    std.heap.c_allocator.free(self.bytes);
    std.heap.c_allocator.destroy(self);
}

/// Before the handler: NEXT lets the request go on, DONE means that this has answered.
fn onRequest(scope: [*c]const c.leat_scope, request: ?*c.leat_request) callconv(.c) i32 {
    const self: *const Key = @ptrCast(@alignCast(scope.*.bound));
    const given = request_api.header.?(request, text("X-API-Key"));
    if (given.ptr != null and std.mem.eql(u8, given.ptr[0..given.len], self.bytes)) return c.LEAT_NEXT;
    const sent = response_api.send_problem.?(request, 401, text("Send the key in X-API-Key."), text(""));
    return if (sent == c.LEAT_OK) c.LEAT_DONE else c.LEAT_ERROR;
}

/// The head of each answer on its way to the client, refusals too.
fn onHead(_: [*c]const c.leat_scope, request: ?*c.leat_request) callconv(.c) i32 {
    const set = response_api.set_header.?(request, text("X-Guarded-By"), text(name));
    return if (set == c.LEAT_OK) c.LEAT_BODY_KEEP else c.LEAT_ERROR;
}
