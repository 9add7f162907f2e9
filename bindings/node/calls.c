/* What JavaScript calls for a link. */
#include <string.h>
#include <sys/mman.h>

#include "addon.h"

static link_handle *any_link_of(const call *call) {
  link_handle *const link = table_get(&call->addon->links, call_u32(call, 0));
  return link == NULL || link->is_closed ? NULL : link;
}

/* One that can send and receive. */
static link_handle *link_of(const call *call) {
  link_handle *const link = any_link_of(call);
  return link == NULL || link->is_shut ? NULL : link;
}

static protoipc_record *record_of(const call *call, int i) {
  const uint32_t batch = call_u32(call, i), record = call_u32(call, i + 1);
  if (batch >= BATCHES || record >= BATCH_RECORDS) return NULL;
  protoipc_record *const records = call->addon->batches[batch].records.data;
  return records == NULL ? NULL : &records[record];
}

/* setBatch(index, bytes, records) */
napi_value js_setBatch(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 3, &call)) return NULL;
  const uint32_t i = call_u32(&call, 0);
  const bool good = i < BATCHES && call_pin(&call, 1, &call.addon->batches[i].bytes) &&
                    call_pin(&call, 2, &call.addon->batches[i].records) &&
                    call.addon->batches[i].records.bytes >= BATCH_RECORDS * sizeof(protoipc_record);
  return result_i32(&call, good ? PROTOIPC_OK : PROTOIPC_EINVAL);
}

/* linkFacts(id): in the numbers pid, uid, gid, largest body out, largest body in, bytes of our segment. */
napi_value js_linkFacts(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 1, &call)) return NULL;
  link_handle *const link = link_of(&call);
  if (link == NULL) return result_i32(&call, PROTOIPC_EINVAL);
  protoipc_peer peer = {0};
  protoipc_link_peer(link->link, &peer);
  double *const numbers = call.addon->numbers.data;
  numbers[0] = peer.pid;
  numbers[1] = peer.uid;
  numbers[2] = peer.gid;
  numbers[3] = protoipc_link_max_record_bytes(link->link);
  numbers[4] = protoipc_link_max_receive_bytes(link->link);
  numbers[5] = (double)link->own_bytes;
  return result_i32(&call, PROTOIPC_OK);
}

/* linkReason(id): why it cannot go on. */
napi_value js_linkReason(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 1, &call)) return NULL;
  link_handle *const link = link_of(&call);
  return result_text(&call, link == NULL ? "" : protoipc_link_reason(link->link));
}

/* linkSetUp(id, control, mirror or undefined): without a mirror, an array buffer over our segment, or undefined. */
napi_value js_linkSetUp(napi_env env, napi_callback_info info) {
  call call;
  napi_value buffer = NULL;
  if (!call_begin(env, info, 3, &call)) return NULL;
  link_handle *const link = link_of(&call);
  if (link == NULL || !call_pin(&call, 1, &link->control)) return NULL;
  if (link->control.bytes < CONTROL_WORDS * sizeof(uint32_t)) return NULL;
  if (call_pin(&call, 2, &link->mirror)) return NULL;
  if (link->segment != NULL) return NULL;
  link->segment = window_open(call.addon, link->own, (size_t)link->own_bytes, &link->windows, &link->pins, &buffer);
  return link->segment == NULL ? NULL : buffer;
}

/* linkStart(id): records are delivered from now on. */
napi_value js_linkStart(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 1, &call)) return NULL;
  link_handle *const link = link_of(&call);
  if (link == NULL || link->is_started) return NULL;
  link->is_started = true;
  loop_touch(link);
  return NULL;
}

/* ---- Sending ---- */

/* With a mirror, our segment becomes what JavaScript has laid there: the bodies; the core writes the headers. */
static void copy_laid(link_handle *link) {
  const uint32_t *const control = link->control.data;
  const uint32_t from = link->laid_from, to = control[CONTROL_NEXT];
  if (link->mirror.data == NULL || to < from || to > link->own_bytes || to > link->mirror.bytes) return;
  memcpy(link->own + from, (const uint8_t *)link->mirror.data + from, to - from);
}

int link_commit_laid(link_handle *link) {
  uint32_t *const control = link->control.data;
  if (control == NULL) return PROTOIPC_OK;
  const uint32_t count = control[CONTROL_COUNT];
  if (count == 0) return PROTOIPC_OK;
  control[CONTROL_COUNT] = 0;
  link->answers = true;
  copy_laid(link);
  if (count > CONTROL_WORDS - CONTROL_LENGTHS) return PROTOIPC_EINVAL;
  return protoipc_link_commit(link->link, control + CONTROL_LENGTHS, count);
}

