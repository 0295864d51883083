#include "fuzz/binary_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return leat::fuzz::fuzz_binary(leat::json::Backend::Cbor, data, size);
}
