/* process.c - what holds for the whole process: whether we act in it, and its forks. */
#include "preload/process.h"

uint32_t process_epoch = 1;
_Atomic uint8_t process_mode;
const uint8_t *process_alive;