/* Asks for room, and shows it to JavaScript. */
static int find_room(link_handle *link, uint32_t bytes) {
  uint32_t *const control = link->control.data;
  protoipc_window room = {0};
  const int code = protoipc_link_reserve(link->link, bytes, &room);
  link->wants_room = code == PROTOIPC_EAGAIN;
  link->wanted_bytes = bytes;
  if (control == NULL) return code;
  control[CONTROL_NEXT] = link->laid_from = room.offset;
  control[CONTROL_END] = room.offset + room.bytes;
  return code;
}

/* After what discarded the window. Who was refused room before is told when there is some. */
static void find_room_again(link_handle *link) {
  if (find_room(link, link->is_refused ? link->wanted_bytes : 0) == PROTOIPC_OK && link->is_refused)
    link->tells_room = true;
}

bool link_take_room(link_handle *link) {
  if (!link->tells_room && (!link->wants_room || find_room(link, link->wanted_bytes) != PROTOIPC_OK)) return false;
  const bool was_refused = link->is_refused;
  link->tells_room = link->is_refused = false;
  return was_refused;
}

int link_flush(link_handle *link) {
  int code = link_commit_laid(link);
  link->owes_flush = false;
  if (code == PROTOIPC_OK) code = protoipc_link_flush(link->link);
  find_room_again(link);
  loop_touch(link);
  return code < 0 ? code : PROTOIPC_OK;
}

/* reserve(id, bytes): commits what is laid, and finds room for a body; the control words say where. */
napi_value js_reserve(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 2, &call)) return NULL;
  link_handle *const link = link_of(&call);
  if (link == NULL) return result_i32(&call, PROTOIPC_ECLOSED);
  int code = link_commit_laid(link);
  if (code == PROTOIPC_OK) code = find_room(link, call_u32(&call, 1));
  link->tells_room = code == PROTOIPC_OK && link->is_refused;
  if (code == PROTOIPC_EAGAIN) link->is_refused = true;
  if (code != PROTOIPC_OK) loop_touch(link);
  return result_i32(&call, code);
}

/* flush(id). Returns nothing: making a number costs half of what the rest does, and the loop tells of an end. */
napi_value js_flush(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 1, &call)) return NULL;
  link_handle *const link = link_of(&call);
  if (link != NULL) (void)link_flush(link);
  return NULL;
}

/* send(id, bytes): commits what is laid, and one more record that is copied. */
napi_value js_send(napi_env env, napi_callback_info info) {
  call call;
  void *data = NULL;
  size_t bytes = 0;
  if (!call_begin(env, info, 2, &call)) return NULL;
  link_handle *const link = link_of(&call);
  if (link == NULL) return result_i32(&call, PROTOIPC_ECLOSED);
  if (!call_bytes(&call, 1, &data, &bytes)) bytes = 0;
  if (bytes > UINT32_MAX) return result_i32(&call, PROTOIPC_ETOOLARGE);
  int code = link_commit_laid(link);
  if (code == PROTOIPC_OK) code = protoipc_link_send(link->link, data, (uint32_t)bytes);
  find_room_again(link);
  loop_touch(link);
  return result_i32(&call, code);
}

/*
 * commitBlock(id, headBytes, slotBytes, index, generation, segment, offset, bytes, from, usedBytes): commits what is
 * laid, then the head that stands where the next body goes, with `usedBytes` of the block from `from` on as its payload.
 * Where that fails, the head stands where it stood, in a slot of `slotBytes`.
 */
napi_value js_commitBlock(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 10, &call)) return NULL;
  link_handle *const link = link_of(&call);
  if (link == NULL || link->control.data == NULL) return result_i32(&call, PROTOIPC_ECLOSED);
  const uint32_t *const control = link->control.data;
  const uint32_t head_bytes = call_u32(&call, 1), head = control[CONTROL_NEXT] + PROTOIPC_RECORD_HEADER;
  if (head > link->own_bytes || head_bytes > link->own_bytes - head) return result_i32(&call, PROTOIPC_EINVAL);
  const protoipc_block block = {.index = call_u32(&call, 3),
                                .generation = call_u32(&call, 4),
                                .segment = call_u32(&call, 5),
                                .offset = (uint64_t)call_number(&call, 6),
                                .bytes = (uint64_t)call_number(&call, 7)};
  protoipc_window room;
  int code = link_commit_laid(link);
  if (link->mirror.data != NULL) memcpy(link->own + head, (const uint8_t *)link->mirror.data + head, head_bytes);
  if (code == PROTOIPC_OK) code = protoipc_link_reserve(link->link, head_bytes + PROTOIPC_BLOCK_ROOM, &room);
  if (code == PROTOIPC_OK) {
    /* The same place, but where padding stood before the slot that this shorter record does not need. */
    memmove(link->own + room.offset + PROTOIPC_RECORD_HEADER, link->own + head, head_bytes);
    code = protoipc_link_commit_block(link->link, head_bytes, &block, (uint64_t)call_number(&call, 8),
                                      (uint64_t)call_number(&call, 9));
  }
  if (code == PROTOIPC_OK) find_room_again(link);
  else (void)find_room(link, call_u32(&call, 2));
  loop_touch(link);
  return result_i32(&call, code);
}

