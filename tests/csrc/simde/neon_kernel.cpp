// The Arm kernel, compiled for the machine at hand.
#include "core/kernels.h"
#define HASHZOO_ARM 1
#include "kernels/arm_neon.cpp"
