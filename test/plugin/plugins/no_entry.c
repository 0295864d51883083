/* Has the note, and forgot the entry. */
#include <leat/plugin.h>
LEAT_NOTE("no_entry");