/* ---- Receiving ---- */

/* What costs less than going to sleep, for a thread that has nothing else to do. */
#define BLOCKING_SPIN_NS UINT64_C(50000)
static const double ms_to_ns = 1e6;

static int receive_now(link_handle *link, batch *batch) {
  return protoipc_link_receive(link->link, batch->bytes.data, (uint32_t)batch->bytes.bytes, batch->records.data,
                               BATCH_RECORDS);
}

/*
 * Waits until there is something to receive, or room that was asked for. As protoipc_link_receive. The clock, which costs
 * as much as a quick answer, is asked only where the first wait brought nothing for us.
 */
static int receive_within(link_handle *link, batch *batch, uint64_t timeout_ns) {
  const uint64_t spin_ns = link->waiting == WAITING_SPIN    ? timeout_ns
                           : link->waiting == WAITING_EVENT ? 0
                                                            : BLOCKING_SPIN_NS;
  uint64_t began = 0;
  for (;;) {
    const uint64_t passed = began == 0 ? 0 : uv_hrtime() - began;
    if (passed >= timeout_ns) return 0;
    const int news = protoipc_link_wait(link->link, spin_ns, timeout_ns - passed);
    if (news == PROTOIPC_ETIMEDOUT) return 0;
    if (news < 0) return news;
    const int count = receive_now(link, batch);
    if (count != 0) return count;
    find_room_again(link);
    if (link->tells_room) return 0;
    if (began == 0) began = uv_hrtime();
  }
}

/*
 * receive(id, timeoutMs, batch): how many records came, after waiting on this thread for them; or the error that ended
 * the link. numbers[0] is 1 where reserve, which was refused, may be asked again.
 */
napi_value js_receive(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 3, &call)) return NULL;
  link_handle *const link = link_of(&call);
  const uint32_t index = call_u32(&call, 2);
  const double timeout_ns = call_number(&call, 1) * ms_to_ns;
  if (link == NULL || link->is_ended) return result_i32(&call, PROTOIPC_ECLOSED);
  if (index >= BATCHES || call.addon->batches[index].bytes.data == NULL) return result_i32(&call, PROTOIPC_EINVAL);
  batch *const batch = &call.addon->batches[index];
  (void)link_commit_laid(link);
  loop_touch(link);
  const int count =
      timeout_ns > 0
          ? receive_within(link, batch, timeout_ns < 1e18 ? (uint64_t)timeout_ns : UINT64_C(1000000000000000000))
          : receive_now(link, batch);
  if (count < 0) {
    link_ended(link);
    return result_i32(&call, count);
  }
  find_room_again(link);
  ((double *)call.addon->numbers.data)[0] = link_take_room(link) ? 1 : 0;
  return result_i32(&call, count);
}

/*
 * The system gives memory that was just allocated page by page, as it is written to, which takes many times as long as the
 * copy. On the machine measured, a virtual one, 1 MiB took 370 us so, 277 asked for at once, and 22 where the pages were
 * there; 8 MiB took 3,700 us, 2,500 at once, and 560 in huge pages. What fails here does no harm: then they come one by one.
 */
#define POPULATE_BYTES ((size_t)1 << 20)
#define HUGE_BYTES ((size_t)4 << 20)
#define PAGE_BYTES ((uintptr_t)4096)

static void populate(void *data, size_t bytes) {
#ifdef MADV_POPULATE_WRITE
  if (bytes < POPULATE_BYTES) return;
  const uintptr_t from = ((uintptr_t)data + PAGE_BYTES - 1) & -PAGE_BYTES, to = ((uintptr_t)data + bytes) & -PAGE_BYTES;
  if (bytes >= HUGE_BYTES) (void)madvise((void *)from, to - from, MADV_HUGEPAGE);
  (void)madvise((void *)from, to - from, MADV_POPULATE_WRITE);
#else
  (void)data;
  (void)bytes;
#endif
}

