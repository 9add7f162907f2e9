/* Arguments and results. What JavaScript passes is our own TypeScript's: a wrong type reads as 0, and is refused there. */
#include <string.h>

#include "addon.h"

bool call_begin(napi_env env, napi_callback_info info, size_t count, call *out) {
  void *data = NULL;
  out->env = env;
  if (napi_get_cb_info(env, info, &count, out->values, NULL, &data) != napi_ok) return false;
  out->addon = data;
  return !out->addon->is_ending;
}

uint32_t call_u32(const call *call, int i) {
  uint32_t value = 0;
  (void)napi_get_value_uint32(call->env, call->values[i], &value);
  return value;
}

double call_number(const call *call, int i) {
  double value = 0;
  (void)napi_get_value_double(call->env, call->values[i], &value);
  return value;
}

bool call_bool(const call *call, int i) {
  bool value = false;
  (void)napi_get_value_bool(call->env, call->values[i], &value);
  return value;
}

bool call_bytes(const call *call, int i, void **data, size_t *bytes) {
  napi_typedarray_type type;
  size_t length = 0;
  if (napi_get_typedarray_info(call->env, call->values[i], &type, &length, data, NULL, NULL) != napi_ok) return false;
  switch (type) {
    case napi_uint8_array:
      *bytes = length;
      break;
    case napi_uint32_array:
      *bytes = length * 4;
      break;
    case napi_float64_array:
      *bytes = length * 8;
      break;
    default:
      return false;
  }
  return *data != NULL;
}

bool call_text(const call *call, int i, char *text, size_t room) {
  size_t length = 0;
  if (napi_get_value_string_utf8(call->env, call->values[i], text, room, &length) != napi_ok) return false;
  return length > 0 && length < room - 1 && strlen(text) == length;
}

bool call_pin(const call *call, int i, pinned *out) {
  pinned found = {0};
  if (!call_bytes(call, i, &found.data, &found.bytes)) return false;
  if (napi_create_reference(call->env, call->values[i], 1, &found.reference) != napi_ok) return false;
  unpin(call->addon, out);
  *out = found;
  return true;
}

void unpin(addon *addon, pinned *pinned) {
  if (pinned->reference != NULL) (void)napi_delete_reference(addon->env, pinned->reference);
  pinned->reference = NULL;
  pinned->data = NULL;
  pinned->bytes = 0;
}

napi_value result_i32(const call *call, int32_t value) {
  napi_value result = NULL;
  (void)napi_create_int32(call->env, value, &result);
  return result;
}

napi_value result_u32(const call *call, uint32_t value) {
  napi_value result = NULL;
  (void)napi_create_uint32(call->env, value, &result);
  return result;
}

napi_value result_text(const call *call, const char *text) {
  napi_value result = NULL;
  (void)napi_create_string_utf8(call->env, text, NAPI_AUTO_LENGTH, &result);
  return result;
}
