// Stands in for the compiler's header, see immintrin.h.
#pragma once
#define SIMDE_ENABLE_NATIVE_ALIASES
#define SIMDE_NO_NATIVE
#include <simde/arm/neon.h>
