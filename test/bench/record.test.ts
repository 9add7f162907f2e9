import { expect, test } from "vitest";
import { checkRaw, makeRaw } from "../../bench/raw.js";
import { latencyUs, RECORD_BYTES, RecordMemory, writeSentAt } from "../../bench/record.js";

test("a record is found changed whatever byte of it changes", () => {
  const memory = new RecordMemory();
  const bytes = new Uint8Array(256);
  memory.write(bytes, 8, 7);
  const whole = (): void => memory.check(bytes, 8, 8 + RECORD_BYTES, 7);
  whole();
  for (let i = 8; i < 8 + RECORD_BYTES; i++) {
    bytes[i]! ^= 0x10;
    expect(whole, `byte ${i}`).toThrow("record 7 arrived changed");
    bytes[i]! ^= 0x10;
  }
  whole();
  expect(() => memory.check(bytes, 8, 8 + RECORD_BYTES, 8)).toThrow("record 8 arrived changed");
  expect(() => memory.check(bytes, 8, 8 + RECORD_BYTES - 4, 7)).toThrow("with 60 bytes instead of 64");
  expect(bytes.subarray(0, 8)).toEqual(new Uint8Array(8));
  expect(bytes.subarray(8 + RECORD_BYTES)).toEqual(new Uint8Array(256 - 8 - RECORD_BYTES));
});

test("one memory after the other, and an array that begins within its buffer", () => {
  const memory = new RecordMemory();
  const first = new Uint8Array(new ArrayBuffer(128), 16);
  const second = new Uint8Array(64);
  memory.write(first, 4, 1);
  memory.write(second, 0, 2);
  memory.check(first, 4, 4 + RECORD_BYTES, 1);
  memory.check(second, 0, RECORD_BYTES, 2);
  expect(new Uint8Array(first.buffer).subarray(0, 20)).toEqual(new Uint8Array(20));
  expect(() => memory.write(first, 1, 1)).toThrow("stands at byte 17, not at a multiple of 4");
});

test("what was sent has a time", () => {
  const bytes = new Uint8Array(RECORD_BYTES);
  writeSentAt(bytes, 8);
  const sentAt = new DataView(bytes.buffer).getBigInt64(8, true);
  expect(latencyUs(bytes, 8, sentAt + 2_500n)).toBe(2.5);
});

test("raw messages have their number, their length, and the first one its content", () => {
  for (const id of [0, 1, 255, 256, 70_000, 2 ** 31]) checkRaw(makeRaw(id, 64), id, 64);
  expect(() => checkRaw(makeRaw(256, 64), 257, 64)).toThrow("message 256 arrived where 257 was due");
  expect(() => checkRaw(makeRaw(1, 64).subarray(0, 63), 1, 64)).toThrow("with 63 bytes instead of 64");
  const changed = makeRaw(0, 64).slice();
  changed[63]! ^= 1;
  expect(() => checkRaw(changed, 0, 64)).toThrow("message 0 arrived changed");
});
