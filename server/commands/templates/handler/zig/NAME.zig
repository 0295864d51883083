//! @NAME@: a plugin for Leat, with one handler. @NAME@.toml leads requests to it, test.py asks it.
//!
//! <leat/plugin.h> documents everything that is called here. All workers call the handler at the same time: what it
//! changes needs a lock, or belongs into the worker_state of worker_init().
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

const handlers = [_]c.leat_handler{blk: {
    var handler = std.mem.zeroes(c.leat_handler);
    handler.struct_size = @sizeOf(c.leat_handler);
    handler.name = text("hello");
    handler.bind = bindHello;
    handler.handle = hello;
    break :blk handler;
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
    entry.create = create;
    entry.destroy = destroy;
    entry.handlers = &handlers;
    entry.handler_count = handlers.len;
    break :blk entry;
};

fn text(bytes: []const u8) c.leat_str {
    return .{ .ptr = bytes.ptr, .len = bytes.len };
}

/// The extensions in use, all asked for when the plugin is loaded.
var config_api: *const c.leat_config_v1 = undefined;
var route_api: *const c.leat_route_v1 = undefined;
var request_api: *const c.leat_request_v1 = undefined;
var response_api: *const c.leat_response_v1 = undefined;
var json_api: *const c.leat_json_v1 = undefined;

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
    route_api = try find(c.leat_route_v1, host, why, "leat.route/1");
    request_api = try find(c.leat_request_v1, host, why, "leat.request/1");
    response_api = try find(c.leat_response_v1, host, why, "leat.response/1");
    json_api = try find(c.leat_json_v1, host, why, "leat.json/1");
}

fn load(host: [*c]const c.leat_host, why: ?*c.leat_error) callconv(.c) i32 {
    findAll(host, why) catch return c.LEAT_E_NOT_FOUND;
    return c.LEAT_OK;
}

/// [plugin.config] of @NAME@.toml.
const Instance = struct {
    greeting: []u8,
};

fn makeInstance(greeting: []const u8) !*Instance {
    const self = try std.heap.c_allocator.create(Instance);
    errdefer std.heap.c_allocator.destroy(self);
    self.* = .{ .greeting = try std.heap.c_allocator.dupe(u8, greeting) };
    return self;
}

fn create(host: [*c]const c.leat_host, config: ?*const c.leat_config, out: [*c]?*anyopaque, why: ?*c.leat_error) callconv(.c) i32 {
    var greeting: c.leat_str = undefined;
    if (config_api.string.?(config, text("greeting"), text("Hello"), &greeting) != c.LEAT_OK)
        return c.LEAT_E_ARGUMENT; // reported at its line by the daemon
    if (greeting.len == 0) {
        host.*.fail.?(why, text("greeting"), text("must not be empty"));
        return c.LEAT_E_ARGUMENT;
    }
    out.* = makeInstance(greeting.ptr[0..greeting.len]) catch return c.LEAT_E_MEMORY;
    return c.LEAT_OK;
}

fn destroy(instance: ?*anyopaque) callconv(.c) void {
    const self: *Instance = @ptrCast(@alignCast(instance));
    std.heap.c_allocator.free(self.greeting);
    std.heap.c_allocator.destroy(self);
}

/// The number of the path parameter {name} is kept in `bound`, plus one, because zero is no pointer.
fn bindHello(host: [*c]const c.leat_host, _: ?*anyopaque, route: ?*const c.leat_route, bound: [*c]?*anyopaque, why: ?*c.leat_error) callconv(.c) i32 {
    const index = route_api.param_index.?(route, text("name"));
    if (index < 0) {
        host.*.fail.?(why, text(""), text("the handler needs a path parameter {name}"));
        return c.LEAT_E_ARGUMENT;
    }
    bound.* = @ptrFromInt(@as(usize, @intCast(index)) + 1);
    return c.LEAT_OK;
}

/// A whole number from 1 to 10 in decimal digits, 1 if it is absent.
fn parseTimes(given: c.leat_str) ?u64 {
    if (given.ptr == null) return 1;
    const digits = given.ptr[0..given.len];
    for (digits) |digit| if (!std.ascii.isDigit(digit)) return null;
    const times = std.fmt.parseInt(u64, digits, 10) catch return null;
    return if (times >= 1 and times <= 10) times else null;
}

/// GET /hello/Ada?times=3
fn hello(scope: [*c]const c.leat_scope, request: ?*c.leat_request) callconv(.c) i32 {
    const self: *const Instance = @ptrCast(@alignCast(scope.*.instance));
    const who = request_api.param.?(request, @intCast(@intFromPtr(scope.*.bound) - 1));
    const times = parseTimes(request_api.query_param.?(request, text("times"))) orelse {
        const sent = response_api.send_problem.?(request, 400, text("The query parameter `times` must be a whole number from 1 to 10."), text("\"parameter\":\"times\""));
        return if (sent == c.LEAT_OK) c.LEAT_DONE else c.LEAT_ERROR;
    };
    const json = json_api.start.?(request) orelse return c.LEAT_ERROR;
    json_api.begin_object.?(json);
    json_api.key.?(json, text("greeting"));
    json_api.string.?(json, text(self.greeting));
    json_api.key.?(json, text("name"));
    json_api.string.?(json, who);
    json_api.key.?(json, text("times"));
    json_api.unsigned_integer.?(json, times);
    json_api.end_object.?(json);
    return if (json_api.send.?(request, json) == c.LEAT_OK) c.LEAT_DONE else c.LEAT_ERROR;
}
