/* The table of holds against a model that is too simple to be wrong. */
#include "../src/held.h"

#include "test.h"

enum { model_indexes = 64, model_generations = 8 };

static void test_against_a_model(void) {
  uint32_t model[model_indexes][model_generations] = {{0}};
  test_random random = {7};
  held_table table;
  uint32_t holds = 0;
  held_init(&table, 12345);
  for (int step = 0; step < 300000; step++) {
    const uint32_t index = (uint32_t)test_below(&random, model_indexes);
    const uint32_t generation = (uint32_t)test_below(&random, model_generations);
    uint32_t *count = &model[index][generation];
    /* Phases of growing and of shrinking. */
    const int takes = test_below(&random, 100) < (step / 20000 % 2 ? 30u : 60u);
    if (takes && holds < 2000) {
      CHECK_EQUAL(held_take(&table, index, generation + 1, index % 5), 0);
      ++*count;
      ++holds;
    } else {
      uint32_t segment = 99;
      CHECK_EQUAL(held_give_back(&table, index, generation + 1, &segment), *count ? 0 : PROTOIPC_EINVAL);
      if (*count == 0) continue;
      CHECK_EQUAL(segment, index % 5);
      --*count;
      --holds;
      CHECK_EQUAL(table.pending[table.pending_count - 1].index, index);
      if (table.pending_count >= 100) held_told(&table, 1 + (uint32_t)test_below(&random, 100));
    }
    CHECK_EQUAL(table.holds, holds);
    const held_entry *entry = held_find(&table, index, generation + 1);
    CHECK_EQUAL(entry == NULL ? 0 : entry->count, *count);
  }
  for (uint32_t index = 0; index < model_indexes; index++)
    for (uint32_t generation = 0; generation < model_generations; generation++) {
      const held_entry *entry = held_find(&table, index, generation + 1);
      CHECK_EQUAL(entry == NULL ? 0 : entry->count, model[index][generation]);
    }
  held_free(&table);
}

static void test_told_keeps_the_order(void) {
  held_table table;
  uint32_t segment;
  held_init(&table, 1);
  for (uint32_t i = 0; i < 10; i++) CHECK_EQUAL(held_take(&table, i, 1, 0), 0);
  for (uint32_t i = 0; i < 10; i++) CHECK_EQUAL(held_give_back(&table, i, 1, &segment), 0);
  held_told(&table, 4);
  CHECK_EQUAL(table.pending_count, 6);
  for (uint32_t i = 0; i < 6; i++) CHECK_EQUAL(table.pending[i].index, 4 + i);
  held_free(&table);
}

static void test_limits(void) {
  held_table table;
  uint32_t segment = 0;
  held_init(&table, 1);
  CHECK_EQUAL(held_give_back(&table, 0, 1, &segment), PROTOIPC_EINVAL);
  CHECK(held_find(&table, 0, 1) == NULL);
  for (uint32_t i = 0; i < HELD_MOST; i++) CHECK_EQUAL(held_take(&table, i, 1, 3), 0);
  CHECK_EQUAL(held_take(&table, HELD_MOST, 1, 3), PROTOIPC_ELIMIT);
  /* What was given back counts until it was told. */
  CHECK_EQUAL(held_give_back(&table, 0, 1, &segment), 0);
  CHECK_EQUAL(segment, 3);
  CHECK_EQUAL(held_take(&table, 0, 2, 3), PROTOIPC_ELIMIT);
  held_told(&table, 1);
  CHECK_EQUAL(held_take(&table, 1, 1, 4), PROTOIPC_EPROTOCOL); /* held, but in another segment */
  CHECK_EQUAL(held_take(&table, 1, 1, 3), 0);
  CHECK_EQUAL(held_take(&table, 1, 1, 3), PROTOIPC_ELIMIT);
  held_free(&table);
}

TEST_MAIN(TEST(test_against_a_model), TEST(test_told_keeps_the_order), TEST(test_limits))