/* copyBlock(id, batch, record, to): copies the payload that a record names. */
napi_value js_copyBlock(napi_env env, napi_callback_info info) {
  call call;
  void *to = NULL;
  const void *from = NULL;
  size_t bytes = 0;
  if (!call_begin(env, info, 4, &call)) return NULL;
  link_handle *const link = link_of(&call);
  const protoipc_record *const record = record_of(&call, 1);
  if (link == NULL || record == NULL || !call_bytes(&call, 3, &to, &bytes) || bytes < record->block_bytes)
    return result_i32(&call, PROTOIPC_EINVAL);
  const int code = protoipc_link_block_data(link->link, record, &from);
  if (code != PROTOIPC_OK) return result_i32(&call, code);
  populate(to, (size_t)record->block_bytes);
  memcpy(to, from, (size_t)record->block_bytes);
  return result_i32(&call, code);
}

/*
 * borrow(id, batch, record): an array buffer over the payload, its id in the numbers; windowEnd gives it back. undefined
 * where external memory is forbidden.
 */
napi_value js_borrow(napi_env env, napi_callback_info info) {
  call call;
  const void *data = NULL;
  napi_value buffer = NULL;
  if (!call_begin(env, info, 3, &call)) return NULL;
  link_handle *const link = link_of(&call);
  const protoipc_record *const record = record_of(&call, 1);
  if (link == NULL || link->is_ended || record == NULL || record->block_bytes == 0) return NULL;
  if (protoipc_link_block_data(link->link, record, &data) != PROTOIPC_OK) return NULL;
  window *const window = window_open(call.addon, (void *)(uintptr_t)data, (size_t)record->block_bytes, &link->borrowed,
                                     &link->pins, &buffer);
  if (window == NULL) return NULL;
  window->link = link;
  window->block.index = record->index;
  window->block.generation = record->generation;
  if (!table_add(&call.addon->windows, window, &window->id)) {
    (void)window_end(window);
    return NULL;
  }
  ((double *)call.addon->numbers.data)[0] = window->id;
  return buffer;
}

/* giveBack(id, batch, record) */
napi_value js_giveBack(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 3, &call)) return NULL;
  link_handle *const link = link_of(&call);
  const protoipc_record *const record = record_of(&call, 1);
  if (link == NULL || record == NULL) return NULL;
  const protoipc_block block = {.index = record->index, .generation = record->generation};
  link_give_back(link, &block);
  return NULL;
}

/* ---- The end, and what there is ---- */

/* linkShutdown(id) */
napi_value js_linkShutdown(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 1, &call)) return NULL;
  link_handle *const link = link_of(&call);
  if (link != NULL) link_shutdown(link);
  return NULL;
}

/* linkClose(id) */
napi_value js_linkClose(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 1, &call)) return NULL;
  link_handle *const link = any_link_of(&call);
  if (link != NULL) link_release(link);
  return NULL;
}

/* linkStats(id): in the numbers, in the order of protoipc_link_stats. */
napi_value js_linkStats(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 1, &call)) return NULL;
  link_handle *const link = link_of(&call);
  if (link == NULL) return result_i32(&call, PROTOIPC_EINVAL);
  protoipc_link_stats stats = {0};
  protoipc_link_read_stats(link->link, &stats);
  double *const numbers = call.addon->numbers.data;
  numbers[0] = (double)stats.records_sent;
  numbers[1] = (double)stats.records_received;
  numbers[2] = (double)stats.doorbells_sent;
  numbers[3] = (double)stats.doorbells_received;
  numbers[4] = (double)stats.blocks_held_by_peer;
  numbers[5] = (double)stats.bytes_held_by_peer;
  numbers[6] = (double)stats.blocks_held_by_us;
  numbers[7] = (double)stats.segments_mapped;
  return result_i32(&call, PROTOIPC_OK);
}

static uint32_t used_places(const table *table) { return table->room - table->free_count; }

/* counts(): in the numbers, how many links, listeners, arenas and windows there are. For tests. */
napi_value js_counts(napi_env env, napi_callback_info info) {
  call call;
  if (!call_begin(env, info, 0, &call)) return NULL;
  double *const numbers = call.addon->numbers.data;
  numbers[0] = used_places(&call.addon->links);
  numbers[1] = used_places(&call.addon->listeners);
  numbers[2] = used_places(&call.addon->arenas);
  numbers[3] = used_places(&call.addon->windows);
  return NULL;
}
