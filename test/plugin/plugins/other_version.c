/* Built for another version of the interface: MAJOR and MINOR come from the build. */
#include <leat/plugin.h>

LEAT_IN_NOTE static const leat_note note = {5u,
                                            (uint32_t)(sizeof(leat_note) - offsetof(leat_note, abi_major)),
                                            LEAT_NOTE_TYPE,
                                            "Leat",
                                            MAJOR,
                                            MINOR,
                                            "other"};

/* Must not run: the note is read before anything is loaded. */
__attribute__((constructor)) static void loaded(void) { __builtin_trap(); }

const leat_plugin_entry leat_plugin = {LEAT_ENTRY("other", "1")};
