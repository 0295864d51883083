//! `zig build` makes zig-out/@NAME@.so, `zig build test` asks it through the real daemon.
const std = @import("std");

pub fn build(b: *std.Build) void {
    // The SDK of the daemon that made this project, and that daemon.
    const include = b.option([]const u8, "leat-include", "The folder that holds leat/plugin.h") orelse "@INCLUDE@";
    const symbols = b.option([]const u8, "leat-symbols", "The SDK's plugin.map") orelse "@SYMBOLS@";
    const leat = b.option([]const u8, "leat", "The daemon to test with") orelse "@LEAT@";

    const plugin = b.addLibrary(.{
        .name = "@NAME@",
        .linkage = .dynamic,
        .use_llvm = true, // its sections of notes are notes
        .root_module = b.createModule(.{
            .root_source_file = b.path("@NAME@.zig"),
            .target = b.standardTargetOptions(.{}),
            .optimize = b.standardOptimizeOption(.{}),
            .link_libc = true,
        }),
    });
    plugin.root_module.addIncludePath(.{ .cwd_relative = include });
    plugin.setVersionScript(.{ .cwd_relative = symbols }); // two plugins shall not see each other's functions
    plugin.build_id = .sha1; // so that a crash report can say which build it was

    const installed = b.addInstallFile(plugin.getEmittedBin(), "@NAME@.so");
    b.getInstallStep().dependOn(&installed.step);

    const ask = b.addSystemCommand(&.{ "python3", "test.py", leat, b.getInstallPath(.prefix, "@NAME@.so") });
    ask.step.dependOn(&installed.step);
    ask.has_side_effects = true;
    b.step("test", "Ask the plugin through the real daemon").dependOn(&ask.step);
}
